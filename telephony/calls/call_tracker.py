"""Follow the legs of our calls by the PBX's events, and write what they mean: states, moments, causes, the ending.

A clicked call's agent leg has the call's id as Uniqueid; every other leg tells by the UserEvent RingfenceLeg which call it
belongs to and in which role. All that counts is in the tables; what is kept in memory is only which channels are ours, so
that the flood of other events costs nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import update

from config.database import Transaction
from config.identifiers import PATTERN
from telephony.ami_events import (
    AmiEvent,
    ChannelEvent,
    DialBegin,
    DialEnd,
    DialState,
    Hangup,
    Newchannel,
    Newstate,
    OriginateResponse,
    UserEvent,
)
from telephony.calls import call_records
from telephony.calls.answer_times import HeardAnswer
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.gate.asking import WhoHas
from telephony.gate.passes import FORWARDED
from telephony.inbound import legs as inbound_legs
from telephony.live import handovers
from telephony.live.conversations import Conversations, Followed
from telephony.tables import legs
from telephony.trunking.carried import trunk_of_leg

log = structlog.get_logger(__name__)

ALERTING = {"RINGING", "PROGRESS"}
LEG = "RingfenceLeg"
"""The UserEvent of context ringfence-leg: `Call` and `Role` of the channel it is about."""
DIALLED = "RingfenceDialled"
"""The UserEvent of context ringfence-gate: a transferred party's Dial() came to an end, for the `Call` of the target."""
_BUSY_REASON = 5


class CallTracker:
    """Tracks the calls of one PBX; a call whose legs are all gone waits in `take_over` to be closed (call_closing)."""

    def __init__(self, pbx: str, who_has: WhoHas | None = None) -> None:
        self.pbx = pbx
        self._strays: list[str] = []
        self._answers: list[HeardAnswer] = []
        self._over: dict[str, None] = {}  # in the order of their ends
        self._ours: dict[str, Followed] = {}
        self.unknown_call = False
        """Whether a leg told of a call that is not written down."""
        self._told: set[str] = set()  # channels whose RingfenceLeg is queued, still to be written
        self.conversations = Conversations(pbx, self._ours, who_has)
        self._handlers: dict[type[Any], Callable[[Transaction, Any, datetime], Awaitable[None]]] = {
            Newchannel: self._channel_made,
            Newstate: self._channel_changed,
            DialBegin: self._dial_began,
            DialState: self._dial_went_on,
            DialEnd: self._dial_ended,
            Hangup: self._channel_gone,
            OriginateResponse: self._originate_answered,
            UserEvent: self._leg_told,
        }

    def follow(self, uniqueid: str, call_id: str, role: str, channel: str = "") -> None:
        """Count this channel among ours."""
        self._ours[uniqueid] = Followed(call_id, role, channel)

    def forget(self, uniqueid: str) -> None:
        """Count this channel no more among ours: its call has been closed."""
        self._ours.pop(uniqueid, None)

    def follows(self, uniqueid: str) -> bool:
        """Whether the channel's events are being written down."""
        return uniqueid in self._ours

    def take_strays(self) -> list[str]:
        """Channels that must not go on: their call is over, unknown, or was hung up before its phone rang."""
        strays, self._strays = self._strays, []
        return strays

    @property
    def has_answers(self) -> bool:
        """Whether outside parties have answered since `take_answers`."""
        return bool(self._answers)

    def take_answers(self) -> list[HeardAnswer]:
        """Their answers: the legs may know better when that was."""
        answers, self._answers = self._answers, []
        return answers

    @property
    def has_over(self) -> bool:
        """Whether a call waits to be closed."""
        return bool(self._over)

    def take_over(self) -> list[str]:
        """The calls whose last leg has gone since this was last asked."""
        over, self._over = list(self._over), {}
        return over

    def forget_all(self) -> None:
        """Start afresh, before the calls of this PBX are settled."""
        self._ours.clear()
        self._told.clear()
        self.conversations.forget_all()

    def may_concern(self, event: AmiEvent) -> bool:
        """Whether the event could be about a call of ours, by what it says itself: clicked calls give their id as Linkedid.

        Asked when the event arrives, before those queued ahead of it have been written down.
        """
        match event:
            case Newchannel() | OriginateResponse():
                return self.concerns(event)
            case UserEvent() if self._tells_of_a_leg(event):
                if event.name == LEG:
                    self._told.add(event.uniqueid)
                return True
            case DialBegin() | DialState() | DialEnd():
                linked = PATTERN.fullmatch(event.dest_linkedid) or PATTERN.fullmatch(event.linkedid)
                return linked is not None or self._heard_of(event.dest_uniqueid) or self._heard_of(event.uniqueid)
            case Newstate():
                return PATTERN.fullmatch(event.linkedid) is not None or self._heard_of(event.uniqueid)
            case Hangup():
                known = self._heard_of(event.uniqueid)
                self._told.discard(event.uniqueid)
                return known or PATTERN.fullmatch(event.linkedid) is not None
            case _:
                named = isinstance(event, ChannelEvent) and PATTERN.fullmatch(event.linkedid) is not None
                known = isinstance(event, ChannelEvent) and self._heard_of(event.uniqueid)
                return self.conversations.may_concern(event, ours=known or named)

    def _heard_of(self, uniqueid: str) -> bool:
        return uniqueid in self._ours or uniqueid in self._told

    def concerns(self, event: AmiEvent) -> bool:
        """Whether the event is about one of our calls; costs no query."""
        match event:
            case Newchannel() | OriginateResponse():
                name = event.uniqueid if isinstance(event, Newchannel) else event.channel_id
                return PATTERN.fullmatch(name) is not None
            case UserEvent() if self._tells_of_a_leg(event):
                return True
            case DialBegin():
                return event.uniqueid in self._ours and bool(event.dest_uniqueid)
            case DialState() | DialEnd():
                return event.dest_uniqueid in self._ours
            case Newstate() | Hangup():
                return event.uniqueid in self._ours
            case _:
                return self.conversations.concerns(event)

    @staticmethod
    def _tells_of_a_leg(event: UserEvent) -> bool:
        return event.name in (LEG, DIALLED) and PATTERN.fullmatch(event.values.get("Call", "")) is not None

    async def apply(self, transaction: Transaction, event: AmiEvent, now: datetime) -> None:
        """Write what the event means."""
        if type(event) in self._handlers and not self.conversations.concerns(event):
            await self._handlers[type(event)](transaction, event, now)
        else:
            await self.conversations.apply(transaction, event, now)

    async def _channel_made(self, transaction: Transaction, event: Newchannel, now: datetime) -> None:
        call = await call_records.find(transaction.connection, event.uniqueid)
        if call is None or call.ended_at is not None or call.hangup_by:
            log.warning("tracker.stray_originate", uniqueid=event.uniqueid, known=call is not None)
            self._strays.append(event.uniqueid)
            if call is None or call.ended_at is not None:
                return
        self.follow(event.uniqueid, call.id, "agent", event.channel)
        await add_leg(transaction, self.pbx, event.uniqueid, call.id, "agent", event.channel, now)
        await call_records.move(transaction, call.id, State.CALLING_AGENT, now)

    async def _leg_told(self, transaction: Transaction, event: UserEvent, now: datetime) -> None:
        """The channel itself says whose it is, before it rings or is dialled on."""
        call_id = event.values["Call"]
        if event.name == DIALLED:
            await handovers.end_undialled(transaction, call_id, now)
            return
        role = "agent" if event.values.get("Role") == "agent" else "customer"
        call = await call_records.find(transaction.connection, call_id)
        if call is None or call.ended_at is not None:
            log.warning("tracker.leg_of_no_call", uniqueid=event.uniqueid, call_id=call_id)
            # An inbound call that the PBX took in by itself is found by its markers.
            self.unknown_call = self.unknown_call or call is None
            return
        self.follow(event.uniqueid, call_id, role, event.channel)
        self._told.discard(event.uniqueid)
        await add_leg(transaction, self.pbx, event.uniqueid, call_id, role, event.channel, now)
        if role == "agent":
            await inbound_legs.phone_rings(transaction, call, event.channel, now)

    async def _channel_changed(self, transaction: Transaction, event: Newstate, now: datetime) -> None:
        leg = self._ours[event.uniqueid]
        if event.state == "Up" and leg.role == "agent":
            await self._update_leg(transaction, event.uniqueid, legs.c.answered_at.is_(None), answered_at=now)
        elif event.state == "Up":
            await inbound_legs.caller_answered(transaction, self.pbx, event.uniqueid, leg.call_id, now)
        elif event.state == "Ringing" and leg.role == "customer":
            await self._alerted(transaction, event.uniqueid, leg.call_id, now)

    async def _dial_began(self, transaction: Transaction, event: DialBegin, now: datetime) -> None:
        if event.dest_uniqueid in self._ours:
            return
        call_id = self._ours[event.uniqueid].call_id
        self.follow(event.dest_uniqueid, call_id, "customer", event.dest_channel)
        await add_leg(transaction, self.pbx, event.dest_uniqueid, call_id, "customer", event.dest_channel, now)

    async def _dial_went_on(self, transaction: Transaction, event: DialState, now: datetime) -> None:
        leg = self._ours[event.dest_uniqueid]
        if event.status in ALERTING and leg.role == "customer":
            await self._alerted(transaction, event.dest_uniqueid, leg.call_id, now)

    async def _alerted(self, transaction: Transaction, uniqueid: str, call_id: str, now: datetime) -> None:
        if await self._update_leg(transaction, uniqueid, legs.c.alerted_at.is_(None), alerted_at=now):
            await call_records.note(transaction, call_id, now, alerted_at=now)

    async def _dial_ended(self, transaction: Transaction, event: DialEnd, now: datetime) -> None:
        leg = self._ours[event.dest_uniqueid]
        if event.forward and leg.role == "agent":
            await call_records.note(transaction, leg.call_id, now, denial=FORWARDED.document())
        answered = {"answered_at": now} if event.status == "ANSWER" else {}
        await self._update_leg(transaction, event.dest_uniqueid, dial_status=event.status[:16], **answered)
        if answered and leg.role == "customer":
            await call_records.move(transaction, leg.call_id, State.CONNECTED, now)
            self._answers.append(HeardAnswer(leg.call_id, event.dest_uniqueid, event.dest_channel, now))
        elif answered:
            await inbound_legs.phone_answered(transaction, leg.call_id, event.dest_channel, now)

    async def _channel_gone(self, transaction: Transaction, event: Hangup, now: datetime) -> None:
        call_id = self._ours[event.uniqueid].call_id
        self.forget(event.uniqueid)
        await self._update_leg(
            transaction,
            event.uniqueid,
            ended_at=now,
            hangup_cause=event.cause,
            tech_cause=event.tech_cause[:64] or None,
        )
        known = await call_records.legs_of(transaction.connection, call_id)
        await self.conversations.leg_gone(transaction, event.uniqueid, call_id, known, now)
        if all(leg.ended_at is not None for leg in known):
            self._over[call_id] = None

    async def _originate_answered(self, transaction: Transaction, event: OriginateResponse, now: datetime) -> None:
        """A failure without any channel; with one, its Hangup tells more."""
        if event.ok or await call_records.legs_of(transaction.connection, event.channel_id):
            return
        reason = EndReason.AGENT_BUSY if event.reason == _BUSY_REASON else EndReason.AGENT_NO_ANSWER
        await call_records.end(transaction, event.channel_id, now, Ending(reason, NOT_PLACED))

    async def _update_leg(self, transaction: Transaction, uniqueid: str, *conditions: Any, **columns: Any) -> bool:
        mine = (legs.c.pbx == self.pbx) & (legs.c.uniqueid == uniqueid)
        changed = await transaction.execute(update(legs).where(mine, *conditions).values(**columns))
        return bool(changed.rowcount)


async def add_leg(
    transaction: Transaction, pbx: str, uniqueid: str, call_id: str, role: str, channel: str, created_at: datetime
) -> None:
    """Write a leg down; one that is known already stays as it is."""
    carried = {"trunk": trunk_of_leg(pbx, call_id, channel)} if role == "customer" else {}
    row = {"pbx": pbx, "uniqueid": uniqueid, "call_id": call_id, "role": role, "channel": channel, **carried}
    await transaction.insert_once(legs, **row, created_at=created_at)
