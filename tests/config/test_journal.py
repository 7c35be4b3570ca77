"""The journal's promise: ids rise in the order of commits, so a reader with a cursor skips nothing and sees nothing twice."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from config import journal
from config.database import Database
from config.journal import Entry

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
WRITERS, EACH = 12, 8


async def _write(database: Database, *kinds: str) -> None:
    async with database.write() as transaction:
        for kind in kinds:
            transaction.journal(Entry(NOW, kind))


async def test_a_reader_with_a_cursor_skips_none_and_sees_none_twice(database: Database) -> None:
    chance = random.Random(1)
    done = asyncio.Event()

    async def writer(name: int) -> None:
        for turn in range(EACH):
            async with database.write() as transaction:
                transaction.journal(Entry(NOW, f"{name}/{turn}/a"))
                await transaction.execute(text("SELECT 1"))
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                transaction.journal(Entry(NOW, f"{name}/{turn}/b"))

    async def reader(limit: int) -> list[str]:
        seen: list[str] = []
        position = 0
        while True:
            last_look = done.is_set()
            async with database.read() as connection:
                entries = await journal.read_after(connection, position, limit)
            seen += [entry.kind for entry in entries]
            position = entries[-1].id or 0 if entries else position
            if last_look and not entries:
                return seen
            await asyncio.sleep(0)

    readers = [asyncio.create_task(reader(limit)) for limit in (1, 3, 500)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(writer(name) for name in range(WRITERS)))
        done.set()
        for seen in await asyncio.gather(*readers):
            assert len(seen) == len(set(seen)) == WRITERS * EACH * 2
            for one in range(WRITERS):
                mine = [kind for kind in seen if kind.startswith(f"{one}/")]
                assert mine == [f"{one}/{turn}/{part}" for turn in range(EACH) for part in "ab"]


async def test_a_writer_that_comes_to_its_end_later_gets_the_later_ids(database: Database) -> None:
    if not database.is_postgres:
        await _write(database, "one")  # SQLite has one writer: the second cannot even begin
        return
    second_done = asyncio.Event()

    async def first() -> None:
        async with database.write() as transaction:
            transaction.journal(Entry(NOW, "journalled first, committed last"))
            await second_done.wait()

    slow = asyncio.create_task(first())
    await _write(database, "committed first")
    second_done.set()
    await slow
    async with database.read() as connection:
        kinds = [entry.kind for entry in await journal.read_after(connection, 0)]
    assert kinds == ["committed first", "journalled first, committed last"]


async def test_an_entry_comes_back_as_it_was_written(database: Database) -> None:
    written = Entry(NOW, "call.state", "li", "north", "li", "case-1", "c" * 32, {"名": ["值", 1, None, {"x": 1.5}]})
    async with database.write() as transaction:
        transaction.journal(written)
    async with database.read() as connection:
        (read,) = await journal.read_after(connection, 0)
        assert await journal.last_position(connection) == read.id
    assert {**{field: getattr(read, field) for field in Entry.__slots__}, "id": None} == {
        field: getattr(written, field) for field in Entry.__slots__
    }


async def test_the_position_of_a_new_reader_is_the_beginning(database: Database) -> None:
    async with database.read() as connection:
        assert await journal.position_of(connection, "new") == 0
        assert await journal.last_position(connection) == 0


async def test_a_reader_that_was_overtaken_does_not_move(database: Database) -> None:
    async with database.write() as transaction:
        assert await journal.advance(transaction.connection, "r", 0, 5)
        assert not await journal.advance(transaction.connection, "r", 0, 7)
        assert not await journal.advance(transaction.connection, "r", 3, 7)
        assert await journal.advance(transaction.connection, "r", 5, 9)
    async with database.read() as connection:
        assert await journal.position_of(connection, "r") == 9
        assert await journal.position_of(connection, "another") == 0


@pytest.mark.parametrize("start", [0, 4])
async def test_of_two_racing_readers_one_moves_the_cursor(database: Database, start: int) -> None:
    if start:
        async with database.write() as transaction:
            await journal.advance(transaction.connection, "r", 0, start)
    both_ready = asyncio.Barrier(2 if database.is_postgres else 1)

    async def racer() -> bool:
        async with database.write() as transaction:
            await transaction.execute(text("SELECT 1"))
            await both_ready.wait()
            return await journal.advance(transaction.connection, "r", start, start + 3)

    async with asyncio.timeout(20):
        moved = await asyncio.gather(racer(), racer())
    assert sorted(moved) == [False, True]


async def test_a_reader_whose_rival_rolled_back_moves_the_cursor_itself(database: Database) -> None:
    async def rival() -> None:
        async with database.write() as transaction:
            assert await journal.advance(transaction.connection, "r", 0, 3)
            raise RuntimeError("the rival fails")

    with pytest.raises(RuntimeError, match="the rival fails"):
        await rival()
    async with database.write() as transaction:
        assert await journal.advance(transaction.connection, "r", 0, 3)
