"""Engines and transactions, and everything that differs between SQLite and PostgreSQL."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult, Row
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from config import journal, sqlite_driver
from config.errors import Fault
from config.journal import Entry

FROZEN_MS = 8000
"""A process that stops in the middle of a transaction (a frozen machine) loses it after so long, before its leases end:
else its locks would hold up every other process."""


class DatabaseUnavailable(Fault):
    """The database cannot be opened, or another process owns it."""

    code = "database-unavailable"
    status = 503
    title = "The database is not available"


class Transaction:
    """One unit of work: statements now, journal entries appended last, both committed together."""

    def __init__(self, connection: AsyncConnection, is_postgres: bool) -> None:
        self.connection = connection
        self._is_postgres = is_postgres
        self.entries: list[Entry] = []

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement."""
        return await self.connection.execute(statement, parameters)

    async def first(self, statement: Executable) -> Row[Any] | None:
        """The first row or None."""
        return (await self.connection.execute(statement)).first()

    async def all(self, statement: Executable) -> list[Row[Any]]:
        """All rows."""
        return list((await self.connection.execute(statement)).all())

    def journal(self, entry: Entry) -> None:
        """Have `entry` appended when this transaction commits."""
        self.entries.append(entry)

    async def insert_once(self, table: Table, **values: Any) -> bool:
        """Insert a row unless one of its key exists; whether it was inserted. Two at once: one of them is."""
        dialect = postgresql if self._is_postgres else sqlite
        done = await self.connection.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())
        return bool(done.rowcount)

    async def lock(self, names: Iterable[str]) -> bool:
        """Hold the named things until the end of the transaction, taken in one fixed order so that two can't deadlock.

        Returns whether others may have written meanwhile: what was read before must be read again. SQLite has a single
        writer, so its transaction is the lock already.
        """
        if not self._is_postgres:
            return False
        # One round trip for all; a function scan hands its rows on one after the other, in the order of the array.
        locks = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
        await self.connection.execute(locks, {"keys": [_lock_key(name) for name in sorted(set(names))]})
        return True

    async def flush(self) -> None:
        """Append the collected journal entries; the journal's lock is always the last one taken."""
        if not self.entries:
            return
        if self._is_postgres:
            key = {"key": _lock_key("journal")}
            await self.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), key)
        await journal.append(self.connection, self.entries)


def _lock_key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


class Database:
    """The store of the service: `read()` for snapshots, `write()` for units of work."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = make_url(url).get_backend_name() == "postgresql"
        self._committed = asyncio.Event()
        self._owner_lock: int | None = None
        if self.is_postgres:
            limits = {"idle_in_transaction_session_timeout": str(FROZEN_MS)}
            self.writer = create_async_engine(
                url, pool_size=10, max_overflow=10, pool_pre_ping=True, connect_args={"server_settings": limits}
            )
            self.reader = self.writer
        else:
            self._prepare_folder()
            self.writer = _sqlite_engine(url, pool_size=1, begin="BEGIN IMMEDIATE")
            self.reader = _sqlite_engine(url, pool_size=4, begin="BEGIN")

    def _prepare_folder(self) -> None:
        path = self.sqlite_path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, None for PostgreSQL and in-memory databases."""
        name = make_url(self.url).database
        return None if self.is_postgres or not name or name == ":memory:" else Path(name)

    def claim_for_this_process(self) -> None:
        """Refuse a second service process on one SQLite file; PostgreSQL may be shared."""
        path = self.sqlite_path
        if path is None:
            return
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise DatabaseUnavailable(
                f"another ringfence process is using {path}; SQLite serves one process, use PostgreSQL for several"
            ) from None
        self._owner_lock = handle

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one snapshot and writes nothing."""
        with _told_as_unavailable():
            async with _opened(self.reader) as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A unit of work: committed at the end of the block, rolled back when it raises."""
        with _told_as_unavailable():
            async with _opened(self.writer) as connection, connection.begin():
                transaction = Transaction(connection, self.is_postgres)
                yield transaction
                await transaction.flush()
        if transaction.entries:
            self._announce()

    def _announce(self) -> None:
        self._committed.set()
        self._committed = asyncio.Event()

    async def wait_for_entries(self, timeout: float) -> None:
        """Return when this process has committed journal entries, or after `timeout` s (another process may have)."""
        # Not wait_for: before Python 3.12 it loses a cancellation that comes with the event, and its task never ends.
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._committed.wait()

    async def close(self) -> None:
        """Close every connection and give the file up."""
        await self.writer.dispose()
        await self.reader.dispose()
        if self._owner_lock is not None:
            os.close(self._owner_lock)
            self._owner_lock = None


@asynccontextmanager
async def _opened(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection; the driver lets the system's own errors through while it makes one."""
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except OSError as error:
            raise _unavailable(error) from error
        yield connection


@contextmanager
def _told_as_unavailable() -> Iterator[None]:
    """A database that is gone, locked or full is told as such; whether a commit went through may then be unknown."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, ConnectionError) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        # PostgreSQL that stops or crashes ends the statement in a way of its own.
        if not error.connection_invalidated and not _is_lost(error.orig):
            raise
        raise _unavailable(error) from error


def _unavailable(error: BaseException) -> DatabaseUnavailable:
    cause = getattr(error, "orig", None) or error
    return DatabaseUnavailable(f"the database cannot be used now: {type(cause).__name__}: {cause}")


def _is_lost(cause: BaseException | None) -> bool:
    """By SQLSTATE: connection exceptions (08), operator intervention (57P), an idle transaction ended (25P03)."""
    return str(getattr(cause, "sqlstate", None) or "").startswith(("08", "57P", "25P03"))


def is_duplicate(error: IntegrityError) -> bool:
    """Whether a row of that key existed already (both databases raise IntegrityError)."""
    return "unique" in str(error.orig).lower() or "duplicate" in str(error.orig).lower()


def _sqlite_engine(url: str, pool_size: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"async_creator_fn": sqlite_driver.connect},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(dbapi_connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself: its deferred BEGIN lets two writers read the same last attempt.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin_as_told(connection: Any) -> None:
        connection.connection.driver_connection.begin_with(begin)

    return engine
