"""Sessions and tokens: random secrets, shown once, of which only the SHA-256 is kept."""

import hashlib
import secrets
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
from crm_bridge.tables import credentials, users
from crm_bridge.users import User, user_of

SESSION_IDLE = timedelta(hours=12)
SESSION_RENEWAL = timedelta(minutes=30)  # a session is prolonged at most this often: reads stay reads


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential in use: `kind` is session or token."""

    id: str
    kind: str
    expires_at: datetime | None


def hash_of(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create_token(
    transaction: Transaction, user: str, *, label: str, expires_at: datetime | None, actor: str, now: datetime
) -> tuple[str, str]:
    """A bearer token for `user`: its id and the secret, which nobody can show again. Raises NotFound."""
    if await transaction.first(select(users.c.name).where(users.c.name == user)) is None:
        raise NotFound(f"there is no user {user}")
    identifier, secret = await _issue(transaction, "token", user, label, expires_at, now)
    transaction.journal(Entry(now, "token.created", actor, data={"token": identifier, "user": user, "label": label}))
    return identifier, secret


async def open_session(transaction: Transaction, user: str, *, now: datetime) -> str:
    """The secret of a new browser session, good for 12 idle hours."""
    _, secret = await _issue(transaction, "session", user, "", now + SESSION_IDLE, now)
    transaction.journal(Entry(now, "session.opened", user))
    return secret


async def _issue(
    transaction: Transaction, kind: str, user: str, label: str, expires_at: datetime | None, now: datetime
) -> tuple[str, str]:
    identifier, secret = new_id(now), f"rf_{secrets.token_urlsafe(32)}"
    row = {"hash": hash_of(secret), "kind": kind, "id": identifier, "user": user, "label": label}
    await transaction.execute(insert(credentials).values(**row, created_at=now, expires_at=expires_at))
    return identifier, secret


async def revoke(transaction: Transaction, identifier: str, *, actor: str, now: datetime) -> None:
    """End a session or a token at once. Raises NotFound; ending it twice is no error."""
    row = await transaction.first(select(credentials).where(credentials.c.id == identifier))
    if row is None:
        raise NotFound("there is no such token")
    if row.revoked_at is None:
        await transaction.execute(update(credentials).where(credentials.c.id == identifier).values(revoked_at=now))
        transaction.journal(Entry(now, f"{row.kind}.revoked", actor, data={row.kind: identifier, "user": row.user}))


async def resolve(connection: AsyncConnection, secret: str, kind: str, now: datetime) -> tuple[Credential, User]:
    """The credential of a secret and its user. Raises Unauthorized: unknown, revoked, expired, user off."""
    wanted = (
        select(credentials.c.id, credentials.c.kind, credentials.c.expires_at, credentials.c.revoked_at, *users.c)
        .join(users, users.c.name == credentials.c.user)
        .where(credentials.c.hash == hash_of(secret), credentials.c.kind == kind)
    )
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise Unauthorized(f"this {kind} is not known")
    if row.revoked_at is not None:
        raise Unauthorized(f"this {kind} has been revoked")
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthorized(f"this {kind} has expired")
    if not row.active:
        raise Unauthorized(f"{row.name} has been switched off")
    return Credential(row.id, row.kind, row.expires_at), user_of(row)


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
    """Tokens by id, oldest first, those that follow `after`; sessions are not among them."""
    wanted = select(credentials).where(credentials.c.kind == "token", credentials.c.id > after)
    return list((await connection.execute(wanted.order_by(credentials.c.id).limit(limit))).all())
