"""Notes: written by hand on a case, or drafted when a call ends; its disposition makes the draft final (S35-S39)."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.cases import cases
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, notes, parties
from telephony.tables import calls

LONGEST_NOTE = 10_000


async def list_notes(connection: AsyncConnection, case_id: str, *, before: str | None, limit: int) -> list[Row[Any]]:
    """A case's notes, newest first, those before the id `before`."""
    wanted = [notes.c.case_id == case_id] + ([notes.c.id < before] if before is not None else [])
    statement = select(notes).where(*wanted).order_by(notes.c.id.desc()).limit(limit)
    return list((await connection.execute(statement)).all())


async def add_note(
    transaction: Transaction, case_id: str, text: str, *, party_id: str | None, user: User, now: datetime
) -> Row[Any]:
    """A note by hand, final at once. Raises NotFound for a case or party that is not there."""
    case = await cases.find(transaction.connection, case_id, user)
    relation = await _relation(transaction.connection, case_id, party_id)
    if party_id is not None and relation is None:
        raise NotFound(f"case {case_id} has no party {party_id}")
    note_id = new_id(now)
    said = {"case_id": case_id, "party_id": party_id, "relation": relation, "text": text}
    written = insert(notes).values(id=note_id, state="final", author=user.name, at=now, updated_at=now, **said)
    await transaction.execute(written.values(details={}))
    transaction.journal(Entry(now, "note.final", user.name, case.client, user.name, case_id, data={"note_id": note_id}))
    return (await transaction.all(select(notes).where(notes.c.id == note_id)))[0]


async def draft_note(transaction: Transaction, entry: Entry) -> None:
    """Draft the note of a call that ended: number, object, relation, outcome and length fill themselves in (S39).

    A subscriber to `call.ended`: told twice, or after the collector was quicker, it changes nothing.
    """
    call = await transaction.first(select(calls).where(calls.c.id == entry.call_id))
    if call is None or call.case_id is None or call.origin == "stray":
        return
    row = await row_of_call(transaction.connection, call, entry.at)
    if await transaction.insert_once(notes, **row):
        transaction.journal(entry_of("note.drafted", call, row["id"], "system", entry.at))


async def row_of_call(connection: AsyncConnection, call: Row[Any], at: datetime) -> dict[str, Any]:
    """The draft of a call's note, as the call left it."""
    name = await connection.scalar(select(parties.c.name).where(parties.c.id == call.party_id))
    talked = (call.ended_at - call.connected_at).total_seconds() if call.connected_at and call.ended_at else 0
    return {
        "id": new_id(at),
        "case_id": call.case_id,
        "call_id": call.id,
        "state": "draft",
        "author": call.current_agent or call.agent,
        "at": call.created_at,
        "party_id": call.party_id,
        "number": call.number,
        "relation": await _relation(connection, call.case_id, call.party_id),
        "action_code": None,
        "text": "",
        "details": {
            "name": name,
            "direction": call.direction,
            "outcome": call.outcome,
            "end_reason": call.end_reason,
            "talk_seconds": round(talked, 1),
        },
        "updated_at": at,
    }


async def _relation(connection: AsyncConnection, case_id: str, party_id: str | None) -> str | None:
    mine = (case_parties.c.case_id == case_id) & (case_parties.c.party_id == party_id)
    return await connection.scalar(select(case_parties.c.relation).where(mine))


def entry_of(
    kind: str, call: Row[Any], note_id: str, actor: str, at: datetime, data: dict[str, Any] | None = None
) -> Entry:
    """The journal's entry about a call's note."""
    return Entry(at, kind, actor, call.client, call.agent, call.case_id, call.id, {"note_id": note_id, **(data or {})})
