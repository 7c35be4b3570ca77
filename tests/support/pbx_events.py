"""What the PBX says over AMI, read from the wire by the test itself: the oracle beside the product's own link."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from crm_bridge.demo.instance import AsteriskInstance

Event = dict[str, str]


class PbxEvents:
    """Every event since the log-in, kept in order in `seen`."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._news = asyncio.Condition()

    async def first(self, matches: Callable[[Event], bool], *, seconds: float = 10.0) -> Event:
        """The first event that matches, past or to come. Raises TimeoutError."""

        def found() -> Event | None:
            return next((event for event in self.seen if matches(event)), None)

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        return event

    async def of(self, name: str, uniqueid: str, *, seconds: float = 10.0) -> Event:
        """The first event of that name about that channel."""
        return await self.first(lambda e: e.get("Event") == name and e.get("Uniqueid") == uniqueid, seconds=seconds)

    async def add(self, event: Event) -> None:
        """One more event arrived."""
        async with self._news:
            self.seen.append(event)
            self._news.notify_all()


@asynccontextmanager
async def pbx_events(pbx: AsteriskInstance) -> AsyncIterator[PbxEvents]:
    """Listen on a connection of its own for as long as the block lasts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pbx.ami_port)
    await reader.readline()
    login = f"Action: Login\r\nUsername: {pbx.ami_username}\r\nSecret: {pbx.ami_secret}\r\nEvents: on\r\n\r\n"
    writer.write(login.encode())
    events = PbxEvents()

    async def listen() -> None:
        event: Event = {}
        while line := (await reader.readline()).decode(errors="replace"):
            if text := line.rstrip("\r\n"):
                name, _, value = text.partition(": ")
                event[name] = value
            elif event:
                await events.add(event)
                event = {}

    listening = asyncio.create_task(listen())
    try:
        await events.first(lambda e: e.get("Response") == "Success")
        yield events
    finally:
        listening.cancel()
        writer.close()
