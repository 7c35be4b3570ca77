"""SQLite's driver with one trip to the database thread for a statement.

aiosqlite makes four of each: a cursor, the statement, its rows, the cursor's end. Each is a switch between two threads,
dearer than most statements of ours; between a click and the phone there are a dozen statements.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import aiosqlite

Answer = TypeVar("Answer")


class WholeCursor(AbstractAsyncContextManager["WholeCursor"]):
    """A cursor that holds all rows of its statement by the time `execute` returns."""

    arraysize = 1

    def __init__(self, connection: "OneTripConnection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def execute(self, sql: str, parameters: Any = ()) -> "WholeCursor":
        """Run one statement and take its rows."""
        await self._ask(lambda cursor: cursor.execute(sql, parameters))
        return self

    async def executemany(self, sql: str, parameters: Sequence[Any]) -> "WholeCursor":
        """Run one statement with each of the parameters."""
        await self._ask(lambda cursor: cursor.executemany(sql, parameters))
        return self

    async def fetchall(self) -> list[Any]:
        """The rows not fetched yet."""
        rows, self._rows = self._rows, []
        return rows

    async def fetchone(self) -> Any:
        """The next row, None after the last."""
        return self._rows.pop(0) if self._rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        size = self.arraysize if size is None else size
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def close(self) -> None:
        """Nothing is open any more: the statement ended with its rows."""

    async def _ask(self, run: Callable[[sqlite3.Cursor], object]) -> None:
        answer = await self._connection.run(run)
        self.description, self.rowcount, self.lastrowid, self._rows = answer


def _whole(
    connection: sqlite3.Connection, begin: str | None, begun: bool, run: Callable[[sqlite3.Cursor], object]
) -> tuple[Any, ...]:
    if begun:
        _still_begun(connection)
    cursor = connection.cursor()
    try:
        if begin is not None:
            cursor.execute(begin)
        run(cursor)
        rows = cursor.fetchall() if cursor.description else []
        return cursor.description, cursor.rowcount, cursor.lastrowid, rows
    finally:
        cursor.close()


def _still_begun(connection: sqlite3.Connection) -> None:
    # It never began, or SQLite itself rolled it back (a full disk): what follows alone must not be kept as the whole.
    if not connection.in_transaction:
        raise sqlite3.OperationalError("the transaction has ended already")


def _commit(connection: sqlite3.Connection) -> None:
    _still_begun(connection)
    connection.commit()


class OneTripConnection(aiosqlite.Connection):
    """A connection of aiosqlite whose cursors go to its thread once a statement.

    A transaction begins along with its first statement, and what never began needs no end. No statement of a
    transaction runs outside it: once it could not begin, or SQLite rolled it back, the rest of it is refused.
    """

    _begin: str | None = None
    _begun = False

    def begin_with(self, statement: str) -> None:
        """Have the next statement begin a transaction; the connection must not begin any by itself."""
        self._begin = statement

    def cursor(self) -> WholeCursor:  # type: ignore[override]  # aiosqlite's may be awaited too, which nobody does
        """A cursor; makes no trip."""
        return WholeCursor(self)

    async def run(self, statement: Callable[[sqlite3.Cursor], object]) -> tuple[Any, ...]:
        """Have the thread run it: its description, row count, last row id and rows."""
        begin, self._begin = self._begin, None
        begun = self._begun
        # Before the trip: whoever is cancelled meanwhile leaves a transaction that must be rolled back.
        self._begun = begun or begin is not None
        return await self._in_thread(_whole, self._conn, begin, begun, statement)

    async def commit(self) -> None:
        """Commit, if a statement began the transaction."""
        self._begin = None
        if self._begun:
            await self._in_thread(_commit, self._conn)
            self._begun = False

    async def rollback(self) -> None:
        """Roll back, if a statement began the transaction."""
        self._begin = None
        if self._begun:
            await super().rollback()
            self._begun = False

    async def _in_thread(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        execute: Callable[..., Awaitable[Answer]] = self._execute  # aiosqlite says no types of it
        return await execute(function, *arguments)


async def connect(path: str, **options: Any) -> OneTripConnection:
    """Open a file as `sqlite3.connect` does; `options` are its own."""
    connection = OneTripConnection(partial(sqlite3.connect, path, **options), iter_chunk_size=64)
    # As SQLAlchemy sets it for connections it opens: the process may end with one open.
    connection._thread.daemon = True
    await connection
    return connection
