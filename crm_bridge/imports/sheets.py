"""A client's file as rows of cells: CSV in whatever encoding, XLSX, XLS. Read row by row; what is odd about a cell is told.

Runs in a process of its own (`reading.py`): a hostile file may cost that process its life, never the service.
"""

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
    load_workbook,
)

from crm_bridge.imports.encodings import UnreadableText, encoding_of
from crm_bridge.imports.findings import finding
from crm_bridge.imports.odd_cells import odd_cells

LONGEST_CELL = 32_767  # what a spreadsheet takes
MOST_COLUMNS = 500
MOST_UNPACKED = 1_500_000_000
Cell = str | int | float | bool | dt.date | dt.time | dt.timedelta


class UnreadableFile(Exception):
    """The file as a whole cannot be read; `found` is the finding that says why."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__(found["what"])
        self.found = found


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the spreadsheet counts, from 1; `odd` says by column index: formula | no-value | error | merged."""

    number: int
    cells: list[Cell]
    odd: Mapping[int, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it; what reads as nothing and is something (a formula, an error) counts."""
        return not any(str(cell).strip() for cell in self.cells) and not {"no-value", "error"} & {*self.odd.values()}


@dataclass(frozen=True, slots=True)
class Sheet:
    """An opened file: how it was read, and its rows, once."""

    kind: str
    rows: Iterator[Row]
    encoding: str | None = None
    delimiter: str | None = None
    name: str | None = None
    names: tuple[str, ...] = ()


def open_sheet(path: Path, *, sheet: str | None, encoding: str, delimiter: str) -> Sheet:
    """The file's rows. Raises UnreadableFile."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head.strip():
        raise UnreadableFile(finding("no-file"))
    if head.startswith(b"PK\x03\x04"):
        _require_small(path)
        return _workbook(path, sheet, "xlsx")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _workbook(path, sheet, "xls")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<html", b"<!doctype", b"<?xml", b"<table", b"%pdf", b"{\\rtf")):
        raise UnreadableFile(finding("not-a-sheet", why="it is a page or a document under another name"))
    return _csv(path, encoding, delimiter)


# ---- spreadsheets


def _require_small(path: Path) -> None:
    """A few kilobytes can unpack to gigabytes: nothing is unpacked before its size is known."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise UnreadableFile(finding("not-a-sheet", why=str(error))) from None
    if unpacked > MOST_UNPACKED:
        raise UnreadableFile(finding("too-big", why=f"{unpacked // 1_000_000} MB when unpacked"))


def _workbook(path: Path, wanted: str | None, kind: str) -> Sheet:
    try:
        book = load_workbook(str(path))
    except PasswordError:
        raise UnreadableFile(finding("password")) from None
    except (CalamineError, OSError, ValueError) as error:
        raise UnreadableFile(finding("not-a-sheet", why=str(error))) from None
    shown = tuple(one.name for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible)
    names = tuple(book.sheet_names)
    if wanted is not None and wanted not in names:
        raise UnreadableFile(finding("no-sheet", name=wanted, known=", ".join(names)))
    name, sheet = _chosen(book, wanted, shown or names)
    odd = odd_cells(path, name) if kind == "xlsx" else {}
    return Sheet(kind, _sheet_rows(sheet, odd), name=name, names=names)


def _chosen(book: CalamineWorkbook, wanted: str | None, names: tuple[str, ...]) -> tuple[str, CalamineSheet]:
    for name in [wanted] if wanted is not None else names:
        try:
            sheet = book.get_sheet_by_name(name)
        except (CalamineError, ValueError) as error:
            raise UnreadableFile(finding("not-a-sheet", why=str(error))) from None
        if sheet.start is not None or wanted is not None:
            return name, sheet
    raise UnreadableFile(finding("no-file"))


def _sheet_rows(sheet: CalamineSheet, odd: Mapping[tuple[int, int], str]) -> Iterator[Row]:
    left = sheet.start[1] if sheet.start is not None else 0  # empty columns before the data are not among the cells
    merged = _merged(sheet)
    kept: dict[tuple[int, int], Cell] = {}
    for index, cells in enumerate(sheet.iter_rows()):
        row: list[Cell] = [""] * left + list(cells[:MOST_COLUMNS])
        marks = {column: odd[index, column] for column in range(len(row)) if (index, column) in odd}
        for column in range(len(row)):
            origin = merged.get((index, column))
            if origin == (index, column):
                kept[origin] = row[column]
            elif origin is not None and origin[0] < index and origin[1] == column and not str(row[column]).strip():
                row[column] = kept.get(origin, "")
                marks[column] = "merged"
        yield Row(index + 1, row, marks)


def _merged(sheet: CalamineSheet) -> dict[tuple[int, int], tuple[int, int]]:
    """The top left cell of every merged cell, by its place. A merging across a whole sheet is nobody's data."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in range(top, min(bottom, top + 10_000) + 1):
            for column in range(left, min(right, left + 50) + 1):
                found[row, column] = (top, left)
    return found


# ---- text


def _csv(path: Path, encoding: str, delimiter: str) -> Sheet:
    try:
        used = encoding_of(path, encoding)
    except UnreadableText as error:
        raise UnreadableFile(finding("encoding", at=error.at, encoding=error.encoding)) from None
    mark = delimiter if delimiter != "auto" else _delimiter_of(path, used)
    return Sheet("csv", _csv_rows(path, used, mark), encoding=used, delimiter=mark)


def _delimiter_of(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, newline="") as file:
        lines = [line for line in (file.readline(200_000) for _ in range(10)) if line.strip()]
    counts = {mark: sum(line.count(mark) for line in lines) for mark in (",", "\t", ";", "|")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else ","


def _csv_rows(path: Path, encoding: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    number = 0
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:  # most often a quote that is never closed: everything after it would be one cell
                raise UnreadableFile(finding("broken-off", row=number, why=str(error))) from None
            if any(_swallowed(cell, delimiter, len(cells)) for cell in cells):
                raise UnreadableFile(finding("broken-off", row=number, why="a quote is opened there and never closed"))
            number += 1
            yield Row(number, list(cells[:MOST_COLUMNS]))


def _swallowed(cell: str, delimiter: str, columns: int) -> bool:
    """Whether rows ended up inside a cell."""
    if "\n" not in cell:
        return False
    return any(line.count(delimiter) >= max(2, columns - 1) for line in cell.split("\n")[1:])
