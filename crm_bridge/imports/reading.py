"""The process that reads a client's file: `python -m crm_bridge.imports.reading ORDER.json`, one JSON line a row on stdout.

It has no database and no secrets, limits its own memory and time, and may be killed at any moment. The first line is
`{"file": …}` (how it was read), then `{"row": …}` each, and last `{"end": …}`; without an end the file was not read to the
end. An order is {path, mapping, client, region, preview}; `preview` asks for the headings and the first rows alone.
"""

import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from crm_bridge.imports.findings import finding
from crm_bridge.imports.mapping import Mapping, plain, suggest
from crm_bridge.imports.rows import RowReader
from crm_bridge.imports.sheets import Row, Sheet, UnreadableFile, open_sheet

MEMORY = 2 << 30
SECONDS = 900
LOOK_FOR_HEADINGS = 50
PREVIEWED = 10


def main() -> None:
    """Carry the order out."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    order = from_json(Path(sys.argv[1]).read_bytes())
    out = sys.stdout.buffer
    for line in preview(order) if order["preview"] else check(order):
        out.write(to_json(line) + b"\n")
    out.flush()


def preview(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The headings, the first rows and a suggested mapping; guesses where no mapping says how to read."""
    wanted = order.get("mapping") or {}
    try:
        sheet = _opened(order, wanted)
        rows = [row for _, row in zip(range(LOOK_FOR_HEADINGS + PREVIEWED), sheet.rows, strict=False)]
    except UnreadableFile as unreadable:
        yield {"file": {}, "problems": [unreadable.found]}
        return
    number = wanted.get("header_row") or _guessed_header(rows)
    headings = next((_headings(row) for row in rows if row.number == number), [])
    below = [row for row in rows if row.number > number and not row.empty][:PREVIEWED]
    shown = [[str(cell)[:200] for cell in row.cells[: len(headings) + 5]] for row in below]
    found = {**_how(sheet), "header_row": number, "headings": headings, "rows": shown, "suggested": suggest(headings)}
    yield {"file": found, "problems": []}
    yield {"end": {}}


def _guessed_header(rows: Sequence[Row]) -> int:
    """The row in which most cells suggest what they are, the first of equals."""

    def score(row: Row) -> int:
        return len(suggest(_headings(row)))

    best = max(rows, key=lambda row: (score(row), -row.number), default=None)
    return best.number if best is not None else 1


def _headings(row: Row) -> list[str]:
    found = [" ".join(str(cell).split()) for cell in row.cells]
    while found and not found[-1]:
        found.pop()
    return found


def _opened(order: dict[str, Any], wanted: dict[str, Any]) -> Sheet:
    how = {"encoding": wanted.get("encoding") or "auto", "delimiter": wanted.get("delimiter") or "auto"}
    return open_sheet(Path(order["path"]), sheet=wanted.get("sheet"), **how)


def _how(sheet: Sheet) -> dict[str, Any]:
    return {
        "kind": sheet.kind, "encoding": sheet.encoding, "delimiter": sheet.delimiter, "sheet": sheet.name,
        "sheets": list(sheet.names),
    }  # fmt: skip


def check(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every row as a case document or with what keeps it out."""
    mapping = Mapping.model_validate(order["mapping"])
    counted = 0
    try:
        sheet = _opened(order, order["mapping"])
        header, headings, missing = _header(sheet.rows, mapping)
        problems = _heading_problems(headings, missing, mapping)
        yield {"file": {**_how(sheet), "header_row": header, "headings": headings}, "problems": problems}
        if any(problem["level"] == "error" for problem in problems):
            return
        reader = RowReader(mapping, headings, order["client"], order["region"])
        for row in sheet.rows:
            if row.empty:
                continue
            counted += 1
            yield {"row": asdict(reader.read(row))}
    except UnreadableFile as unreadable:
        yield {"file": {}, "problems": [unreadable.found]}
        return
    if not counted:
        yield {"file": {}, "problems": [finding("no-rows")]}
        return
    yield {"end": {"rows": counted}}


def _header(rows: Iterator[Row], mapping: Mapping) -> tuple[int, list[str], list[str]]:
    """The row of the headings: as told, else the first one that has them all, else none and what the best one lacks."""
    wanted = {plain(column.column): column.column for column in mapping.columns}
    best: tuple[int, list[str], list[str]] = (0, [], list(wanted.values()))
    for row in rows:
        headings = _headings(row)
        there = {plain(heading) for heading in headings}
        lacking = [name for key, name in wanted.items() if key not in there]
        if row.number == mapping.header_row or (mapping.header_row is None and not lacking):
            return row.number, headings, lacking
        if len(lacking) < len(best[2]):
            best = (row.number, headings, lacking)
        if row.number >= (mapping.header_row or LOOK_FOR_HEADINGS):
            break
    return best


def _heading_problems(headings: Sequence[str], missing: Sequence[str], mapping: Mapping) -> list[dict[str, Any]]:
    if missing:
        return [finding("no-header", missing=", ".join(missing))]
    wanted = {plain(column.column) for column in mapping.columns}
    names = [plain(heading) for heading in headings]
    twice = [heading for heading, name in zip(headings, names, strict=True) if name in wanted and names.count(name) > 1]
    if twice:
        return [finding("header-twice", twice[0], name=twice[0])]
    unmapped = [heading for heading, name in zip(headings, names, strict=True) if name and name not in wanted]
    return [finding("unmapped", columns=", ".join(unmapped))] if unmapped else []


if __name__ == "__main__":
    main()
