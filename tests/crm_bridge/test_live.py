"""The live stream shows everything once: what was missed, then what happens, until it ends."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from config.database import Database
from config.journal import Entry
from crm_bridge import live
from crm_bridge.live import LiveStream

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


def everything(_: Entry) -> bool:
    """A supervisor's eyes."""
    return True


async def _write(database: Database, *kinds: str) -> None:
    async with database.write() as transaction:
        for kind in kinds:
            transaction.journal(Entry(NOW, kind))


async def _take(stream: AsyncIterator[Entry | None], count: int) -> list[str]:
    taken: list[str] = []
    async with asyncio.timeout(15):
        while len(taken) < count:
            entry = await anext(stream)
            if entry is not None:
                taken.append(entry.kind)
    return taken


async def _ends(stream: AsyncIterator[Entry | None]) -> list[str]:
    async with asyncio.timeout(5):
        return [entry.kind async for entry in stream if entry is not None]


@pytest.fixture
async def streaming(database: Database) -> AsyncIterator[LiveStream]:
    """A stream that has started."""
    stream = LiveStream(database)
    await stream.start()
    yield stream
    await stream.close()


async def test_a_new_page_sees_what_happens_from_now_on(streaming: LiveStream, database: Database) -> None:
    await _write(database, "before")
    first = streaming.entries(None, everything)
    async with asyncio.timeout(10):
        assert (await anext(streaming.entries(0, everything))).kind == "before"  # type: ignore[union-attr]
    waiting = asyncio.ensure_future(_take(first, 1))
    await asyncio.sleep(0)
    await _write(database, "after")
    assert await waiting == ["after"]


async def test_a_page_that_comes_back_is_first_given_what_it_missed(streaming: LiveStream, database: Database) -> None:
    await _write(database, *(f"e{index}" for index in range(1, 701)))
    page = streaming.entries(3, everything)
    waiting = asyncio.ensure_future(_take(page, 698))
    await _write(database, "new")
    assert await waiting == [*(f"e{index}" for index in range(4, 701)), "new"]


async def test_no_gap_and_no_double_while_entries_arrive_during_the_replay(
    streaming: LiveStream, database: Database
) -> None:
    await _write(database, *(f"e{index}" for index in range(600)))
    pages = [streaming.entries(0, everything) for _ in range(4)]

    async def writer() -> None:
        for index in range(600, 680):
            await _write(database, f"e{index}")

    writing = asyncio.create_task(writer())
    for taken in await asyncio.gather(*(_take(page, 680) for page in pages)):
        assert taken == [f"e{index}" for index in range(680)]
    await writing


async def test_what_the_follower_and_the_replay_both_bring_is_shown_once(
    streaming: LiveStream, database: Database
) -> None:
    await _write(database, *(f"e{index}" for index in range(501)))
    page, watcher = streaming.entries(0, everything), streaming.entries(501, everything)
    assert await _take(page, 1) == ["e0"]
    watching = asyncio.ensure_future(_take(watcher, 100))
    await asyncio.sleep(0)
    await _write(database, *(f"e{index}" for index in range(501, 601)))
    assert await watching == [f"e{index}" for index in range(501, 601)]  # so they are in every queue
    await _write(database, "last")
    assert await _take(page, 601) == [*(f"e{index}" for index in range(1, 601)), "last"]


async def test_nobody_sees_what_is_not_theirs_and_still_misses_nothing(
    streaming: LiveStream, database: Database
) -> None:
    await _write(database, *(["theirs"] * 20 + ["mine 1"] + ["theirs"] * 20))
    page = streaming.entries(0, lambda entry: entry.kind.startswith("mine"))
    waiting = asyncio.ensure_future(_take(page, 2))
    await _write(database, "theirs", "mine 2")
    assert await waiting == ["mine 1", "mine 2"]


async def test_a_page_that_names_an_entry_of_the_future_still_sees_what_happens(
    streaming: LiveStream, database: Database
) -> None:
    page = streaming.entries(10**9, everything)
    waiting = asyncio.ensure_future(_take(page, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for attempt in range(200):
        await _write(database, f"new {attempt}")
        if waiting.done():
            break
    assert (await waiting)[0].startswith("new")


async def test_a_reader_that_is_too_slow_is_ended_and_the_others_go_on(
    streaming: LiveStream, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BACKLOG", 10)
    slow = streaming.entries(0, everything)
    await _write(database, "first")
    assert await _take(slow, 1) == ["first"]
    monkeypatch.setattr(live, "BACKLOG", 1000)
    quick = streaming.entries(1, everything)
    many = [f"e{index}" for index in range(30)]
    taking = asyncio.ensure_future(_take(quick, 30))
    await _write(database, *many)
    assert await taking == many
    assert await _ends(slow) == []


async def test_close_ends_every_stream_at_once_also_one_whose_queue_is_full(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BACKLOG", 5)
    stream = LiveStream(database)
    await stream.start()
    await _write(database, "first")
    full, idle = stream.entries(0, everything), stream.entries(None, everything)
    assert await _take(full, 1) == ["first"]
    waiting = asyncio.ensure_future(_ends(idle))
    taking = asyncio.ensure_future(_take(other := stream.entries(1, everything), 5))
    await _write(database, *(f"e{index}" for index in range(5)))
    assert len(await taking) == 5
    async with asyncio.timeout(5):
        await stream.close()
        await waiting
        assert await _ends(full) == []
        assert await _ends(other) == []
        assert await _ends(stream.entries(0, everything)) == [], "none begins after the end"
    await stream.close()


async def test_a_quiet_stream_beats(streaming: LiveStream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT", 0.01)
    async with asyncio.timeout(5):
        assert await anext(streaming.entries(None, everything)) is None


async def test_a_page_that_goes_leaves_nothing_behind(streaming: LiveStream) -> None:
    page = streaming.entries(None, everything)
    waiting = asyncio.ensure_future(anext(page))
    await asyncio.sleep(0)
    assert len(streaming._listeners) == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert streaming._listeners == set()
