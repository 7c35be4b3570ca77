"""One PBX as the service lives with it: its link, its phones, and the one consumer that follows its events in order."""

import asyncio
from datetime import datetime, timedelta

import structlog

from config import clock
from config.database import Database
from config.journal import Entry
from config.settings import Pbx as PbxSettings
from telephony.ami import (
    AmiAccount,
    AmiLink,
    AnswerUnknown,
    Inbox,
    LinkState,
    PbxUnavailable,
    StateChange,
)
from telephony.ami_events import AmiEvent, DeviceStateChange
from telephony.call_records import open_calls
from telephony.call_tracker import CallTracker
from telephony.dialplan import FAMILY
from telephony.phones import Phones
from telephony.settlement import settle
from telephony.trunks import endpoints_of

log = structlog.get_logger(__name__)

BATCH = 100
"""Events written in one transaction at most; under load this carries the throughput."""


class Pbx:
    """Owns the link and follows it until closed."""

    def __init__(self, settings: PbxSettings, database: Database) -> None:
        self.name = settings.name
        self.settings = settings
        self._database = database
        self._inbox = Inbox()
        account = AmiAccount(
            settings.name, settings.host, settings.port, settings.username, settings.secret, settings.tls
        )
        self.link = AmiLink(account, on_event=self._inbox.event, on_state=self._inbox.state)
        self.phones = Phones()
        self.tracker = CallTracker(self.name)
        self._follower: asyncio.Task[None] | None = None
        self._next: StateChange | None = None
        self._settled = False

    async def start(self) -> None:
        """Connect, and follow from then on."""
        await self.link.start()
        self._follower = asyncio.create_task(self._follow(), name=f"pbx {self.name}")

    async def close(self) -> None:
        """Let go of the PBX; live calls go on there and are taken up at the next start."""
        await self.link.close()
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether the link is up and every open call has been settled."""
        return self.link.state is LinkState.UP and self._settled

    def require_up(self) -> None:
        """Raise PbxUnavailable unless calls can be placed now."""
        if not self.ready:
            status = self.link.status
            raise PbxUnavailable(f"PBX {self.name} is {status.state}: {status.reason}", pbx=self.name)

    async def settle_silent(self, now: datetime, older_than: timedelta) -> None:
        """Settle again when an open call has been in doubt for longer than that; its PBX may never speak of it."""
        if self.ready and await self._in_doubt(now - older_than):
            await settle(self._database, self.tracker, self.link, now)

    async def _in_doubt(self, since: datetime) -> bool:
        async with self._database.read() as connection:
            return any(
                row.state in ("unknown", "queued") and row.created_at < since
                for row in await open_calls(connection, self.name)
            )

    async def tell_emergency_trunks(self) -> None:
        """Write down at the PBX which endpoints carry emergency calls, so that they pass with the service down."""
        async with self._database.read() as connection:
            endpoints = await endpoints_of(connection, self.name)
        fields = {"Family": FAMILY, "Key": "emergency-trunks", "Val": ",".join(endpoints)}
        await self.link.send("DBPut", fields)

    async def _hang_up(self, uniqueid: str) -> None:
        try:
            await self.link.send("Hangup", {"Channel": uniqueid, "Cause": "16"})
        except (PbxUnavailable, AnswerUnknown) as error:
            log.warning("pbx.hangup_unanswered", uniqueid=uniqueid, detail=error.detail)

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
                self.link.drop("the events could not be written")

    async def _state_changed(self, change: StateChange) -> None:
        self._settled = False
        if change.state is LinkState.UP:
            self.tracker.forget_all()
            await self.phones.read(self.link)
            await settle(self._database, self.tracker, self.link, clock.now())
            await self.tell_emergency_trunks()
            self._settled = True
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
        if not self._concerns(first):
            return
        async with self._database.write() as transaction:
            await self.tracker.apply(transaction, first, clock.now())
            for _ in range(BATCH):
                item = self._inbox.get_nowait()
                if item is None or isinstance(item, StateChange):
                    self._next = item
                    break
                if self._concerns(item):
                    await self.tracker.apply(transaction, item, clock.now())
        for uniqueid in self.tracker.take_strays():
            await self._hang_up(uniqueid)

    def _concerns(self, event: AmiEvent) -> bool:
        if isinstance(event, DeviceStateChange):
            self.phones.changed(event)
        return self.tracker.concerns(event)
