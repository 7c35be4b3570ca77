"""Destinations: who is told what, whether they are on, and what follows when one goes away.

A connector keeps its own settings in a table of its own and its row here; `change` after every change of those settings,
so that the worker opens the destination anew.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Forbidden, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.outbox.tables import destinations, items
from crm_bridge.people.users import User

NOTE = "note.written"
"""The kind under which a finished note leaves; in the journal it is `note.final`."""


async def add(
    transaction: Transaction,
    kind: str,
    name: str,
    *,
    events: Sequence[str] = (NOTE,),
    clients: Sequence[str] = (),
    actor: str,
    now: datetime,
) -> str:
    """A new destination, on from now: its id. `events` are kinds, families (`call.*`) or `*`; no clients: every client."""
    identifier = new_id(now)
    row = {
        "id": identifier, "kind": kind, "name": name, "events": list(events), "clients": list(clients), "state": "on",
        "revision": 1, "created_at": now, "created_by": actor, "updated_at": now, "failures": 0,
    }  # fmt: skip
    await transaction.execute(insert(destinations).values(**row))
    data = {"destination_id": identifier, "kind": kind, "name": name, "events": list(events), "clients": list(clients)}
    transaction.journal(Entry(now, "destination.created", actor, data=data))
    return identifier


async def find(
    connection: AsyncConnection, destination_id: str, kind: str | None = None, user: User | None = None
) -> Row[Any]:
    """The destination. Raises NotFound, also for one that was deleted, is of another kind, or is not for the user to see."""
    mine = (destinations.c.id == destination_id) & (destinations.c.state != "deleted")
    row = (await connection.execute(select(destinations).where(mine))).first()
    if row is None or (kind is not None and row.kind != kind) or not seen_by(user, row):
        raise NotFound(f"there is no {kind or 'destination'} {destination_id}")
    return row


async def change(
    transaction: Transaction, destination_id: str, *, actor: str, now: datetime, told: dict[str, Any], **values: Any
) -> None:
    """Set `values` (name, events, clients); `told` is what the journal says of the change, never a secret."""
    raised = {"revision": destinations.c.revision + 1, "updated_at": now, **values}
    await transaction.execute(update(destinations).where(destinations.c.id == destination_id).values(**raised))
    transaction.journal(Entry(now, "destination.changed", actor, data={"destination_id": destination_id, **told}))


async def switch(
    transaction: Transaction, destination_id: str, on: bool, reason: str | None, *, actor: str, now: datetime
) -> None:
    """On: what waits is told at once. Off: nothing is told, and what happens meanwhile is not kept for it."""
    fresh = {"failures": 0, "failing_since": None, "paused_until": None, "last_error": None} if on else {}
    state = "on" if on else "off"
    told = {"state": state, "reason": reason}
    values = {"state": state, "reason": None if on else reason, **fresh}
    await change(transaction, destination_id, actor=actor, now=now, told=told, **values)
    if on:
        await wake(transaction, [destination_id], now)


async def disable(transaction: Transaction, row: Row[Any], reason: str, now: datetime) -> None:
    """The service gives up on it: nothing is sent, but what happens is kept for when it is switched on again."""
    values = {"state": "disabled", "reason": reason, "updated_at": now, "revision": row.revision + 1}
    still_on = (destinations.c.id == row.id) & (destinations.c.state == "on")
    if (await transaction.execute(update(destinations).where(still_on).values(**values))).rowcount:
        data = {"destination_id": row.id, "kind": row.kind, "name": row.name, "reason": reason}
        transaction.journal(Entry(now, "destination.disabled", data=data))


async def remove(transaction: Transaction, destination_id: str, *, actor: str, now: datetime) -> None:
    """Never told again; what waited is dropped, and its log stays as long as logs do."""
    gone = {"state": "deleted", "updated_at": now}
    await transaction.execute(update(destinations).where(destinations.c.id == destination_id).values(**gone))
    waiting = (items.c.destination_id == destination_id) & items.c.state.in_(("waiting", "dead"))
    dropped = {"state": "dropped", "due_at": None, "ended_at": now, "reason": "the destination was deleted"}
    await transaction.execute(update(items).where(waiting).values(**dropped))
    transaction.journal(Entry(now, "destination.deleted", actor, data={"destination_id": destination_id}))


async def wake(transaction: Transaction, ids: Collection[str], now: datetime) -> None:
    """Whatever waits for its next try is due now; what is under way stays with who tries it."""
    asleep = (items.c.state == "waiting") & (items.c.due_at > now) & items.c.in_flight.is_(False)
    await transaction.execute(update(items).where(items.c.destination_id.in_(ids), asleep).values(due_at=now))


async def listing(connection: AsyncConnection, user: User | None = None) -> Sequence[Row[Any]]:
    """All that were not deleted and the user may see, oldest first."""
    wanted = select(destinations).where(destinations.c.state != "deleted").order_by(destinations.c.id)
    return [row for row in (await connection.execute(wanted)).all() if seen_by(user, row)]


def seen_by(user: User | None, row: Row[Any]) -> bool:
    """Whether a user may see it: one bound to clients sees what is told of these clients alone."""
    if user is None or not user.clients:
        return True
    return bool(row.clients) and set(row.clients) <= set(user.clients)


def require_clients(user: User, clients: Sequence[str]) -> None:
    """Refuse to let somebody bound to clients tell of others, or of all. Raises Forbidden."""
    if user.clients and (not clients or not set(clients) <= set(user.clients)):
        raise Forbidden(f"clients must be some of yours: {', '.join(user.clients)}")


def wants(row: Row[Any], kind: str, client: str | None) -> bool:
    """Whether it asked for events of this kind and client. One bound to clients hears nothing that names no client."""
    if row.clients and client not in row.clients:
        return False
    return any(_matches(pattern, kind) for pattern in row.events)


def _matches(pattern: str, kind: str) -> bool:
    return pattern == "*" or pattern == kind or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))
