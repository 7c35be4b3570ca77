"""The owner of an AMI link in tests: hears what the link tells, in order, and awaits it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from telephony.ami import AmiAccount, AmiLink, LinkState
from telephony.ami_events import AmiEvent


class Heard:
    """What a link told its owner, in order."""

    def __init__(self) -> None:
        self.all: list[AmiEvent | tuple[LinkState, str]] = []
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def states(self) -> list[LinkState]:
        """The states only."""
        return [item[0] for item in self.all if isinstance(item, tuple)]

    @property
    def events(self) -> list[AmiEvent]:
        """The events only."""
        return [item for item in self.all if not isinstance(item, tuple)]

    def event(self, event: AmiEvent) -> None:
        """For `on_event`."""
        self._add(event)

    def state(self, state: LinkState, reason: str) -> None:
        """For `on_state`."""
        self._add((state, reason))

    def _add(self, item: AmiEvent | tuple[LinkState, str]) -> None:
        self.all.append(item)
        telling = asyncio.ensure_future(self._tell())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, holds: Callable[["Heard"], bool], seconds: float = 5.0) -> None:
        """Return once `holds`. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: holds(self))


@asynccontextmanager
async def linked(account: AmiAccount, heard: Heard | None = None) -> AsyncIterator[AmiLink]:
    """A link that is started, and closed in the end; not necessarily up yet."""
    heard = heard or Heard()
    link = AmiLink(account, on_event=heard.event, on_state=heard.state)
    await link.start()
    try:
        yield link
    finally:
        await link.close()
