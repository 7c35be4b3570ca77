"""Pairing a carrier's records with our legs: as many pairs as there can be, and the closest of those."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.carrier.bench import Bench, OurLeg, closest
from crm_bridge.carrier.formats import Record

TIMES = st.lists(st.integers(0, 300).map(float), max_size=6).map(sorted)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path / "bench.db", "main")) as made:
        yield made


def moment(second: float) -> datetime:
    return datetime.fromtimestamp(1_780_000_000 + second, UTC)


def record(line: int, second: float, number: str = "+8613800138000") -> Record:
    return Record(line, moment(second), number, True, "", 10.0, True, "16")


def leg(name: str, second: float, number: str = "+8613800138000") -> OurLeg:
    return OurLeg(name, f"call-{name}", moment(second), number, 10.0, True)


def most(theirs: list[float], ours: list[float], tolerance: float) -> tuple[int, float]:
    """The most pairs there can be and the least distance, tried out."""
    if not theirs:
        return 0, 0.0
    best = most(theirs[1:], ours, tolerance)
    for index, at in enumerate(ours):
        apart = abs(theirs[0] - at)
        if apart <= tolerance:
            pairs, less = most(theirs[1:], ours[:index] + ours[index + 1 :], tolerance)
            best = max(best, (pairs + 1, less - apart))
    return best


@given(TIMES, TIMES)
def test_as_many_pairs_as_there_can_be_and_the_closest(theirs: list[float], ours: list[float]) -> None:
    pairs = closest(theirs, ours, 60)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    apart = [abs(theirs[i] - ours[j]) for i, j in pairs]
    assert all(one <= 60 for one in apart)
    assert (len(pairs), -sum(apart)) == most(theirs, ours, 60)


def test_a_redial_is_not_taken_for_the_call_before(bench: Bench) -> None:
    bench.lay([record(2, 0), record(3, 50)])
    bench.lay_ours([leg("a", -30), leg("b", 20)])
    bench.pair(60)
    [rows] = bench.new(paired=True, size=10)
    assert [(row["line"], row["call_id"]) for row in rows] == [(2, "call-a"), (3, "call-b")]


def test_other_numbers_and_other_times_are_no_pair(bench: Bench) -> None:
    bench.lay([record(2, 0), record(3, 1000)])
    bench.lay_ours([leg("a", 0, "+8613800138001"), leg("b", 1061)])
    bench.pair(60)
    assert bench.theirs_only(10)[0] == 2
    lacking = bench.ours_only(moment(-10), moment(2000), answered_only=False, size=10)
    assert [[row["leg"] for row in rows] for rows in lacking] == [["a", "b"]]


def test_the_same_words_twice_are_two_records_and_the_same_two_again(tmp_path: Path) -> None:
    names = []
    for copy in range(2):
        with closing(Bench(tmp_path / f"{copy}.db", "main")) as bench:
            bench.lay([record(2, 0), record(7, 0)])
            names.append([row["id"] for rows in bench.new(paired=False, size=10) for row in rows])
    assert names[0] == names[1]
    assert len(set(names[0])) == 2


def test_a_hundred_thousand_records_take_little_memory_beyond_the_file(bench: Bench) -> None:
    counts = bench.lay(record(line, line, f"+86138{line % 50_000:08}") for line in range(100_000))
    bench.lay_ours(leg(str(line), line + 3, f"+86138{line % 50_000:08}") for line in range(0, 100_000, 2))
    bench.pair(60)
    assert counts.records == 100_000
    assert (bench.paired(), bench.theirs_only(5)[0]) == (50_000, 50_000)


def test_a_number_called_without_end_is_paired_in_stretches(bench: Bench) -> None:
    bench.lay(record(line, line * 20) for line in range(3_000))
    bench.lay_ours(leg(str(line), line * 20 + 1) for line in range(3_000))
    bench.pair(60)
    assert bench.paired() == 3_000
