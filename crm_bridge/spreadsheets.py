"""Tables for people, as CSV or XLSX, in which nothing is ever executed: a cell is text, whatever it begins with.

A program that opens a CSV runs what begins with = + - @ or a tab (CWE-1236): such a cell gets an apostrophe before it, which
is the OWASP remedy, unless it is a plain number or a phone number. In XLSX every cell is written as a string or a number.
"""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import xlsxwriter  # type: ignore[import-untyped]  # ships no types

Format = Literal["csv", "xlsx"]
CONTENT_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ENCODINGS = ("utf-8", "gb18030")
LONGEST_CELL = 32_767
WIDEST = 60
_RISKY = re.compile("^[\\s\"';,]*[=+\\-@|%\t\r\n\uff1d\uff0b\uff0d\uff20]")
_HARMLESS = re.compile(r"[+-]?[0-9][0-9 ]*(?:\.[0-9]+)?")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
Cell = str | int | float | bool | datetime | date | None


def plain(cell: Cell) -> str:
    """The cell as text for a CSV, made harmless."""
    written = as_text(cell)
    if _RISKY.match(written) and not _HARMLESS.fullmatch(written):
        return f"'{written}"
    return written


def as_text(cell: Cell) -> str:
    """The cell as text: moments with their offset to the second, nothing as nothing."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "seconds")
    if isinstance(cell, bool):
        return "1" if cell else "0"
    return _UNWRITABLE.sub("", str(cell))[:LONGEST_CELL]


def csv_lines(rows: Iterable[Sequence[Cell]], *, encoding: str = "utf-8") -> Iterator[bytes]:
    """A CSV a row at a time; UTF-8 begins with its mark, by which spreadsheets know it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    begun = encoding != "utf-8"
    for row in rows:
        writer.writerow([plain(cell) for cell in row])
        line = buffer.getvalue().encode(encoding, "replace")
        yield line if begun else b"\xef\xbb\xbf" + line
        begun = True
        buffer.seek(0)
        buffer.truncate()


def write_xlsx(path: Path, sheets: Iterable[tuple[str, Iterable[Sequence[Cell]]]]) -> None:
    """Write sheets whose first row are headings; rows go to disk as they come. Blocks: call it in a thread."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with tempfile.TemporaryDirectory(prefix="ringfence-xlsx-") as folder:
        book = xlsxwriter.Workbook(str(path), {**options, "tmpdir": folder})
        head = book.add_format({"bold": True, "bottom": 1})
        for name, rows in sheets:
            sheet = book.add_worksheet(re.sub(r"[\[\]:*?/\\]", " ", name)[:31])
            sheet.freeze_panes(1, 0)
            _write_rows(sheet, rows, head)
        book.close()


def _write_rows(sheet: Any, rows: Iterable[Sequence[Cell]], head: Any) -> None:
    for index, row in enumerate(rows):
        if index == 0:
            for column, cell in enumerate(row):
                sheet.set_column(column, column, min(max(2 * len(as_text(cell)), 12), WIDEST))
        for column, cell in enumerate(row):
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                sheet.write_number(index, column, cell)
            elif (written := as_text(cell)) != "":
                sheet.write_string(index, column, written, head if index == 0 else None)
