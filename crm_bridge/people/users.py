"""People and servers that may ask: who they are and what they may see; created and changed by admins."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import and_, insert, or_, select, true, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction, is_duplicate
from config.errors import Conflict, Invalid, NotFound
from config.journal import Entry
from config.settings import AutoAnswer
from crm_bridge.people import passwords
from crm_bridge.tables import credentials, users

Role = Literal["collector", "qa", "supervisor", "admin", "crm"]
ROLES: tuple[Role, ...] = get_args(Role)
NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$"
EXTENSION = r"^[0-9]{2,10}$"
UNTOLD = frozenset({"password_hash", "failed_logins", "locked_until", "password_set_at"})
EMAIL = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,180}[A-Za-z0-9])?$"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. An empty `clients` means every client; `team` limits collectors and supervisors to their own people."""

    name: str
    role: Role
    extension: str | None = None
    pbx: str | None = None
    team: str | None = None
    clients: tuple[str, ...] = ()
    language: str = "zh"
    auto_answer: AutoAnswer | None = None
    password_set_at: datetime | None = None
    must_change_password: bool = False


class UserChange(BaseModel):
    """What an admin may set on a user; absent fields stay as they are."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    extension: str | None = Field(None, pattern=EXTENSION, description="the phone that rings first")
    pbx: str | None = Field(None, max_length=32)
    team: str | None = Field(None, max_length=64)
    clients: list[str] | None = Field(None, max_length=500, description="clients this user may see; empty: all")
    language: Literal["zh", "en"] | None = None
    auto_answer: AutoAnswer | None = Field(
        None, description="how the phone is asked to pick up by itself; null: as set"
    )
    email: str | None = Field(None, pattern=EMAIL, description="where warnings and escalations are mailed to")
    active: bool | None = None
    password: str | None = Field(None, min_length=passwords.SHORTEST, max_length=256)
    must_change_password: bool | None = Field(None, description="at the next log-in, before anything else")


class NewUser(UserChange):
    """A user to create; without a password only tokens let the user in."""

    name: str = Field(pattern=NAME)
    role: Role


def read_new(fields: dict[str, Any]) -> NewUser:
    """Check what the command line gave for a new user. Raises Invalid naming each field."""
    try:
        return NewUser.model_validate(fields)
    except ValidationError as error:
        errors = [{"field": str(item["loc"][0]), "message": item["msg"]} for item in error.errors(include_url=False)]
        raise Invalid("; ".join(f"{item['field']}: {item['message']}" for item in errors), errors) from error


def user_of(row: Row[Any]) -> User:
    """The user of a `users` row."""
    names = (item.name for item in fields(User))
    return User(**{name: row._mapping[name] for name in names} | {"clients": tuple(row.clients)})


async def find_user(connection: AsyncConnection, name: str) -> Row[Any]:
    """The `users` row. Raises NotFound."""
    row = (await connection.execute(select(users).where(users.c.name == name))).first()
    if row is None:
        raise NotFound(f"there is no user {name}")
    return row


async def add_user(transaction: Transaction, new: NewUser, *, actor: str, now: datetime) -> User:
    """Create a user and journal it. Raises Conflict when the name or the extension is taken."""
    values = await _values(new, now)
    await _require_free_extension(transaction, new.name, new.extension, new.pbx)
    row = {
        **{"extension": None, "pbx": None, "team": None, "clients": [], "language": "zh", "active": True},
        **{"name": new.name, "password_hash": None, "failed_logins": 0, "locked_until": None, "created_at": now},
        **values,
    }
    try:
        await transaction.execute(insert(users).values(row))
    except IntegrityError as error:
        if is_duplicate(error):
            raise Conflict(f"there is a user {new.name} already") from error
        raise
    transaction.journal(Entry(now, "user.created", actor, data={"user": new.name, "role": new.role}))
    return user_of(await find_user(transaction.connection, new.name))


async def change_user(transaction: Transaction, name: str, change: UserChange, *, actor: str, now: datetime) -> User:
    """Change a user and journal which fields changed, never a password. Raises NotFound, Conflict, Invalid."""
    row = await find_user(transaction.connection, name)
    values = await _values(change, now)
    if {"extension", "pbx", "active"} & values.keys():
        extension, pbx = values.get("extension", row.extension), values.get("pbx", row.pbx)
        await _require_free_extension(transaction, name, extension, pbx)
    loses_admin = row.role == "admin" and (values.get("role", "admin") != "admin" or values.get("active") is False)
    if loses_admin:
        await transaction.lock(["admins"])  # two admins who switch each other off at once
        if not await _other_admin(transaction, name):
            raise Conflict(f"{name} is the last admin; make another one first")
    if values:
        await transaction.execute(update(users).where(users.c.name == name).values(values))
    if "password_hash" in values or values.get("active") is False:
        await end_sessions(transaction, name, now)
    shown = {key: value for key, value in values.items() if key not in UNTOLD}
    transaction.journal(
        Entry(now, "user.changed", actor, data={"user": name, **shown, "password_changed": "password_hash" in values})
    )
    return user_of(await find_user(transaction.connection, name))


async def set_language(transaction: Transaction, name: str, language: str) -> None:
    """The language of a user's pages."""
    await transaction.execute(update(users).where(users.c.name == name).values(language=language))


async def set_password(
    transaction: Transaction, name: str, password_hash: str, *, keep_session: str, now: datetime
) -> None:
    """The user's own new password, journalled: every session ends but the one it was changed in."""
    values = {"password_hash": password_hash, "password_set_at": now, "must_change_password": False}
    values |= {"failed_logins": 0, "locked_until": None}
    await transaction.execute(update(users).where(users.c.name == name).values(values))
    await end_sessions(transaction, name, now, but=keep_session)
    transaction.journal(Entry(now, "user.password_changed", name))


async def _values(change: UserChange, now: datetime) -> dict[str, Any]:
    given = change.model_dump(exclude_unset=True, exclude={"password", "name"})
    for field in ("role", "clients", "language", "active", "must_change_password"):
        if given.get(field, ...) is None:
            raise Invalid(f"{field} cannot be empty", [{"field": field, "message": "must not be null"}])
    if change.password is not None:
        given |= {"password_hash": await passwords.hash_password(change.password)}
        given |= {"failed_logins": 0, "locked_until": None, "password_set_at": now}
        given.setdefault("must_change_password", False)
    return given


async def _require_free_extension(transaction: Transaction, name: str, extension: str | None, pbx: str | None) -> None:
    # Two users on one phone would let one see and hang up the other's calls. No PBX named may mean any of them.
    if extension is None:
        return
    same_pbx = or_(users.c.pbx == pbx, users.c.pbx.is_(None)) if pbx else true()
    taken = select(users.c.name).where(users.c.extension == extension, same_pbx, users.c.name != name, users.c.active)
    row = await transaction.first(taken)
    if row is not None:
        raise Conflict(f"extension {extension} is {row.name}'s")


async def end_sessions(transaction: Transaction, name: str, now: datetime, but: str | None = None) -> int:
    """End the user's sessions, all or all but one of them; how many those were."""
    mine = and_(credentials.c.user == name, credentials.c.kind == "session", credentials.c.revoked_at.is_(None))
    living = and_(mine, credentials.c.expires_at > now, credentials.c.id != (but or ""))
    ended = await transaction.execute(update(credentials).where(living).values(revoked_at=now))
    return ended.rowcount


async def _other_admin(transaction: Transaction, name: str) -> bool:
    others = select(users.c.name).where(users.c.role == "admin", users.c.active, users.c.name != name).limit(1)
    return await transaction.first(others) is not None
