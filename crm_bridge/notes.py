"""Notes: written by hand on a case, or drafted when a call ends and made final by its disposition (S35-S39)."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Insert, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Forbidden, Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge import cases, scope
from crm_bridge.action_codes import ActionCode, find_code
from crm_bridge.tables import case_parties, notes, parties
from crm_bridge.users import User
from telephony.recounts import recount
from telephony.tables import calls, contacts

Outcome = Literal["conversation", "voicemail", "no_answer", "busy", "not_in_service", "rejected", "dropped"]
ANSWERED: frozenset[str] = frozenset({"conversation", "voicemail", "not_in_service", "dropped"})
UNANSWERED: frozenset[str] = frozenset({"no_answer", "busy", "not_in_service", "rejected", "voicemail"})
LONGEST_NOTE = 10_000


class Promise(BaseModel):
    """A promise to pay (S29)."""

    model_config = ConfigDict(extra="forbid")

    on: date = Field(description="the day the party will pay")
    amount: str | None = Field(None, pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$")


class Disposition(BaseModel):
    """What the collector says of a finished call."""

    model_config = ConfigDict(extra="forbid")

    action_code: str = Field(max_length=32)
    note: str = Field(max_length=LONGEST_NOTE)
    promise: Promise | None = None
    outcome: Outcome | None = Field(None, description="where the network could not tell: an announcement, a voicemail")


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
    if call is None or call.case_id is None:
        return
    row = await _row_of_call(transaction.connection, call, entry.at)
    drafted = await transaction.execute(_insert_unless_there(transaction, row))
    if drafted.rowcount:
        transaction.journal(_entry("note.drafted", call, row["id"], "system", entry.at))


def _insert_unless_there(transaction: Transaction, row: dict[str, Any]) -> Insert:
    if transaction.connection.dialect.name == "postgresql":
        return postgresql.insert(notes).values(**row).on_conflict_do_nothing(index_elements=["call_id"])
    return sqlite.insert(notes).values(**row).on_conflict_do_nothing(index_elements=["call_id"])


async def _row_of_call(connection: AsyncConnection, call: Row[Any], at: datetime) -> dict[str, Any]:
    name = await connection.scalar(select(parties.c.name).where(parties.c.id == call.party_id))
    talked = (call.ended_at - call.connected_at).total_seconds() if call.connected_at and call.ended_at else 0
    return {
        "id": new_id(at),
        "case_id": call.case_id,
        "call_id": call.id,
        "state": "draft",
        "author": call.agent,
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


async def record_disposition(
    transaction: Transaction, call_id: str, given: Disposition, *, user: User, now: datetime
) -> Row[Any]:
    """Make the call's note final and keep what the collector says of the outcome; the caps count it from now on.

    Returns the call's row. Raises NotFound, Forbidden (another's call), Conflict (the call has not ended), Invalid.
    """
    call = await _call_to_disposition(transaction, call_id, user)
    code = find_code(given.action_code)
    outcome = _outcome(call, given, code)
    said = given.model_dump(mode="json", exclude_none=True) | {"by": user.name, "at": now.isoformat()}
    if outcome is not None:
        said["outcome"] = outcome
        await _correct_outcome(transaction, call_id, outcome, now)
    row = await _row_of_call(transaction.connection, call, now)
    await transaction.execute(_insert_unless_there(transaction, row))
    details = row["details"] | {key: said[key] for key in ("promise", "outcome") if key in said}
    final = {"state": "final", "action_code": code.code, "text": given.note, "details": details, "updated_at": now}
    await transaction.execute(update(notes).where(notes.c.call_id == call_id).values(**final))
    values = {"disposition": said} | ({"outcome": outcome} if outcome is not None else {})
    await transaction.execute(update(calls).where(calls.c.id == call_id).values(**values))
    note_id = await transaction.connection.scalar(select(notes.c.id).where(notes.c.call_id == call_id))
    data = {"action_code": code.code, "outcome": outcome}
    transaction.journal(_entry("note.final", call, str(note_id), user.name, now, data))
    return (await transaction.all(select(calls).where(calls.c.id == call_id)))[0]


async def _correct_outcome(transaction: Transaction, call_id: str, outcome: str, now: datetime) -> None:
    """What the caps count from now on; calls made since that it would have forbidden are marked."""
    corrected = update(contacts).where(contacts.c.id == call_id).values(outcome=outcome).returning(*contacts.c)
    contact = (await transaction.execute(corrected)).first()
    if contact is not None:
        await recount(transaction, contact, now)


async def _call_to_disposition(transaction: Transaction, call_id: str, user: User) -> Row[Any]:
    call = await transaction.first(select(calls).where(calls.c.id == call_id, scope.calls_seen_by(user)))
    if call is None:
        raise NotFound(f"there is no call {call_id}")
    if call.agent != user.name and user.role not in ("supervisor", "admin"):
        raise Forbidden("the disposition is written by who made the call, or by a supervisor")
    if call.case_id is None:
        raise Conflict("the call belongs to no case")
    if call.ended_at is None:
        raise Conflict("the call has not ended")
    return call


def _possible(call: Row[Any]) -> frozenset[str]:
    """An answered call cannot become unanswered, nor the other way round: the caps would be bent."""
    if call.outcome == "not_placed":
        return frozenset()
    return ANSWERED if call.connected_at is not None else UNANSWERED


def _outcome(call: Row[Any], given: Disposition, code: ActionCode) -> str | None:
    """What the collector says of the outcome, in words or by the code; a code that does not fit says nothing."""
    possible = _possible(call)
    if given.outcome is None:
        return code.outcome if code.outcome in possible else None
    if given.outcome not in possible:
        allowed = f"one of {', '.join(sorted(possible))}" if possible else "left out: nothing left the PBX"
        message = f"must be {allowed}, for this call"
        raise Invalid(f"outcome {message}", [{"field": "outcome", "message": message}])
    return given.outcome


async def _relation(connection: AsyncConnection, case_id: str, party_id: str | None) -> str | None:
    mine = (case_parties.c.case_id == case_id) & (case_parties.c.party_id == party_id)
    return await connection.scalar(select(case_parties.c.relation).where(mine))


def _entry(
    kind: str, call: Row[Any], note_id: str, actor: str, at: datetime, data: dict[str, Any] | None = None
) -> Entry:
    return Entry(at, kind, actor, call.client, call.agent, call.case_id, call.id, {"note_id": note_id, **(data or {})})
