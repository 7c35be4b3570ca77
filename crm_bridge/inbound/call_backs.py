"""Whom to call back: a missed call makes a task, a conversation with that number ticks it off.

A task gives no leave to call. What the policy says of the number now is shown with it, and asked again at the click.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Fault, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.inbound import matching as inbound_matching
from crm_bridge.inbound.matching import CURRENT
from crm_bridge.inbound.tables import call_backs
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases
from telephony.calls.outcomes import CONVERSATION
from telephony.dialling.decisions import Decider
from telephony.inbound.arrivals import INBOUND
from telephony.tables import calls

CallBackState = Literal["due", "done", "dropped"]
NO_CASE = "no case of yours has this number"
SEVERAL = "several cases have this number: choose one"


async def follow_call(transaction: Transaction, entry: Entry) -> None:
    """A subscriber to `call.ended`: missed, somebody is to call back; talked to, nobody is any more."""
    call = await transaction.first(select(calls).where(calls.c.id == entry.call_id))
    if call is None or not call.number or call.ended_at is None:
        return
    if call.outcome == CONVERSATION:
        await _tick_off(transaction, call)
    elif call.direction == INBOUND:
        await _miss(transaction, call)


async def _miss(transaction: Transaction, call: Row[Any]) -> None:
    await transaction.lock([f"call-back:{call.number}"])
    found = await inbound_matching.holders(transaction.connection, call.number)
    case_id, party_id = (call.case_id, call.party_id) if call.case_id else inbound_matching.only(found)
    owners = {holder.collector for holder in found if holder.collector and holder.state in CURRENT}
    newest = {"call_id": call.id, "missed_at": call.created_at, "due_at": call.ended_at}
    about = {"case_id": case_id, "party_id": party_id, "client": call.client or inbound_matching.client_of(found)}
    waiting = (call_backs.c.number == call.number) & (call_backs.c.state == "due")
    known = await transaction.first(select(call_backs).where(waiting))
    if known is not None and known.call_id == call.id:
        return
    if known is not None:
        again = {**newest, "due_at": known.due_at, "missed": known.missed + 1}
        await transaction.execute(update(call_backs).where(call_backs.c.id == known.id).values(**again))
        row = (await transaction.all(select(call_backs).where(call_backs.c.id == known.id)))[0]
    else:
        owner = next(iter(owners)) if len(owners) == 1 else None
        values = {"id": new_id(call.ended_at), "number": call.number, "agent": owner, "missed": 1, "state": "due"}
        if not await transaction.insert_once(call_backs, **values, **newest, **about):
            return
        row = (await transaction.all(select(call_backs).where(waiting)))[0]
    _journal(transaction, row, "call_back.due", call.ended_at, "system")


async def _tick_off(transaction: Transaction, call: Row[Any]) -> None:
    """Whoever called whom: the number was talked to, or its person on another number."""
    theirs = call_backs.c.number == call.number
    if call.party_id is not None:
        theirs = or_(theirs, call_backs.c.party_id == call.party_id)
    done = {"state": "done", "done_at": call.ended_at, "done_by": call.agent or "system", "done_call": call.id}
    # A call that was missed after this conversation ended is still to be called back.
    waiting = and_(call_backs.c.state == "due", call_backs.c.missed_at <= call.ended_at, theirs)
    changed = await transaction.execute(update(call_backs).where(waiting).values(**done).returning(*call_backs.c))
    for row in changed.all():
        _journal(transaction, row, "call_back.done", call.ended_at, call.agent or "system")


async def drop(
    transaction: Transaction, call_back_id: str, state: CallBackState, reason: str, *, user: User, now: datetime
) -> Row[Any]:
    """Tick a task off by hand, with a reason. Raises NotFound, Conflict when it is not due any more."""
    row = await find(transaction.connection, call_back_id, user)
    if row.state != "due":
        raise Conflict(f"this call-back is {row.state} already")
    values = {"state": state, "done_at": now, "done_by": user.name, "reason": reason}
    changed = update(call_backs).where(call_backs.c.id == call_back_id).values(**values).returning(*call_backs.c)
    row = (await transaction.execute(changed)).one()
    _journal(transaction, row, f"call_back.{state}", now, user.name)
    return row


def _journal(transaction: Transaction, row: Row[Any], kind: str, at: datetime, actor: str) -> None:
    data = {"call_back_id": row.id, "number": row.number, "missed": row.missed, "state": row.state}
    data |= {"done_call": row.done_call, "reason": row.reason}
    transaction.journal(Entry(at, kind, actor, row.client, row.agent, row.case_id, row.call_id, data))


def seen_by(user: User) -> ColumnElement[bool]:
    """One's own tasks, those of one's people, and those that are nobody's, of cases and clients that one may see."""
    of_my_people = call_backs.c.agent == user.name
    if user.role != "collector":
        of_my_people = scope.agents_seen_by(user, call_backs.c.agent)
    mine = call_backs.c.case_id.in_(select(cases.c.id).where(scope.cases_seen_by(user)))
    nobodys = and_(call_backs.c.agent.is_(None), or_(call_backs.c.case_id.is_(None), mine))
    clients = scope.clients_seen_by(user, call_backs.c.client)
    return or_(call_backs.c.agent == user.name, and_(clients, or_(of_my_people, nobodys)))


async def find(connection: AsyncConnection, call_back_id: str, user: User) -> Row[Any]:
    """A task that the user may see. Raises NotFound."""
    wanted = select(call_backs).where(call_backs.c.id == call_back_id, seen_by(user))
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise NotFound(f"there is no call-back {call_back_id}")
    return row


async def listing(
    connection: AsyncConnection, *, user: User, state: CallBackState | None, mine: bool, after: str, limit: int
) -> list[Row[Any]]:
    """Tasks, the one that has waited longest first."""
    wanted = [seen_by(user), call_backs.c.id > after]
    wanted += [call_backs.c.state == state] if state else []
    wanted += [or_(call_backs.c.agent == user.name, call_backs.c.agent.is_(None))] if mine else []
    statement = select(call_backs).where(*wanted).order_by(call_backs.c.id).limit(limit)
    return list((await connection.execute(statement)).all())


async def judged(
    connection: AsyncConnection, decider: Decider, row: Row[Any], *, user: User, now: datetime
) -> dict[str, Any]:
    """The task with whom it may be about, and whether the number may be called now, why not, and from when on."""
    found = await inbound_matching.holders(connection, row.number)
    matches = await inbound_matching.seen_by(connection, found, user)
    return {**row._mapping, "matches": matches, **await _leave(connection, decider, row, matches, user, now)}


async def _leave(
    connection: AsyncConnection,
    decider: Decider,
    row: Row[Any],
    matches: Sequence[dict[str, Any]],
    user: User,
    now: datetime,
) -> dict[str, Any]:
    pairs = {(one["case_id"], one["party_id"]) for one in matches}
    if row.case_id is not None and (row.case_id, row.party_id) in pairs:
        pairs = {(row.case_id, row.party_id)}
    if row.state != "due" or len(pairs) != 1:
        why = None if row.state != "due" else SEVERAL if pairs else NO_CASE
        return {"case_id": row.case_id, "allowed_now": False, "rule": None, "why_not": why, "retry_at": None}
    case_id, party_id = next(iter(pairs))
    about = {"case_id": case_id, "party_id": party_id}
    try:
        verdict = await decider.assess(connection, **about, number=row.number, agent=user.name, role=user.role, now=now)
    except Fault as fault:
        return {**about, "allowed_now": False, "rule": fault.code, "why_not": fault.detail, "retry_at": None}
    return {
        **about,
        "allowed_now": verdict.allowed,
        "rule": verdict.rule,
        "why_not": None if verdict.allowed else verdict.reason,
        "retry_at": verdict.retry_at,
    }
