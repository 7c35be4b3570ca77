"""The supervisor's floor: what every collector is doing, whom they talk to, what they are late with, what they did today."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.local_time import seconds_between
from crm_bridge.clocks import deadlines as deadline_store
from crm_bridge.clocks.tables import deadlines
from crm_bridge.complaints.steps import STEP
from crm_bridge.floor import agent_states
from crm_bridge.people.users import User
from crm_bridge.tables import parties
from telephony.live.listening import open_listenings
from telephony.policy.zones import local_date, start_of_day
from telephony.tables import calls

MOST_LATE = 20
"""So many late things of one person are named; `late` counts all."""


async def floor(
    connection: AsyncConnection, user: User, *, zone: str, after: str, limit: int, now: datetime
) -> list[dict[str, Any]]:
    """A page of the people the user supervises, by name; today is the service's zone's."""
    people = await agent_states.listing(connection, user, now, after=after, limit=limit)
    names = [person["name"] for person in people]
    talking = await _calls(connection, [person["call"]["id"] for person in people if person["call"]], now)
    late = await _late(connection, user, names, now)
    today = await _today(connection, names, start_of_day(zone, local_date(now, zone)))
    for person in people:
        if person["call"]:
            person["call"] |= talking.get(person["call"]["id"], {})
        named, count = late[person["name"]]
        person |= {"late": named, "late_count": count, "today": today.get(person["name"], _NOTHING)}
    return people


_FIGURES = ("calls", "attempts", "conversations", "inbound")
_NOTHING = dict.fromkeys(_FIGURES, 0) | {"talk_seconds": 0.0}


async def _calls(connection: AsyncConnection, ids: Sequence[str], now: datetime) -> dict[str, dict[str, Any]]:
    """Whom each open call is with, since when they talk and since when they wait, and who listens in."""
    joined = calls.outerjoin(parties, parties.c.id == calls.c.party_id)
    columns = (calls.c.id, calls.c.connected_at, calls.c.held_at, calls.c.created_at, calls.c.client, parties.c.name)
    rows = await connection.execute(select(*columns).select_from(joined).where(calls.c.id.in_(ids)))
    listening = await open_listenings(connection, ids)
    return {
        row.id: {
            "party": row.name,
            "client": row.client,
            "connected_at": row.connected_at,
            "held_at": row.held_at,
            "seconds": max((now - (row.connected_at or row.created_at)).total_seconds(), 0.0),
            "listeners": [
                {"listener": one.listener, "mode": one.mode, "hears": one.began_at is not None}
                for one in listening.get(row.id, ())
            ],
        }
        for row in rows
    }


async def _late(
    connection: AsyncConnection, user: User, names: Sequence[str], now: datetime
) -> dict[str, tuple[list[dict[str, Any]], int]]:
    """What is past its due time and still to be done, the oldest first. A missed step of a complaint is the next step's."""
    past = and_(deadlines.c.ended_at.is_(None), deadlines.c.due_at <= now)
    missed_step = and_(deadlines.c.kind == STEP, deadlines.c.state == "missed")
    mine = and_(deadlines.c.owner.in_(names), past, ~missed_step, deadline_store.seen_by(user))
    place = func.row_number().over(partition_by=deadlines.c.owner, order_by=(deadlines.c.due_at, deadlines.c.id))
    count = func.count().over(partition_by=deadlines.c.owner)
    columns = (deadlines.c[name] for name in ("id", "kind", "text", "owner", "case_id", "complaint_id", "due_at"))
    listed = select(*columns, place.label("place"), count.label("late_count")).where(mine).subquery()
    found: dict[str, tuple[list[dict[str, Any]], int]] = defaultdict(lambda: ([], 0))
    rows = await connection.execute(select(listed).where(listed.c.place <= MOST_LATE).order_by(listed.c.place))
    for row in rows:
        shown = {name: value for name, value in row._mapping.items() if name not in ("owner", "place", "late_count")}
        found[row.owner] = ([*found[row.owner][0], shown], row.late_count)
    return found


async def _today(connection: AsyncConnection, names: Sequence[str], since: datetime) -> dict[str, dict[str, Any]]:
    """What each did since the day began, over all clients: of the whole person, as the calls' own reports count it."""
    counted = and_(calls.c.direction == "outbound", calls.c.outcome.is_not(None), calls.c.outcome != "not_placed")

    def number(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    talked = case((calls.c.connected_at.is_not(None), seconds_between(calls.c.ended_at, calls.c.connected_at)))
    figures = (
        number(calls.c.direction == "outbound").label("calls"),
        number(counted).label("attempts"),
        number(calls.c.outcome == "conversation").label("conversations"),
        number(calls.c.direction == "inbound").label("inbound"),
        func.coalesce(func.sum(talked), 0.0).label("talk_seconds"),
    )
    who = func.coalesce(calls.c.current_agent, calls.c.agent).label("who")
    mine = and_(calls.c.created_at >= since, or_(calls.c.agent.in_(names), calls.c.current_agent.in_(names)))
    rows = await connection.execute(select(who, *figures).where(mine).group_by("who"))
    return {row.who: {name: row._mapping[name] for name in (*_FIGURES, "talk_seconds")} for row in rows}
