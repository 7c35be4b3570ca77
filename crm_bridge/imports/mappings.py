"""The mappings of the clients, by name: kept, listed, taken for the next file."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.journal import Entry
from crm_bridge.imports.mapping import Mapping
from crm_bridge.imports.tables import import_mappings
from crm_bridge.people import scope
from crm_bridge.people.users import User


async def put(
    transaction: Transaction, client: str, name: str, given: Mapping, *, user: User, now: datetime
) -> tuple[Row[Any], bool]:
    """Keep a mapping; its row and whether it is new. Raises Forbidden."""
    scope.require_client(user, client)
    await transaction.lock([f"import-mapping:{client}:{name}"])
    values = {"mapping": given.model_dump(mode="json"), "updated_at": now, "updated_by": user.name}
    is_new = await transaction.insert_once(import_mappings, client=client, name=name, **values)
    if not is_new:
        await transaction.execute(update(import_mappings).where(_is(client, name)).values(**values))
    data = {"mapping": name, "columns": len(given.columns)}
    transaction.journal(Entry(now, "import_mapping.changed", user.name, client, data=data))
    return await find(transaction.connection, client, name, user), is_new


async def find(connection: AsyncConnection, client: str, name: str, user: User) -> Row[Any]:
    """A client's mapping. Raises NotFound."""
    mine = scope.clients_seen_by(user, import_mappings.c.client)
    row = (await connection.execute(select(import_mappings).where(_is(client, name), mine))).first()
    if row is None:
        raise NotFound(f"client {client} has no mapping {name}")
    return row


async def drop(transaction: Transaction, client: str, name: str, *, user: User, now: datetime) -> None:
    """Take a mapping away; imports that were made by it keep theirs. Raises NotFound, Forbidden."""
    scope.require_client(user, client)
    gone = await transaction.execute(delete(import_mappings).where(_is(client, name)))
    if not gone.rowcount:
        raise NotFound(f"client {client} has no mapping {name}")
    data = {"mapping": name, "columns": None}
    transaction.journal(Entry(now, "import_mapping.changed", user.name, client, data=data))


async def list_mappings(connection: AsyncConnection, user: User, client: str | None) -> Sequence[Row[Any]]:
    """Mappings of the user's clients, by client and name."""
    wanted = [scope.clients_seen_by(user, import_mappings.c.client)]
    wanted += [import_mappings.c.client == client] if client is not None else []
    statement = select(import_mappings).where(*wanted).order_by(import_mappings.c.client, import_mappings.c.name)
    found: Sequence[Row[Any]] = (await connection.execute(statement.limit(1000))).all()
    return found


def _is(client: str, name: str) -> Any:
    return (import_mappings.c.client == client) & (import_mappings.c.name == name)
