"""The rows of every table as lines of JSON that are the same on SQLite and PostgreSQL, out of one snapshot and back in.

A line is an array, one value a column: moments and days in ISO 8601, bytes as base64, documents as an array of one (JSON's
own null is `[null]`, the database's NULL is `null`).
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnClause,
    ColumnElement,
    Date,
    LargeBinary,
    MetaData,
    String,
    Table,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    table,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.types import JSON

from config.schema import Document, UtcDateTime

CHUNK = 500
Columns = list[tuple[str, str]]


@dataclass(slots=True)
class Written:
    """A table as it was written: its columns with their kinds, how many rows, and the SHA-256 of their lines."""

    name: str
    columns: Columns
    key: list[str]
    rows: int = 0
    sha256: str = ""

    def document(self) -> dict[str, Any]:
        """As the manifest says it."""
        columns = [list(pair) for pair in self.columns]
        return {"name": self.name, "columns": columns, "key": self.key, "rows": self.rows, "sha256": self.sha256}


def tables_of(metadata: MetaData) -> list[Written]:
    """Every table, those that others refer to first."""
    return [_described(found) for found in metadata.sorted_tables]


def _described(found: Table) -> Written:
    return Written(found.name, [(one.name, _kind(one)) for one in found.c], [one.name for one in found.primary_key])


def _kind(one: Column[Any]) -> str:
    if isinstance(one.type, UtcDateTime):
        return "moment"
    for kind, name in ((Boolean, "truth"), (Date, "day"), (LargeBinary, "bytes"), (JSON, "document"), (String, "text")):
        if isinstance(one.type, kind):
            return name
    return "plain"


def _typed(found: Written) -> TableClause:
    types: dict[str, Any] = {
        "moment": UtcDateTime(),
        "day": Date(),
        "bytes": LargeBinary(),
        "document": Document,
        "text": String(),
        "truth": Boolean(),
    }
    return table(found.name, *(column(name, types.get(kind)) for name, kind in found.columns))


async def lines(connection: AsyncConnection, found: Written) -> AsyncIterator[list[bytes]]:
    """The table's rows by key, some at a time; counts and hashes them into `found`."""
    clause, digest = _typed(found), hashlib.sha256()
    shown = [cast(clause.c[name], String) if kind == "document" else clause.c[name] for name, kind in found.columns]
    key = [_ordered(connection, clause.c[name], dict(found.columns)[name]) for name in found.key]
    places = [[name for name, _ in found.columns].index(name) for name in found.key]
    statement, found.rows = select(*shown).order_by(*key).limit(CHUNK), 0
    last: tuple[Any, ...] | None = None
    while True:
        following = statement.where(tuple_(*key) > tuple_(*map(literal, last))) if last is not None else statement
        rows = (await connection.execute(following)).all()
        written = [_line(found.columns, row) for row in rows]
        for one in written:
            digest.update(one)
        found.rows += len(rows)
        if written:
            yield written
        if len(rows) < CHUNK:
            break
        last = tuple(rows[-1][place] for place in places)
    found.sha256 = digest.hexdigest()


def _ordered(connection: AsyncConnection, one: ColumnClause[Any], kind: str) -> ColumnElement[Any]:
    """Text by its bytes: else each database would have an order of its own."""
    return one.collate("C") if kind == "text" and connection.dialect.name == "postgresql" else one


def _line(columns: Columns, row: Iterable[Any]) -> bytes:
    values = [_out(kind, value) for (_, kind), value in zip(columns, row, strict=True)]
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _out(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "document":
        return [json.loads(value)]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return base64.b64encode(value).decode() if kind == "bytes" else value


def _in(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "document":
        return value[0] if value[0] is not None else JSON.NULL
    readers: dict[str, Any] = {"moment": datetime.fromisoformat, "day": date.fromisoformat, "bytes": base64.b64decode}
    return readers[kind](value) if kind in readers else value


async def insert_lines(connection: AsyncConnection, found: Written, source: Iterator[bytes]) -> None:
    """Put the rows in, as they were."""
    clause = _typed(found)
    chunk: list[dict[str, Any]] = []
    for line in source:
        values = zip(found.columns, json.loads(line), strict=True)
        # What is left out is NULL; a document's None would be written as JSON's null.
        chunk.append({name: _in(kind, value) for (name, kind), value in values if value is not None})
        if len(chunk) == CHUNK:
            await _insert(connection, clause, chunk)
            chunk = []
    await _insert(connection, clause, chunk)


async def _insert(connection: AsyncConnection, clause: TableClause, chunk: list[dict[str, Any]]) -> None:
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in chunk:
        alike.setdefault(tuple(row), []).append(row)
    for rows in alike.values():
        await connection.execute(insert(clause), rows)


async def count_on(connection: AsyncConnection, found: Written) -> None:
    """Have PostgreSQL number on after the restored rows."""
    if connection.dialect.name != "postgresql" or len(found.key) != 1:
        return
    name = found.key[0]
    numbering = await connection.scalar(select(func.pg_get_serial_sequence(found.name, name)))
    if numbering is not None:
        highest = await connection.scalar(select(func.max(_typed(found).c[name])))
        if highest is not None:
            await connection.scalar(select(func.setval(numbering, highest)))
