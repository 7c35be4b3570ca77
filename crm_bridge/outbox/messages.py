"""What an item says: an event as the live stream shows it, or a finished note with all that a CRM files with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.journal import Entry
from crm_bridge.outbox.registry import NOTE
from crm_bridge.tables import cases, notes, parties
from telephony.tables import calls

FINISHED = "note.final"
"""The journal's kind from which a `note.written` follows."""
SAID = ("promise", "call_back", "inconvenient", "fields")


def kind_told(entry: Entry) -> str:
    """Under which name an event leaves."""
    return NOTE if entry.kind == FINISHED else entry.kind


def lane_of(entry: Entry, item_id: str) -> str:
    """What is told in order: everything of a case; of a call that has none; nothing else waits for anything."""
    if entry.case_id is not None:
        return f"case:{entry.case_id}"
    return f"call:{entry.call_id}" if entry.call_id is not None else f"item:{item_id}"


@dataclass(frozen=True, slots=True)
class NoteDocuments:
    """Reads finished notes for the outbox. `public_url` is where the pages are; without one links are paths."""

    public_url: str | None

    async def read(self, connection: AsyncConnection, ids: Collection[str]) -> Mapping[str, dict[str, Any]]:
        """The documents of these notes, by note id, as they are now."""
        if not ids:
            return {}
        joined = (
            notes.join(cases, cases.c.id == notes.c.case_id)
            .outerjoin(calls, calls.c.id == notes.c.call_id)
            .outerjoin(parties, parties.c.id == notes.c.party_id)
        )
        call = [calls.c[name].label(f"call_{name}") for name in CALL]
        wanted = select(notes, cases.c.client, cases.c.account, parties.c.name.label("party_name"), *call)
        rows = await connection.execute(wanted.select_from(joined).where(notes.c.id.in_(ids)))
        return {row.id: self._document(row) for row in rows}

    def _document(self, row: Row[Any]) -> dict[str, Any]:
        details = row.details
        return {
            "note_id": row.id,
            "call_id": row.call_id,
            "case_id": row.case_id,
            "client": row.client,
            "account": row.account,
            "agent": row.author,
            "party": {"id": row.party_id, "name": row.party_name, "relation": row.relation} if row.party_id else None,
            "number": row.number,
            "direction": details.get("direction"),
            "started_at": _iso(row.call_created_at or row.at),
            "connected_at": _iso(row.call_connected_at),
            "ended_at": _iso(row.call_ended_at),
            "talk_seconds": details.get("talk_seconds"),
            "outcome": details.get("outcome") or row.call_outcome,
            "end_reason": row.call_end_reason,
            "action_code": row.action_code,
            "text": row.text,
            **{name: details.get(name) for name in SAID},
            "recording_url": self._link(f"/qa/calls/{row.call_id}") if row.call_connected_at else None,
            "audio_url": self._link(f"/v1/calls/{row.call_id}/audio") if row.call_connected_at else None,
            "written_at": _iso(row.updated_at),
        }

    def _link(self, path: str) -> str:
        return f"{(self.public_url or '').rstrip('/')}{path}"


CALL = ("created_at", "connected_at", "ended_at", "outcome", "end_reason")


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
