"""Caller-ID pools: which number a call shows, by client and by where it goes, and how often each was shown that day.

A number is shown only by a trunk that may show it. Where pools say what a call shows, nothing else is shown: without a number
left, there is no call.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.journal import Entry
from telephony.numbers import time_zones
from telephony.policy.zones import zone
from telephony.trunking.tables import caller_id_loads, caller_id_pools

EVERYWHERE = "+"


def digits(number: str) -> str:
    """What makes two spellings of a caller ID the same."""
    return number.removeprefix("+")


def day_of(caller_id: str, now: datetime) -> str:
    """The day that it is where the number is from (UTC for one without a country), as 2026-06-01."""
    try:
        zones = tuple(time_zones(f"+{digits(caller_id)}"))
    except ValueError:
        zones = ()
    local = now.astimezone(zone(zones[0])) if zones else now.astimezone(UTC)
    return local.date().isoformat()


def pool_for(pools: Iterable[Any], client: str | None, e164: str) -> Any | None:
    """The pool that says what a call shows: the client's own before everybody's, then the longest region that holds it."""
    fitting = [pool for pool in pools if pool.client in (None, client) and e164.startswith(pool.region)]
    return max(fitting, key=lambda pool: (pool.client is not None, len(pool.region), pool.name), default=None)


def preferred(e164: str, numbers: Sequence[str]) -> list[str]:
    """In the order in which this person sees them: always the same first, each number first for as many persons.

    Rendezvous hashing: when a number comes or goes, only the persons who saw it, or will, see a change.
    """

    def place(number: str) -> bytes:
        return hashlib.blake2b(f"{digits(number)}/{e164}".encode(), digest_size=8).digest()

    return sorted(numbers, key=place)


def allowed(trunk_numbers: Sequence[str], pool: Any | None) -> list[str]:
    """What a trunk may show of a pool, as the trunk spells it; without a pool all that it may show."""
    if pool is None:
        return list(trunk_numbers)
    wanted = {digits(number) for number in pool.numbers}
    return [number for number in trunk_numbers if digits(number) in wanted]


_POOLS = select(caller_id_pools).order_by(caller_id_pools.c.name)


async def pools_of(connection: AsyncConnection) -> list[Row[Any]]:
    """Every pool, by name."""
    return list((await connection.execute(_POOLS)).all())


async def shown_today(connection: AsyncConnection, numbers: Collection[str], now: datetime) -> dict[str, int]:
    """How often each of the numbers was shown on its own day so far, by its digits."""
    days = {day_of(number, now) for number in numbers}
    counted = func.sum(caller_id_loads.c.calls)
    wanted = (
        select(caller_id_loads.c.day, caller_id_loads.c.caller_id, counted)
        .where(caller_id_loads.c.day.in_(days), caller_id_loads.c.caller_id.in_([digits(one) for one in numbers]))
        .group_by(caller_id_loads.c.day, caller_id_loads.c.caller_id)
    )
    rows = await connection.execute(wanted)
    return {number: int(calls) for day, number, calls in rows if day == day_of(number, now)}


async def count(transaction: Transaction, caller_id: str, trunk: str, now: datetime) -> None:
    """One more call that shows it."""
    key = {"day": day_of(caller_id, now), "caller_id": digits(caller_id), "trunk": trunk}
    mine = [caller_id_loads.c[name] == value for name, value in key.items()]
    more = update(caller_id_loads).where(*mine).values(calls=caller_id_loads.c.calls + 1)
    if not (await transaction.execute(more)).rowcount and not await transaction.insert_once(
        caller_id_loads, **key, calls=1
    ):
        await transaction.execute(more)


async def loads(connection: AsyncConnection, since: str) -> list[Row[Any]]:
    """(day, caller_id, trunk, calls) from that day on."""
    wanted = select(caller_id_loads).where(caller_id_loads.c.day >= since).order_by(caller_id_loads.c.day.desc())
    return list((await connection.execute(wanted)).all())


async def put_pool(
    transaction: Transaction, name: str, values: Mapping[str, Any], reason: str | None, *, actor: str, now: datetime
) -> tuple[Row[Any], bool]:
    """Set a pool (the columns but `name` and who changed it when), journalled with what it was; whether it is new."""
    await transaction.lock([f"caller-id-pool:{name}"])
    before = await transaction.first(select(caller_id_pools).where(caller_id_pools.c.name == name))
    written = {**values, "updated_at": now, "updated_by": actor}
    if before is None:
        await transaction.execute(insert(caller_id_pools).values(name=name, **written))
    else:
        await transaction.execute(update(caller_id_pools).where(caller_id_pools.c.name == name).values(**written))
    was = {key: getattr(before, key) for key in values} if before is not None else None
    data = {"name": name, **values, "before": was, "reason": reason}
    transaction.journal(Entry(now, "caller_ids.pool_changed", actor, client=values["client"], data=data))
    row = await transaction.first(select(caller_id_pools).where(caller_id_pools.c.name == name))
    assert row is not None
    return row, before is None


async def find_pool(connection: AsyncConnection, name: str) -> Row[Any]:
    """The pool of that name. Raises NotFound."""
    row = (await connection.execute(select(caller_id_pools).where(caller_id_pools.c.name == name))).first()
    if row is None:
        raise NotFound(f"there is no caller-ID pool {name}")
    return row


async def remove_pool(transaction: Transaction, name: str, reason: str | None, *, actor: str, now: datetime) -> None:
    """Take a pool away. Raises NotFound."""
    row = await find_pool(transaction.connection, name)
    await transaction.execute(delete(caller_id_pools).where(caller_id_pools.c.name == name))
    data = {"name": name, "numbers": row.numbers, "region": row.region, "reason": reason}
    transaction.journal(Entry(now, "caller_ids.pool_removed", actor, client=row.client, data=data))
