"""PostgreSQL that goes away is told as such, whatever was under way, and is used again as soon as it is back."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from config.database import FROZEN_MS, Database, DatabaseUnavailable
from tests.support.postgres import START_SECONDS, ServerProcess


@pytest.fixture
def postgres() -> Iterator[ServerProcess]:
    """A server of the test's own."""
    process = ServerProcess()
    process.start()
    process.await_ready()
    yield process
    process.close()


@pytest.fixture
async def database(postgres: ServerProcess) -> AsyncIterator[Database]:
    """Connected to it."""
    database = Database(postgres.server.url("postgres"))
    yield database
    await database.close()


async def _ask(database: Database, question: str = "SELECT 1") -> None:
    async with database.write() as transaction:
        await transaction.execute(text(question))


async def test_a_server_that_stops_is_unavailable_and_then_there_again(
    postgres: ServerProcess, database: Database
) -> None:
    await _ask(database)
    asked = asyncio.create_task(_ask(database, "SELECT pg_sleep(60)"))
    async with asyncio.timeout(10), database.read() as connection:
        running = text(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid != pg_backend_pid()"
        )
        while not await connection.scalar(running):
            await connection.rollback()
    await asyncio.to_thread(postgres.vanish)
    with pytest.raises(DatabaseUnavailable):
        await asked
    with pytest.raises(DatabaseUnavailable):
        await _ask(database)
    postgres.start()
    async with asyncio.timeout(START_SECONDS):
        while True:  # also while it starts up, nothing else is raised
            try:
                await _ask(database)
            except DatabaseUnavailable:
                continue
            return


async def test_a_process_that_stands_still_in_a_transaction_loses_it(database: Database) -> None:
    """Else its locks would keep every other process waiting for as long as it is frozen."""
    async with database.read() as connection:
        setting = await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
    assert setting == f"{FROZEN_MS // 1000}s"
    with pytest.raises(DatabaseUnavailable):
        await _stand_still(database)
    await _ask(database)


async def _stand_still(database: Database) -> None:
    async with database.write() as transaction:
        await transaction.execute(text("SET LOCAL idle_in_transaction_session_timeout = 50"))
        pid = await transaction.first(text("SELECT pg_backend_pid()"))
        assert pid is not None
        await _gone(database, pid[0])
        await transaction.execute(text("SELECT 1"))


async def _gone(database: Database, pid: int) -> None:
    async with asyncio.timeout(10):
        while True:
            async with database.read() as connection:
                alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
                if not await connection.scalar(alive, {"pid": pid}):
                    return
