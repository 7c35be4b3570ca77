"""Retrieval requests (S53): named cases or calls are handed over as bundles within two working days; a clock watches it."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.deadlines import claim_due
from config.errors import Conflict, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge import scope
from crm_bridge.users import User
from recordings.incidents import close_incidents, open_incident
from recordings.retention_tables import retrievals
from recordings.tables import recordings
from telephony.tables import calls

WORKING_DAYS = 2
MOST_CALLS = 500
OVERDUE = "retrieval-overdue"
LEASE = timedelta(minutes=5)


def deadline(now: datetime, zone: str) -> datetime:
    """The end of the second working day after `now`, by China's calendar in `zone`.

    A day that may be one (a make-up Saturday of a year that is not published yet is not known) counts if it is a
    weekday: the earlier date, so that nobody relies on a holiday that is not certain.
    """
    here = now.astimezone(ZoneInfo(zone))
    calendar = holidays.country_holidays("CN", years=range(here.year, here.year + 2))
    day: date = here.date()
    for _ in range(WORKING_DAYS):
        day += timedelta(days=1)
        while not calendar.is_working_day(day):
            day += timedelta(days=1)
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))


async def request(
    transaction: Transaction, case_ids: Sequence[str], call_ids: Sequence[str], reason: str, *, user: User, zone: str,
    now: datetime,
) -> Row[Any]:  # fmt: skip
    """Ask for the calls of these cases, and these calls. Raises NotFound for one that is not there or not theirs."""
    for column, wanted in ((calls.c.id, call_ids), (calls.c.case_id, case_ids)):
        seen = select(column).where(column.in_(wanted), scope.calls_seen_by(user)).distinct()
        missing = set(wanted) - {row[0] for row in await transaction.all(seen)}
        if missing:
            raise NotFound(f"there is no call of {min(missing)}")
    until, identifier = deadline(now, zone), new_id(now)
    values = {"id": identifier, "cases": list(case_ids), "calls": list(call_ids), "reason": reason, "state": "open"}
    stamped = {"requested_at": now, "requested_by": user.name, "deadline_at": until, "due_at": until}
    await transaction.execute(insert(retrievals).values(**values, **stamped))
    data = {"retrieval_id": identifier, "reason": reason, "cases": [*case_ids], "calls": [*call_ids],
            "deadline_at": until.isoformat()}  # fmt: skip
    transaction.journal(Entry(now, "retrieval.requested", user.name, data=data))
    return await find(transaction.connection, identifier)


async def find(connection: AsyncConnection, retrieval_id: str) -> Row[Any]:
    """The request. Raises NotFound."""
    row = (await connection.execute(select(retrievals).where(retrievals.c.id == retrieval_id))).first()
    if row is None:
        raise NotFound(f"there is no retrieval request {retrieval_id}")
    return row


async def call_ids_of(connection: AsyncConnection, row: Row[Any], user: User) -> list[str]:
    """The calls that are handed over, oldest first: those named, and those of the cases that have recordings."""
    recorded = select(recordings.c.call_id).where(recordings.c.call_id == calls.c.id).exists()
    named = calls.c.id.in_(row.calls) | (calls.c.case_id.in_(row.cases) & recorded)
    wanted = select(calls.c.id).where(named, scope.calls_seen_by(user)).order_by(calls.c.id).limit(MOST_CALLS)
    return list(await connection.scalars(wanted))


async def finish(transaction: Transaction, retrieval_id: str, *, user: User, now: datetime) -> None:
    """It is handed over: the clock stops. Raises NotFound, Conflict."""
    await transaction.lock([f"retrieval:{retrieval_id}"])
    row = await find(transaction.connection, retrieval_id)
    if row.state == "done":
        raise Conflict("it has been handed over already")
    mine = update(retrievals).where(retrievals.c.id == retrieval_id)
    await transaction.execute(mine.values(state="done", done_at=now, done_by=user.name, due_at=None))
    await close_incidents(transaction, now, retrieval_id, "it was handed over", (OVERDUE,))
    transaction.journal(Entry(now, "retrieval.done", user.name, data={"retrieval_id": retrieval_id}))


async def tell_overdue(database: Database, now: datetime) -> None:
    """The clock: what is not handed over in time is an incident, told once."""
    async with database.write() as transaction:
        for row in await claim_due(transaction, retrievals, now, lease=LEASE):
            mine = update(retrievals).where(retrievals.c.id == row.id)
            await transaction.execute(mine.values(due_at=None, missed_at=now))
            detail = {"reason": row.reason, "deadline_at": row.deadline_at.isoformat()}
            await open_incident(transaction, now, OVERDUE, row.id, detail)
            told = {"retrieval_id": row.id, "deadline": "retrieval", **detail}
            transaction.journal(Entry(now, "deadline.missed", data=told))
