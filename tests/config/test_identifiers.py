"""Identifiers: in the order of time, never the same twice, and safe wherever they go."""

from datetime import UTC, datetime, timedelta

from config.identifiers import PATTERN, new_id

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


def test_identifiers_sort_by_the_time_they_were_made() -> None:
    made = [new_id(NOW + timedelta(milliseconds=index)) for index in range(100)]
    assert made == sorted(made)


def test_no_two_are_the_same() -> None:
    assert len({new_id(NOW) for _ in range(10_000)}) == 10_000


def test_they_are_version_7_uuids_of_32_hex_digits() -> None:
    made = new_id(NOW)
    assert PATTERN.fullmatch(made)
    assert made[12] == "7"
    assert made[16] in "89ab"


def test_nothing_else_passes_for_one() -> None:
    for other in ("", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 32 + "\n", "../" + "a" * 29, "${x}" + "a" * 28):
        assert PATTERN.fullmatch(other) is None
