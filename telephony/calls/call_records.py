"""The call row: created before anything is sent, moved only along the declared transitions, closed exactly once.

Every change writes its journal entry in the same transaction; the entry carries the call as it then stood.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, String, and_, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.journal import Entry
from telephony.calls.call_states import State, sources_of
from telephony.calls.outcomes import Ending
from telephony.tables import calls, contacts, legs

MOMENTS = (
    "created_at",
    "calling_agent_at",
    "calling_customer_at",
    "alerted_at",
    "connected_at",
    "unknown_at",
    "ended_at",
)


LIVE_MOMENTS = ("held_at", "paused_until")
"""Moments that come and go while a call lives."""


def call_document(row: Row[Any]) -> dict[str, Any]:
    """The call as the API and the event stream show it (contract: GET /v1/calls/{id})."""
    moments = (*MOMENTS, *LIVE_MOMENTS)
    document = {key: value for key, value in row._mapping.items() if key not in moments}
    for key in moments:
        moment = row._mapping[key]
        document[key] = moment.isoformat() if moment else None
    for key in ("agent", "number", "decision_id"):
        document[key] = document[key] or None
    document["attempts_counted"] = 0 if row.outcome in (None, "not_placed") else 1
    return document


def entry(kind: str, row: Row[Any], at: datetime, actor: str) -> Entry:
    """The journal's entry about a call: whose it is, and the call as it stands."""
    return Entry(
        at=at,
        kind=kind,
        actor=actor,
        client=row.client,
        agent=row.agent or None,
        case_id=row.case_id,
        call_id=row.id,
        data={"call": call_document(row)},
    )


_CREATE = insert(calls).returning(*calls.c)


async def create(transaction: Transaction, values: dict[str, Any], now: datetime) -> Row[Any]:
    """Write the intent to call: the row exists before Originate goes out. Who starts it speaks for our side at first."""
    values = {"current_agent": values["agent"], **values}
    row = (await transaction.execute(_CREATE, values)).one()
    transaction.journal(entry("call.created", row, now, row.agent))
    return row


async def move(
    transaction: Transaction,
    call_id: str,
    target: State,
    at: datetime,
    *,
    only_from: Collection[State] | None = None,
    **columns: Any,
) -> Row[Any] | None:
    """Take a call to `target` when its present state allows it; None when it does not (late or repeated news)."""
    values: dict[str, Any] = {"state": target, **columns}
    moment = calls.c.get(f"{target}_at")
    if moment is not None:
        # A call that comes back (from hold, from unknown) got there when it first did.
        values.setdefault(moment.name, func.coalesce(moment, at))
    states = sources_of(target) if only_from is None else [state for state in sources_of(target) if state in only_from]
    statement = update(calls).where(calls.c.id == call_id, calls.c.state.in_(states)).values(**values)
    row = (await transaction.execute(statement.returning(*calls.c))).first()
    if row is not None:
        transaction.journal(entry("call.state", row, at, "system"))
    return row


async def note(transaction: Transaction, call_id: str, at: datetime, **columns: Any) -> Row[Any] | None:
    """Write what became known of an open call without moving it (alerted, hang-up asked, refusal at the gate)."""
    statement = update(calls).where(calls.c.id == call_id, calls.c.ended_at.is_(None)).values(**columns)
    row = (await transaction.execute(statement.returning(*calls.c))).first()
    if row is not None:
        transaction.journal(entry("call.state", row, at, "system"))
    return row


async def end(
    transaction: Transaction,
    call_id: str,
    at: datetime,
    ending: Ending,
    *,
    hangup_cause: int | None = None,
    tech_cause: str | None = None,
    **columns: Any,
) -> Row[Any] | None:
    """Close a call once; its reservation becomes the outcome that the caps count. None when it was closed before.

    `columns`: moments that are known better by now.
    """
    statement = (
        update(calls)
        .where(calls.c.id == call_id, calls.c.ended_at.is_(None))
        .values(
            state=State.ENDED,
            ended_at=at,
            end_reason=ending.end_reason,
            outcome=ending.outcome,
            hangup_cause=hangup_cause,
            tech_cause=tech_cause,
            **columns,
        )
    )
    row = (await transaction.execute(statement.returning(*calls.c))).first()
    if row is not None:
        await set_contact(transaction, call_id, outcome=ending.outcome)
        transaction.journal(entry("call.ended", row, at, "system"))
    return row


async def add_violation(
    transaction: Transaction, call_id: str, violation: str, at: datetime, data: dict[str, Any]
) -> bool:
    """Mark a call with a violation (found_later, straddled) once; False when it has that mark already or is not there."""
    row = await transaction.first(select(calls).where(calls.c.id == call_id).with_for_update())
    if row is None or violation in row.violations:
        return False
    marked = update(calls).where(calls.c.id == call_id).values(violations=[*row.violations, violation])
    row = (await transaction.execute(marked.returning(*calls.c))).one()
    told = entry("call.violation", row, at, "system")
    transaction.journal(replace(told, data={"violation": violation, **data, **told.data}))
    return True


async def set_contact(transaction: Transaction, call_id: str, **columns: Any) -> None:
    """Update the history entries of a call: its own, and those of further parties that have the number."""
    theirs = (contacts.c.id == call_id) | (contacts.c.call_id == call_id)
    await transaction.execute(update(contacts).where(theirs).values(**columns))


async def find(connection: AsyncConnection, call_id: str) -> Row[Any] | None:
    """The call's row."""
    return (await connection.execute(select(calls).where(calls.c.id == call_id))).first()


async def open_call_of(connection: AsyncConnection, agent: str, pbx: str, extension: str) -> Row[Any] | None:
    """The call that occupies this agent or this phone."""
    return next(iter(await open_calls_of(connection, agent, pbx, extension)), None)


async def open_calls_of(connection: AsyncConnection, agent: str, pbx: str, extension: str) -> list[Row[Any]]:
    """The calls that occupy this agent or this phone, oldest first.

    One that was handed on occupies who has it now. A transfer's target occupies only who consults it.
    """
    asked = {"whose": agent, "at_pbx": pbx, "phone": extension}
    return list((await connection.execute(_OCCUPYING, asked)).all())


def _occupying() -> Select[Any]:
    """One query, built once, since every millisecond of it is between the click and the phone."""
    agent, pbx, extension = (bindparam(name, type_=String) for name in ("whose", "at_pbx", "phone"))
    own_phone = (calls.c.pbx == pbx) & (calls.c.extension == extension) & (calls.c.current_agent == calls.c.agent)
    mine = (calls.c.current_agent == agent) | own_phone
    side = exists().where(legs.c.call_id == calls.c.id, legs.c.role == "agent")
    there = side.where(legs.c.ended_at.is_(None))
    taken = or_(there, and_(~side, calls.c.origin != "transfer"))
    return select(calls).where(calls.c.ended_at.is_(None), mine, taken).order_by(calls.c.created_at)


_OCCUPYING = _occupying()


async def open_calls(connection: AsyncConnection, pbx: str) -> list[Row[Any]]:
    """Every call of a PBX that has not ended."""
    # Named in the query, the PBX has SQLite read every call ever made on it rather than the index of open ones.
    rows = await connection.execute(select(calls).where(calls.c.ended_at.is_(None)))
    return [row for row in rows if row.pbx == pbx]


async def channels_to_end(connection: AsyncConnection, call: Row[Any]) -> list[str]:
    """What to hang up to end the call: the channel that began it, which takes the rest along.

    Of a transfer's target only its own legs: the party that was sent there goes back.
    """
    if call.origin != "transfer":
        return [call.uniqueid]
    return [leg.uniqueid for leg in await legs_of(connection, call.id) if leg.ended_at is None]


async def legs_of(connection: AsyncConnection, call_id: str) -> list[Row[Any]]:
    """The legs of a call in the order they were made."""
    statement = select(legs).where(legs.c.call_id == call_id).order_by(legs.c.created_at)
    return list((await connection.execute(statement)).all())
