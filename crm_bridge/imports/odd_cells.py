"""Which cells of a worksheet are formulas or errors: the reader of values does not say, so the sheet's XML is asked.

A formula that was never calculated, and an error, read as an empty cell there: left untold, something would be lost.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
MOST = 200_000
BLOCK = 1 << 20
_ODD = re.compile(rb"<(?:\w+:)?f[\s>/]|\st=[\"']e[\"']")
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


def odd_cells(path: Path, sheet: str) -> dict[tuple[int, int], str]:
    """(row, column), both from 0, to `formula`, `no-value` or `error`; of the first 200,000 such cells."""
    found: dict[tuple[int, int], str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            part = _part_of(archive, sheet)
            if part is None or not _has_odd(archive, part):
                return found
            with archive.open(part) as file:
                for place, kind in _cells(file):
                    found[place] = kind
                    if len(found) >= MOST:
                        break
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile):
        return found  # the reader of values has its own word on a broken file
    return found


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The worksheet's part in the package, as the workbook relates it."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    ids = {one.get("name"): one.get(RELATED) for one in book.iter(f"{MAIN}sheet")}
    related = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {one.get("Id"): one.get("Target") for one in related}
    target = targets.get(ids.get(sheet))
    if target is None:
        return None
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _has_odd(archive: zipfile.ZipFile, part: str) -> bool:
    """A quick look, so that plain sheets are not parsed a second time."""
    tail = b""
    with archive.open(part) as file:
        while block := file.read(BLOCK):
            if _ODD.search(tail + block):
                return True
            tail = block[-64:]
    return False


def _cells(file: IO[bytes]) -> Iterator[tuple[tuple[int, int], str]]:
    for _, element in ElementTree.iterparse(file):
        if element.tag == f"{MAIN}row":
            element.clear()
        elif element.tag == f"{MAIN}c":
            kind = _kind(element)
            place = _PLACE.fullmatch(element.get("r") or "") if kind else None
            if kind and place:
                yield (int(place[2]) - 1, _column(place[1])), kind


def _kind(cell: ElementTree.Element) -> str | None:
    if cell.get("t") == "e":
        return "error"
    if cell.find(f"{MAIN}f") is None:
        return None
    value = cell.find(f"{MAIN}v")
    return "formula" if value is not None and value.text else "no-value"


def _column(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1
