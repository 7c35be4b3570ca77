"""No way round at run time: a leg that leaves by a trunk and was not let out by the gate is hung up at once, and told.

Every leg of ours says whose it is (UserEvent RingfenceLeg) before it is dialled; the PBX then reports DialBegin. A leg on a trunk
that is dialled without having said so, or that names a call the gate let nobody out for, is a stray: another dialplan's, one
from the PBX's console, one that a phone forwarded. What comes in by a trunk is not looked at: its channel begins ringing.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import select

from config import clock
from config.database import Database
from telephony.ami import LinkState
from telephony.ami_events import (
    AmiEvent,
    DialBegin,
    DialEnd,
    DialState,
    FullyBooted,
    Hangup,
    Newchannel,
    Newstate,
    UserEvent,
)
from telephony.calls.call_tracker import ALERTING, LEG
from telephony.calls.markers import LEGS, read_markers
from telephony.pbx import Pbx
from telephony.pbx_setup.lists import read_list
from telephony.tables import legs
from telephony.trunking.stray_calls import StrayLeg, Strays, may_leave

log = structlog.get_logger(__name__)

SPOKEN_FOR = 0.5
"""Seconds within which an outgoing leg that is not even dialled by Dial() must say whose it is."""
BATCH = 50
AFRESH = 60.0
_CHANNEL = re.compile(r"PJSIP/(.+)-[0-9a-f]{8,}")
_DIALLED = re.compile(r"(?:sips?:)?([+0-9*#]{2,})@|/(?:sips?:)?([+0-9*#]{2,})")


@dataclass
class TrunkWatch:
    """Watches the trunks of one PBX: `hear` takes its events in, `act` and `look` are called again and again."""

    pbx: Pbx
    database: Database
    strays: Strays
    endpoints: Callable[[str], Awaitable[tuple[frozenset[str], frozenset[str]]]]
    """Of a PBX: the endpoints that are trunks, and those that are not, whatever they look like."""
    _legs: dict[str, StrayLeg] = field(default_factory=dict)
    _queue: asyncio.Queue[StrayLeg] = field(default_factory=asyncio.Queue)
    _likely: set[str] = field(default_factory=set)  # endpoints that are no phones, by how they log in
    _read_at: datetime | None = None

    def __post_init__(self) -> None:
        self.pbx.listeners.append(self.hear)

    def hear(self, event: AmiEvent) -> None:
        """Take an event in as it arrives; costs nothing for channels that are on no trunk."""
        match event:
            case Newchannel():
                self._made(event)
            case UserEvent() if event.name == LEG:
                self._told(event)
            case DialBegin():
                self._dialled(event)
            case DialState() | DialEnd() if leg := self._legs.get(event.dest_uniqueid):
                leg.alerted = leg.alerted or event.status in ALERTING
                leg.answered = leg.answered or event.status == "ANSWER"
            case Newstate() if leg := self._legs.get(event.uniqueid):
                leg.alerted = leg.alerted or event.state == "Ringing"
                leg.answered = leg.answered or event.state == "Up"
            case Hangup():
                self._gone(event)
            case FullyBooted():
                self._read_at = None  # what began while nobody listened is looked for
            case _:
                pass

    def _made(self, event: Newchannel) -> None:
        endpoint = _CHANNEL.fullmatch(event.channel)
        if endpoint is None or endpoint[1] not in self.pbx.watched_trunks or event.state in ("Ring", "Up"):
            return
        self._legs[event.uniqueid] = StrayLeg(event.uniqueid, event.channel, endpoint[1])
        asyncio.get_running_loop().call_later(SPOKEN_FOR, self._overdue, event.uniqueid)

    def _told(self, event: UserEvent) -> None:
        leg = self._legs.get(event.uniqueid)
        if leg is not None:
            leg.ticket = event.values.get("Call", "")
            leg.reused = self._is_reused(leg)

    def _is_reused(self, leg: StrayLeg) -> bool:
        """Another trunk may be tried when one has failed; two legs at once on one ticket serve nobody."""
        return bool(leg.ticket) and any(one.ticket == leg.ticket for one in self._legs.values() if one is not leg)

    def _dialled(self, event: DialBegin) -> None:
        leg = self._legs.get(event.dest_uniqueid)
        if leg is None or leg.dialled:
            return
        number = _DIALLED.search(event.dial_string)
        leg.dialled = (number[1] or number[2]) if number else event.dial_string[:40]
        leg.dialled_by = event.channel
        self._queue.put_nowait(leg)

    def _overdue(self, uniqueid: str) -> None:
        leg = self._legs.get(uniqueid)
        if leg is not None and not leg.ticket and not leg.dialled:
            self._queue.put_nowait(leg)

    def _gone(self, event: Hangup) -> None:
        leg = self._legs.pop(event.uniqueid, None)
        if leg is not None:
            leg.cause, leg.tech_cause, leg.ended_at = event.cause, event.tech_cause, clock.now()
            if leg.call_id:
                self._queue.put_nowait(leg)

    async def act(self) -> None:
        """Wait for legs to judge, and deal with all there are: hang up first, then write down."""
        legs = [await self._queue.get()]
        while len(legs) < BATCH and not self._queue.empty():
            legs.append(self._queue.get_nowait())
        if not self.pbx.lease.held:
            return
        try:
            await self._deal_with(legs)
        except Exception:
            for leg in legs:
                self._queue.put_nowait(leg)
            raise

    async def _deal_with(self, legs: Sequence[StrayLeg]) -> None:
        found = [leg for leg in legs if not leg.call_id and not await self._may_leave(leg)]
        await asyncio.gather(*(self._hang_up(leg) for leg in found))
        over = {leg.uniqueid: leg for leg in legs if leg.call_id}
        async with self.database.write() as transaction:
            written = {
                leg.uniqueid: await self.strays.write(transaction, leg, self.pbx.name, clock.now()) for leg in found
            }
        for leg in found:
            leg.call_id = written[leg.uniqueid]
        over |= {leg.uniqueid: leg for leg in found}
        async with self.database.write() as transaction:
            for leg in over.values():
                if leg.ended_at is not None:
                    await self.strays.end(transaction, leg, leg.ended_at)

    async def _may_leave(self, leg: StrayLeg) -> bool:
        if not leg.ticket:
            leg.ticket = await self._ticket_of(leg)
            leg.reused = self._is_reused(leg)
        if leg.reused and await self._another_lives(leg):
            return False
        async with self.database.read() as connection:
            return await may_leave(connection, leg, self.pbx.name, self.strays.emergency)

    async def _another_lives(self, leg: StrayLeg) -> bool:
        """Whether a leg with the same ticket is still there: the news of its end may be lost or late."""
        others = [other for other in self._legs.values() if other is not leg and other.ticket == leg.ticket]
        asked = [
            await self.pbx.link.send("Getvar", {"Channel": other.channel, "Variable": "RINGFENCE_KEY"})
            for other in others
        ]
        return any(answer.ok for answer in asked)

    async def _ticket_of(self, leg: StrayLeg) -> str:
        """Whose it is by the books, by its own variable, or by what its hang-up handler wrote: its event may be lost or late."""
        async with self.database.read() as connection:
            mine = (legs.c.pbx == self.pbx.name) & (legs.c.uniqueid == leg.uniqueid)
            if known := await connection.scalar(select(legs.c.call_id).where(mine)):
                return str(known)
        answer = await self.pbx.link.send("Getvar", {"Channel": leg.channel, "Variable": "RINGFENCE_KEY"})
        if answer.ok:
            return answer.fields.get("Value", "").partition("/")[0]
        gone = await read_markers(self.pbx.link, LEGS)
        return next((marker.call_id for marker in gone.legs if marker.uniqueid == leg.uniqueid), "")

    async def _hang_up(self, leg: StrayLeg) -> None:
        log.error("trunk.no_ticket", pbx=self.pbx.name, channel=leg.channel, dialled_by=leg.dialled_by)
        if leg.ended_at is None:
            await self.pbx.hang_up(leg.channel)

    async def look(self, now: datetime) -> None:
        """Learn which endpoints are trunks; once a minute and after each connect ask the PBX, and find strays begun unheard."""
        if self.pbx.link.state is not LinkState.UP:
            return
        stale = self._read_at is None or (now - self._read_at).total_seconds() >= AFRESH
        if stale:
            listed = await read_list(self.pbx.link, "PJSIPShowEndpoints", by="ObjectName")
            self._likely = {
                name for name, event in listed.items() if not event.get("Auths") or event.get("OutboundAuths")
            }
        own, others = await self.endpoints(self.pbx.name)
        self.pbx.watched_trunks = frozenset(own | (self._likely - others))
        if stale:
            self._read_at = now
            await self._sweep()

    async def _sweep(self) -> None:
        channels = await read_list(self.pbx.link, "CoreShowChannels", by="Uniqueid")
        self._legs = {uniqueid: leg for uniqueid, leg in self._legs.items() if uniqueid in channels}
        for uniqueid, channel in channels.items():
            endpoint = _CHANNEL.fullmatch(channel.get("Channel", ""))
            dialled = channel.get("Application", "").startswith("AppDial")
            if endpoint is None or endpoint[1] not in self.pbx.watched_trunks or not dialled or uniqueid in self._legs:
                continue
            leg = StrayLeg(uniqueid, channel["Channel"], endpoint[1], dialled=_number_of(channel))
            leg.ticket = await self._ticket_of(leg)
            self._legs[uniqueid] = leg
            if not leg.ticket:
                self._queue.put_nowait(leg)


def _number_of(channel: Mapping[str, str]) -> str:
    return channel.get("CallerIDNum") or channel.get("ConnectedLineNum") or "unknown"
