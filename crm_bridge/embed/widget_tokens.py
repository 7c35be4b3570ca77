"""Tokens of a call bar inside a CRM's page: for one collector, on one origin, for minutes, and for calling alone.

The CRM's server asks for them (role crm), so it vouches for who its user is. A token carries the collector's rights, never
more than the clients of the server that asked; it ends with either of the two users.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Forbidden, Invalid, Unauthorized
from config.journal import Entry
from crm_bridge.people import credentials as kept
from crm_bridge.people.credentials import Credential
from crm_bridge.people.users import User, user_of
from crm_bridge.tables import credentials, users

CALLERS = ("collector", "supervisor")
FORGOTTEN = timedelta(days=1)
"""An expired token is of no use to anybody; it is dropped when another one is minted for the same collector."""


async def mint(
    transaction: Transaction, agent: str, origin: str, expires_at: datetime, *, by: User, now: datetime
) -> tuple[str, str]:
    """A token's id and secret. Raises Invalid (no such collector), Forbidden (none of the asker's clients)."""
    row = await transaction.first(select(users).where(users.c.name == agent, users.c.active, users.c.role.in_(CALLERS)))
    if row is None:
        message = "is no active collector or supervisor"
        raise Invalid(f"agent {message}", [{"field": "agent", "message": message}])
    narrowed(user_of(row), by)
    expired = (credentials.c.kind == "widget") & (credentials.c.expires_at < now - FORGOTTEN)
    await transaction.execute(delete(credentials).where(expired, credentials.c.user == agent))
    identifier, secret = await kept.issue(
        transaction, "widget", agent, f"for {by.name}"[:128], expires_at, now, origin=origin, minted_by=by.name
    )
    data = {"widget": identifier, "user": agent, "origin": origin, "expires_at": expires_at.isoformat()}
    transaction.journal(Entry(now, "widget.created", by.name, agent=agent, data=data))
    return identifier, secret


async def bearer(connection: AsyncConnection, secret: str, now: datetime) -> tuple[Credential, User]:
    """The token and the collector with what it may see. Raises Unauthorized, TokenExpired."""
    credential, user = await kept.resolve(connection, secret, "widget", now)
    row = (await connection.execute(select(users).where(users.c.name == credential.minted_by, users.c.active))).first()
    if row is None or row.role != "crm":
        raise Unauthorized("the server that asked for this widget token may not do so any more")
    return credential, narrowed(user, user_of(row))


def narrowed(agent: User, server: User) -> User:
    """The collector, with the clients that both may see. Raises Forbidden when they have none in common."""
    if not agent.clients or not server.clients:
        return replace(agent, clients=agent.clients or server.clients)
    both = tuple(client for client in agent.clients if client in server.clients)
    if not both:
        raise Forbidden(f"{agent.name} works for none of your clients")
    return replace(agent, clients=both)


async def is_good(connection: AsyncConnection, identifier: str, now: datetime) -> bool:
    """Whether a token that opened a stream is good still."""
    mine = select(credentials.c.id).where(
        credentials.c.id == identifier, credentials.c.revoked_at.is_(None), credentials.c.expires_at > now
    )
    return await connection.scalar(mine) is not None
