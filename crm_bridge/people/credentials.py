"""Sessions and tokens: random secrets, shown once, of which only the SHA-256 is kept."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import NotFound, Unauthorized
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.people.users import User, end_sessions, user_of
from crm_bridge.tables import credentials, users

SESSION_IDLE = timedelta(hours=12)
SESSION_RENEWAL = timedelta(minutes=30)  # a session is prolonged at most this often: reads stay reads


CLICK_PREFIX = "rfc_"
"""Of tokens that are good for `GET /compat/abcti` alone: an address is written down in many places."""
WIDGET_PREFIX = "rfw_"
"""Of tokens of a call bar in a page of another origin."""


class TokenExpired(Unauthorized):
    """A widget's token has come to its end; the CRM's server mints another one (`POST /v1/widget-tokens`)."""

    code = "token-expired"
    title = "The token has expired"


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential in use: `kind` is session, token, widget or click; `origin` and `minted_by` are a widget's."""

    id: str
    kind: str
    expires_at: datetime | None
    origin: str | None = None
    minted_by: str | None = None
    scopes: tuple[str, ...] | None = None


CREDENTIAL = ("id", "kind", "expires_at", "origin", "minted_by", "scopes")


def hash_of(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create_token(
    transaction: Transaction,
    user: str,
    *,
    label: str,
    expires_at: datetime | None,
    actor: str,
    now: datetime,
    kind: str = "token",
    scopes: Sequence[str] | None = None,
) -> tuple[str, str]:
    """A bearer token for `user`: its id and the secret, which nobody can show again. Raises NotFound.

    `kind` click: one that only `GET /compat/abcti` takes. `scopes`: what it is good for, all that the user may do if None.
    """
    if await transaction.first(select(users.c.name).where(users.c.name == user)) is None:
        raise NotFound(f"there is no user {user}")
    bound = list(scopes) if scopes is not None else None
    identifier, secret = await issue(transaction, kind, user, label, expires_at, now, scopes=bound)
    until = expires_at and expires_at.isoformat()
    data = {"token": identifier, "user": user, "label": label, "scopes": bound, "expires_at": until}
    transaction.journal(Entry(now, "token.created", actor, data=data))
    return identifier, secret


async def open_session(
    transaction: Transaction, user: str, *, now: datetime, only_one: bool = False, address: str | None = None
) -> str:
    """The secret of a new browser session, good for 12 idle hours; `only_one` ends the user's others (S68)."""
    ended = await end_sessions(transaction, user, now) if only_one else 0
    _, secret = await issue(transaction, "session", user, "", now + SESSION_IDLE, now)
    transaction.journal(Entry(now, "session.opened", user, data={"address": address, "ended": ended}))
    return secret


async def issue(
    transaction: Transaction, kind: str, user: str, label: str, expires_at: datetime | None, now: datetime, **bound: Any
) -> tuple[str, str]:
    """Write a new credential; its id and its secret. `bound` are the columns of a widget's token."""
    prefix = {"click": CLICK_PREFIX, "widget": WIDGET_PREFIX}.get(kind, "rf_")
    identifier, secret = new_id(now), f"{prefix}{secrets.token_urlsafe(32)}"
    row = {"hash": hash_of(secret), "kind": kind, "id": identifier, "user": user, "label": label, **bound}
    await transaction.execute(insert(credentials).values(**row, created_at=now, expires_at=expires_at))
    return identifier, secret


async def revoke(transaction: Transaction, identifier: str, *, actor: str, now: datetime) -> None:
    """End a session or a token at once. Raises NotFound; ending it twice is no error."""
    row = await transaction.first(select(credentials).where(credentials.c.id == identifier))
    if row is None:
        raise NotFound("there is no such token")
    if row.revoked_at is None:
        await transaction.execute(update(credentials).where(credentials.c.id == identifier).values(revoked_at=now))
        kind = "token" if row.kind == "click" else row.kind
        transaction.journal(Entry(now, f"{kind}.revoked", actor, data={kind: identifier, "user": row.user}))


async def resolve(connection: AsyncConnection, secret: str, kind: str, now: datetime) -> tuple[Credential, User]:
    """The credential of a secret and its user. Raises Unauthorized: unknown, revoked, expired, user off."""
    wanted = (
        select(*(credentials.c[name] for name in (*CREDENTIAL, "revoked_at")), *users.c)
        .join(users, users.c.name == credentials.c.user)
        .where(credentials.c.hash == hash_of(secret), credentials.c.kind == kind)
    )
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise Unauthorized(f"this {kind} is not known")
    if row.revoked_at is not None:
        raise Unauthorized(f"this {kind} has been revoked")
    if row.expires_at is not None and row.expires_at <= now:
        raise (
            TokenExpired("this widget token has expired")
            if kind == "widget"
            else Unauthorized(f"this {kind} has expired")
        )
    if not row.active:
        raise Unauthorized(f"{row.name} has been switched off")
    given = {name: row._mapping[name] for name in CREDENTIAL}
    given["scopes"] = tuple(given["scopes"]) if given["scopes"] is not None else None
    return Credential(**given), user_of(row)


async def keep_alive(database: Database, credential: Credential, now: datetime) -> bool:
    """Prolong a session that is in use; True when it was moved and the cookie should be sent again."""
    due = credential.expires_at is not None and now + SESSION_IDLE - credential.expires_at >= SESSION_RENEWAL
    if credential.kind != "session" or not due:
        return False
    async with database.write() as transaction:
        await transaction.execute(
            update(credentials).where(credentials.c.id == credential.id).values(expires_at=now + SESSION_IDLE)
        )
    return True


async def list_tokens(connection: AsyncConnection, after: str, limit: int) -> list[Row[Any]]:
    """Tokens by id, oldest first, those that follow `after`; neither sessions nor the short-lived ones of widgets."""
    wanted = select(credentials).where(credentials.c.kind.in_(("token", "click")), credentials.c.id > after)
    return list((await connection.execute(wanted.order_by(credentials.c.id).limit(limit))).all())
