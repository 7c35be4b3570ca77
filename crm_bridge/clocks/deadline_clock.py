"""The clock behind every deadline: what has come due is claimed by one conditional UPDATE and told in the same transaction.

So each warning, miss and escalation is told exactly once: a process that dies in between has changed nothing, and of two
processes the second finds the row no longer due.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, literal, or_, select, update
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.schema import UtcDateTime
from crm_bridge.clocks.deadlines import told_entry
from crm_bridge.clocks.duty import Roster, Told, roster
from crm_bridge.clocks.tables import deadlines

BATCH = 200
ROUNDS = 50
"""Batches a tick, so that a long outage's backlog does not keep everything else waiting."""

Missed = Callable[[Transaction, Sequence[Row[Any]], Roster, datetime], Awaitable[None]]
"""What follows when rows of a kind are missed, in the transaction that says so."""


@dataclass(frozen=True, slots=True)
class DeadlineClock:
    """Looks for what is due. `missed` says by kind what follows a miss, beside telling people."""

    database: Database
    missed: Mapping[str, Missed]

    async def tick(self, now: datetime) -> int:
        """Fire everything due at `now`; how many rows were claimed."""
        total = 0
        for _ in range(ROUNDS):
            fired = await self._batch(now)
            total += fired
            if fired < BATCH:
                break
        return total

    async def _batch(self, now: datetime) -> int:
        due = select(deadlines.c.id, deadlines.c.complaint_id, deadlines.c.case_id).where(deadlines.c.next_at <= now)
        async with self.database.read() as connection:
            found = (await connection.execute(due.order_by(deadlines.c.next_at).limit(BATCH))).all()
        if not found:
            return 0
        async with self.database.write() as transaction:
            # Before the rows, as everyone who works on a complaint does: so two who want both cannot wait for each other.
            await transaction.lock(f"case:{row.case_id}" for row in found if row.complaint_id and row.case_id)
            rows = await _claim(transaction, [row.id for row in found], now)
            if rows:
                await self._fire(transaction, rows, now)
        return len(found)

    async def _fire(self, transaction: Transaction, rows: Sequence[Row[Any]], now: datetime) -> None:
        people = await roster(transaction.connection, {row.owner for row in rows if row.owner} | _named(rows))
        notices = [_notice(row, people) for row in rows]
        await _write(transaction, rows, notices, now)
        for row, told in zip(rows, notices, strict=True):
            if _is_told_again(row):
                continue  # in the words of its kind, below
            data = {"level": row.level, "told": list(told.people), **told.notes}
            transaction.journal(told_entry(_kind(row), row, now, data))
        for kind, follow in self.missed.items():
            mine = [
                row
                for row in rows
                if row.kind == kind and row.state == "missed" and (row.level == 1 or _is_told_again(row))
            ]
            if mine:
                await follow(transaction, mine, people, now)


async def _claim(transaction: Transaction, ids: Sequence[str], now: datetime) -> Sequence[Row[Any]]:
    """Take those still due: an open one past its time is missed, one before its time is warned of, a missed one rises."""
    column = deadlines.c
    free = select(column.id).where(column.id.in_(ids), column.next_at <= now).with_for_update(skip_locked=True)
    late: ColumnElement[bool] = column.due_at <= now
    this_moment = literal(now, UtcDateTime())
    becomes_missed = and_(column.state == "open", late)
    values = {
        "state": case((becomes_missed, "missed"), else_=column.state),
        "missed_at": case((becomes_missed, this_moment), else_=column.missed_at),
        "warned_at": case((late, column.warned_at), else_=this_moment),
        "level": case((or_(becomes_missed, column.state == "missed"), column.level + 1), else_=column.level),
        "next_at": case((late, None), else_=column.due_at),
    }
    claimed = update(deadlines).where(column.id.in_(free), column.next_at <= now).values(values)
    return sorted((await transaction.execute(claimed.returning(*column))).all(), key=lambda row: (row.due_at, row.id))


def _is_told_again(row: Row[Any]) -> bool:
    return bool(row.repeats and row.level > max(1, len(row.escalate)))


def _kind(row: Row[Any]) -> str:
    if row.state == "open":
        return "deadline.warning"
    return "deadline.missed" if row.level == 1 else "deadline.escalated"


def _named(rows: Sequence[Row[Any]]) -> set[str]:
    return {name for row in rows for name in row.people}


def _notice(row: Row[Any], people: Roster) -> Told:
    """Whom to tell: the owner of what is not missed yet; then, level by level, whom the rule names."""
    team = row.team or people.team_of(row.owner)
    meant = row.people or ([row.owner] if row.owner else [])
    if row.state == "open":
        return people.named(meant, row.owner_role, row.client, team)
    if _is_told_again(row):
        company = people.role("company", row.client, team)
        return people.named(row.people, row.owner_role, row.client, team).beside(company) if row.people else company
    if row.level <= len(row.escalate):
        role = row.escalate[row.level - 1]
        told = people.named(meant, row.owner_role, row.client, team) if row.level == 1 else Told(())
        above = people.role(role, row.client, team)
        return told.beside(above)
    return people.named(meant, row.owner_role, row.client, team)


async def _write(transaction: Transaction, rows: Sequence[Row[Any]], notices: Sequence[Told], now: datetime) -> None:
    """Who was told, and when the next level is."""
    statement = update(deadlines).where(deadlines.c.id == bindparam("row"))
    told = statement.values(told=bindparam("names"), next_at=bindparam("following"))
    values = []
    for row, notice in zip(rows, notices, strict=True):
        following = row.next_at
        if row.state == "missed" and (row.repeats or row.level < len(row.escalate)):
            following = now + timedelta(minutes=row.every_minutes)
        values.append({"row": row.id, "names": list(notice.people), "following": following})
    await transaction.connection.execute(told, values)
