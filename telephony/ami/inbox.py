"""From the link's synchronous callbacks to one consumer: events and state changes, in the order of the wire."""

from asyncio import Queue
from collections.abc import Callable
from dataclasses import dataclass

from telephony.ami.states import LinkState
from telephony.ami_events import AmiEvent


class InboxFullError(Exception):
    """The consumer is too far behind. The link answers by dropping the connection, so the loss is a visible one."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """The link came up, was refused, was lost or was closed."""

    state: LinkState
    reason: str


class Inbox:
    """One ordered, bounded queue: `AmiLink(…, on_event=inbox.event, on_state=inbox.state)`, then `await inbox.get()`.

    Nothing is dropped silently. An event that finds the queue full makes the link let go of the connection: the
    consumer works off what it has, then meets `down` and `up` and settles its calls as after any outage.
    """

    def __init__(self, limit: int = 100_000, *, wanted: Callable[[AmiEvent], bool] = lambda event: True) -> None:
        self._limit = limit
        self._wanted = wanted
        self._queue: Queue[AmiEvent | StateChange] = Queue()

    def __len__(self) -> int:
        return self._queue.qsize()

    def event(self, event: AmiEvent) -> None:
        """For `on_event`; an event that is not `wanted` (asked at once, so it must be cheap) takes no place."""
        if not self._wanted(event):
            return
        if self._queue.qsize() >= self._limit:
            raise InboxFullError(f"the events' consumer is {self._limit} events behind")
        self._queue.put_nowait(event)

    def state(self, state: LinkState, reason: str) -> None:
        """For `on_state`; always taken, also by a full queue."""
        self._queue.put_nowait(StateChange(state, reason))

    async def get(self) -> AmiEvent | StateChange:
        """The next one, waiting for it if need be."""
        return await self._queue.get()

    def get_nowait(self) -> AmiEvent | StateChange | None:
        """The next one, or None when all have been taken."""
        return None if self._queue.empty() else self._queue.get_nowait()
