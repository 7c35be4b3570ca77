"""Overrides: a supervisor's leave to call against house rules, with a reason and an end; never over a hard prohibition."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Fault, Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.cases import cases
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, numbers
from crm_bridge.tables import cases as cases_table
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Subject
from telephony.policy.verdict import Denial
from telephony.tables import calls, overrides

LONGEST = timedelta(days=30)


class HardProhibition(Fault):
    """A hard rule forbids the call for all the time that the override would last: nobody may lift it."""

    code = "hard-prohibition"
    status = 403
    title = "No override lifts this rule"


async def grant(
    transaction: Transaction,
    decider: Decider,
    case_id: str,
    number: str,
    reason: str,
    expires_at: datetime,
    *,
    user: User,
    now: datetime,
) -> dict[str, object]:
    """Leave to call an E.164 number of the case until `expires_at`.

    Raises NotFound, Invalid (it must end within 30 days), HardProhibition. Hard rules that come later stand all the same.
    """
    if not now < expires_at <= now + LONGEST:
        message = f"must lie after now and within {LONGEST.days} days"
        raise Invalid(f"expires_at {message}", [{"field": "expires_at", "message": message}])
    case = await cases.find(transaction.connection, case_id, user)
    listed = (
        select(numbers.c.party_id)
        .join(case_parties, case_parties.c.party_id == numbers.c.party_id)
        .where(case_parties.c.case_id == case_id, numbers.c.e164 == number)
    )
    owners = [row.party_id for row in await transaction.all(listed)]
    if not owners:
        raise NotFound(f"case {case_id} has no number {number}")
    subjects = [Subject(case_id, owner, number, user.name, user.role) for owner in owners]
    await _require_liftable(transaction.connection, decider, subjects, expires_at, now)
    row: dict[str, object] = {"id": new_id(now), "case_id": case_id, "number": number, "by": user.name}
    row |= {"reason": reason, "created_at": now, "expires_at": expires_at}
    await transaction.execute(insert(overrides).values(**row))
    data = {"override_id": row["id"], "number": number, "reason": reason, "expires_at": expires_at.isoformat()}
    transaction.journal(Entry(now, "override.granted", user.name, case.client, case.collector, case_id, data=data))
    return row


async def _require_liftable(
    connection: AsyncConnection, decider: Decider, subjects: Sequence[Subject], expires_at: datetime, now: datetime
) -> None:
    """Refuse where every owner of the number is protected by a hard rule until the override's end."""
    standing: list[Denial] = []
    for subject in subjects:
        denials = (await decider.decide(connection, subject, now)).verdict.denials
        hard = [one for one in denials if one.hard and (one.retry_at is None or one.retry_at >= expires_at)]
        if not hard:
            return
        standing += hard
    first = standing[0]
    rules = sorted({one.rule for one in standing})
    raise HardProhibition(first.reason, rule=first.rule, reason=first.reason, reason_zh=first.reason_zh, rules=rules)


async def report(
    connection: AsyncConnection,
    user: User,
    *,
    case_id: str | None,
    active_at: datetime | None,
    before: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Overrides on the cases the user may see, newest first, each with the calls that would not have been made without it."""
    wanted = [scope.cases_seen_by(user)]
    if case_id is not None:
        wanted.append(overrides.c.case_id == case_id)
    if active_at is not None:
        wanted += [overrides.c.created_at <= active_at, overrides.c.expires_at > active_at]
    if before is not None:
        wanted.append(overrides.c.id < before)
    statement = select(overrides, cases_table.c.client).join(cases_table, cases_table.c.id == overrides.c.case_id)
    rows = (await connection.execute(statement.where(*wanted).order_by(overrides.c.id.desc()).limit(limit))).all()
    made = await _calls_under(connection, rows)
    return [{**row._mapping, "calls": made.get(row.id, [])} for row in rows]


async def _calls_under(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[str, list[str]]:
    """The calls that needed each override: an override's end and maker are on its calls."""
    theirs = select(calls.c.id, calls.c.case_id, calls.c.number, calls.c.override)
    theirs = theirs.where(calls.c.case_id.in_({row.case_id for row in rows})).order_by(calls.c.id)
    found: dict[str, list[str]] = {}
    for call in await connection.execute(theirs):
        for row in rows:
            same = (call.case_id, call.number) == (row.case_id, row.number)
            if same and call.override and call.override == {**_shown(row), "rules": call.override.get("rules")}:
                found.setdefault(row.id, []).append(call.id)
    return found


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {"by": row.by, "reason": row.reason, "expires_at": row.expires_at.isoformat()}
