"""The desk over the outbox: how much waits where, what became of each item, dead letters sent again or given up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, NotFound
from config.journal import Entry
from crm_bridge.outbox import registry
from crm_bridge.outbox.registry import NOTE
from crm_bridge.outbox.tables import destinations, items, tries
from crm_bridge.people.users import User

REPLAYABLE = ("dead", "delivered", "dropped")


async def backlog(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    """By destination: `waiting`, `dead`, and since when the oldest that waits does."""
    counted = (
        select(
            items.c.destination_id,
            items.c.state,
            func.count().label("count"),
            func.min(items.c.occurred_at).label("oldest"),
        )
        .where(items.c.state.in_(("waiting", "dead")))
        .group_by(items.c.destination_id, items.c.state)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in await connection.execute(counted):
        about = found.setdefault(row.destination_id, {"waiting": 0, "dead": 0, "oldest_waiting": None})
        about[row.state] = row.count
        if row.state == "waiting":
            about["oldest_waiting"] = row.oldest
    return found


async def listing(
    connection: AsyncConnection,
    wanted: dict[str, Any],
    *,
    user: User,
    before: int | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Items without their payload, newest first; `wanted` are columns and the values they must have."""
    columns = [column for column in items.c if column.name != "payload"]
    conditions = [items.c[name] == value for name, value in wanted.items() if value is not None]
    if before is not None:
        conditions.append(items.c.seq < before)
    if user.clients:
        conditions.append(items.c.destination_id.in_([row.id for row in await registry.listing(connection, user)]))
    named = destinations.c.name.label("destination")
    joined = select(*[*columns, named]).join(destinations, destinations.c.id == items.c.destination_id)
    found = joined.where(*conditions).order_by(items.c.seq.desc()).limit(limit)
    rows: Sequence[Row[Any]] = (await connection.execute(found)).all()
    return rows


async def find(connection: AsyncConnection, item_id: str, user: User) -> Row[Any]:
    """An item with its payload and its destination's name. Raises NotFound."""
    joined = select(items, destinations.c.name.label("destination"), destinations.c.clients).join(
        destinations, destinations.c.id == items.c.destination_id
    )
    row = (await connection.execute(joined.where(items.c.id == item_id))).first()
    if row is None or not registry.seen_by(user, row):
        raise NotFound(f"there is no delivery {item_id}")
    return row


async def tries_of(connection: AsyncConnection, item_id: str) -> Sequence[Row[Any]]:
    """Every try of an item, oldest first."""
    wanted = select(tries).where(tries.c.item_id == item_id).order_by(tries.c.id)
    found: Sequence[Row[Any]] = (await connection.execute(wanted)).all()
    return found


async def log(
    connection: AsyncConnection, destination_id: str, *, before: int | None, limit: int
) -> Sequence[Row[Any]]:
    """Tries and test messages of a destination, newest first."""
    older: ColumnElement[bool] = tries.c.id < before if before is not None else true()
    wanted = select(tries).where(tries.c.destination_id == destination_id, older)
    found: Sequence[Row[Any]] = (await connection.execute(wanted.order_by(tries.c.id.desc()).limit(limit))).all()
    return found


async def sent_of_case(connection: AsyncConnection, case_id: str) -> dict[str, list[dict[str, Any]]]:
    """Where each note of a case was told and what became of it, by note id; of a corrected one, the newest."""
    note = items.c.payload["note_id"].as_string().label("note_id")
    columns = (
        note,
        items.c.destination_id,
        destinations.c.name,
        items.c.state,
        items.c.due_at,
        items.c.ended_at,
        items.c.reason,
    )
    joined = select(*columns).join(destinations, destinations.c.id == items.c.destination_id)
    of_case = (items.c.case_id == case_id) & (items.c.kind == NOTE)
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in await connection.execute(joined.where(of_case).order_by(items.c.seq)):
        told = {"destination": row.name, "state": row.state, "at": row.ended_at or row.due_at, "reason": row.reason}
        newest[row.note_id, row.destination_id] = told
    found: dict[str, list[dict[str, Any]]] = {}
    for (note_id, _), told in newest.items():
        found.setdefault(note_id, []).append(told)
    return found


async def replay(transaction: Transaction, item_id: str, reason: str, *, user: User, now: datetime) -> None:
    """Send one again, under the same id, with a new schedule. Raises NotFound, Conflict (it waits anyhow, nobody is there)."""
    row = await find(transaction.connection, item_id, user)
    if row.state not in REPLAYABLE:
        raise Conflict("it is waiting to be sent already")
    await registry.find(transaction.connection, row.destination_id)
    await transaction.execute(_again(items.c.id == item_id, now, reason))
    await _leave_alone_no_longer(transaction, row.destination_id)
    data = {"destination_id": row.destination_id, "items": [item_id], "count": 1, "reason": reason}
    transaction.journal(Entry(now, "delivery.replayed", user.name, row.client, None, row.case_id, row.call_id, data))


async def replay_all(
    transaction: Transaction, destination_id: str, reason: str, *, since: datetime | None, user: User, now: datetime
) -> int:
    """Send a destination's dead letters again, all or those that happened since: how many. Raises NotFound."""
    await registry.find(transaction.connection, destination_id, user=user)
    dead = (items.c.destination_id == destination_id) & (items.c.state == "dead")
    late: ColumnElement[bool] = items.c.occurred_at >= since if since is not None else true()
    count = (await transaction.execute(_again(dead & late, now, reason))).rowcount
    await _leave_alone_no_longer(transaction, destination_id)
    data = {"destination_id": destination_id, "count": count, "reason": reason}
    transaction.journal(Entry(now, "delivery.replayed", user.name, data=data))
    return int(count)


async def drop(transaction: Transaction, item_id: str, reason: str, *, user: User, now: datetime) -> None:
    """Give one up. Raises NotFound, Conflict: it was sent, or is being tried at this moment."""
    row = await find(transaction.connection, item_id, user)
    this = (items.c.id == item_id) & items.c.state.in_(("waiting", "dead")) & items.c.in_flight.is_(False)
    gone = {"state": "dropped", "due_at": None, "ended_at": now, "reason": reason}
    if not (await transaction.execute(update(items).where(this).values(**gone))).rowcount:
        raise Conflict(f"it is {row.state}" if row.state != "waiting" else "it is being tried at this moment")
    data = {"destination_id": row.destination_id, "item_id": item_id, "reason": reason}
    transaction.journal(Entry(now, "delivery.dropped", user.name, row.client, None, row.case_id, row.call_id, data))


def _again(which: ColumnElement[bool], now: datetime, reason: str) -> Any:
    fresh = {"state": "waiting", "due_at": now, "ended_at": None, "attempts": 0, "in_flight": False, "reason": reason}
    arrived = items.c.uncertain | (items.c.state == "delivered")
    return update(items).where(which).values(**fresh, uncertain=arrived)


async def _leave_alone_no_longer(transaction: Transaction, destination_id: str) -> None:
    """Somebody says that it is worth a try now."""
    this = update(destinations).where(destinations.c.id == destination_id)
    await transaction.execute(this.values(paused_until=None))
