"""One cell as the value that a case wants: text, a day, phone numbers; what cannot be, and what was odd, is told."""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from crm_bridge.imports.findings import finding
from crm_bridge.imports.sheets import Cell
from telephony.numbers import InvalidNumber, read_number

Say = Callable[..., None]
"""`say(code, value, **details)` notes a finding about the cell."""

EXACT = 10**15  # a spreadsheet's numbers keep 15 digits
SERIALS = (20_000, 80_000)  # 1954 to 2119
EPOCH = dt.date(1899, 12, 30)
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u061c\u180e]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WRAPPED = re.compile(r'="(.*)"', re.DOTALL)  # how a CSV keeps a spreadsheet from reading digits as a number
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2}")
_FORMULA = re.compile(r"^[=@]|^[+\-](?![0-9 (])")
_YMD = re.compile(r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*日?(?:[ T][0-9:.]+)?")
_PACKED = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
_DMY = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
_BETWEEN = re.compile("[;\uff1b、|\n\r]+|[/\uff0f](?=\\s*[+0-9(])|[,\uff0c](?=\\s*[+0-9(][0-9()\\- ]{6,})")


def text(cell: Cell, say: Say) -> str:
    """The cell as text, trimmed, as its writer meant it; long numbers that lost digits are refused."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        return _number_text(cell, say)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(" ")
    written = unicodedata.normalize("NFC", str(cell)).strip()
    if wrapped := _WRAPPED.fullmatch(written):
        written = wrapped[1].strip()
    if _CONTROL.search(written):
        say("control-characters", written)
        written = _CONTROL.sub("", written)
    if _HIDDEN.search(written):
        say("hidden-characters", written)
    if _FORMULA.match(written):
        say("looks-like-formula", written)
    return written


def _number_text(cell: int | float, say: Say) -> str:
    if isinstance(cell, float) and (math.isnan(cell) or math.isinf(cell)):
        say("cell-error", cell)
        return ""
    if abs(cell) >= EXACT:
        say("precision-lost", cell)
        return ""
    return str(int(cell)) if float(cell).is_integer() else repr(cell)


def key(cell: Cell, say: Say) -> str:
    """Text by which things are told apart: digits that a spreadsheet rounded are refused, invisible marks go."""
    written = text(cell, say)
    if _SCIENTIFIC.fullmatch(written):
        say("precision-lost", written)
        return ""
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", written)).strip()


def day(cell: Cell, order: str, say: Say) -> dt.date | None:
    """A day; None where there is none, or where it cannot be one (which is told)."""
    if isinstance(cell, dt.datetime):
        return cell.date()
    if isinstance(cell, dt.date):
        return cell
    if isinstance(cell, int | float) and not isinstance(cell, bool) and SERIALS[0] <= cell <= SERIALS[1]:
        return _serial(int(cell), cell, say)
    written = key(cell, say)
    if not written:
        return None
    if found := _YMD.fullmatch(written) or _PACKED.fullmatch(written):
        return _date(int(found[1]), int(found[2]), int(found[3]), written, say)
    if found := _DMY.fullmatch(written):
        return _with_the_year_last(int(found[1]), int(found[2]), int(found[3]), order, written, say)
    if written.isdigit() and SERIALS[0] <= int(written) <= SERIALS[1]:
        return _serial(int(written), written, say)
    say("bad-date", written)
    return None


def _serial(days: int, shown: object, say: Say) -> dt.date:
    found = EPOCH + dt.timedelta(days=days)
    say("serial-date", shown, date=found.isoformat())
    return found


def _with_the_year_last(first: int, second: int, year: int, order: str, written: str, say: Say) -> dt.date | None:
    if order == "ymd" and first <= 12 and second <= 12 and first != second:
        say("ambiguous-date", written)
        return None
    month_first = order == "mdy" or (order == "ymd" and second > 12)
    month, of_month = (first, second) if month_first else (second, first)
    return _date(year, month, of_month, written, say)


def _date(year: int, month: int, of_month: int, written: str, say: Say) -> dt.date | None:
    try:
        return dt.date(year, month, of_month)
    except ValueError:
        say("bad-date", written)
        return None


def numbers(cell: Cell, region: str, leave_out: bool, say: Say) -> list[dict[str, Any]]:
    """The phone numbers of a cell, each {e164, extension}; several may be written in one cell."""
    written = key(cell, say) if not isinstance(cell, str) else _HIDDEN.sub("", text(cell, _without_formula(say)))
    found: dict[str, dict[str, Any]] = {}
    for piece in (one.strip() for one in _BETWEEN.split(written)):
        if not piece:
            continue
        if _SCIENTIFIC.fullmatch(piece):
            say("precision-lost", piece)
            continue
        try:
            read = read_number(piece, region)
        except InvalidNumber as fault:
            _bad_number(piece, fault.detail, leave_out, say)
            continue
        if read.e164 in found:
            say("number-twice", piece)
            continue
        if read.extension:
            say("extension", piece, extension=read.extension)
        found[read.e164] = {"e164": read.e164, "extension": read.extension}
    return list(found.values())


def _without_formula(say: Say) -> Say:
    """A number may well begin with a plus."""

    def heard(code: str, value: object = None, **details: Any) -> None:
        if code != "looks-like-formula":
            say(code, value, **details)

    return heard


def _bad_number(piece: str, why: str, leave_out: bool, say: Say) -> None:
    if leave_out:
        say("number-left-out", piece, why=why)
    elif re.search(r"[0-9][*xX×#]{2,}[0-9]?", piece):
        say("masked-number", piece)
    else:
        say("bad-number", piece, why=why)


def sayer(findings: list[dict[str, Any]], column: str) -> Say:
    """A `Say` that notes findings about this column."""

    def say(code: str, value: object = None, **details: Any) -> None:
        findings.append(finding(code, column, value, **details))

    return say
