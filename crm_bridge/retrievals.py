"""Retrieval requests (S53): named cases or calls are handed over as bundles within two working days; a clock watches it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.clocks import calendars
from crm_bridge.clocks.deadline_rules import due_of, rule_of
from crm_bridge.clocks.deadlines import Deadline, by_rule, meet, open_deadline
from crm_bridge.clocks.duty import Roster
from crm_bridge.people import scope
from crm_bridge.people.users import User
from recordings.incidents import close_incidents, open_incident
from recordings.retention_tables import retrievals
from recordings.tables import recordings
from telephony.tables import calls

MOST_CALLS = 500
OVERDUE = "retrieval-overdue"
KIND = "retrieval"


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
    rule = await rule_of(transaction.connection, KIND, None)
    calendar = await calendars.of_client(transaction.connection, None, zone)
    due = due_of(rule.within, rule.unit, rule.warn_minutes, now, calendar)
    until, identifier = due.due_at, new_id(now)
    values = {"id": identifier, "cases": list(case_ids), "calls": list(call_ids), "reason": reason, "state": "open"}
    stamped = {"requested_at": now, "requested_by": user.name, "deadline_at": until}
    await transaction.execute(insert(retrievals).values(**values, **stamped))
    data = {"retrieval_id": identifier, "reason": reason, "cases": [*case_ids], "calls": [*call_ids],
            "deadline_at": until.isoformat()}  # fmt: skip
    transaction.journal(Entry(now, "retrieval.requested", user.name, data=data))
    clock = Deadline(f"retrieval:{identifier}", KIND, due, reason[:200], owner=user.name, **by_rule(rule))
    await open_deadline(transaction, clock, now)
    return await find(transaction.connection, identifier)


async def find(connection: AsyncConnection, retrieval_id: str) -> Row[Any]:
    """The request. Raises NotFound."""
    row = (await connection.execute(select(retrievals).where(retrievals.c.id == retrieval_id))).first()
    if row is None:
        raise NotFound(f"there is no retrieval request {retrieval_id}")
    return row


async def find_theirs(connection: AsyncConnection, retrieval_id: str, user: User) -> Row[Any]:
    """The request, if the user made it, or may see some of its calls. Raises NotFound."""
    row = await find(connection, retrieval_id)
    bound = bool(user.clients or user.team)
    if bound and row.requested_by != user.name and not await call_ids_of(connection, row, user):
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
    row = await find_theirs(transaction.connection, retrieval_id, user)
    if row.state == "done":
        raise Conflict("it has been handed over already")
    mine = update(retrievals).where(retrievals.c.id == retrieval_id)
    await transaction.execute(mine.values(state="done", done_at=now, done_by=user.name))
    handed = "it was handed over"
    await meet(transaction, [f"retrieval:{retrieval_id}"], at=now, by=user.name, reason=handed, now=now)
    await close_incidents(transaction, now, retrieval_id, handed, (OVERDUE,))
    transaction.journal(Entry(now, "retrieval.done", user.name, data={"retrieval_id": retrieval_id}))


async def overdue(transaction: Transaction, rows: Sequence[Row[Any]], _people: Roster, now: datetime) -> None:
    """What follows a miss: what is not handed over in time is an incident until it is."""
    for row in rows:
        retrieval_id = row.key.partition(":")[2]
        await transaction.execute(update(retrievals).where(retrievals.c.id == retrieval_id).values(missed_at=now))
        detail = {"reason": row.text, "deadline_at": row.due_at.isoformat()}
        await open_incident(transaction, now, OVERDUE, retrieval_id, detail)
