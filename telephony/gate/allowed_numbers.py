"""Numbers that may be called from a phone without a case (a courier, the bank's own hotline), set by admins."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, or_, select, true
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, NotFound
from config.identifiers import new_id
from config.journal import Entry
from telephony.tables import allowed_numbers as table


async def listed(connection: AsyncConnection, number: str, pbx: str, clients: Collection[str]) -> Row[Any] | None:
    """The entry that lets `number` out on that PBX for who works for these clients (none: for all of them)."""
    theirs = or_(table.c.client.is_(None), table.c.client.in_(clients)) if clients else true()
    here = or_(table.c.pbx.is_(None), table.c.pbx == pbx)
    statement = select(table).where(table.c.number == number, here, theirs).order_by(table.c.id).limit(1)
    return (await connection.execute(statement)).first()


async def add(
    transaction: Transaction,
    number: str,
    *,
    pbx: str | None,
    client: str | None,
    reason: str,
    actor: str,
    now: datetime,
) -> Row[Any]:
    """Let `number` (E.164 or a short number) out; journalled. Raises Conflict when that is so already."""
    same = select(table).where(table.c.number == number, table.c.pbx.is_not_distinct_from(pbx))
    if await transaction.first(same.where(table.c.client.is_not_distinct_from(client))) is not None:
        raise Conflict(f"{number} is allowed already")
    identifier = new_id(now)
    row = {"id": identifier, "number": number, "pbx": pbx, "client": client, "reason": reason}
    await transaction.execute(insert(table).values(**row, created_at=now, created_by=actor))
    transaction.journal(Entry(now, "allowed_number.added", actor, client, data=row))
    return await find(transaction.connection, identifier)


async def find(connection: AsyncConnection, identifier: str, seen: ColumnElement[bool] | None = None) -> Row[Any]:
    """The entry of that id, if the condition `seen` holds for it. Raises NotFound."""
    wanted = select(table).where(table.c.id == identifier, true() if seen is None else seen)
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise NotFound(f"there is no allowed number {identifier}")
    return row


async def remove(
    transaction: Transaction, identifier: str, *, seen: ColumnElement[bool], actor: str, now: datetime
) -> None:
    """Let it out no more, if the condition `seen` holds for it; journalled. Raises NotFound."""
    row = await find(transaction.connection, identifier, seen)
    await transaction.execute(delete(table).where(table.c.id == identifier))
    data = {"id": row.id, "number": row.number, "pbx": row.pbx, "client": row.client, "reason": row.reason}
    transaction.journal(Entry(now, "allowed_number.removed", actor, row.client, data=data))


async def page(connection: AsyncConnection, after: str, limit: int, seen: ColumnElement[bool]) -> list[Row[Any]]:
    """The list in the order of entry, those that follow `after` and that the condition `seen` holds for."""
    wanted = select(table).where(table.c.id > after, seen).order_by(table.c.id).limit(limit)
    return list((await connection.execute(wanted)).all())
