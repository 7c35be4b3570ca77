"""The one journal: every thing that happened is one appended row, written in the transaction of the change itself.

Live streams, webhooks, audit and reports are readers of it, each with a cursor of its own. Rows are appended as the last
act of a transaction under one lock (`config.database.Transaction`), so ids rise in the order of commits on PostgreSQL too and
a reader that remembers the last id it saw can skip nothing.
"""

from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from config.schema import Document, Sequence, UtcDateTime, metadata

journal = Table(
    "journal",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("client", String(128)),
    Column("agent", String(128)),
    Column("case_id", String(128)),
    Column("call_id", String(32)),
    Column("data", Document, nullable=False),
    Index("ix_journal_call_id", "call_id"),
    Index("ix_journal_case_id", "case_id"),
    Index("ix_journal_kind", "kind", "id"),
)

cursors = Table(
    "journal_cursors",
    metadata,
    Column("reader", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: `kind` is the event's name (`call.state`), `actor` the user or `system`."""

    at: datetime
    kind: str
    actor: str = "system"
    client: str | None = None
    agent: str | None = None
    case_id: str | None = None
    call_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    id: int | None = None

    def document(self) -> dict[str, Any]:
        """The entry as a stream, a webhook and the outbox show it: `at` as RFC 3339, all else as it is."""
        return {"id": self.id, **_row(self), "at": self.at.isoformat()}


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "client": entry.client,
        "agent": entry.agent,
        "case_id": entry.case_id,
        "call_id": entry.call_id,
        "data": entry.data,
    }


_APPEND = insert(journal)


async def append(connection: AsyncConnection, entries: Rows[Entry]) -> None:
    """Write the entries; called once, last, by the transaction that holds the journal's lock."""
    await connection.execute(_APPEND, [_row(entry) for entry in entries])


async def read_after(connection: AsyncConnection, position: int, limit: int = 500) -> list[Entry]:
    """The entries that follow `position`, oldest first."""
    rows = await connection.execute(select(journal).where(journal.c.id > position).order_by(journal.c.id).limit(limit))
    return [Entry(**row._mapping) for row in rows]


async def last_position(connection: AsyncConnection) -> int:
    """The id of the newest entry, 0 when there is none."""
    newest = await connection.scalar(select(journal.c.id).order_by(journal.c.id.desc()).limit(1))
    return newest or 0


async def position_of(connection: AsyncConnection, reader: str) -> int:
    """Where a durable reader stands; a new reader starts at the beginning."""
    return await connection.scalar(select(cursors.c.position).where(cursors.c.reader == reader)) or 0


async def advance(connection: AsyncConnection, reader: str, old: int, new: int) -> bool:
    """Move a durable reader from `old` to `new`; False when another process moved it meanwhile."""
    moved = await connection.execute(
        update(cursors).where(cursors.c.reader == reader, cursors.c.position == old).values(position=new)
    )
    if moved.rowcount:
        return True
    if old:
        return False
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = dialect.insert(cursors).values(reader=reader, position=new).on_conflict_do_nothing()
    return bool((await connection.execute(first)).rowcount)
