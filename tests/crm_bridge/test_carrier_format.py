"""Reading a carrier's file: every line is a record, left out, or bad with a reason; whatever the bytes are."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_bridge.carrier.formats import LONGEST_LINE, Bad, CdrFormat, Record, read_records

LATEST = datetime(2026, 6, 30, tzinfo=UTC)
NAMELESS: dict[str, Any] = {
    "header": False,
    "columns": {"start": ["1"], "called": "2", "duration": "3", "cause": "4", "answered": "5"},
}


def read(content: bytes, **how: Any) -> list[Record | Bad | None]:
    return list(read_records(io.BytesIO(content), CdrFormat.model_validate(how), LATEST))


def one(content: str, **how: Any) -> Record:
    [found] = read(content.encode(), **{**NAMELESS, **how})
    assert isinstance(found, Record), found
    return found


@pytest.mark.parametrize(
    ("text", "how", "moment"),
    [
        ("2026-06-01 08:00:00", {}, datetime(2026, 6, 1, 0, 0, tzinfo=UTC)),
        ("2026-06-01T08:00:00+02:00", {}, datetime(2026, 6, 1, 6, 0, tzinfo=UTC)),
        ("1780272000.5", {"time_format": "epoch"}, datetime(2026, 6, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("20260601080000", {"time_format": "%Y%m%d%H%M%S"}, datetime(2026, 6, 1, 0, 0, tzinfo=UTC)),
        ("01/06/26 08:00", {"time_format": "%d/%m/%y %H:%M", "zone": "UTC"}, datetime(2026, 6, 1, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_start_is_read_in_its_form_and_zone(text: str, how: dict[str, Any], moment: datetime) -> None:
    assert one(f"{text},13800138000,1,16,1", **how).started_at == moment


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("65", "seconds", 65),
        ("65000", "milliseconds", 65),
        ("1.5", "minutes", 90),
        ("1:02:03", "clock", 3723),
        ("", "seconds", 0),
    ],
)
def test_a_length_is_read_in_its_unit(text: str, unit: str, seconds: float) -> None:
    assert one(f"2026-06-01,13800138000,{text},16,1", duration_unit=unit).duration == seconds


@pytest.mark.parametrize(
    ("text", "number", "callable_"),
    [
        ("13800138000", "+8613800138000", True),
        ("008613800138000", "+8613800138000", True),
        ("12593013800138000", "+8613800138000", True),
        ("'13800138000", "+8613800138000", True),
        ("10086", "10086", False),
        ("*72#", "*72#", False),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, number: str, callable_: bool) -> None:
    found = one(f"2026-06-01,{text},1,16,1", strip_prefixes=["12593"])
    assert (found.number, found.callable) == (number, callable_)


def test_what_says_answered_is_the_carriers_own_word() -> None:
    lines = "\n".join(f"2026-06-01,13800138000,9,16,{word}" for word in ("ANSWERED", "是", "no", "", "已接通"))
    found = read(lines.encode("gb18030"), **NAMELESS, encoding="gb18030")
    assert [one.answered for one in found if isinstance(one, Record)] == [True, True, False, False, True]
    assert one("2026-06-01,13800138000,9,16,oui", answered_values=["Oui"]).answered


def test_a_byte_order_mark_and_line_ends_of_any_kind_are_no_matter() -> None:
    content = b"\xef\xbb\xbfstart,called\r\n2026-06-01,13800138000\r\r\n\n2026-06-02,13800138000"
    found = read(content, columns={})
    assert [type(one) for one in found] == [Record, Record]


def test_a_line_without_end_spoils_itself_only() -> None:
    long = "x" * (3 * LONGEST_LINE)
    bad, good = read(f"{long}\n2026-06-01,13800138000,1,16,1\n".encode(), **NAMELESS)
    assert isinstance(bad, Bad)
    assert isinstance(good, Record)
    assert "longer than" in bad.reason


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "gbk", "gb18030", "big5", "latin-1", "windows-1252"]))
@example(b'"', "utf-8")
@example(b"\xff\xfe,\x00", "gbk")
@example(b"nan,nan,nan,nan,nan", "utf-8")
def test_no_bytes_break_the_reading_and_no_line_is_lost(content: bytes, encoding: str) -> None:
    for time_format in ("iso", "epoch", "%Y"):
        found = read(content, **NAMELESS, encoding=encoding, time_format=time_format)
        codec = "utf-8-sig" if encoding == "utf-8" else encoding
        lines = io.TextIOWrapper(io.BytesIO(content), codec, "surrogateescape", newline="").read()
        wanted = io.StringIO(lines, newline="").readlines()
        assert len(found) == sum(bool(line.strip()) for line in wanted)
