"""One PBX as the service lives with it: its link, its phones, and the one consumer that follows its events in order.

Of several service processes each has a link, but only the holder of the PBX's lease writes down what happens there.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from config import clock
from config.database import Database
from config.journal import Entry
from config.leases import Lease
from config.settings import Pbx as PbxSettings
from config.tasks import end
from telephony.ami import AmiAccount, AmiLink, AnswerUnknown, Inbox, LinkState, PbxUnavailable, StateChange
from telephony.ami_events import AmiEvent, DeviceStateChange
from telephony.calls.answer_times import HeardAnswer, correct_answers, late_answers
from telephony.calls.call_closing import close_calls
from telephony.calls.call_records import open_calls
from telephony.calls.call_states import BEFORE_THE_GATE
from telephony.calls.call_tracker import CallTracker
from telephony.calls.markers import LEGS, read_markers
from telephony.calls.settlement import settle
from telephony.dialling.phones import Phones
from telephony.gate.asking import WhoHas
from telephony.live.live_legs import adopt

log = structlog.get_logger(__name__)

BATCH = 25
"""Events written in one transaction at most: enough to carry a storm, few enough that a click need not wait long."""


class Pbx:
    """Owns the link and follows it until closed. `process` names this service process among several.

    `who_has` tells whose phone one is: that of a colleague who gets a call that was handed on.
    """

    def __init__(self, settings: PbxSettings, database: Database, process: str, who_has: WhoHas | None = None) -> None:
        self.name = settings.name
        self.settings = settings
        self._database = database
        self._inbox = Inbox(wanted=self._wanted)
        account = AmiAccount(
            settings.name, settings.host, settings.port, settings.username, settings.secret, settings.tls
        )
        self.link = AmiLink(account, on_event=self._inbox.event, on_state=self._inbox.state)
        self.lease = Lease(database, f"pbx:{settings.name}", process)
        self.phones = Phones()
        self.tracker = CallTracker(self.name, who_has)
        self.listeners: list[Callable[[AmiEvent], None]] = []
        """Told of every event as it arrives, whosever channel it is about; they must not wait."""
        self.watched_trunks: frozenset[str] = frozenset()
        """The endpoints on which a leg without the gate's leave is hung up (telephony/trunking/trunk_watch.py)."""
        self._follower: asyncio.Task[None] | None = None
        self._next: StateChange | None = None
        self._closer: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # a call's last leg is gone, or somebody has answered
        self._doubtful = False  # only a look at the PBX's channels can tell how a call ended
        self._adrift = False  # an event was lost: what follows it makes no sense until the next settlement
        self._books = asyncio.Lock()
        self._settled = False
        self._settled_at = clock.now()
        self._phones_read = False

    async def start(self) -> None:
        """Connect, and follow from then on."""
        await self.lease.renew()
        await self.link.start()
        self._follower = asyncio.create_task(self._follow(), name=f"pbx {self.name}")
        self._closer = asyncio.create_task(self._look_closer(), name=f"endings of pbx {self.name}")

    async def close(self) -> None:
        """Let go of the PBX; live calls go on there and are taken up by the next process."""
        await self.link.close()
        await end(self._follower, self._closer)
        await self.lease.release()

    @property
    def ready(self) -> bool:
        """Whether calls can be placed: the link is up, and if the books are ours, every open call has been settled."""
        up = self.link.state is LinkState.UP and self._phones_read
        return up and (self._settled or not self.lease.held)

    def require_up(self) -> None:
        """Raise PbxUnavailable unless calls can be placed now."""
        if not self.ready:
            status = self.link.status
            raise PbxUnavailable(f"PBX {self.name} is {status.state}: {status.reason}", pbx=self.name)

    async def keep_books(self, now: datetime, *, afresh_after: timedelta, doubt_after: timedelta) -> None:
        """Renew the lease; settle what a former holder left, what is in doubt, and everything once in a while."""
        if not await self.lease.renew():
            self._settled = False
            return
        if self.link.state is not LinkState.UP or not self._phones_read:
            return
        if not self._settled:
            await self._settle(afresh=True)
        elif now - self._settled_at >= afresh_after:
            await self.phones.read(self.link)
            await self._settle(afresh=False)
        elif self._doubtful or self.tracker.unknown_call or await self._in_doubt(now - doubt_after):
            await self._settle(afresh=False)

    async def _settle(self, *, afresh: bool) -> None:
        async with self._books:
            if afresh:
                self.tracker.forget_all()
            self._doubtful = self.tracker.unknown_call = False
            await settle(self._database, self.tracker, self.link, clock.now())
            self._settled, self._settled_at = True, clock.now()

    async def _in_doubt(self, since: datetime) -> bool:
        async with self._database.read() as connection:
            return any(
                row.state in BEFORE_THE_GATE and not self.tracker.follows(row.uniqueid) and row.created_at < since
                for row in await open_calls(connection, self.name)
            )

    async def hang_up(self, channel: str) -> None:
        """End a leg that must not go on; a PBX that says nothing is asked again by the next settlement."""
        try:
            await self.link.send("Hangup", {"Channel": channel, "Cause": "16"})
        except (PbxUnavailable, AnswerUnknown) as error:
            log.warning("pbx.hangup_unanswered", channel=channel, detail=error.detail)

    async def _follow(self) -> None:
        while True:
            item, self._next = self._next or await self._inbox.get(), None
            try:
                if isinstance(item, StateChange):
                    await self._state_changed(item)
                else:
                    await self._take(item)
            except Exception:
                # What could not be written would be missing from the books: start again from what the PBX knows.
                log.exception("pbx.follow_failed", pbx=self.name)
                self._settled = False
                self._adrift = True
                self.link.drop("the events could not be written")

    async def _state_changed(self, change: StateChange) -> None:
        self._settled = self._phones_read = self._adrift = False
        if change.state is LinkState.UP:
            await self.phones.read(self.link)
            self._phones_read = True
            if self.lease.held:
                await self._settle(afresh=True)
        if not self.lease.held:
            return
        async with self._database.write() as transaction:
            transaction.journal(
                Entry(
                    at=clock.now(),
                    kind="pbx.state",
                    data={"pbx": self.name, "state": change.state, "reason": change.reason},
                )
            )

    async def _take(self, first: AmiEvent) -> None:
        """Write what `first` means, and what has come in meanwhile, in one transaction."""
        if self._adrift or not self._concerns(first):
            return
        async with self._books, self._database.write() as transaction:
            await self.tracker.apply(transaction, first, clock.now())
            for _ in range(BATCH):
                item = self._inbox.get_nowait()
                if item is None or isinstance(item, StateChange):
                    self._next = item
                    break
                if self._concerns(item):
                    await self.tracker.apply(transaction, item, clock.now())
        if self.tracker.has_over or self.tracker.has_answers:
            self._news.set()
        for uniqueid in self.tracker.take_strays():
            await self.hang_up(uniqueid)
        for stranger in self.tracker.conversations.take_strangers():
            await adopt(self.link, stranger, self.settings.spool_pbx)

    async def _look_closer(self) -> None:
        """Close what is over and date what was answered, beside the stream of events: a round trip for all of it."""
        while True:
            await self._news.wait()
            self._news.clear()
            over, answers = self.tracker.take_over(), self.tracker.take_answers()
            try:
                if over:
                    await self._close(over)
                if answers:
                    await self._date(answers)
            except (PbxUnavailable, AnswerUnknown) as error:
                log.warning("pbx.endings_unread", pbx=self.name, detail=error.detail)
                self._doubtful = bool(over) or self._doubtful
            except Exception:
                log.exception("pbx.close_failed", pbx=self.name)
                self._doubtful = bool(over) or self._doubtful

    async def _close(self, over: list[str]) -> None:
        # A leg's hang-up handler has written before the PBX reports the leg's Hangup.
        markers = await read_markers(self.link, LEGS)
        async with self._books:
            if not self.lease.held:
                return
            async with self._database.write() as transaction:
                closed, doubtful = await close_calls(transaction, self.name, over, markers)
        self._doubtful = self._doubtful or bool(doubtful)
        await markers.delete_of(self.link, closed)

    async def _date(self, answers: list[HeardAnswer]) -> None:
        late = await late_answers(self.link, answers)
        if not late:
            return
        async with self._books:
            if self.lease.held:
                async with self._database.write() as transaction:
                    await correct_answers(transaction, self.name, late)

    def _wanted(self, event: AmiEvent) -> bool:
        """Whether the event is worth a place in the queue: a busy PBX speaks of thousands of channels that are not ours."""
        for listener in self.listeners:
            listener(event)
        if isinstance(event, DeviceStateChange):
            self.phones.changed(event)
            return False
        return self.tracker.may_concern(event)

    def _concerns(self, event: AmiEvent) -> bool:
        return self.lease.held and self.tracker.concerns(event)
