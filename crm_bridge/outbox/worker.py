"""The outbox's worker: claims what is due, lets each destination try, and writes down what became of it; many at once."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import structlog
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.database import Database
from config.tasks import end
from crm_bridge.outbox.claims import Claim, claim, give_back, with_work
from crm_bridge.outbox.destination import Answer, Destination, TryLater
from crm_bridge.outbox.outcomes import Outcome, record
from crm_bridge.outbox.retries import DOWN

log = structlog.get_logger(__name__)

Opener = Callable[[Row[Any]], Awaitable[Destination]]
"""Makes the destination of a row of `outbox_destinations`; kept until the row's `revision` rises."""

LOOK = 0.25
"""Seconds between looks when nothing is due."""
LONGEST_TRY = 30.0
FAREWELL = 5.0
"""Seconds that tries under way are given when the service stops."""


@dataclass
class OutboxWorker:
    """Delivers. `at_once` bounds the tries under way to one destination, so a slow one holds up nobody else."""

    database: Database
    openers: Mapping[str, Opener]
    at_once: int = 16
    random: Random = field(default_factory=Random)
    name: str = "outbox worker"

    def __post_init__(self) -> None:
        self._open: dict[str, tuple[int, Destination]] = {}
        self._tasks: dict[asyncio.Task[None], Claim] = {}
        self._ended: list[Outcome] = []
        self._something_ended = asyncio.Event()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            try:
                if not await self.step(clock.now()):
                    await self._wait(LOOK)
            except Exception:
                log.exception("outbox.failed")
                await asyncio.sleep(1.0)

    async def step(self, now: datetime) -> bool:
        """Write down what ended, claim what is due and begin to try it; whether there was anything to do."""
        ended, self._ended = self._ended, []
        self._something_ended.clear()
        if not ended:
            async with self.database.read() as connection:
                if not await self._waiting(connection, now):
                    return False
        try:
            async with self.database.write() as transaction:
                await record(transaction, ended, now, self.random)
                # Looked at only now: what was just written down may say that nobody is there.
                waiting = await self._waiting(transaction.connection, now)
                claims = [one for row in waiting for one in await claim(transaction, row, now, self._free(row))]
        except BaseException:
            self._ended[:0] = ended
            raise
        for one in claims:
            self._begin(one)
        return bool(ended or claims)

    @property
    def busy(self) -> bool:
        """Whether a try is under way, or one that ended is not written down yet."""
        return bool(self._tasks or self._ended)

    async def something_ended(self, seconds: float = LONGEST_TRY) -> None:
        """Return when a try has ended, at once when none is under way."""
        if self._tasks and not self._ended:
            await self._wait(seconds)

    async def close(self) -> None:
        """Let what is under way end, for a moment, then give back what is left. `run` has ended before."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL)
        left = dict(self._tasks)
        await end(*left)
        now = clock.now()
        async with self.database.write() as transaction:
            await record(transaction, self._ended, now, self.random)
            if left:
                await give_back(transaction, list(left.values()), now)
        self._ended = []

    async def _waiting(self, connection: AsyncConnection, now: datetime) -> list[Row[Any]]:
        return [row for row in await with_work(connection, now) if self._free(row)]

    def _free(self, row: Row[Any]) -> int:
        """How many more items of a destination may be tried now; one that is down is asked with one at a time.

        A try counts until it is written down: only then does anybody know whether the destination is down.
        """
        unknown = [*self._tasks.values(), *(outcome.claim for outcome in self._ended)]
        under_way = Counter(one.destination.id for one in unknown)[row.id]
        return max((1 if row.failures >= DOWN else self.at_once) - under_way, 0)

    def _begin(self, one: Claim) -> None:
        task = asyncio.create_task(self._try(one), name=f"deliver {one.row.id}")
        self._tasks[task] = one
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._something_ended.set()

    async def _try(self, one: Claim) -> None:
        began, started = clock.now(), time.monotonic()
        answer = await self._answer(one)
        self._ended.append(Outcome(one, began, round((time.monotonic() - started) * 1000), answer))

    async def _answer(self, one: Claim) -> Answer:
        try:
            async with asyncio.timeout(LONGEST_TRY):
                destination = await self._opened(one.destination)
                return await destination.deliver(one.item, clock.now())
        except TimeoutError:
            return TryLater(f"no answer within {LONGEST_TRY:.0f} s", may_have_arrived=True)
        except Exception as error:
            log.exception("outbox.try_failed", destination=one.destination.id, item=one.row.id)
            return TryLater(f"{type(error).__name__}", may_have_arrived=True)

    async def _opened(self, row: Row[Any]) -> Destination:
        known = self._open.get(row.id)
        if known is None or known[0] != row.revision:
            known = self._open[row.id] = row.revision, await self.openers[row.kind](row)
        return known[1]

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._something_ended.wait()
        except TimeoutError:
            return
