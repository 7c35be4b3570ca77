"""SQLite's driver of one trip: transactions begin, end, fail and are cancelled as they do with the driver it replaces."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from config import sqlite_driver
from config.database import Database, DatabaseUnavailable, Transaction

NAMES = text("SELECT name FROM people ORDER BY name")
ADD = text("INSERT INTO people (name) VALUES (:name)")


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/people.db")
    async with database.write() as transaction:
        await transaction.execute(text("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
    yield database
    await database.close()


async def _names(database: Database) -> list[str]:
    async with database.read() as connection:
        return list(await connection.scalars(NAMES))


async def _add(transaction: Transaction, *names: str) -> None:
    for name in names:
        await transaction.execute(ADD, {"name": name})


async def test_a_unit_of_work_without_a_statement_ends_like_any_other(people: Database) -> None:
    async with people.write():
        pass
    async with people.write() as transaction:
        await _add(transaction, "a")
    assert await _names(people) == ["a"]


async def test_many_rows_at_once_are_counted_and_taken_back_together(people: Database) -> None:
    async with people.write() as transaction:
        done = await transaction.execute(ADD, [{"name": "a"}, {"name": "b"}, {"name": "c"}])
        assert done.rowcount == 3
    with pytest.raises(IntegrityError):
        async with people.write() as transaction:
            await transaction.execute(ADD, [{"name": "d"}, {"name": "a"}])
    assert await _names(people) == ["a", "b", "c"]


async def test_a_changed_row_is_counted_also_when_it_is_returned(people: Database) -> None:
    async with people.write() as transaction:
        await _add(transaction, "a", "b")
        changed = await transaction.execute(
            text("UPDATE people SET name = name || '2' WHERE name = 'a' RETURNING name")
        )
        assert (changed.scalars().all(), changed.rowcount) == (["a2"], 1)
        none = await transaction.execute(text("UPDATE people SET name = 'x' WHERE name = 'nobody'"))
        assert none.rowcount == 0


async def test_a_refused_row_leaves_the_rest_of_the_work_in_its_transaction(people: Database) -> None:
    async with people.write() as transaction:
        await _add(transaction, "a")

    async def work() -> None:
        async with people.write() as transaction:
            with pytest.raises(IntegrityError):
                await _add(transaction, "a")
            await _add(transaction, "b")
            assert await transaction.all(NAMES) == [("a",), ("b",)]
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        await work()
    assert await _names(people) == ["a"]


async def test_a_savepoint_that_is_the_first_statement_belongs_to_the_transaction(people: Database) -> None:
    async def work() -> None:
        async with people.write() as transaction:
            async with transaction.connection.begin_nested():
                await _add(transaction, "a")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        await work()
    assert await _names(people) == []


async def test_a_transaction_that_could_not_begin_runs_none_of_its_statements(people: Database, tmp_path: Path) -> None:
    """Another process holds the file for writing: what follows must not be written outside a transaction."""
    other = sqlite3.connect(tmp_path / "people.db", isolation_level=None)

    async def work() -> None:
        async with people.write() as transaction:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError, match="locked"):
                await _add(transaction, "a")
            other.execute("ROLLBACK")
            await _add(transaction, "b")

    with pytest.raises(DatabaseUnavailable, match="ended already"):
        await work()
    other.close()
    assert await _names(people) == []


@pytest.mark.parametrize("then", [[], ["b"]])
async def test_work_that_sqlite_rolled_back_by_itself_is_neither_continued_nor_told_as_done(
    people: Database, then: list[str]
) -> None:
    """As it does when the disk is full: what the statements before wrote is gone, so must be what follows."""

    async def work() -> None:
        async with people.write() as transaction:
            await _add(transaction, "a")
            with pytest.raises(IntegrityError):
                await transaction.execute(text("INSERT OR ROLLBACK INTO people (name) VALUES ('a')"))
            await _add(transaction, *then)

    with pytest.raises(DatabaseUnavailable, match="ended already"):
        await work()
    async with people.write() as transaction:
        await _add(transaction, "c")
    assert await _names(people) == ["c"]


async def test_work_cancelled_in_the_middle_of_a_statement_leaves_nothing(people: Database) -> None:
    slow = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
        "INSERT INTO people (name) SELECT 'n' || i FROM n"
    )

    async def work() -> None:
        async with people.write() as transaction:
            await transaction.execute(slow)

    for turns in range(12):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(30), people.write() as transaction:
            await _add(transaction, f"kept{turns:02}")
    assert await _names(people) == [f"kept{turns:02}" for turns in range(12)]


async def test_a_reader_keeps_to_the_moment_of_its_first_statement(people: Database) -> None:
    async with people.read() as connection:
        assert list(await connection.scalars(NAMES)) == []
        async with people.write() as transaction:
            await _add(transaction, "a")
        assert list(await connection.scalars(NAMES)) == []
    assert await _names(people) == ["a"]


async def test_every_commit_is_on_the_disk_and_foreign_keys_hold(people: Database) -> None:
    async with people.read() as connection:
        told = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in PRAGMAS]
    assert told == ["wal", 2, 1, 5000]


PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")


async def test_a_file_that_cannot_be_opened_is_told_and_its_thread_ends(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await sqlite_driver.connect(str(tmp_path / "no" / "such.db"))
    (tmp_path / "text.db").write_text("this is no database at all" * 100)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/text.db")
    with pytest.raises(Exception, match="not a database"):
        await _names(database)
    await database.close()
