"""Client policies: which rule packs apply to a client's calls, and its own stricter values."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Fault, Invalid, NotFound
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.users import User
from telephony.policy.facts import House, ZoneKey
from telephony.policy.packs import named
from telephony.tables import policies

PROMPT = r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$"


Packs = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50, description="`id` or `id@version`")]


class PolicyIn(BaseModel):
    """What applies to a client's calls, from the next call on."""

    model_config = ConfigDict(extra="forbid")

    packs: Packs
    house: House = Field(House(), description="stricter values of the client's own")
    zone: ZoneKey = Field("Asia/Shanghai", description="the zone of the client's own clocks")
    announcement: str | None = Field(
        None,
        pattern=PROMPT,
        description="the sound file that tells the callee of the recording, by its name on the PBX",
    )
    reason: str | None = Field(None, max_length=2000, description="why it changes, for the journal")


async def put(
    transaction: Transaction, client: str, given: PolicyIn, *, user: User, now: datetime
) -> tuple[Row[Any], bool]:
    """Set a client's policy; its row and whether it is new. Raises Forbidden, Invalid (an unknown pack or version)."""
    scope.require_client(user, client)
    require_packs(given.packs)
    await transaction.lock([f"policy:{client}"])
    values = given.model_dump(include={"packs", "zone", "announcement"})
    values["house"] = given.house.model_dump(mode="json", by_alias=True, exclude_unset=True)
    before = await transaction.first(select(policies).where(policies.c.client == client))
    stamped = {**values, "updated_at": now, "updated_by": user.name}
    if before is None:
        await transaction.execute(insert(policies).values(client=client, **stamped))
    else:
        await transaction.execute(update(policies).where(policies.c.client == client).values(**stamped))
    old = {key: before._mapping[key] for key in values} if before is not None else None
    data = {"before": old, "after": values, "reason": given.reason}
    transaction.journal(Entry(now, "policy.changed", user.name, client, data=data))
    return await find(transaction.connection, client, user), before is None


def require_packs(references: Iterable[str]) -> None:
    """Raise Invalid for a pack or version that is not shipped."""
    for reference in references:
        _require_pack(reference)


def _require_pack(reference: str) -> None:
    try:
        named(reference)
    except Fault as fault:
        raise Invalid(fault.detail, [{"field": "packs", "message": fault.detail}]) from fault


async def find(connection: AsyncConnection, client: str, user: User) -> Row[Any]:
    """A client's policy. Raises NotFound where the client has none of its own (then the settings' default applies)."""
    mine = scope.clients_seen_by(user, policies.c.client)
    row = (await connection.execute(select(policies).where(policies.c.client == client, mine))).first()
    if row is None:
        raise NotFound(f"client {client} has no policy of its own")
    return row


async def list_policies(connection: AsyncConnection, user: User, after: str, limit: int) -> list[Row[Any]]:
    """Policies of the clients the user may see, by client, those that follow `after`."""
    mine = scope.clients_seen_by(user, policies.c.client)
    statement = select(policies).where(policies.c.client > after, mine).order_by(policies.c.client).limit(limit)
    return list((await connection.execute(statement)).all())
