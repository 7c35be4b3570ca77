"""The call row: created before anything is sent, moved only along the declared transitions, closed exactly once.

Every change writes its journal entry in the same transaction; the entry carries the call as it then stood.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.journal import Entry
from telephony.call_states import State, sources_of
from telephony.outcomes import Ending
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


def call_document(row: Row[Any]) -> dict[str, Any]:
    """The call as the API and the event stream show it (contract: GET /v1/calls/{id})."""
    document = {key: value for key, value in row._mapping.items() if key not in MOMENTS}
    for key in MOMENTS:
        moment = row._mapping[key]
        document[key] = moment.isoformat() if moment else None
    document["attempts_counted"] = 0 if row.outcome in (None, "not_placed") else 1
    return document


def _entry(kind: str, row: Row[Any], at: datetime, actor: str) -> Entry:
    return Entry(
        at=at,
        kind=kind,
        actor=actor,
        client=row.client,
        agent=row.agent,
        case_id=row.case_id,
        call_id=row.id,
        data={"call": call_document(row)},
    )


async def create(transaction: Transaction, values: dict[str, Any], now: datetime) -> Row[Any]:
    """Write the intent to call: the row exists before Originate goes out."""
    row = (await transaction.execute(insert(calls).values(**values).returning(*calls.c))).one()
    transaction.journal(_entry("call.created", row, now, row.agent))
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
        transaction.journal(_entry("call.state", row, at, "system"))
    return row


async def note(transaction: Transaction, call_id: str, at: datetime, **columns: Any) -> Row[Any] | None:
    """Write what became known of an open call without moving it (alerted, hang-up asked, refusal at the gate)."""
    statement = update(calls).where(calls.c.id == call_id, calls.c.ended_at.is_(None)).values(**columns)
    row = (await transaction.execute(statement.returning(*calls.c))).first()
    if row is not None:
        transaction.journal(_entry("call.state", row, at, "system"))
    return row


async def end(
    transaction: Transaction,
    call_id: str,
    at: datetime,
    ending: Ending,
    *,
    hangup_cause: int | None = None,
    tech_cause: str | None = None,
) -> Row[Any] | None:
    """Close a call once; its reservation becomes the outcome that the caps count. None when it was closed before."""
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
        )
    )
    row = (await transaction.execute(statement.returning(*calls.c))).first()
    if row is not None:
        await set_contact(transaction, call_id, outcome=ending.outcome)
        transaction.journal(_entry("call.ended", row, at, "system"))
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
    entry = _entry("call.violation", row, at, "system")
    transaction.journal(replace(entry, data={"violation": violation, **data, **entry.data}))
    return True


async def set_contact(transaction: Transaction, call_id: str, **columns: Any) -> None:
    """Update the history entry of a call."""
    await transaction.execute(update(contacts).where(contacts.c.id == call_id).values(**columns))


async def find(connection: AsyncConnection, call_id: str) -> Row[Any] | None:
    """The call's row."""
    return (await connection.execute(select(calls).where(calls.c.id == call_id))).first()


async def open_call_of(connection: AsyncConnection, agent: str, pbx: str, extension: str) -> Row[Any] | None:
    """The call that occupies this agent or this phone."""
    mine = (calls.c.agent == agent) | ((calls.c.pbx == pbx) & (calls.c.extension == extension))
    return (await connection.execute(select(calls).where(calls.c.ended_at.is_(None), mine).limit(1))).first()


async def open_calls(connection: AsyncConnection, pbx: str) -> list[Row[Any]]:
    """Every call of a PBX that has not ended."""
    return list((await connection.execute(select(calls).where(calls.c.ended_at.is_(None), calls.c.pbx == pbx))).all())


async def legs_of(connection: AsyncConnection, call_id: str) -> list[Row[Any]]:
    """The legs of a call in the order they were made."""
    statement = select(legs).where(legs.c.call_id == call_id).order_by(legs.c.created_at)
    return list((await connection.execute(statement)).all())
