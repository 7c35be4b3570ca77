"""Claims: which items may be tried now, taken by one conditional UPDATE so that of several processes one tries each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from crm_bridge.outbox.destination import Item
from crm_bridge.outbox.tables import destinations, items

LEASE = timedelta(seconds=45)
"""Whoever claimed an item and died is followed by another after so long; longer than a try may take."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An item in somebody's hands, and whose."""

    row: Row[Any]
    destination: Row[Any]

    @property
    def item(self) -> Item:
        """What the destination is given."""
        row = self.row
        return Item(
            id=row.id,
            destination_id=row.destination_id,
            kind=row.kind,
            case_id=row.case_id,
            payload=row.payload,
            occurred_at=row.occurred_at,
            attempt=row.attempts,
            may_have_arrived=row.uncertain,
        )


async def with_work(connection: AsyncConnection, now: datetime) -> list[Row[Any]]:
    """Destinations that are on, are not left alone, and for which something is due."""
    due = (items.c.destination_id == destinations.c.id) & (items.c.state == "waiting") & (items.c.due_at <= now)
    awake = or_(destinations.c.paused_until.is_(None), destinations.c.paused_until <= now)
    wanted = select(destinations).where(destinations.c.state == "on", awake, select(items.c.seq).where(due).exists())
    return list((await connection.execute(wanted)).all())


async def claim(transaction: Transaction, destination: Row[Any], now: datetime, limit: int) -> list[Claim]:
    """The next items of a destination: due, and first of what waits in their lane."""
    earlier = items.alias()
    behind = select(earlier.c.seq).where(
        earlier.c.destination_id == items.c.destination_id,
        earlier.c.lane == items.c.lane,
        earlier.c.state == "waiting",
        earlier.c.seq < items.c.seq,
    )
    due = (items.c.destination_id == destination.id) & (items.c.state == "waiting") & (items.c.due_at <= now)
    chosen = (
        select(items.c.seq)
        .where(due, ~behind.exists())
        .order_by(items.c.due_at, items.c.seq)
        .limit(limit)
        .with_for_update(skip_locked=True, of=items)
        .cte("chosen")
    )
    taken = {
        "due_at": now + LEASE,
        "attempts": items.c.attempts + 1,
        "uncertain": items.c.uncertain | items.c.in_flight,
        "in_flight": True,
    }
    statement = update(items).where(items.c.seq.in_(select(chosen.c.seq))).values(**taken).returning(*items.c)
    claimed = (await transaction.execute(statement)).all()
    return [Claim(row, destination) for row in sorted(claimed, key=lambda row: row.seq)]


async def give_back(transaction: Transaction, claims: list[Claim], now: datetime) -> None:
    """Claims of a process that stops: due at once, for whoever comes next. What was begun may have arrived."""
    ours = items.c.seq.in_([claim.row.seq for claim in claims])
    await transaction.execute(update(items).where(ours, items.c.in_flight).values(due_at=now))
