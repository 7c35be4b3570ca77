"""Where a popped case is in the CRM: an address template for each client, written by an admin or by the CRM's server."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import delete, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Forbidden
from config.journal import Entry
from crm_bridge.embed.tables import screen_pop_links
from crm_bridge.people import scope
from crm_bridge.people.users import User

EVERY_OTHER = "*"
PLACES = ("case_id", "party_id", "client")
"""What a template may name. No number and no name: an address is written down where nobody has said who is calling (S13)."""


async def put(transaction: Transaction, client: str, template: str, *, user: User, now: datetime) -> None:
    """Set a client's template, or with `*` that of all others. Raises Forbidden."""
    _require_client(user, client)
    await transaction.execute(delete(screen_pop_links).where(screen_pop_links.c.client == client))
    await transaction.execute(screen_pop_links.insert().values(client=client, template=template, updated_at=now))
    told = None if client == EVERY_OTHER else client
    transaction.journal(
        Entry(now, "screen_pop_link.set", user.name, told, data={"client": client, "template": template})
    )


async def remove(transaction: Transaction, client: str, *, user: User, now: datetime) -> None:
    """Take a client's template away; where there is none, nothing happens. Raises Forbidden."""
    _require_client(user, client)
    gone = await transaction.execute(
        delete(screen_pop_links).where(screen_pop_links.c.client == client).returning(screen_pop_links.c.client)
    )
    if gone.first() is None:
        return
    told = None if client == EVERY_OTHER else client
    transaction.journal(Entry(now, "screen_pop_link.removed", user.name, told, data={"client": client}))


async def listing(connection: AsyncConnection, user: User) -> list[Row[Any]]:
    """Those of the user's clients, and that of all others."""
    mine = scope.clients_seen_by(user, screen_pop_links.c.client) | (screen_pop_links.c.client == EVERY_OTHER)
    return list(
        (await connection.execute(select(screen_pop_links).where(mine).order_by(screen_pop_links.c.client))).all()
    )


async def with_links(connection: AsyncConnection, matches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The matches of a call, each with `link`: its case's address in the CRM, None where no template is set."""
    clients = {match["client"] for match in matches} | {EVERY_OTHER}
    rows = await connection.execute(select(screen_pop_links).where(screen_pop_links.c.client.in_(clients)))
    templates = {row.client: row.template for row in rows}
    return [{**match, "link": _filled(templates, match)} for match in matches]


def _filled(templates: dict[str, str], match: dict[str, Any]) -> str | None:
    address = templates.get(match["client"]) or templates.get(EVERY_OTHER)
    for place in PLACES if address else ():
        address = address.replace(f"{{{place}}}", quote(str(match[place]), safe="")) if address else None
    return address


def _require_client(user: User, client: str) -> None:
    if client == EVERY_OTHER and user.clients:
        raise Forbidden("the address of all other clients is set by somebody who sees every client")
    if client != EVERY_OTHER:
        scope.require_client(user, client)
