"""The live stream: one follower of the journal in this process, fanned out to every open page.

A stream that comes back names the last entry it saw and is first given what it missed, so nothing is shown twice or never.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import structlog

from config import journal
from config.database import Database
from config.journal import Entry
from config.tasks import end

log = structlog.get_logger(__name__)

POLL = 0.25
"""Seconds between looks at the journal when nothing was committed here: another process may have."""
BACKLOG = 1000
"""Entries a slow page may lag behind before its stream is ended; it comes back and replays."""

BEAT = 15.0

Visible = Callable[[Entry], bool]


class LiveStream:
    """Follows the journal once for all pages of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._position = 0
        self._listeners: set[asyncio.Queue[Entry | None]] = set()
        self._follower: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Follow from the journal's present end."""
        async with self._database.read() as connection:
            self._position = await journal.last_position(connection)
        self._follower = asyncio.create_task(self._follow(), name="live stream")

    async def close(self) -> None:
        """End every open stream at once and stop following."""
        self._closed = True
        for queue in self._listeners:
            _end(queue)
        await end(self._follower)

    async def _follow(self) -> None:
        while True:
            try:
                await self._database.wait_for_entries(POLL)
                await self._read_on()
            except Exception:
                log.exception("live.follow_failed")
                await asyncio.sleep(POLL)

    async def _read_on(self) -> None:
        while True:
            async with self._database.read() as connection:
                entries = await journal.read_after(connection, self._position)
            if not entries:
                return
            for entry in entries:
                self._position = entry.id or self._position
                for queue in self._listeners:
                    _hand_on(queue, entry)

    async def entries(self, after: int | None, visible: Visible) -> AsyncIterator[Entry | None]:
        """What happened after journal entry `after` (None: from now on) and may be seen, then what happens, until closed.

        None comes at least every `BEAT` seconds, so that the reader can see whether anybody is still there.
        """
        queue: asyncio.Queue[Entry | None] = asyncio.Queue(BACKLOG)
        self._listeners.add(queue)
        try:
            position = self._position if after is None else await self._known(after)
            while position < self._position and not self._closed:
                async with self._database.read() as connection:
                    missed = await journal.read_after(connection, position)
                if not missed:
                    break
                for entry in missed:
                    position = entry.id or position
                    if visible(entry):
                        yield entry
            while not self._closed:
                try:
                    async with asyncio.timeout(BEAT):
                        live = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if live is None:
                    return
                if (live.id or 0) > position and visible(live):
                    yield live
        finally:
            self._listeners.discard(queue)

    async def _known(self, after: int) -> int:
        """`after`, or the journal's end when it names an entry that is not there: else nothing would ever be shown."""
        if after <= self._position:
            return after
        async with self._database.read() as connection:
            return min(after, await journal.last_position(connection))


def _hand_on(queue: asyncio.Queue[Entry | None], entry: Entry) -> None:
    try:
        queue.put_nowait(entry)
    except asyncio.QueueFull:
        _end(queue)


def _end(queue: asyncio.Queue[Entry | None]) -> None:
    with suppress(asyncio.QueueEmpty):
        while True:
            queue.get_nowait()
    queue.put_nowait(None)
