"""Groups of people with phones: whom an inbound call may ring, and to whom a call may be transferred."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Invalid, NotFound
from config.journal import Entry
from crm_bridge.inbound.tables import agent_groups, inbound_routes
from crm_bridge.tables import users

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
UserName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be rung: the user and the phone. `pbx` None: the first PBX of the settings."""

    name: str
    extension: str
    pbx: str | None


class GroupIn(BaseModel):
    """Who belongs to a group, and how it is rung."""

    model_config = ConfigDict(extra="forbid")

    members: list[UserName] = Field(max_length=200, description="users, in the order in which they are rung")
    ring: Literal["together", "in_turn"] = Field("together", description="all phones at once, or one after the other")
    reason: str | None = Field(None, max_length=2000, description="why it changes, for the journal")


class NewGroup(GroupIn):
    """A group to create."""

    name: str = Field(pattern=NAME)


async def find(connection: AsyncConnection, name: str) -> Row[Any]:
    """The row of a group: name, members, ring. Raises NotFound."""
    row = (await connection.execute(select(agent_groups).where(agent_groups.c.name == name))).first()
    if row is None:
        raise NotFound(f"there is no group {name}")
    return row


async def people(connection: AsyncConnection, names: Sequence[str]) -> list[Person]:
    """Those of the users, in their order, who are active and have a phone."""
    columns = (users.c.name, users.c.extension, users.c.pbx)
    wanted = select(*columns).where(users.c.name.in_(names), users.c.active, users.c.extension.is_not(None))
    known = {row.name: Person(*row) for row in (await connection.execute(wanted)).all()}
    return [known[name] for name in dict.fromkeys(names) if name in known]


async def members_of(connection: AsyncConnection, name: str) -> list[Person]:
    """The members of a group who can be rung, in order. Raises NotFound."""
    return await people(connection, (await find(connection, name)).members)


async def listing(connection: AsyncConnection, after: str, limit: int) -> list[Row[Any]]:
    """Groups by name, those that follow `after`."""
    statement = select(agent_groups).where(agent_groups.c.name > after).order_by(agent_groups.c.name).limit(limit)
    return list((await connection.execute(statement)).all())


async def create(transaction: Transaction, given: NewGroup, *, actor: str, now: datetime) -> Row[Any]:
    """A new group, journalled. Raises Conflict for a taken name, Invalid for somebody who is no user."""
    await transaction.lock([f"group:{given.name}"])
    if await transaction.first(select(agent_groups.c.name).where(agent_groups.c.name == given.name)) is not None:
        raise Conflict(f"there is a group {given.name} already")
    return await _write(transaction, given.name, given, None, actor, now)


async def change(transaction: Transaction, name: str, given: GroupIn, *, actor: str, now: datetime) -> Row[Any]:
    """Set a group's members, journalled with what it was. Raises NotFound, Invalid."""
    await transaction.lock([f"group:{name}"])
    return await _write(transaction, name, given, await find(transaction.connection, name), actor, now)


async def remove(transaction: Transaction, name: str, reason: str | None, *, actor: str, now: datetime) -> None:
    """Take a group away. Raises NotFound, Conflict while an inbound route leads to it."""
    await transaction.lock([f"group:{name}"])
    before = await find(transaction.connection, name)
    for route in await transaction.all(select(inbound_routes)):
        ways = [{"to": route.to, "target": route.target}, *route.overflow]
        if {"to": "group", "target": name} in ways:
            raise Conflict(f"calls to {route.did} are routed to the group {name}; change that route first")
    await transaction.execute(delete(agent_groups).where(agent_groups.c.name == name))
    data = {"group": name, "before": _shown(before), "after": None, "reason": reason}
    transaction.journal(Entry(now, "group.changed", actor, data=data))


async def _write(
    transaction: Transaction, name: str, given: GroupIn, before: Row[Any] | None, actor: str, now: datetime
) -> Row[Any]:
    members = list(dict.fromkeys(given.members))
    await _require_users(transaction, members)
    values = {"members": members, "ring": given.ring, "updated_at": now, "updated_by": actor}
    if before is None:
        await transaction.execute(insert(agent_groups).values(name=name, **values))
    else:
        await transaction.execute(update(agent_groups).where(agent_groups.c.name == name).values(**values))
    row = await find(transaction.connection, name)
    data = {"group": name, "before": _shown(before), "after": _shown(row), "reason": given.reason}
    transaction.journal(Entry(now, "group.changed", actor, data=data))
    return row


def _shown(row: Row[Any] | None) -> dict[str, Any] | None:
    return {"members": row.members, "ring": row.ring} if row is not None else None


async def _require_users(transaction: Transaction, names: Sequence[str]) -> None:
    known = {row.name for row in await transaction.all(select(users.c.name).where(users.c.name.in_(names)))}
    errors = [
        {"field": f"members.{index}", "message": f"there is no user {name}"}
        for index, name in enumerate(names)
        if name not in known
    ]
    if errors:
        raise Invalid(f"members: {errors[0]['message']}", errors)
