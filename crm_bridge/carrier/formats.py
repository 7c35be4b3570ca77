"""How a carrier writes its call records, and reading them: each line is a record, left out on purpose, or bad with a reason.

A line is read by itself, so that a stray quote or a byte of another encoding spoils that line and no other.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from typing import Annotated, BinaryIO, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.settings import Zone
from telephony.numbers import InvalidNumber, normalise

LONGEST_LINE = 16_384
ANSWERED = frozenset(
    {"1", "true", "yes", "y", "answered", "answer", "connected", "ok", "200", "是", "接通", "已接通", "已接", "成功"}
)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{2}(?:\.\d+)?)")
_DIALLED = re.compile(r"\+?[0-9*#]{1,39}")

Column = Annotated[str, Field(min_length=1, max_length=128)]


class Columns(BaseModel):
    """Which column says what: its name in the first line, or its number from 1 where there is none."""

    model_config = ConfigDict(extra="forbid")

    start: list[Column] = Field(["start"], min_length=1, max_length=2, description="one column, or date and time")
    called: Column = "called"
    caller: Column | None = None
    duration: Column | None = Field(None, description="how long they talked")
    cause: Column | None = None
    answered: Column | None = Field(None, description="absent: a call with a duration above 0 was answered")


class CdrFormat(BaseModel):
    """How one trunk's carrier writes its file, and how much it may differ from ours."""

    model_config = ConfigDict(extra="forbid")

    encoding: Literal["utf-8", "gbk", "gb18030", "big5", "latin-1", "windows-1252"] = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    skip_lines: int = Field(0, ge=0, le=1000, description="lines before the first that counts")
    header: bool = Field(True, description="the first line names the columns")
    columns: Columns = Columns(duration="duration")
    time_format: Annotated[str, Field(max_length=64)] = Field("iso", description="iso, epoch, or as strptime has it")
    zone: Zone = Field("Asia/Shanghai", description="of times written without an offset")
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = Field("CN", description="of numbers without a country")
    strip_prefixes: list[Annotated[str, Field(pattern=r"^[0-9*#]{1,10}$")]] = Field(
        [], max_length=20, description="what the carrier puts before called numbers"
    )
    duration_unit: Literal["seconds", "milliseconds", "minutes", "clock"] = Field(
        "seconds", description="clock: 1:02:03"
    )
    answered_values: list[Annotated[str, Field(max_length=64)]] = Field(
        [], max_length=50, description="absent: yes, 1, 是, …"
    )
    only: dict[Column, list[Annotated[str, Field(max_length=128)]]] = Field(
        {}, max_length=5, description="rows with other values in this column are left out, say incoming calls"
    )
    answered_only: bool = Field(False, description="the carrier lists answered calls only")
    tolerance_seconds: int = Field(60, ge=0, le=3600, description="how far its start may be from ours")
    duration_tolerance_seconds: int = Field(5, ge=0, le=3600)

    @model_validator(mode="after")
    def _numbered(self) -> "CdrFormat":
        if not self.header and not all(name.isdigit() and int(name) > 0 for name in self.named()):
            raise ValueError("columns must be numbers from 1 where no line names them")
        return self

    def named(self) -> list[str]:
        """The columns that are asked for."""
        columns = self.columns
        others = (columns.called, columns.caller, columns.duration, columns.cause, columns.answered)
        return list(dict.fromkeys([*columns.start, *(name for name in others if name), *self.only]))


@dataclass(frozen=True, slots=True)
class Record:
    """What one line says. `number` is E.164 where `callable`, else as the carrier wrote it; `duration` in seconds."""

    line: int
    started_at: datetime
    number: str
    callable: bool
    caller_id: str
    duration: float | None
    answered: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that says nothing that can be used, and why."""

    line: int
    reason: str


class _Unusable(ValueError):
    """Why a line cannot be used."""


def read_records(file: BinaryIO, how: CdrFormat, latest: datetime) -> Iterator[Record | Bad | None]:
    """Each line in turn; None for one that is left out on purpose. Empty lines are none at all. `latest`: no call is later."""
    text = TextIOWrapper(file, "utf-8-sig" if how.encoding == "utf-8" else how.encoding, "surrogateescape", newline="")
    places: dict[str, int] | None = None if how.header else {name: int(name) - 1 for name in how.named()}
    for number, line in enumerate(_lines(text), 1):
        if number <= how.skip_lines or not line.strip():
            continue
        try:
            cells = _cells(line, how)
            if places is None:
                places = _places(cells, how)
                continue
            yield _record(number, cells, places, how, latest)
        except (_Unusable, csv.Error) as error:
            yield Bad(number, str(error))
            if places is None:
                return  # without its names no column can be found


def _lines(text: TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        whole = line
        while not line.endswith(("\n", "\r")) and len(line) == LONGEST_LINE:
            line = text.readline(LONGEST_LINE)
            if not line:
                break
        yield whole


def _cells(line: str, how: CdrFormat) -> list[str]:
    if len(line) == LONGEST_LINE:
        raise _Unusable(f"longer than {LONGEST_LINE} characters")
    if any("\ud800" <= character <= "\udfff" for character in line):
        raise _Unusable(f"holds bytes that are not {how.encoding}")
    cells = next(csv.reader([line], delimiter=how.delimiter, strict=True))
    return [cell.strip().lstrip("\t'`") for cell in cells]  # spreadsheets' ways to keep a number a text


def _places(cells: list[str], how: CdrFormat) -> dict[str, int]:
    missing = [name for name in how.named() if name not in cells]
    if missing:
        raise _Unusable(f"the first line names no column {', '.join(missing)}; it names {', '.join(cells)[:300]}")
    return {name: cells.index(name) for name in how.named()}


def _record(line: int, cells: list[str], places: Mapping[str, int], how: CdrFormat, latest: datetime) -> Record | None:
    def cell(name: str | None) -> str:
        if name is None:
            return ""
        if places[name] >= len(cells):
            raise _Unusable(f"has {len(cells)} columns and none for {name}")
        return cells[places[name]]

    if any(cell(name) not in values for name, values in how.only.items()):
        return None
    columns = how.columns
    started_at = _moment(" ".join(cell(name) for name in columns.start), how)
    if started_at > latest:
        raise _Unusable(f"start lies in the future: {started_at.isoformat()}")
    number, is_callable = _number(cell(columns.called), how)
    duration = _duration(cell(columns.duration), how) if columns.duration else None
    said = cell(columns.answered).lower()
    values = {value.lower() for value in how.answered_values} or ANSWERED
    answered = said in values if columns.answered else bool(duration)
    cause = "".join(character for character in cell(columns.cause) if character.isprintable())[:64]
    return Record(line, started_at, number, is_callable, _plain(cell(columns.caller))[:40], duration, answered, cause)


def _moment(text: str, how: CdrFormat) -> datetime:
    try:
        if how.time_format == "epoch":
            found = datetime.fromtimestamp(float(text), UTC)
        elif how.time_format == "iso":
            found = datetime.fromisoformat(text)
        else:
            found = datetime.strptime(text, how.time_format)  # noqa: DTZ007 - an unwritten zone is put in below
        found = (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(how.zone))).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise _Unusable(f"start is no time of the form {how.time_format}: {text[:64]!r}") from None
    if found.year < 2000:
        raise _Unusable(f"start is before the year 2000: {text[:64]!r}")
    return found


def _plain(text: str) -> str:
    return "".join(character for character in text if character in "+*#0123456789")


def _number(text: str, how: CdrFormat) -> tuple[str, bool]:
    for prefix in sorted(how.strip_prefixes, key=len, reverse=True):
        if text.startswith(prefix):
            text = text.removeprefix(prefix)
            break
    try:
        return normalise(text, how.region), True
    except InvalidNumber:
        if (plain := _plain(text)) and plain == re.sub(r"[\s().\-]", "", text) and _DIALLED.fullmatch(plain):
            return plain, False  # a short or a broken number was dialled all the same
        raise _Unusable(f"called is no number: {text[:64]!r}") from None


def _duration(text: str, how: CdrFormat) -> float:
    if not text:
        return 0.0
    try:
        if clock := _CLOCK.fullmatch(text) if how.duration_unit == "clock" else None:
            value = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
        else:
            value = float(text) * {"milliseconds": 0.001, "minutes": 60.0}.get(how.duration_unit, 1.0)
    except ValueError:
        raise _Unusable(f"duration is no number of {how.duration_unit}: {text[:64]!r}") from None
    if not 0 <= value < timedelta(days=2).total_seconds():
        raise _Unusable(f"duration is impossible: {text[:64]!r}")
    return value
