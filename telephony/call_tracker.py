"""Follow the legs of our calls by the PBX's events, and write what they mean: states, moments, causes, the ending.

The agent leg's Uniqueid is the call's id; the customer legs are learnt from DialBegin. All that counts is in the tables;
what is kept in memory is only which channels are ours, so that the flood of other events costs nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.identifiers import PATTERN
from telephony import call_records
from telephony.ami_events import (
    AmiEvent,
    DialBegin,
    DialEnd,
    DialState,
    Hangup,
    Newchannel,
    Newstate,
    OriginateResponse,
)
from telephony.call_endings import finish, is_doubtful
from telephony.call_states import EndReason, State
from telephony.outcomes import NOT_PLACED, Ending
from telephony.tables import legs

log = structlog.get_logger(__name__)

ALERTING = {"RINGING", "PROGRESS"}
_BUSY_REASON = 5


class CallTracker:
    """Tracks the calls of one PBX.

    `ended_calls` counts those whose markers wait at the PBX to be read and cleared, `doubts` those that only they can end.
    """

    def __init__(self, pbx: str) -> None:
        self.pbx = pbx
        self._strays: list[str] = []
        self.ended_calls = 0
        self.doubts = 0
        self._call_of: dict[str, str] = {}
        self._handlers: dict[type[Any], Callable[[Transaction, Any, datetime], Awaitable[None]]] = {
            Newchannel: self._channel_made,
            Newstate: self._channel_changed,
            DialBegin: self._dial_began,
            DialState: self._dial_went_on,
            DialEnd: self._dial_ended,
            Hangup: self._channel_gone,
            OriginateResponse: self._originate_answered,
        }

    def follow(self, uniqueid: str, call_id: str) -> None:
        """Count this channel among ours."""
        self._call_of[uniqueid] = call_id

    def forget(self, uniqueid: str) -> None:
        """Count this channel no more among ours: its call has been closed."""
        self._call_of.pop(uniqueid, None)

    def follows(self, uniqueid: str) -> bool:
        """Whether the channel's events are being written down."""
        return uniqueid in self._call_of

    def take_strays(self) -> list[str]:
        """Channels that must not go on: their call is over, unknown, or was hung up before its phone rang."""
        strays, self._strays = self._strays, []
        return strays

    def forget_all(self) -> None:
        """Start afresh, before the calls of this PBX are settled."""
        self._call_of.clear()

    def may_concern(self, event: AmiEvent) -> bool:
        """Whether the event could be about a call of ours, by what it says itself: our calls give their id as Linkedid.

        Asked when the event arrives, before those queued ahead of it have been written down.
        """
        match event:
            case Newchannel() | OriginateResponse():
                return self.concerns(event)
            case DialBegin() | DialState() | DialEnd():
                linked = PATTERN.fullmatch(event.dest_linkedid) or PATTERN.fullmatch(event.linkedid)
                return linked is not None or event.dest_uniqueid in self._call_of
            case Newstate() | Hangup():
                return PATTERN.fullmatch(event.linkedid) is not None or event.uniqueid in self._call_of
            case _:
                return False

    def concerns(self, event: AmiEvent) -> bool:
        """Whether the event is about one of our calls; costs no query."""
        match event:
            case Newchannel() | OriginateResponse():
                name = event.uniqueid if isinstance(event, Newchannel) else event.channel_id
                return PATTERN.fullmatch(name) is not None
            case DialBegin():
                return event.uniqueid in self._call_of
            case DialState() | DialEnd():
                return event.dest_uniqueid in self._call_of
            case Newstate() | Hangup():
                return event.uniqueid in self._call_of
            case _:
                return False

    async def apply(self, transaction: Transaction, event: AmiEvent, now: datetime) -> None:
        """Write what the event means."""
        await self._handlers[type(event)](transaction, event, now)

    async def _channel_made(self, transaction: Transaction, event: Newchannel, now: datetime) -> None:
        call = await call_records.find(transaction.connection, event.uniqueid)
        if call is None or call.ended_at is not None or call.hangup_by:
            log.warning("tracker.stray_originate", uniqueid=event.uniqueid, known=call is not None)
            self._strays.append(event.uniqueid)
            if call is None or call.ended_at is not None:
                return
        self.follow(event.uniqueid, call.id)
        await add_leg(transaction, self.pbx, event.uniqueid, call.id, "agent", event.channel, now)
        await call_records.move(transaction, call.id, State.CALLING_AGENT, now)

    async def _channel_changed(self, transaction: Transaction, event: Newstate, now: datetime) -> None:
        call_id = self._call_of[event.uniqueid]
        if event.state == "Up" and event.uniqueid == call_id:
            await self._update_leg(transaction, event.uniqueid, answered_at=now)
        elif event.state == "Ringing" and event.uniqueid != call_id:
            await self._alerted(transaction, event.uniqueid, call_id, now)

    async def _dial_began(self, transaction: Transaction, event: DialBegin, now: datetime) -> None:
        call_id = self._call_of[event.uniqueid]
        self.follow(event.dest_uniqueid, call_id)
        await add_leg(transaction, self.pbx, event.dest_uniqueid, call_id, "customer", event.dest_channel, now)

    async def _dial_went_on(self, transaction: Transaction, event: DialState, now: datetime) -> None:
        if event.status in ALERTING:
            await self._alerted(transaction, event.dest_uniqueid, self._call_of[event.dest_uniqueid], now)

    async def _alerted(self, transaction: Transaction, uniqueid: str, call_id: str, now: datetime) -> None:
        first = await self._update_leg(transaction, uniqueid, legs.c.alerted_at.is_(None), alerted_at=now)
        if first and uniqueid != call_id:
            await call_records.note(transaction, call_id, now, alerted_at=now)

    async def _dial_ended(self, transaction: Transaction, event: DialEnd, now: datetime) -> None:
        answered = {"answered_at": now} if event.status == "ANSWER" else {}
        await self._update_leg(transaction, event.dest_uniqueid, dial_status=event.status[:16], **answered)
        call_id = self._call_of[event.dest_uniqueid]
        if answered and event.dest_uniqueid != call_id:
            await call_records.move(transaction, call_id, State.CONNECTED, now)

    async def _channel_gone(self, transaction: Transaction, event: Hangup, now: datetime) -> None:
        call_id = self._call_of[event.uniqueid]
        self.forget(event.uniqueid)
        await self._update_leg(
            transaction,
            event.uniqueid,
            ended_at=now,
            hangup_cause=event.cause,
            tech_cause=event.tech_cause[:64] or None,
        )
        known = await call_records.legs_of(transaction.connection, call_id)
        if all(leg.ended_at is not None for leg in known):
            await self._finish(transaction, call_id, known, now)

    async def _finish(self, transaction: Transaction, call_id: str, known: list[Row[Any]], now: datetime) -> None:
        call = await call_records.find(transaction.connection, call_id)
        if call is None or call.ended_at is not None:
            return
        if is_doubtful(call, known):
            self.doubts += 1
            return
        await finish(transaction, call, known, now)
        self.ended_calls += 1

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
    await transaction.insert_once(
        legs, pbx=pbx, uniqueid=uniqueid, call_id=call_id, role=role, channel=channel, created_at=created_at
    )
