"""What is due a call: floors and deadlines of the work plan (S2-S4, S43-S44), as a list and never against a cap.

A target makes nobody call whom the rules protect: a case whose numbers may not be called today is not in the list.

| source | target |
| --- | --- |
| S43 | first call within 2 hours of a new case |
| S44 | first call within 2 days |
| S2 | 3 calls within 7 days of a new case |
| S3 | after 3 failures, 2 more within the next 15 days |
| S4 | every week 3 calls where the debtor can be reached, 4 where not |

The calls of a floor are spread over its days: of 3 in 7 days the first is due by the end of day 3, the second of day 5.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Fault
from crm_bridge.clocks.tables import deadlines
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers, parties
from telephony.dialling.decisions import Decider
from telephony.policy.zones import local_date, start_of_day
from telephony.tables import calls

DAY = timedelta(days=1)
FIRST_CALL, FIRST_ROUND = timedelta(hours=2), 2 * DAY
OPENING, OPENING_CALLS = 7, 3
FOLLOWING, FOLLOWING_CALLS = 15, 2
WEEK, REACHABLE_CALLS, UNREACHABLE_CALLS = 7, 3, 4
MOST_CASES = 5_000
MOST_JUDGED = 400
"""At night nearly every case is left out; the list must not take minutes to find that."""
OWING = ("debtor", "guarantor")


@dataclass(frozen=True, slots=True)
class Target:
    """A number of calls wanted of a case in a period, how many were made, and when the next one is due."""

    source: str
    wanted: int
    made: int
    due_at: datetime


def targets(created: datetime, reachable: bool, made: Sequence[tuple[datetime, bool]], now: datetime) -> list[Target]:
    """The unmet targets of a case that came in at `created`; `made` are its calls, each with whether somebody was talked to."""
    found = [*_first_call(created, made), *_opening(created, made, now), *_weekly(created, reachable, made, now)]
    return sorted((one for one in found if one.made < one.wanted), key=lambda one: (one.due_at, one.source))


def _first_call(created: datetime, made: Sequence[tuple[datetime, bool]]) -> Iterator[Target]:
    if not made:
        yield Target("S43", 1, 0, created + FIRST_CALL)
        yield Target("S44", 1, 0, created + FIRST_ROUND)


def _opening(created: datetime, made: Sequence[tuple[datetime, bool]], now: datetime) -> Iterator[Target]:
    """S2, then, if nobody was reached in three calls, S3."""
    ended = created + OPENING * DAY
    if now < ended:
        yield _spread("S2", OPENING_CALLS, created, OPENING, len(made))
    elif now < ended + FOLLOWING * DAY and len(made) >= OPENING_CALLS and not any(talked for _, talked in made):
        later = sum(at >= ended for at, _ in made)
        yield _spread("S3", FOLLOWING_CALLS, ended, FOLLOWING, later)


def _weekly(
    created: datetime, reachable: bool, made: Sequence[tuple[datetime, bool]], now: datetime
) -> Iterator[Target]:
    """S4, by weeks from the day the case came in; its first week is S2's."""
    began = created + (now - created) // (WEEK * DAY) * (WEEK * DAY)
    if began > created:
        wanted = REACHABLE_CALLS if reachable else UNREACHABLE_CALLS
        yield _spread("S4", wanted, began, WEEK, sum(at >= began for at, _ in made))


def _spread(source: str, wanted: int, began: datetime, days: int, made: int) -> Target:
    due = -(-days * min(made + 1, wanted) // wanted)
    return Target(source, wanted, made, began + due * DAY)


def end_of_today(zone: str, now: datetime) -> datetime:
    """The midnight that ends the day in `zone`."""
    return start_of_day(zone, local_date(now, zone) + DAY)


async def due_today(
    connection: AsyncConnection, decider: Decider, *, zone: str, mine: bool, limit: int, user: User, now: datetime
) -> list[dict[str, Any]]:
    """Cases due a call by the end of today in `zone`, the most urgent first; those not to be called today are left out.

    Each says which target is unmet, and the first number that may be called today, now or from `retry_at` on.
    """
    tomorrow = end_of_today(zone, now)
    found = []
    rows = await _open_cases(connection, mine, user)
    made, firsts = await _calls_made(connection, rows), await _first_clocks(connection, rows)
    for row in rows:
        plan = targets(row.created_at, row.debtor_reachable, made.get(row.id, []), now)
        timed = [replace(one, due_at=firsts.get((row.id, one.source), one.due_at)) for one in plan]
        unmet = sorted((one for one in timed if one.due_at < tomorrow), key=lambda one: (one.due_at, one.source))
        if unmet:
            found.append((unmet[0].due_at, row, unmet))
    items: list[dict[str, Any]] = []
    for _, row, unmet in sorted(found, key=lambda one: (one[0], one[1].id))[:MOST_JUDGED]:
        number = await _callable_number(connection, decider, row.id, tomorrow, user, now)
        if number is not None:
            items.append(_item(row, unmet, number, now))
        if len(items) == limit:
            break
    return items


async def _open_cases(connection: AsyncConnection, mine: bool, user: User) -> Sequence[Row[Any]]:
    wanted = [scope.cases_seen_by(user), cases.c.state == "open"]
    if mine:
        wanted.append(cases.c.collector == user.name)
    columns = (cases.c.id, cases.c.client, cases.c.collector, cases.c.created_at, cases.c.debtor_reachable)
    statement: Select[Any] = select(*columns).where(*wanted).order_by(cases.c.created_at.desc()).limit(MOST_CASES)
    rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    return rows


async def _first_clocks(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[tuple[str, str], datetime]:
    """When the first call and round of a case are due by their clocks, which count in working time (S43, S44)."""
    sources = {"first-call": "S43", "first-round": "S44"}
    found: dict[tuple[str, str], datetime] = {}
    columns = select(deadlines.c.case_id, deadlines.c.kind, deadlines.c.due_at)
    for start in range(0, len(rows), 500):
        wanted = deadlines.c.case_id.in_([row.id for row in rows[start : start + 500]])
        for clock in await connection.execute(columns.where(wanted, deadlines.c.kind.in_(sources))):
            found[(clock.case_id, sources[clock.kind])] = clock.due_at
    return found


async def _calls_made(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[str, list[tuple[datetime, bool]]]:
    """The calls of each case that left the PBX, or may have."""
    made: dict[str, list[tuple[datetime, bool]]] = {}
    columns = select(calls.c.case_id, calls.c.created_at, calls.c.outcome)
    for start in range(0, len(rows), 500):
        wanted = calls.c.case_id.in_([row.id for row in rows[start : start + 500]])
        placed = calls.c.calling_customer_at.is_not(None) & calls.c.outcome.is_distinct_from("not_placed")
        for row in await connection.execute(columns.where(wanted, placed).order_by(calls.c.created_at)):
            made.setdefault(row.case_id, []).append((row.created_at, row.outcome == "conversation"))
    return made


async def _callable_number(
    connection: AsyncConnection, decider: Decider, case_id: str, until: datetime, user: User, now: datetime
) -> dict[str, Any] | None:
    """The first number of somebody who owes that may be called before `until`; one that may be called now comes first."""
    listed = (
        select(parties.c.id, parties.c.name, numbers.c.e164)
        .join(case_parties, case_parties.c.party_id == parties.c.id)
        .join(numbers, numbers.c.party_id == parties.c.id)
        .where(case_parties.c.case_id == case_id, case_parties.c.relation.in_(OWING))
        .order_by(case_parties.c.position, numbers.c.position, numbers.c.e164)
    )
    later = None
    for row in (await connection.execute(listed)).all():
        try:
            verdict = await decider.assess(
                connection, case_id=case_id, party_id=row.id, number=row.e164, agent=user.name, role=user.role, now=now
            )
        except Fault:
            continue  # facts that cannot be judged deny the call
        said = {"party_id": row.id, "name": row.name, "number": row.e164, "allowed_now": verdict.allowed}
        if verdict.allowed:
            return {**said, "retry_at": None}
        if later is None and verdict.retry_at is not None and verdict.retry_at < until:
            later = {**said, "retry_at": verdict.retry_at}
    return later


def _item(row: Row[Any], unmet: Sequence[Target], number: dict[str, Any], now: datetime) -> dict[str, Any]:
    told = [
        {
            "source": one.source,
            "wanted": one.wanted,
            "made": one.made,
            "due_at": one.due_at,
            "overdue": one.due_at <= now,
        }
        for one in unmet
    ]
    return {
        "case_id": row.id,
        "client": row.client,
        "collector": row.collector,
        "due_at": unmet[0].due_at,
        "overdue": unmet[0].due_at <= now,
        "targets": told,
        **number,
    }
