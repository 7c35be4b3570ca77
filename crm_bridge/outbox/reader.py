"""The outbox's reader of the journal: one row for each destination that wants an event, with the cursor that moves past it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row

from config import journal
from config.database import Database, Transaction
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.outbox.messages import FINISHED, NoteDocuments, kind_told, lane_of
from crm_bridge.outbox.registry import NOTE, wants
from crm_bridge.outbox.tables import destinations, items

log = structlog.get_logger(__name__)

BATCH = 200
LOOK = 1.0
"""Seconds between looks when nothing was committed here: another process may have."""


@dataclass(frozen=True, slots=True)
class OutboxReader:
    """Turns what happened into what is to be told: exactly one row a destination and event, whoever reads and dies."""

    database: Database
    documents: NoteDocuments
    name: str = "outbox"

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                if not await self.read_on():
                    await self.database.wait_for_entries(LOOK)
            except Exception:
                log.exception("reader.failed", reader=self.name)
                await asyncio.sleep(LOOK)

    async def read_on(self) -> bool:
        """Handle the next batch; False when there is nothing to read."""
        async with self.database.read() as connection:
            position = await journal.position_of(connection, self.name)
            entries = await journal.read_after(connection, position, BATCH)
        if not entries:
            return False
        async with self.database.write() as transaction:
            newest = entries[-1].id or position
            if await journal.advance(transaction.connection, self.name, position, newest):
                await self._write(transaction, entries)
        return True

    async def _write(self, transaction: Transaction, entries: Sequence[Entry]) -> None:
        listening = await transaction.all(select(destinations).where(destinations.c.state.in_(("on", "disabled"))))
        wanted = [(row, entry) for entry in entries for row in listening if _is_for(row, entry)]
        told = {entry.data["note_id"] for _, entry in wanted if entry.kind == FINISHED}
        documents = await self.documents.read(transaction.connection, told)
        rows = [_row(row, entry, documents.get(entry.data.get("note_id", ""))) for row, entry in wanted]
        if rows:
            dialect = postgresql if self.database.is_postgres else sqlite
            await transaction.execute(dialect.insert(items).on_conflict_do_nothing(), rows)


def _is_for(row: Row[Any], entry: Entry) -> bool:
    return bool(entry.at >= row.created_at) and wants(row, kind_told(entry), entry.client)


def _row(row: Row[Any], entry: Entry, note: dict[str, Any] | None) -> dict[str, Any]:
    identifier = new_id(entry.at)
    return {
        "id": identifier,
        "destination_id": row.id,
        "event_id": entry.id,
        "kind": NOTE if note else entry.kind,
        "lane": lane_of(entry, identifier),
        "client": entry.client,
        "case_id": entry.case_id,
        "call_id": entry.call_id,
        "payload": note or entry.document(),
        "occurred_at": entry.at,
        "state": "waiting",
        "due_at": entry.at,
        "attempts": 0,
        "in_flight": False,
        "uncertain": False,
    }
