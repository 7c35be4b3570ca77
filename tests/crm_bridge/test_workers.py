"""Readers of the journal react to each entry exactly once, whatever races, fails or dies in between."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from config import journal
from config.database import Database, Transaction
from config.journal import Entry
from crm_bridge import workers
from crm_bridge.workers import JournalReader, Ticker, Workers

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
own = MetaData()
seen_table = Table(
    "test_seen", own, Column("n", Integer, primary_key=True, autoincrement=True), Column("kind", String(64))
)


async def write_down(transaction: Transaction, entry: Entry) -> None:
    """The reaction: visible only if its transaction commits."""
    await transaction.execute(insert(seen_table).values(kind=entry.kind))


@pytest.fixture
async def journalled(database: Database) -> Database:
    """A journal of 120 entries, e0 to e119."""
    async with database.write() as transaction:
        await transaction.connection.run_sync(own.create_all)
        for index in range(120):
            transaction.journal(Entry(NOW, f"e{index}"))
    return database


async def _seen(database: Database) -> list[str]:
    async with database.read() as connection:
        return [str(kind) for kind in await connection.scalars(select(seen_table.c.kind).order_by(seen_table.c.n))]


def _reader(database: Database, name: str = "r", first: int = 0, **more: workers.Reaction) -> JournalReader:
    kinds = {f"e{index}": [write_down] for index in range(first, 120)}
    return JournalReader(name, database, {**kinds, **{kind: [reaction] for kind, reaction in more.items()}})


async def _read_all(reader: JournalReader) -> None:
    while await reader.read_on():
        pass


async def test_each_entry_is_handed_over_once_and_in_order(journalled: Database) -> None:
    await _read_all(_reader(journalled))
    await _read_all(_reader(journalled))
    assert await _seen(journalled) == [f"e{index}" for index in range(120)]


async def test_racing_readers_of_one_name_share_the_work_without_doubling_it(journalled: Database) -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(*(_read_all(_reader(journalled)) for _ in range(5)))
    assert await _seen(journalled) == [f"e{index}" for index in range(120)]


async def test_readers_of_different_names_do_not_disturb_each_other(journalled: Database) -> None:
    await _read_all(_reader(journalled, "one"))
    await _read_all(_reader(journalled, "two", first=119))
    assert (await _seen(journalled)).count("e119") == 2


async def test_entries_nobody_subscribed_to_are_passed_over(journalled: Database) -> None:
    await _read_all(_reader(journalled, first=118))
    assert await _seen(journalled) == ["e118", "e119"]
    async with journalled.read() as connection:
        last = await journal.last_position(connection)
        assert await journal.position_of(connection, "r") == last


async def test_a_reaction_that_fails_blocks_its_reader_and_loses_nothing(journalled: Database) -> None:
    async def poison(transaction: Transaction, entry: Entry) -> None:
        await write_down(transaction, entry)
        raise RuntimeError("poison")

    blocked = _reader(journalled, e70=poison)
    assert await blocked.read_on()
    for _ in range(3):
        with pytest.raises(RuntimeError, match="poison"):
            await blocked.read_on()
    assert await _seen(journalled) == [f"e{index}" for index in range(50)]
    await _read_all(_reader(journalled))
    assert await _seen(journalled) == [f"e{index}" for index in range(120)]


async def test_what_a_reaction_journals_is_read_in_turn(journalled: Database) -> None:
    async def answer(transaction: Transaction, entry: Entry) -> None:
        transaction.journal(Entry(NOW, "answer"))

    await _read_all(_reader(journalled, first=119, e5=answer, answer=write_down))
    assert await _seen(journalled) == ["e119", "answer"]


async def test_a_running_reader_survives_a_failure_and_takes_up_new_entries(
    journalled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, done = 0, asyncio.Event()
    pause = asyncio.sleep
    monkeypatch.setattr(workers.asyncio, "sleep", lambda _: pause(0))

    async def fails_twice(transaction: Transaction, entry: Entry) -> None:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise OSError("for a moment")
        await write_down(transaction, entry)

    async def last(transaction: Transaction, entry: Entry) -> None:
        await write_down(transaction, entry)
        done.set()

    running = Workers([_reader(journalled, e60=fails_twice, late=last)])
    running.start()
    async with journalled.write() as transaction:
        transaction.journal(Entry(NOW, "late"))
    async with asyncio.timeout(20):
        await done.wait()
    await running.close()
    seen = await _seen(journalled)
    assert [kind for kind in seen if kind != "late"] == [f"e{index}" for index in range(120)]


async def test_a_tick_that_fails_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, enough = 0, asyncio.Event()

    async def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            enough.set()
        raise RuntimeError("again")

    running = Workers([Ticker("t", tick, 0.0)])
    running.start()
    async with asyncio.timeout(10):
        await enough.wait()
    await running.close()
    assert ticks >= 3
