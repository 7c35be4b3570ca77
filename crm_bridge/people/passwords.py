"""Passwords: argon2id hashes made off the event loop, and a log-in that slows down whoever guesses."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update

from config.database import Database
from config.errors import Fault, Unauthorized
from config.journal import Entry
from crm_bridge.tables import users

SHORTEST = 8
FREE_ATTEMPTS = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)

_hasher = PasswordHasher()  # RFC 9106's low-memory profile: 64 MiB, 3 passes
_threads = ThreadPoolExecutor(2, "argon2")  # each hash takes 64 MiB: a burst of log-ins must not take the machine
_NOBODY = _hasher.hash("nobody has this password")


class LockedOut(Fault):
    """Too many wrong passwords; `retry_at` says when the next attempt is heard."""

    code = "locked-out"
    status = 429
    title = "Too many attempts"


async def hash_password(password: str) -> str:
    """The argon2id hash to keep."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify(password_hash: str | None, password: str) -> bool:
    """Whether it is the password. Takes as long for nobody's password, so that names cannot be guessed by time."""
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(_threads, _matches, password_hash or _NOBODY, password)
    return matches and password_hash is not None


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def wait_after(failures: int) -> timedelta | None:
    """How long the next attempt must wait: nothing for the first five, then 30 s doubling up to 15 minutes."""
    if failures < FREE_ATTEMPTS:
        return None
    doublings = min(failures - FREE_ATTEMPTS, 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


async def check_login(
    database: Database, name: str, password: str, now: datetime, *, address: str | None = None
) -> str:
    """The user's name when the password is right. Raises Unauthorized or LockedOut; failures are journalled with `address`."""
    async with database.read() as connection:
        row = (await connection.execute(select(users).where(users.c.name == name))).first()
    if row is not None and row.locked_until is not None and row.locked_until > now:
        raise LockedOut("too many wrong passwords for this name", retry_at=row.locked_until.isoformat())
    known = row if row is not None and row.active else None
    if not await verify(known.password_hash if known else None, password):
        if row is not None:
            await _count_failure(database, name, address, now)
        raise Unauthorized("the name or the password is wrong")
    if known is not None and known.failed_logins:
        async with database.write() as transaction:
            await transaction.execute(
                update(users).where(users.c.name == name).values(failed_logins=0, locked_until=None)
            )
    return name


async def _count_failure(database: Database, name: str, address: str | None, now: datetime) -> None:
    async with database.write() as transaction:
        counted = update(users).where(users.c.name == name).values(failed_logins=users.c.failed_logins + 1)
        failures = (await transaction.execute(counted.returning(users.c.failed_logins))).scalar_one()
        wait = wait_after(failures)
        if wait is not None:
            await transaction.execute(update(users).where(users.c.name == name).values(locked_until=now + wait))
        data = {"failures": failures, "locked": wait is not None, "address": address}
        transaction.journal(Entry(now, "user.login_failed", name, data=data))
