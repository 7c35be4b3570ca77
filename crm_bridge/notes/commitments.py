"""Promises to pay and call-backs: what was agreed, when it is due, and what came of it (S29, S37)."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Forbidden, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.notes.tables import commitments
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases

Kind = Literal["promise", "call_back"]
State = Literal["open", "kept", "broken", "done", "withdrawn"]
ENDINGS: dict[str, tuple[str, ...]] = {
    "promise": ("kept", "broken", "withdrawn"),
    "call_back": ("done", "withdrawn"),
}
SAME = ("kind", "party_id", "number", "day", "at", "amount", "currency")


def due_at(row: Row[Any], zone: str) -> datetime:
    """When it is due: the moment of a call-back, the end of the promised day in the client's zone."""
    if row.at is not None:
        moment: datetime = row.at
        return moment
    day = date.fromisoformat(row.day) + timedelta(days=1)
    return datetime.combine(day, time(), ZoneInfo(zone))


async def replace_of_call(
    transaction: Transaction, call: Row[Any], collector: str | None, wanted: list[dict[str, Any]], user: User,
    now: datetime,
) -> list[Row[Any]]:  # fmt: skip
    """Make the commitments of a call those `wanted`: said again they stay, those no longer said are withdrawn.

    Returns those that are new.
    """
    open_ones = select(commitments).where(commitments.c.call_id == call.id, commitments.c.state == "open")
    known = {_same(row._mapping): row for row in await transaction.all(open_ones)}
    about = {"client": call.client, "case_id": call.case_id, "call_id": call.id, "collector": collector}
    blank = {"party_id": call.party_id, "number": call.number, "at": None, "amount": None, "currency": None}
    made = []
    for one in wanted:
        values = {**blank, **one}
        if known.pop(_same(values), None) is None:
            new = {**values, **about, "id": new_id(now), "state": "open", "made_at": now, "made_by": user.name}
            made.append((await transaction.execute(insert(commitments).values(**new).returning(*commitments.c))).one())
    for gone in known.values():
        await _end(transaction, gone, "withdrawn", "the disposition was changed", user, now)
    for row in made:
        _journal(transaction, "commitment.made", row, user.name, now, {"day": row.day})
    return made


def _same(values: Any) -> tuple[Any, ...]:
    return tuple(values[key] for key in SAME)


async def find(connection: AsyncConnection, commitment_id: str, user: User) -> Row[Any]:
    """The commitment, if the user may see its case. Raises NotFound."""
    seen = select(commitments).join(cases, cases.c.id == commitments.c.case_id)
    row = (await connection.execute(seen.where(commitments.c.id == commitment_id, scope.cases_seen_by(user)))).first()
    if row is None:
        raise NotFound(f"there is no commitment {commitment_id}")
    return row


async def close(
    transaction: Transaction, commitment_id: str, state: State, reason: str | None, *, user: User, now: datetime
) -> Row[Any]:
    """Say what came of it. Raises NotFound, Forbidden (another's), Conflict (closed, or no such ending)."""
    row = await find(transaction.connection, commitment_id, user)
    if user.role == "collector" and user.name not in (row.collector, row.made_by):
        raise Forbidden("it is closed by the collector of the case, or by a supervisor")
    await transaction.lock([f"commitment:{commitment_id}"])
    row = await find(transaction.connection, commitment_id, user)
    if row.state != "open":
        raise Conflict(f"it is {row.state} already")
    if state not in ENDINGS[row.kind]:
        raise Conflict(f"a {row.kind} ends {' or '.join(ENDINGS[row.kind])}")
    await _end(transaction, row, state, reason, user, now)
    return await find(transaction.connection, commitment_id, user)


async def _end(
    transaction: Transaction, row: Row[Any], state: str, reason: str | None, user: User, now: datetime
) -> None:
    ended = {"state": state, "closed_at": now, "closed_by": user.name, "reason": reason}
    await transaction.execute(update(commitments).where(commitments.c.id == row.id).values(**ended))
    _journal(transaction, "commitment.closed", row, user.name, now, {"state": state, "reason": reason})


async def list_commitments(
    connection: AsyncConnection,
    user: User,
    *,
    case_id: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    until: date | None = None,
    mine: bool = False,
    after: str = "",
    limit: int = 50,
) -> Sequence[Row[Any]]:
    """Commitments on the cases the user may see, by day, then id; `after` is a cursor of `cursor_of`."""
    wanted = [scope.cases_seen_by(user)]
    equal = {commitments.c.case_id: case_id, commitments.c.state: state, commitments.c.kind: kind}
    wanted += [column == value for column, value in equal.items() if value is not None]
    if until is not None:
        wanted.append(commitments.c.day <= until.isoformat())
    if mine:
        wanted.append(cases.c.collector == user.name)
    if after:
        day, _, last = after.partition("~")
        later = (commitments.c.day == day) & (commitments.c.id > last)
        wanted.append((commitments.c.day > day) | later)
    listed = select(commitments).join(cases, cases.c.id == commitments.c.case_id).where(*wanted)
    found: Sequence[Row[Any]] = (
        await connection.execute(listed.order_by(commitments.c.day, commitments.c.id).limit(limit))
    ).all()
    return found


def cursor_of(row: Row[Any]) -> str:
    """The cursor of what follows this row."""
    return f"{row.day}~{row.id}"


def _journal(
    transaction: Transaction, kind: str, row: Row[Any], actor: str, now: datetime, more: dict[str, Any]
) -> None:
    data = {"commitment_id": row.id, "commitment": row.kind, **more}
    transaction.journal(Entry(now, kind, actor, row.client, row.collector, row.case_id, row.call_id, data))
