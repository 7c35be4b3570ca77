"""Who talks with whom, told by which of our legs share a bridge: held or connected, whose call it is now, what a transfer came to.

However a call is handed on (the page, a phone's REFER, a feature code), in the end another leg shares a bridge with the
outside party. That is the one truth here; requests only say what it was meant to be (`calls.transfer`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.identifiers import PATTERN, new_id
from telephony.ami_events import (
    AmiEvent,
    AttendedTransfer,
    BlindTransfer,
    BridgeEnter,
    BridgeLeave,
    Hold,
    Unhold,
    UserEvent,
)
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.gate.asking import WhoHas
from telephony.live import handovers
from telephony.tables import legs, meetings

HELD, TRANSFER = "RingfenceHeld", "RingfenceTransfer"
"""UserEvents of telephony/pbx_setup/contexts/live.conf: a party waits; a transfer's target was not reached or has left."""
WAITING = ("ringfence-held", "ringfence-transfer")
"""Contexts in which an outside party that shares no bridge waits."""
_PHONE = re.compile(r"PJSIP/([0-9A-Za-z_.-]+)-[0-9a-f]+")
_KEYED = re.compile(r"Local/[^@]+@ringfence-codes-[0-9a-f]+;2")
"""Stands for the collector who keyed in a number to consult (feature code); the other end is in the collector's bridge."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What is kept of a channel of ours: its call, its role (agent or customer) and its name."""

    call_id: str
    role: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A channel that came into a conversation of ours by itself, and is to be recorded from now on."""

    channel: str
    uniqueid: str
    call_id: str


class Conversations:
    """Follows the bridges of one PBX. `ours` is the tracker's own map of channels, which it goes on changing."""

    def __init__(self, pbx: str, ours: dict[str, Followed], who_has: WhoHas | None = None) -> None:
        self._pbx = pbx
        self._ours = ours
        self._who_has = who_has
        self._bridges: dict[str, dict[str, str]] = {}  # bridge -> Uniqueid -> channel
        self._near: set[str] = set()  # bridges that one of ours has entered, by the events that came in
        self._speaking: dict[str, str] = {}  # call -> the agent leg that its outside party talks with
        self._held: set[str] = set()
        self._held_by_phone: set[str] = set()
        self._met: dict[tuple[str, str], str] = {}  # (call, foreign leg) -> the open row of meetings
        self._keyed: dict[str, str] = {}  # the agent leg that consults through a Local channel -> the target's call
        self._by_phone: dict[str, str] = {}  # call -> the kind of transfer that a phone asked for
        self._strangers: list[Stranger] = []

    def forget_all(self) -> None:
        """Start afresh: what is so now is read from the PBX by settlement."""
        for kept in (
            self._bridges,
            self._near,
            self._speaking,
            self._met,
            self._held,
            self._held_by_phone,
            self._by_phone,
            self._keyed,
        ):
            kept.clear()

    def take_strangers(self) -> list[Stranger]:
        """Channels that joined since this was last asked."""
        strangers, self._strangers = self._strangers, []
        return strangers

    def may_concern(self, event: AmiEvent, *, ours: bool) -> bool:
        """Whether the event is worth a place in the queue; `ours`: the channel it is about has been heard of."""
        match event:
            case BridgeEnter() | BridgeLeave() if ours or event.bridge in self._near:
                if ours:
                    self._near.add(event.bridge)
                if isinstance(event, BridgeLeave) and event.members == 0:
                    self._near.discard(event.bridge)
                return True
            case Hold() | Unhold() | BlindTransfer() | AttendedTransfer():
                return ours
            case UserEvent():
                return self.concerns(event)
            case _:
                return False

    def concerns(self, event: AmiEvent) -> bool:
        """The same, once the events before it have been written down."""
        match event:
            case BridgeEnter() | BridgeLeave():
                return event.uniqueid in self._ours or event.bridge in self._bridges
            case Hold() | Unhold() | BlindTransfer() | AttendedTransfer():
                return event.uniqueid in self._ours
            case UserEvent():
                return event.name in (HELD, TRANSFER) and PATTERN.fullmatch(event.values.get("Call", "")) is not None
            case _:
                return False

    async def apply(self, transaction: Transaction, event: Any, now: datetime) -> None:
        """Write what the event means."""
        match event:
            case BridgeEnter():
                await self._entered(transaction, event, now)
            case BridgeLeave():
                await self._left(transaction, event, now)
            case Hold() | Unhold():
                await self._phone_held(transaction, event, now)
            case BlindTransfer() | AttendedTransfer():
                await self._phone_transferred(transaction, event, now)
            case UserEvent() if event.name == HELD:
                await self._hold(transaction, event.values["Call"], now)
            case UserEvent():
                await handovers.not_taken(transaction, event.values, now)

    async def found(self, transaction: Transaction, channels: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Put right what settlement sees: living channels by Uniqueid, each with its bridge and its place in the dialplan."""
        self._bridges = {}
        for uniqueid, channel in channels.items():
            if bridge := channel.get("BridgeId"):
                self._bridges.setdefault(bridge, {})[uniqueid] = channel.get("Channel", "")
        self._bridges = {bridge: found for bridge, found in self._bridges.items() if found.keys() & self._ours.keys()}
        self._near |= self._bridges.keys()
        for members in list(self._bridges.values()):
            for uniqueid, leg in self._parties(members, "customer"):
                if len(members) > 1 and leg.call_id not in self._held_by_phone:
                    await self._talks(transaction, uniqueid, leg, members, now)
        for uniqueid, channel in channels.items():
            followed = self._ours.get(uniqueid)
            if followed is None or followed.role != "customer" or channel.get("BridgeId"):
                continue
            if channel.get("Context") in WAITING and followed.call_id not in self._held:
                await self._hold(transaction, followed.call_id, now)

    # ---- hold

    async def _hold(self, transaction: Transaction, call_id: str, now: datetime) -> None:
        self._held.add(call_id)
        await call_records.move(transaction, call_id, State.HELD, now, held_at=now)

    async def _phone_held(self, transaction: Transaction, event: Hold | Unhold, now: datetime) -> None:
        leg = self._ours[event.uniqueid]
        if leg.role != "agent" or self._speaking.get(leg.call_id) != event.uniqueid:
            return
        if isinstance(event, Hold):
            self._held_by_phone.add(leg.call_id)
            await self._hold(transaction, leg.call_id, now)
        else:
            await self._connected(transaction, leg.call_id, now)

    async def _connected(self, transaction: Transaction, call_id: str, now: datetime) -> None:
        self._held.discard(call_id)
        self._held_by_phone.discard(call_id)
        await call_records.move(transaction, call_id, State.CONNECTED, now, only_from={State.HELD}, held_at=None)

    # ---- bridges

    async def _entered(self, transaction: Transaction, event: BridgeEnter, now: datetime) -> None:
        members = self._bridges.setdefault(event.bridge, {})
        members[event.uniqueid] = event.channel
        for uniqueid, leg in self._parties(members, "customer"):
            await self._talks(transaction, uniqueid, leg, members, now)
        agents = list(self._parties(members, "agent"))
        if len(agents) > 1 and not any(self._parties(members, "customer")):
            await handovers.consults(transaction, agents[0][1].call_id, now)

    def _parties(self, members: Mapping[str, str], role: str) -> Iterator[tuple[str, Followed]]:
        for uniqueid in list(members):
            leg = self._ours.get(uniqueid)
            if leg is not None and leg.role == role:
                yield uniqueid, leg

    async def _talks(
        self, transaction: Transaction, customer: str, leg: Followed, members: Mapping[str, str], now: datetime
    ) -> None:
        """What it means for a call that its outside party shares a bridge with these."""
        for uniqueid, other in self._parties(members, "agent"):
            if other.call_id == leg.call_id:
                await self._speaks(transaction, leg.call_id, uniqueid, other, now)
                return
            await self._meets(transaction, leg.call_id, uniqueid, now)
            await handovers.consults(transaction, other.call_id, now)
        for uniqueid, other in self._parties(members, "customer"):
            if other.call_id != leg.call_id:
                await self._meets(transaction, leg.call_id, uniqueid, now)
                await self._outside(transaction, leg.call_id, other.call_id, now)
                return
        for uniqueid, channel in members.items():
            if uniqueid not in self._ours and _PHONE.fullmatch(channel):
                await self._joins(transaction, leg.call_id, uniqueid, channel, now)
                return
            if _KEYED.fullmatch(channel):
                await self._consulted(transaction, leg.call_id, now)

    async def _consulted(self, transaction: Transaction, call_id: str, now: datetime) -> None:
        """An outside number that was keyed in hears the collector of the call that it may be handed."""
        row = await call_records.find(transaction.connection, call_id)
        giver = self._speaking.get(row.transferred_from or "") if row is not None else None
        if giver in self._ours and self._ours[giver].role == "agent":
            self._keyed[giver] = call_id
            await self._meets(transaction, call_id, giver, now)

    async def _joins(self, transaction: Transaction, call_id: str, uniqueid: str, channel: str, now: datetime) -> None:
        """A phone that was on no call of ours has the outside party now: it is a leg of the call, recorded from here."""
        self._ours[uniqueid] = joined = Followed(call_id, "agent", channel)
        self._strangers.append(Stranger(channel, uniqueid, call_id))
        values = {"role": "agent", "channel": channel, "created_at": now, "answered_at": now}
        await transaction.insert_once(legs, pbx=self._pbx, uniqueid=uniqueid, call_id=call_id, **values)
        await self._speaks(transaction, call_id, uniqueid, joined, now)

    async def _speaks(
        self, transaction: Transaction, call_id: str, uniqueid: str, leg: Followed, now: datetime
    ) -> None:
        """That agent leg talks with the call's outside party."""
        if self._speaking.get(call_id) == uniqueid and call_id not in self._held:
            return
        first, self._speaking[call_id] = call_id not in self._speaking, uniqueid
        await self._connected(transaction, call_id, now)
        row = await call_records.find(transaction.connection, call_id)
        if row is None or row.ended_at is not None:
            return
        name = await self._name_of(transaction, row, leg)
        if name == row.current_agent:
            return
        if first and not await self._had_another(transaction, call_id, uniqueid):
            await call_records.note(transaction, call_id, now, current_agent=name)
            return
        to, kind = name or _extension(leg.channel), self._by_phone.pop(call_id, "blind")
        await handovers.handed_on(transaction, row, to, kind, name, now)

    async def _had_another(self, transaction: Transaction, call_id: str, uniqueid: str) -> bool:
        known = await call_records.legs_of(transaction.connection, call_id)
        return any(leg.role == "agent" and leg.answered_at and leg.uniqueid != uniqueid for leg in known)

    async def _name_of(self, transaction: Transaction, row: Row[Any], leg: Followed) -> str | None:
        """The user on that phone: by the transfer that was asked for, the call's own phone, or whose phone it is."""
        extension = _extension(leg.channel)
        asked = (row.transfer or {}).get("targets") or {}
        if extension in asked:
            return str(asked[extension])
        if extension == row.extension:
            return str(row.agent)
        found = await self._who_has(transaction.connection, extension, self._pbx) if self._who_has else None
        return found.name if found else None

    async def _outside(self, transaction: Transaction, one: str, other: str, now: datetime) -> None:
        """Two outside parties talk with each other: the earlier call was handed on to the later one's party."""
        rows = [await call_records.find(transaction.connection, call_id) for call_id in (one, other)]
        pair = {row.id: row for row in rows if row is not None and row.ended_at is None}
        for target in pair.values():
            call = pair.get(target.transferred_from or "")
            if call is None:
                continue
            await self._connected(transaction, call.id, now)
            self._speaking[call.id] = target.id
            if call.current_agent is not None or (call.transfer or {}).get("state") in handovers.UNDER_WAY:
                kind = self._by_phone.pop(call.id, "blind")
                await handovers.handed_on(transaction, call, target.number, kind, None, now, call_id=target.id)
            if target.current_agent is not None:
                await call_records.note(transaction, target.id, now, current_agent=None)

    # ---- what a phone asks for by itself

    async def _phone_transferred(
        self, transaction: Transaction, event: BlindTransfer | AttendedTransfer, now: datetime
    ) -> None:
        """A phone's own transfer (REFER, feature code); who talks with whom afterwards, the bridges tell."""
        leg = self._ours[event.uniqueid]
        if not event.ok or leg.role != "agent":
            return
        self._by_phone[leg.call_id] = "blind" if isinstance(event, BlindTransfer) else "attended"
        if isinstance(event, AttendedTransfer) and event.target_uniqueid and event.target_uniqueid not in self._ours:
            customer = self._ours.get(event.transferee_uniqueid)
            if customer is not None and customer.role == "customer" and _PHONE.fullmatch(event.target_channel):
                target = event.target_uniqueid
                await self._joins(transaction, customer.call_id, target, event.target_channel, now)

    # ---- legs of other calls

    async def _meets(self, transaction: Transaction, call_id: str, uniqueid: str, now: datetime) -> None:
        """A leg of another call is heard in this one from now on."""
        if (call_id, uniqueid) in self._met:
            return
        row_id = self._met[(call_id, uniqueid)] = new_id(now)
        values = {"id": row_id, "call_id": call_id, "pbx": self._pbx, "uniqueid": uniqueid, "since": now}
        await transaction.execute(insert(meetings).values(values))

    async def _left(self, transaction: Transaction, event: BridgeLeave, now: datetime) -> None:
        members = self._bridges.get(event.bridge, {})
        members.pop(event.uniqueid, None)
        if not members:
            self._bridges.pop(event.bridge, None)
        gone = self._ours.get(event.uniqueid)
        theirs = {self._ours[one].call_id for one in members if one in self._ours}
        over = [key for key in self._met if key[1] == event.uniqueid and key[0] in theirs]
        if gone is not None:
            over += [key for key in self._met if key[0] == gone.call_id and key[1] in members]
        keyed = (self._keyed.pop(event.uniqueid, ""), event.uniqueid)
        over += [keyed] if keyed in self._met and keyed not in over else []
        for key in over:
            row_id = self._met.pop(key)
            await transaction.execute(update(meetings).where(meetings.c.id == row_id).values(until=now))

    async def leg_gone(
        self, transaction: Transaction, uniqueid: str, call_id: str, known: Sequence[Row[Any]], now: datetime
    ) -> None:
        """A leg hung up. Where the one that spoke is gone and another one is left, that one speaks (a Local channel between)."""
        over = all(leg.ended_at is not None for leg in known)
        if over:
            self._speaking.pop(call_id, None)
            self._by_phone.pop(call_id, None)
            self._held.discard(call_id)
            self._held_by_phone.discard(call_id)
        for members in self._bridges.values():
            members.pop(uniqueid, None)
        if over or self._speaking.get(call_id) != uniqueid or call_id in self._held:
            return
        left = [leg for leg in known if leg.role == "agent" and leg.answered_at and leg.ended_at is None]
        if len(left) == 1:
            await self._speaks(transaction, call_id, left[0].uniqueid, Followed(call_id, "agent", left[0].channel), now)


def _extension(channel: str) -> str:
    phone = _PHONE.fullmatch(channel)
    return phone[1] if phone else ""
