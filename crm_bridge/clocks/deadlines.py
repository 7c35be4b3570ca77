"""The one mechanism of deadlines: a row a deadline, opened once under a key, met, cancelled or missed, listed for people.

`crm_bridge/clocks/deadline_clock.py` finds what has come due. Whether something was in time is judged by when it was done, not by
when the clock looked: what is done late is missed, told and ended, also if the service was down in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, true, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Forbidden, Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.clocks.deadline_rules import Due, Rule
from crm_bridge.clocks.tables import deadlines
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases, users

MANUAL = frozenset({"major-matter", "qa-finding", "finding-report"})
"""Kinds that people open and end by hand; the others follow what happens to their subject."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something to be done by `due`; `key` names it, so that opening it twice makes one."""

    key: str
    kind: str
    due: Due
    text: str = ""
    step: str | None = None
    client: str | None = None
    case_id: str | None = None
    call_id: str | None = None
    complaint_id: str | None = None
    owner: str | None = None
    owner_role: str = "supervisor"
    team: str | None = None
    people: Sequence[str] = ()
    unit: str = "minutes"
    escalate: Sequence[str] = ()
    every_minutes: int = 60
    repeats: bool = False  # told again every so many minutes, for as long as nobody has done it
    mail: bool = False


def by_rule(rule: Rule) -> dict[str, Any]:
    """What a rule says of a deadline beside its times."""
    return {
        "owner_role": rule.owner, "unit": rule.unit, "escalate": rule.escalate, "every_minutes": rule.every_minutes,
        "mail": rule.mail,
    }  # fmt: skip


def _values(new: Deadline, now: datetime) -> dict[str, Any]:
    values = {name: getattr(new, name) for name in Deadline.__dataclass_fields__ if name != "due"}
    return {
        **values,
        "people": list(new.people),
        "escalate": list(new.escalate),
        "id": new_id(now),
        "opened_at": now,
        "due_at": new.due.due_at,
        "warn_at": new.due.warn_at,
        "next_at": new.due.warn_at or new.due.due_at,
        "state": "open",
        "level": 0,
        "told": [],
    }


async def open_deadline(transaction: Transaction, new: Deadline, now: datetime) -> bool:
    """Have it watched from now on; False when one of that key was there."""
    return await transaction.insert_once(deadlines, **_values(new, now))


async def meet(
    transaction: Transaction, keys: Sequence[str], *, at: datetime, by: str, reason: str, now: datetime
) -> list[Row[Any]]:
    """What these keys name was done at `at`: met, or missed and over. Returns what this ended; the rest was over before."""
    running = (deadlines.c.key.in_(keys)) & deadlines.c.ended_at.is_(None)
    rows = await transaction.all(select(deadlines).where(running).with_for_update())
    ended = []
    for row in rows:
        in_time = at <= row.due_at
        values = {"state": "met" if in_time else "missed", "ended_at": at, "ended_by": by, "ended_reason": reason}
        if not in_time and row.missed_at is None:
            values["missed_at"] = now
            transaction.journal(
                told_entry("deadline.missed", row, now, {"level": 0, "told": [], "done_at": at.isoformat()})
            )
        mine = update(deadlines).where(deadlines.c.id == row.id).values(**values, next_at=None)
        ended.append((await transaction.execute(mine.returning(*deadlines.c))).one())
    return ended


async def cancel(
    transaction: Transaction, where: ColumnElement[bool], *, by: str, reason: str, now: datetime
) -> Sequence[Row[Any]]:
    """What it was for is gone: those that run end without being met; one that was missed stays missed."""
    ending = {"next_at": None, "ended_at": now, "ended_by": by, "ended_reason": reason}
    running = where & deadlines.c.ended_at.is_(None)
    missed = update(deadlines).where(running, deadlines.c.state == "missed").values(**ending)
    await transaction.execute(missed)
    still_open = update(deadlines).where(running, deadlines.c.state == "open").values(**ending, state="cancelled")
    return (await transaction.execute(still_open.returning(*deadlines.c))).all()


async def restore(transaction: Transaction, where: ColumnElement[bool]) -> None:
    """Undo an ending: what ran out meanwhile is missed at the next look."""
    for row in await transaction.all(
        select(deadlines).where(where, deadlines.c.ended_at.is_not(None)).with_for_update()
    ):
        state = "missed" if row.missed_at is not None else "open"
        following = (row.warn_at if row.warned_at is None else None) or row.due_at
        if state == "missed" and not row.repeats:
            following = None
        values = {"state": state, "next_at": following, "ended_at": None, "ended_by": None, "ended_reason": None}
        await transaction.execute(update(deadlines).where(deadlines.c.id == row.id).values(**values))


async def forget(transaction: Transaction, where: ColumnElement[bool]) -> None:
    """Take out what was cancelled before it was due, so that its key can be opened again."""
    await transaction.execute(delete(deadlines).where(where, deadlines.c.state == "cancelled"))


def told_entry(kind: str, row: Row[Any], now: datetime, data: dict[str, Any]) -> Entry:
    """The journal entry on a deadline; `agent` is its owner, so that the owner's page is told."""
    about = {
        "deadline_id": row.id, "deadline": row.kind, "step": row.step, "text": row.text, "key": row.key,
        "complaint_id": row.complaint_id, "due_at": row.due_at.isoformat(), "owner": row.owner,
        "owner_role": row.owner_role, "mail": row.mail,
    }  # fmt: skip
    return Entry(now, kind, "system", row.client, row.owner, row.case_id, row.call_id, about | data)


# ---- for people


def seen_by(user: User) -> ColumnElement[bool]:
    """Deadlines of one's own; of one's clients, and for a supervisor with a team of the team's people and cases."""
    if user.role == "collector":
        return deadlines.c.owner == user.name
    clients = scope.clients_seen_by(user, deadlines.c.client)
    if user.role != "supervisor" or user.team is None:
        return or_(deadlines.c.owner == user.name, clients)
    theirs = scope.agents_seen_by(user, deadlines.c.owner)
    my_cases = deadlines.c.case_id.in_(select(cases.c.id).where(scope.cases_seen_by(user)))
    nobodys = and_(deadlines.c.owner.is_(None), deadlines.c.case_id.is_(None), deadlines.c.team.is_(None))
    return or_(
        deadlines.c.owner == user.name, and_(clients, or_(theirs, my_cases, nobodys, deadlines.c.team == user.team))
    )


async def find(connection: AsyncConnection, deadline_id: str, user: User) -> Row[Any]:
    """The deadline. Raises NotFound."""
    mine = select(deadlines).where(deadlines.c.id == deadline_id, seen_by(user))
    row = (await connection.execute(mine)).first()
    if row is None:
        raise NotFound(f"there is no deadline {deadline_id}")
    return row


async def open_by_hand(transaction: Transaction, new: Deadline, *, user: User, now: datetime) -> Row[Any]:
    """Somebody reports what has to be done. Raises Invalid: its owner is not an active user."""
    if new.owner is not None:
        here = select(users.c.name).where(users.c.name == new.owner, users.c.active)
        if await transaction.first(here) is None:
            message = f"there is no active user {new.owner}"
            raise Invalid(f"owner: {message}", [{"field": "owner", "message": message}])
    await open_deadline(transaction, new, now)
    (row,) = await transaction.all(select(deadlines).where(deadlines.c.key == new.key))
    entry = told_entry("deadline.opened", row, now, {"told": None})
    transaction.journal(replace(entry, actor=user.name))
    return row


async def end_by_hand(
    transaction: Transaction, deadline_id: str, *, done: bool, reason: str, user: User, now: datetime
) -> Row[Any]:
    """Somebody did it, or says that it is not needed. Raises NotFound, Conflict (over, or not ended by hand), Forbidden."""
    row = await find(transaction.connection, deadline_id, user)
    if row.kind not in MANUAL:
        raise Conflict(f"a {row.kind} deadline ends by itself, with what it is about")
    if not done and user.role not in ("supervisor", "admin"):
        raise Forbidden("only a supervisor or admin cancels a deadline")
    mine = deadlines.c.id == deadline_id
    if done:
        ended: Sequence[Row[Any]] = await meet(transaction, [row.key], at=now, by=user.name, reason=reason, now=now)
    else:
        ended = await cancel(transaction, mine, by=user.name, reason=reason, now=now)
    after = await find(transaction.connection, deadline_id, user)
    if not ended and (after.ended_by, after.ended_at) != (user.name, now):
        when = after.ended_at.isoformat() if after.ended_at else None
        raise Conflict(f"{after.ended_by} ended it at {when}", by=after.ended_by, at=when, reason=after.ended_reason)
    kind = "deadline.done" if done else "deadline.cancelled"
    data = {"deadline_id": after.id, "deadline": after.kind, "reason": reason, "state": after.state}
    about = (after.client, after.owner, after.case_id, after.call_id)
    transaction.journal(Entry(now, kind, user.name, *about, data))
    return after


async def listed(
    connection: AsyncConnection, user: User, wanted: Sequence[ColumnElement[bool]], *, after: str | None, limit: int
) -> list[Row[Any]]:
    """Deadlines the user may see, the most urgent first; `after` is the cursor `due_at|id` of the last one shown."""
    following: ColumnElement[bool] = true()
    if after is not None:
        moment, _, identifier = after.partition("|")
        at = datetime.fromisoformat(moment)
        following = or_(deadlines.c.due_at > at, and_(deadlines.c.due_at == at, deadlines.c.id > identifier))
    statement = select(deadlines).where(seen_by(user), following, *wanted)
    return list((await connection.execute(statement.order_by(deadlines.c.due_at, deadlines.c.id).limit(limit))).all())


async def due_before(
    connection: AsyncConnection, user: User, *, before: datetime, mine: bool, limit: int
) -> list[Row[Any]]:
    """What the user has to do by then beside calling, the most urgent first: all of it, or with `mine` one's own."""
    running = deadlines.c.ended_at.is_(None) & deadlines.c.state.in_(("open", "missed"))
    calls = deadlines.c.kind.in_(("first-call", "first-round", "cadence"))
    handed_up = (deadlines.c.kind == "complaint-step") & (deadlines.c.state == "missed")
    wanted = [running, ~calls, ~handed_up, deadlines.c.due_at <= before]
    if mine:
        wanted.append(deadlines.c.owner == user.name)
    return await listed(connection, user, wanted, after=None, limit=limit)


async def team_of(connection: AsyncConnection, name: str | None) -> str | None:
    """The team of a user by name."""
    return await connection.scalar(select(users.c.team).where(users.c.name == name)) if name else None
