"""Background work: readers of the journal that react, and ticks that look for what is due. Nothing is kept in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from config import journal
from config.database import Database, Transaction
from config.journal import Entry
from config.tasks import end

log = structlog.get_logger(__name__)

Reaction = Callable[[Transaction, Entry], Awaitable[None]]
"""Writes what follows from an entry, in the transaction that moves the reader's cursor: exactly once."""
Tick = Callable[[], Awaitable[object]]

BATCH = 50


@dataclass(frozen=True, slots=True)
class JournalReader:
    """A durable reader: each entry of the kinds it subscribes to is handed to its reactions once, in order."""

    name: str
    database: Database
    subscribers: Mapping[str, Sequence[Reaction]]

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                if not await self.read_on():
                    await self.database.wait_for_entries(1.0)
            except Exception:
                log.exception("reader.failed", reader=self.name)
                await asyncio.sleep(1.0)

    async def read_on(self) -> bool:
        """Handle the next batch; False when there is nothing to read."""
        async with self.database.read() as connection:
            position = await journal.position_of(connection, self.name)
            entries = await journal.read_after(connection, position, BATCH)
        if not entries:
            return False
        async with self.database.write() as transaction:
            newest = entries[-1].id or position
            if not await journal.advance(transaction.connection, self.name, position, newest):
                return True
            for entry in entries:
                for reaction in self.subscribers.get(entry.kind, ()):
                    await reaction(transaction, entry)
        return True


@dataclass(frozen=True, slots=True)
class Ticker:
    """Does `tick` every `seconds`, again and again, whatever one of them runs into."""

    name: str
    tick: Tick
    seconds: float

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("tick.failed", tick=self.name)
            await asyncio.sleep(self.seconds)


class Job(Protocol):
    """Background work: a reader, a ticker, the outbox's worker."""

    @property
    def name(self) -> str:
        """What the task is called."""
        ...

    async def run(self) -> None:
        """Work for ever."""
        ...


class Workers:
    """The background tasks of one process, started and ended together."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every job."""
        self._tasks = [asyncio.create_task(job.run(), name=job.name) for job in self._jobs]

    async def close(self) -> None:
        """Stop every job; what one was about is taken up after the next start."""
        await end(*self._tasks)
