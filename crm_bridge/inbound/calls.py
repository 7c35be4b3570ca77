"""Inbound calls at the desk: whose case one turned out to be, and what the desk adds to one that the PBX took in alone."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Forbidden, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.cases import cases
from crm_bridge.inbound import matching as inbound_matching
from crm_bridge.inbound.desk import InboundDesk
from crm_bridge.notes.notes import draft_note
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties
from crm_bridge.workers import Reaction
from telephony.calls import call_records
from telephony.inbound.arrivals import INBOUND, add_contacts
from telephony.inbound.legs import assign, details, endpoint_of
from telephony.inbound.tables import inbound_calls
from telephony.tables import calls, contacts


def identify_adopted(desk: InboundDesk) -> Reaction:
    """A subscriber to `call.inbound`: match a call that the PBX took in by itself, as would have been done at once."""

    async def identify(transaction: Transaction, entry: Entry) -> None:
        call = await call_records.find(transaction.connection, entry.call_id or "")
        about = await details(transaction, entry.call_id or "")
        if call is None or about is None or not about.adopted or call.number:
            return
        number = inbound_matching.e164_of(about.caller, desk.region) if about.caller else None
        found = await inbound_matching.holders(transaction.connection, number) if number else []
        case_id, party_id = inbound_matching.only(found)
        values: dict[str, Any] = {"number": number or "", "case_id": case_id, "party_id": party_id}
        values["client"] = inbound_matching.client_of(found)
        await transaction.execute(update(calls).where(calls.c.id == call.id).values(**values))
        matches = [holder.document() for holder in found]
        mine = inbound_calls.c.call_id == call.id
        await transaction.execute(update(inbound_calls).where(mine).values(matches=matches))
        if number:
            outcome = call.outcome or "live"
            entries = inbound_matching.history_entries(call.id, number, found, call.created_at, outcome)
            await add_contacts(transaction, entries)

    return identify


def name_agent(desk: InboundDesk) -> Reaction:
    """A subscriber to `call.state` and `call.ended`: whose phone answered, where the PBX rang one that nobody had chosen."""

    async def name(transaction: Transaction, entry: Entry) -> None:
        told = entry.data.get("call", {})
        if told.get("direction") != INBOUND or told.get("agent") or not told.get("extension"):
            return
        who = await desk.agent_at(transaction.connection, told["pbx"], told["extension"])
        if who is not None:
            nobodys = (calls.c.id == entry.call_id) & (calls.c.agent == "")
            values = {"agent": who.name, "current_agent": who.name, "role": who.role}
            await transaction.execute(update(calls).where(nobodys).values(**values))

    return name


async def assign_case(
    transaction: Transaction, call_id: str, case_id: str, party_id: str | None, *, user: User, now: datetime
) -> Row[Any]:
    """Say whose call it was that came in, or that was typed on a phone: by whose call it is, or a supervisor. The call's row.

    A typed one goes to a case that holds its number. Raises NotFound (the call, the case or the party), Forbidden, Conflict
    (a call made from a case, or its note is written).
    """
    await transaction.lock([f"call:{call_id}"])
    call = await transaction.first(select(calls).where(calls.c.id == call_id, _may_see(user)))
    if call is None:
        raise NotFound(f"there is no call {call_id}")
    if call.direction != INBOUND and case_id not in {one["case_id"] for one in call.candidates or ()}:
        raise Conflict(
            "this call was made from a case, and stays with it, or none of that case's parties has its number"
        )
    if call.agent != user.name and user.role not in ("supervisor", "admin"):
        raise Forbidden("the case is chosen by who answered the call, or by a supervisor")
    if call.disposition is not None and case_id != call.case_id:
        raise Conflict("the note of this call is written already")
    case = await cases.find(transaction.connection, case_id, user)
    chosen = await _party(transaction, case_id, party_id, call.number)
    row = await assign(transaction, call_id, case_id, chosen, case.client)
    await _count_for(transaction, row, now)
    data = {"party_id": chosen, "before": {"case_id": call.case_id, "party_id": call.party_id}}
    transaction.journal(Entry(now, "call.case", user.name, case.client, row.agent or None, case_id, call_id, data))
    if row.ended_at is not None:
        await draft_note(transaction, Entry(now, "call.ended", call_id=call_id))
    return row


def _may_see(user: User) -> ColumnElement[bool]:
    """A call that is nobody's yet is not on any case by which it could be seen."""
    return or_(scope.calls_seen_by(user), calls.c.agent == "")


async def _party(transaction: Transaction, case_id: str, party_id: str | None, number: str) -> str:
    """The party named, else the one that has the number, else the case's first."""
    listed = select(case_parties.c.party_id).where(case_parties.c.case_id == case_id).order_by(case_parties.c.position)
    known = list(await transaction.connection.scalars(listed))
    if party_id is not None and party_id not in known:
        raise NotFound(f"case {case_id} has no party {party_id}")
    found = await inbound_matching.holders(transaction.connection, number) if number else []
    having = [holder.party_id for holder in found if holder.case_id == case_id]
    chosen = party_id or next(iter([*having, *known]), None)
    if chosen is None:
        raise NotFound(f"case {case_id} has no party")
    return chosen


async def _count_for(transaction: Transaction, call: Row[Any], now: datetime) -> None:
    """The contact history of who it was has the call, also where they called from a number that nobody knew."""
    of_call = (contacts.c.id == call.id) | (contacts.c.call_id == call.id)
    theirs = await transaction.first(select(contacts.c.id).where(of_call, contacts.c.party_id == call.party_id))
    if theirs is not None:
        await transaction.execute(update(contacts).where(contacts.c.id == theirs.id).values(case_id=call.case_id))
        return
    holder = await inbound_matching.party_of(transaction.connection, call.case_id, call.party_id)
    number, outcome = call.number or None, call.outcome or "live"
    (entry,) = inbound_matching.history_entries(call.id, number, [holder], call.created_at, outcome)
    if await transaction.first(select(contacts.c.id).where(contacts.c.id == call.id)) is not None:
        entry = {**entry, "id": new_id(now), "call_id": call.id, "number": None}
    await add_contacts(transaction, [entry])


async def waiting(connection: AsyncConnection, user: User) -> list[dict[str, Any]]:
    """Inbound calls that ring the user's phone now, or that the user has answered: what a page shows after a reload."""
    statement = (
        select(calls, inbound_calls.c.did, inbound_calls.c.phones)
        .join(inbound_calls, inbound_calls.c.call_id == calls.c.id)
        .where(calls.c.ended_at.is_(None), or_(calls.c.agent == user.name, calls.c.agent == ""))
        .order_by(calls.c.created_at)
    )
    shown = []
    for row in (await connection.execute(statement)).all():
        mine = {endpoint: phone for endpoint, phone in row.phones.items() if phone["agent"] == user.name}
        if row.agent != user.name and not await _rings(connection, row.id, mine):
            continue
        about = {"call_id": row.id, "number": row.number or None, "did": row.did, "case_id": row.case_id}
        matches = [match for phone in mine.values() for match in phone["matches"]]
        shown.append({**about, "state": "answered" if row.connected_at else "ringing", "matches": matches})
    return shown


async def _rings(connection: AsyncConnection, call_id: str, endpoints: Collection[str]) -> bool:
    rung = await call_records.legs_of(connection, call_id)
    return any(leg.ended_at is None and endpoint_of(leg.channel) in endpoints for leg in rung)
