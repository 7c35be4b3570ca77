"""The figures of a screen on the wall: counts only, nobody's name, number or case."""

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.clocks import deadlines as deadline_store
from crm_bridge.clocks.tables import deadlines
from crm_bridge.floor import agent_states
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases, complaints
from recordings.tables import incidents
from telephony.policy.zones import local_date, start_of_day
from telephony.tables import calls, decisions

PEOPLE_AT_ONCE = 500


async def wallboard(connection: AsyncConnection, user: User, *, zone: str, now: datetime) -> dict[str, Any]:
    """What the user oversees, now and since the day began in the service's zone."""
    since = start_of_day(zone, local_date(now, zone))
    return {
        "at": now,
        "calls": await _calls(connection, user),
        "agents": await _agents(connection, user, now),
        "today": await _today(connection, user, since),
        "incidents": await _incidents(connection, user),
        "complaints": await _complaints(connection, user, now),
    }


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


async def _calls(connection: AsyncConnection, user: User) -> dict[str, int]:
    """Open calls; `waiting` are those from outside that nobody has answered."""
    talking = calls.c.state.in_(("connected", "held"))
    waiting = and_(calls.c.direction == "inbound", calls.c.connected_at.is_(None))
    figures = {
        "live": func.count(), "talking": _number(talking), "held": _number(calls.c.state == "held"),
        "ringing": _number(and_(~talking, ~waiting)), "waiting": _number(waiting),
    }  # fmt: skip
    mine = select(*(figure.label(name) for name, figure in figures.items())).select_from(calls)
    row = (await connection.execute(mine.where(calls.c.ended_at.is_(None), scope.calls_seen_by(user)))).one()
    return {name: int(row._mapping[name]) for name in figures}


async def _agents(connection: AsyncConnection, user: User, now: datetime) -> dict[str, int]:
    """How many people are in which state; on a call counts before busy."""
    counts: Counter[str] = Counter(dict.fromkeys(("on_call", "ready", "busy", "wrap_up", "away"), 0))
    after = ""
    while people := await agent_states.listing(connection, user, now, after=after, limit=PEOPLE_AT_ONCE):
        for person in people:
            counts["on_call" if person["call"] else person["state"]] += 1
        after = people[-1]["name"]
    return dict(counts)


async def _today(connection: AsyncConnection, user: User, since: datetime) -> dict[str, int]:
    counted = and_(calls.c.direction == "outbound", calls.c.outcome.is_not(None), calls.c.outcome != "not_placed")
    figures = {
        "calls": func.count(), "attempts": _number(counted),
        "conversations": _number(calls.c.outcome == "conversation"),
        "inbound": _number(calls.c.direction == "inbound"),
    }  # fmt: skip
    mine = select(*(figure.label(name) for name, figure in figures.items())).select_from(calls)
    row = (await connection.execute(mine.where(calls.c.created_at >= since, scope.calls_seen_by(user)))).one()
    denied = and_(decisions.c.verdict == "deny", decisions.c.kind.in_(("click", "gate")), decisions.c.at >= since)
    my_cases = select(cases.c.id).where(scope.cases_seen_by(user))
    theirs = decisions.c.case_id.in_(my_cases) if user.clients or user.team else true()
    denials = await connection.scalar(select(func.count()).select_from(decisions).where(denied, theirs))
    return {**{name: int(row._mapping[name]) for name in figures}, "denials": int(denials or 0)}


async def _incidents(connection: AsyncConnection, user: User) -> int:
    """Open ones; those of no call concern who is bound to nothing."""
    seen = select(calls.c.id).where(calls.c.id == incidents.c.call_id, scope.calls_seen_by(user)).exists()
    mine = seen if user.clients or user.team else or_(seen, incidents.c.id.is_not(None))
    counted = select(func.count()).select_from(incidents).where(incidents.c.closed_at.is_(None), mine)
    return int(await connection.scalar(counted) or 0)


async def _complaints(connection: AsyncConnection, user: User, now: datetime) -> dict[str, int]:
    """Complaints that are open, and clocks that have run out."""
    joined = complaints.join(cases, cases.c.id == complaints.c.case_id)
    opened = select(func.count()).select_from(joined).where(complaints.c.state == "open", scope.cases_seen_by(user))
    late = and_(deadlines.c.ended_at.is_(None), deadlines.c.due_at <= now, deadline_store.seen_by(user))
    of_complaints = and_(late, deadlines.c.complaint_id.is_not(None))
    figures = select(_number(of_complaints).label("overdue"), func.count().label("late")).select_from(deadlines)
    row = (await connection.execute(figures.where(late))).one()
    return {
        "open": int(await connection.scalar(opened) or 0), "overdue": int(row.overdue), "everything_late": int(row.late)
    }  # fmt: skip
