"""Which trunk a call leaves by: who carries the number now, has room, and may show a number that the call may show.

Longest prefix first, then priority (low first); among equals by smooth weights (each gains its weight a call, the one that
goes pays back the sum of all), so that shares come out right in every short run, also across processes: the turns are in the
database, and choosing holds the PBX's lock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, String, and_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from telephony.policy.facts import Band
from telephony.policy.hours import weekly
from telephony.policy.zones import zone
from telephony.tables import calls, legs, trunks
from telephony.trunking import caller_ids
from telephony.trunking.trunks import Route, prefix_length, written


class NoWay(StrEnum):
    """Why no trunk takes a call: the reason that stands last, nearest to a yes."""

    NONE = "none"
    CLOSED = "closed"
    NO_CALLER_ID = "no-caller-id"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Way:
    """A trunk that could take the call, and what it would show."""

    trunk: Any
    caller_id: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The call that looks for a way: a validated E.164 number, and for whom it is made. `without`: trunks that failed."""

    pbx: str
    e164: str
    client: str | None
    without: Collection[str] = ()


def lock_of(pbx: str) -> str:
    """The lock under which the trunks of a PBX are chosen, drained and removed; always the last one a transaction takes."""
    return f"trunks:{pbx}"


def is_open(trunk: Any, now: datetime) -> bool:
    """Whether the trunk's hours hold the moment; one without hours is always open."""
    if trunk.hours is None:
        return True
    local = now.astimezone(zone(trunk.zone))
    minute = local.hour * 60 + local.minute
    week = weekly(Band.model_validate(band) for band in trunk.hours)
    return any(start <= minute < end for start, end in week[local.weekday()])


def carrying(rows: Sequence[Any], e164: str) -> list[Any]:
    """The enabled trunks that carry the number, in order of longest prefix, priority and name."""
    found = []
    for row in rows:
        length = prefix_length(e164, row.prefixes) if row.enabled else None
        if length is not None:
            found.append(((-length, row.priority, row.name), row))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def next_turn(group: Sequence[Any]) -> tuple[Any, dict[str, int]]:
    """Who of equals goes, by smooth weights, and everyone's turn after it. One of weight 0 goes only when it is alone."""
    weighted = [row for row in group if row.weight > 0]
    if not weighted:
        return min(group, key=lambda row: row.name), {}
    turns = {row.name: row.turn + row.weight for row in weighted}
    chosen = min(weighted, key=lambda row: (-turns[row.name], row.name))
    turns[chosen.name] -= sum(row.weight for row in weighted)
    return chosen, turns


async def choose(transaction: Transaction, wanted: Wanted, now: datetime) -> Route | NoWay:
    """The way out for a call, counted as gone; a NoWay when there is none."""
    await transaction.lock([lock_of(wanted.pbx)])
    ways = await ways_for(transaction.connection, wanted, now)
    if isinstance(ways, NoWay):
        return ways
    rows = [way.trunk for way in ways]
    first = _rank(rows[0], wanted.e164)
    chosen, turns = next_turn([row for row in rows if _rank(row, wanted.e164) == first])
    if len(turns) > 1:
        told = case(turns, value=trunks.c.name)
        await transaction.execute(update(trunks).where(trunks.c.name.in_(turns)).values(turn=told))
    caller_id = next(way.caller_id for way in ways if way.trunk.name == chosen.name)
    if caller_id is not None:
        await caller_ids.count(transaction, caller_id, chosen.name, now)
    return Route(chosen.name, chosen.endpoint, written(wanted.e164, chosen.dial_format), caller_id)


def _rank(row: Any, e164: str) -> tuple[int, int]:
    return -(prefix_length(e164, row.prefixes) or 0), row.priority


_ENABLED = select(trunks).where(trunks.c.pbx == bindparam("on_pbx", type_=String), trunks.c.enabled)


async def ways_for(connection: AsyncConnection, wanted: Wanted, now: datetime) -> list[Way] | NoWay:
    """Every way there is at this moment, preferred ones first; counts nothing."""
    rows = (await connection.execute(_ENABLED, {"on_pbx": wanted.pbx})).all()
    carry = [row for row in carrying(rows, wanted.e164) if row.name not in wanted.without]
    if not carry:
        return NoWay.NONE
    at_work = [row for row in carry if is_open(row, now)]
    if not at_work:
        return NoWay.CLOSED
    shown = await _shown(connection, at_work, wanted, now)
    if not shown:
        return NoWay.NO_CALLER_ID
    limited = [way.trunk.name for way in shown if way.trunk.capacity]
    used = await live_calls(connection, limited) if limited else {}
    free = [way for way in shown if not way.trunk.capacity or used.get(way.trunk.name, 0) < way.trunk.capacity]
    return free or NoWay.FULL


async def _shown(connection: AsyncConnection, rows: Sequence[Any], wanted: Wanted, now: datetime) -> list[Way]:
    pool = caller_ids.pool_for(await caller_ids.pools_of(connection), wanted.client, wanted.e164)
    limit = pool.daily_limit if pool is not None else 0
    loads = await caller_ids.shown_today(connection, pool.numbers, now) if pool is not None and limit else {}
    found = []
    for row in rows:
        numbers = caller_ids.preferred(wanted.e164, caller_ids.allowed(row.caller_ids, pool))
        free = [one for one in numbers if not limit or loads.get(caller_ids.digits(one), 0) < limit]
        if free or (pool is None and not row.caller_ids):
            found.append(Way(row, free[0] if free else None))
    return found


async def live_calls(connection: AsyncConnection, names: Collection[str]) -> Mapping[str, int]:
    """How many calls are on each trunk now: those let out by it, and those that came in by it."""
    return {name: number for name, number in await connection.execute(_LIVE, {"names": list(names)})}


def _live() -> Select[Any]:
    """One query, built once. Nothing but `ended_at` narrows the calls, so that SQLite reads the index of open ones alone."""
    mine = exists().where(legs.c.call_id == calls.c.id, legs.c.trunk == trunks.c.name, legs.c.ended_at.is_(None))
    on = or_(calls.c.trunk == trunks.c.name, and_(calls.c.trunk.is_(None), mine))
    return (
        select(trunks.c.name, func.count())
        .join(calls, and_(calls.c.ended_at.is_(None), on))
        .where(trunks.c.name.in_(bindparam("names", expanding=True)))
        .group_by(trunks.c.name)
    )


_LIVE = _live()
