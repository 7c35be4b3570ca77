"""After silence, put the books right: each open call is alive, ended while we were away, never placed, or lost.

The truth is what the PBX itself knows: its living channels, and what the dialplan's hang-up handlers wrote to AstDB
(docs/dialplan.md). Nothing is dialled again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.database import Database, Transaction
from config.journal import Entry, journal
from telephony.ami import AmiLink
from telephony.calls import call_records
from telephony.calls.answer_times import ANSWERED, STARTED, ask_when_answered
from telephony.calls.call_closing import journal_announcements, write_markers
from telephony.calls.call_endings import finish, is_doubtful
from telephony.calls.call_states import EndReason, State
from telephony.calls.call_tracker import CallTracker, add_leg
from telephony.calls.markers import EmergencyMarker, LegMarker, Markers, read_markers
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.dialling.reservations import TRANSFER
from telephony.inbound.adoption import adopt_inbound, name_phones, take_up_inbound
from telephony.inbound.arrivals import INBOUND
from telephony.inbound.legs import take_back_pops
from telephony.live.live_legs import Owner, ask_whose, unknown_channels
from telephony.pbx_setup.lists import read_list
from telephony.tables import legs

log = structlog.get_logger(__name__)

EMERGENCY = "call.emergency"
PATIENCE = timedelta(seconds=10)
"""A call this young may have its Originate on the way still."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the PBX knows at one moment: living channels by Uniqueid, and its markers."""

    taken_at: datetime
    channels: Mapping[str, Mapping[str, str]]
    markers: Markers
    answers: Mapping[str, datetime] = field(default_factory=dict)
    """When living channels were answered, by Uniqueid: those of which we have not heard it."""
    whose: Mapping[str, Owner] = field(default_factory=dict)
    """Call and role of living channels that no leg is known of, by Uniqueid, as they say themselves."""

    def too_old_for(self, call: Row[Any]) -> bool:
        """Whether the call moved so late that the snapshot may not have seen where to."""
        moments: tuple[datetime | None, ...] = (call.created_at, call.calling_agent_at, call.calling_customer_at)
        return max(moment for moment in moments if moment) > self.taken_at - PATIENCE

    def alive(self, call: Row[Any], known: Sequence[Row[Any]]) -> list[Mapping[str, str]]:
        """The living channels of a call: its known legs, and those that Linkedid ties to the agent's.

        The channel that asked for a transfer's target is a leg of the call it was transferred from, not of this one.
        """
        own = {call.uniqueid} if call.origin != TRANSFER else set()
        ours = own | {leg.uniqueid for leg in known}
        ours |= {uniqueid for uniqueid, owner in self.whose.items() if owner.call_id == call.id}
        others = self.whose.keys() - ours
        return [
            channel
            for channel in self.channels.values()
            if channel.get("Uniqueid") in ours or (channel.get("Linkedid") in own and channel["Uniqueid"] not in others)
        ]


async def take_snapshot(link: AmiLink) -> Snapshot:
    """Read channels, then markers: a leg that ends in between is found among the markers."""
    taken_at = clock.now()
    channels = await read_list(link, "CoreShowChannels", by="Uniqueid")
    return Snapshot(taken_at, channels, await read_markers(link))


async def settle(database: Database, tracker: CallTracker, link: AmiLink, now: datetime) -> None:
    """Settle every open call of the PBX, take up those still alive, and let the PBX forget what is written down now."""
    snapshot = await take_snapshot(link)
    async with database.read() as connection:
        strangers = await unknown_channels(connection, tracker.pbx, snapshot.channels)
    snapshot = replace(snapshot, whose=await ask_whose(link, strangers))
    async with database.read() as connection:
        silent = await _answered_unheard(connection, tracker.pbx, snapshot)
    answers = await ask_when_answered(link, silent)
    async with database.write() as transaction:
        living = await adopt_inbound(transaction, tracker.pbx, snapshot.markers.inbounds, snapshot.taken_at)
        for call in await call_records.open_calls(transaction.connection, tracker.pbx):
            if await _settle_call(transaction, tracker, replace(snapshot, answers=answers), call, now):
                living.add(call.id)
        await tracker.conversations.found(transaction, snapshot.channels, now)
        await _journal_emergencies(transaction, tracker.pbx, snapshot.markers.emergencies)
        await journal_announcements(transaction, snapshot.markers.legs)
    await snapshot.markers.delete(link, keep=living)


async def _answered_unheard(connection: AsyncConnection, pbx: str, snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """Living, answered channels of our calls whose answer we did not hear: Uniqueid, name, the variable that tells when."""
    found = []
    for call in await call_records.open_calls(connection, pbx):
        known = await call_records.legs_of(connection, call.id)
        heard = {leg.uniqueid for leg in known if leg.answered_at}
        for channel in snapshot.alive(call, known):
            uniqueid = channel.get("Uniqueid", "")
            if uniqueid not in heard and _is_up(channel):
                # A clicked call's phone enters the dialplan when it is answered.
                variable = STARTED if uniqueid == call.id else ANSWERED
                found.append((uniqueid, channel.get("Channel", ""), variable))
    return found


def _is_up(channel: Mapping[str, str]) -> bool:
    return channel.get("ChannelStateDesc") == "Up"


async def _settle_call(
    transaction: Transaction, tracker: CallTracker, snapshot: Snapshot, call: Row[Any], now: datetime
) -> bool:
    """Put one call right; True while the PBX may still write of it."""
    living = snapshot.alive(call, await call_records.legs_of(transaction.connection, call.id))
    foreign = await _legs_of_others(transaction, tracker.pbx, call.id, living)
    living = [channel for channel in living if channel["Uniqueid"] not in foreign]
    ended = snapshot.markers.legs_of(call.id)
    await write_markers(transaction, tracker.pbx, call.id, ended)
    await name_phones(transaction, tracker.pbx, snapshot.markers.picks)
    for channel in living:
        # The channel that began the call is the collector's, or an inbound call's caller's.
        own, other = ("customer", "agent") if call.direction == INBOUND else ("agent", "customer")
        told = snapshot.whose.get(channel["Uniqueid"])
        role = told.role if told is not None else own if channel["Uniqueid"] == call.uniqueid else other
        await add_leg(transaction, tracker.pbx, channel["Uniqueid"], call.id, role, channel["Channel"], now)
    known = await call_records.legs_of(transaction.connection, call.id)
    there = {channel["Uniqueid"] for channel in living}
    for leg in known:
        if leg.uniqueid in there and leg.ended_at is None:
            tracker.follow(leg.uniqueid, call.id, leg.role, leg.channel)
    if living:
        await _end_vanished_legs(transaction, tracker, known, living, now)
        await _take_up(transaction, call, known, snapshot, living, now)
        return True
    if not ended and not _told(known) and snapshot.too_old_for(call):
        return True
    await _close(transaction, snapshot, call, known, ended, now)
    for leg in known:
        tracker.forget(leg.uniqueid)
    return False


async def _legs_of_others(
    transaction: Transaction, pbx: str, call_id: str, living: Sequence[Mapping[str, str]]
) -> set[str]:
    """Those channels that are legs of other calls: a call that was handed on shares its Linkedid with its target's."""
    named = legs.c.uniqueid.in_([channel["Uniqueid"] for channel in living])
    others = select(legs.c.uniqueid).where(legs.c.pbx == pbx, legs.c.call_id != call_id, named)
    return {row.uniqueid for row in await transaction.all(others)}


async def _end_vanished_legs(
    transaction: Transaction,
    tracker: CallTracker,
    known: Sequence[Row[Any]],
    living: Sequence[Mapping[str, str]],
    now: datetime,
) -> None:
    """A leg of a living call that is gone without a marker would keep the call from ever ending."""
    there = {channel["Uniqueid"] for channel in living}
    for leg in known:
        if leg.ended_at is None and leg.uniqueid not in there and not tracker.follows(leg.uniqueid):
            mine = (legs.c.pbx == leg.pbx) & (legs.c.uniqueid == leg.uniqueid)
            await transaction.execute(update(legs).where(mine).values(ended_at=now))


async def _take_up(
    transaction: Transaction,
    call: Row[Any],
    known: Sequence[Row[Any]],
    snapshot: Snapshot,
    living: Sequence[Mapping[str, str]],
    now: datetime,
) -> None:
    """A living call goes on from where the PBX has it."""
    up = {channel["Uniqueid"] for channel in living if _is_up(channel)}
    customers = [leg for leg in known if leg.role == "customer"]
    for leg in known:
        if leg.uniqueid in up and leg.answered_at is None:
            mine = (legs.c.pbx == leg.pbx) & (legs.c.uniqueid == leg.uniqueid)
            await transaction.execute(
                update(legs).where(mine).values(answered_at=snapshot.answers.get(leg.uniqueid, now))
            )
    if call.state == State.HELD:
        return  # whether it still is, the bridges tell
    if call.direction == INBOUND:
        since = {leg.uniqueid: leg.answered_at or snapshot.answers.get(leg.uniqueid, now) for leg in known}
        await take_up_inbound(transaction, call, known, {each: since[each] for each in since.keys() & up}, now)
        return
    up_since = {leg.uniqueid: leg.answered_at or snapshot.answers.get(leg.uniqueid, now) for leg in customers}
    if connected := [since for uniqueid, since in up_since.items() if uniqueid in up]:
        await call_records.move(transaction, call.id, State.CONNECTED, min(connected))
    elif customers:
        await call_records.move(transaction, call.id, State.CALLING_CUSTOMER, now)
    else:
        await call_records.move(transaction, call.id, State.CALLING_AGENT, now)


async def _close(
    transaction: Transaction,
    snapshot: Snapshot,
    call: Row[Any],
    known: Sequence[Row[Any]],
    ended: Sequence[LegMarker],
    now: datetime,
) -> None:
    if known and all(leg.ended_at is not None for leg in known) and (ended or _told(known)):
        at = max(leg.ended_at for leg in known)
        if not is_doubtful(call, known) or (ended and not _was_dialled(snapshot, call, ended)):
            await finish(transaction, call, known, at)
            return
        if ended:
            await call_records.end(transaction, call.id, at, Ending(EndReason.LOST, "unknown"))
            return
    placed = call.calling_customer_at is not None or snapshot.markers.passed_the_gate(call.id)
    if placed:
        # The PBX went away with the call: whether the customer's phone rang is not known, so it counts.
        answered = any(leg.role == "customer" and leg.answered_at for leg in known)
        ending = Ending(EndReason.LOST, "conversation" if answered else "unknown")
    else:
        ending = Ending(EndReason.LOST if known else EndReason.FAILED, NOT_PLACED)
    for leg in known:
        if leg.ended_at is None:
            mine = (legs.c.pbx == leg.pbx) & (legs.c.uniqueid == leg.uniqueid)
            await transaction.execute(update(legs).where(mine).values(ended_at=now))
    if call.direction == INBOUND:
        talked = any(leg.role == "agent" and leg.answered_at for leg in known)
        ending = Ending(EndReason.LOST, "conversation" if talked else "no_answer")
        await take_back_pops(transaction, call, now)
    log.warning("settlement.closed", call_id=call.id, end_reason=ending.end_reason, outcome=ending.outcome)
    await call_records.end(transaction, call.id, now, ending)


def _told(known: Sequence[Row[Any]]) -> bool:
    """Whether we heard every leg's hang-up: a leg that merely vanished has no cause."""
    return bool(known) and all(leg.hangup_cause is not None for leg in known)


def _was_dialled(snapshot: Snapshot, call: Row[Any], ended: Sequence[LegMarker]) -> bool:
    """Whether Dial() ran and made a customer leg, though nothing else is left of it."""
    dialled = {marker.dial_status for marker in ended if marker.role == "agent"}
    return snapshot.markers.passed_the_gate(call.id) and not dialled <= {"CHANUNAVAIL", "CONGESTION"}


async def _journal_emergencies(transaction: Transaction, pbx: str, markers: Sequence[EmergencyMarker]) -> None:
    """Once each: a marker whose deletion was lost is read again at the next settlement."""
    if not markers:
        return
    rows = await transaction.all(select(journal.c.data).where(journal.c.kind == EMERGENCY))
    told = {(row.data["pbx"], row.data["uniqueid"]) for row in rows}
    for marker in markers:
        if (pbx, marker.uniqueid) not in told:
            data = {"pbx": pbx, "number": marker.number, "uniqueid": marker.uniqueid}
            transaction.journal(Entry(at=marker.at, kind=EMERGENCY, actor=marker.endpoint or "unknown", data=data))
