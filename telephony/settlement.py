"""After silence, put the books right: each open call is alive, ended while we were away, never placed, or lost.

The truth is what the PBX itself knows: its living channels, and what the dialplan's hang-up handlers wrote to AstDB
(docs/dialplan.md). Nothing is dialled again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config import clock
from config.database import Database, Transaction
from config.journal import Entry, journal
from telephony import call_records
from telephony.ami import AmiLink, PbxUnavailable
from telephony.call_endings import finish, is_doubtful
from telephony.call_states import EndReason, State
from telephony.call_tracker import CallTracker, add_leg
from telephony.markers import EmergencyMarker, LegMarker, Markers, read_markers
from telephony.outcomes import NOT_PLACED, Ending
from telephony.tables import legs

log = structlog.get_logger(__name__)

EMERGENCY = "call.emergency"
ANNOUNCED = "call.announced"
PATIENCE = timedelta(seconds=10)
"""A call this young may have its Originate on the way still."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the PBX knows at one moment: living channels by Uniqueid, and its markers."""

    taken_at: datetime
    channels: Mapping[str, Mapping[str, str]]
    markers: Markers

    def too_old_for(self, call: Row[Any]) -> bool:
        """Whether the call moved so late that the snapshot may not have seen where to."""
        moments: tuple[datetime | None, ...] = (call.created_at, call.calling_agent_at, call.calling_customer_at)
        return max(moment for moment in moments if moment) > self.taken_at - PATIENCE

    def alive(self, call: Row[Any], known: Sequence[Row[Any]]) -> list[Mapping[str, str]]:
        """The living channels of a call: its known legs, and those that Linkedid ties to the agent's."""
        ours = {call.uniqueid, *(leg.uniqueid for leg in known)}
        return [
            channel
            for channel in self.channels.values()
            if channel.get("Uniqueid") in ours or channel.get("Linkedid") == call.uniqueid
        ]


async def take_snapshot(link: AmiLink) -> Snapshot:
    """Read channels, then markers: a leg that ends in between is found among the markers."""
    taken_at = clock.now()
    channels = await link.send("CoreShowChannels")
    if not channels.ok:
        raise PbxUnavailable(f"the PBX does not show its channels, so nothing can be settled: {channels.message}")
    markers = await read_markers(link)
    return Snapshot(taken_at, {event.get("Uniqueid", ""): event for event in channels.events}, markers)


async def settle(database: Database, tracker: CallTracker, link: AmiLink, now: datetime) -> None:
    """Settle every open call of the PBX, take up those still alive, and let the PBX forget what is written down now."""
    snapshot = await take_snapshot(link)
    async with database.write() as transaction:
        living = set()
        for call in await call_records.open_calls(transaction.connection, tracker.pbx):
            if await _settle_call(transaction, tracker, snapshot, call, now):
                living.add(call.id)
        await _journal_emergencies(transaction, tracker.pbx, snapshot.markers.emergencies)
        await _journal_announcements(transaction, snapshot.markers.legs)
    await snapshot.markers.delete(link, keep=living)


async def _settle_call(
    transaction: Transaction, tracker: CallTracker, snapshot: Snapshot, call: Row[Any], now: datetime
) -> bool:
    """Put one call right; True while the PBX may still write of it."""
    living = snapshot.alive(call, await call_records.legs_of(transaction.connection, call.id))
    ended = snapshot.markers.legs_of(call.id)
    for marker in ended:
        await _write_leg(transaction, tracker.pbx, call.id, marker)
    for marker in ended:
        await _write_dial(transaction, call.id, marker)
    for channel in living:
        role = "agent" if channel["Uniqueid"] == call.uniqueid else "customer"
        await add_leg(transaction, tracker.pbx, channel["Uniqueid"], call.id, role, channel["Channel"], now)
    known = await call_records.legs_of(transaction.connection, call.id)
    there = {channel["Uniqueid"] for channel in living}
    for leg in known:
        if leg.uniqueid in there:
            tracker.follow(leg.uniqueid, call.id, leg.role)
    if living:
        await _end_vanished_legs(transaction, tracker, known, living, now)
        await _take_up(transaction, call, known, living, now)
        return True
    if not ended and snapshot.too_old_for(call):
        return True
    await _close(transaction, snapshot, call, known, ended, now)
    for leg in known:
        tracker.forget(leg.uniqueid)
    return False


async def _write_leg(transaction: Transaction, pbx: str, call_id: str, marker: LegMarker) -> None:
    """What the hang-up handler wrote is better than what we last saw."""
    await add_leg(transaction, pbx, marker.uniqueid, call_id, marker.role, "", marker.started_at or marker.ended_at)
    values: dict[str, Any] = {
        "ended_at": marker.ended_at,
        "hangup_cause": marker.cause,
        "tech_cause": marker.tech_cause,
    }
    if marker.answered_at is not None:
        values["answered_at"] = marker.answered_at
    mine = (legs.c.pbx == pbx) & (legs.c.uniqueid == marker.uniqueid) & legs.c.ended_at.is_(None)
    await transaction.execute(update(legs).where(mine).values(**values))


async def _write_dial(transaction: Transaction, call_id: str, marker: LegMarker) -> None:
    """The agent leg's handler knows how Dial() went: whether the callee was alerted, and whether the caller gave up."""
    customers = (legs.c.call_id == call_id) & (legs.c.role == "customer")
    if marker.alerted:
        unknown = customers & legs.c.alerted_at.is_(None)
        await transaction.execute(update(legs).where(unknown).values(alerted_at=legs.c.created_at))
    if marker.dial_status:
        untold = customers & legs.c.dial_status.is_(None)
        await transaction.execute(update(legs).where(untold).values(dial_status=marker.dial_status))


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
    living: Sequence[Mapping[str, str]],
    now: datetime,
) -> None:
    """A living call goes on from where the PBX has it."""
    up = {channel["Uniqueid"] for channel in living if channel.get("ChannelStateDesc") == "Up"}
    customers = [leg for leg in known if leg.role == "customer"]
    for leg in known:
        if leg.uniqueid in up and leg.answered_at is None:
            mine = (legs.c.pbx == leg.pbx) & (legs.c.uniqueid == leg.uniqueid)
            await transaction.execute(update(legs).where(mine).values(answered_at=now))
    if any(leg.uniqueid in up for leg in customers):
        await call_records.move(transaction, call.id, State.CONNECTED, now)
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
    if ended and all(leg.ended_at is not None for leg in known):
        connected = [marker.answered_at for marker in ended if marker.role == "customer" and marker.answered_at]
        if connected and call.connected_at is None:
            await call_records.move(transaction, call.id, State.CONNECTED, connected[0])
        if is_doubtful(call, known) and _was_dialled(snapshot, call, ended):
            await call_records.end(
                transaction, call.id, max(marker.ended_at for marker in ended), Ending(EndReason.LOST, "unknown")
            )
            return
        await finish(transaction, call, known, max(marker.ended_at for marker in ended))
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
    log.warning("settlement.closed", call_id=call.id, end_reason=ending.end_reason, outcome=ending.outcome)
    await call_records.end(transaction, call.id, now, ending)


def _was_dialled(snapshot: Snapshot, call: Row[Any], ended: Sequence[LegMarker]) -> bool:
    """Whether Dial() ran and made a customer leg, though nothing else is left of it."""
    dialled = {marker.dial_status for marker in ended if marker.role == "agent"}
    return snapshot.markers.passed_the_gate(call.id) and not dialled <= {"CHANUNAVAIL", "CONGESTION"}


async def _journal_announcements(transaction: Transaction, markers: Sequence[LegMarker]) -> None:
    """What became of each recording announcement, once: the recording's write side may lack it (asterisk#507)."""
    played = {marker.call_id: marker for marker in markers if marker.announced}
    if not played:
        return
    told = select(journal.c.call_id).where(journal.c.kind == ANNOUNCED, journal.c.call_id.in_(played))
    for call_id in played.keys() - {row.call_id for row in await transaction.all(told)}:
        call = await call_records.find(transaction.connection, call_id)
        if call is not None:
            marker = played[call_id]
            at = marker.answered_at or marker.ended_at
            data = {"result": marker.announced}
            transaction.journal(
                Entry(
                    at,
                    ANNOUNCED,
                    client=call.client,
                    agent=call.agent,
                    case_id=call.case_id,
                    call_id=call_id,
                    data=data,
                )
            )


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
