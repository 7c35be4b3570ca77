"""Pause the recording while card data is said: by name, with a reason, and for a while only; then it goes on by itself.

The recorders go on writing, silence instead of sound, so a pause is a gap of the same length. It ends at the latest when its
row is due, also after a restart, and when the call is handed on: who takes it over would not know of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row

from config import clock
from config.database import Database, Transaction
from config.deadlines import claim_due
from config.errors import Conflict
from config.identifiers import new_id
from telephony.ami import AmiLink, AnswerUnknown, PbxUnavailable
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.live.controls import Controls, done
from telephony.live.live_legs import Leg
from telephony.pbx import Pbx
from telephony.tables import recording_pauses

LEASE = timedelta(seconds=5)
TIME_OVER, HANDED_ON = "time_over", "handed_on"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses recordings for at most `longest_seconds`."""

    database: Database
    pbxs: Mapping[str, Pbx]
    controls: Controls
    longest_seconds: int

    async def pause(self, call: Row[Any], by: str, reason: str | None) -> Row[Any]:
        """Record nothing of the call for a while; nothing happens to one that is paused. Raises Conflict, PbxUnavailable."""
        talk = await self.controls.talk(call, State.CONNECTED, State.HELD)
        if talk.call.paused_until is not None:
            return talk.call
        now = clock.now()
        until = now + timedelta(seconds=self.longest_seconds)
        async with self.database.write() as transaction:
            # Written first: what is paused must be known to end, whatever becomes of this process.
            await transaction.lock([f"call:{call.id}"])
            row = await call_records.note(transaction, call.id, now, paused_until=until)
            if row is None:
                raise Conflict("the call has ended")
            values = {"id": new_id(now), "call_id": call.id, "by": by, "reason": reason, "at": now, "due_at": until}
            await transaction.execute(insert(recording_pauses).values(values))
            told = call_records.entry("recording.paused", row, now, by)
            transaction.journal(replace(told, data={"reason": reason, "until": until.isoformat()}))
        _, legs = await self.controls.legs(call.id)
        try:
            await _mute(talk.link, legs.all, on=True)
        except Exception:
            await self.resume(row, by, "failed")
            raise
        return row

    async def resume(self, call: Row[Any], by: str, why: str = "asked") -> Row[Any]:
        """Record again; nothing happens to a call whose recording runs. Raises Conflict, PbxUnavailable."""
        row, legs = await self.controls.legs(call.id)
        if row.paused_until is None:
            return row
        if row.ended_at is None:
            await _mute(self.pbxs[row.pbx].link, legs.all, on=False)
        async with self.database.write() as transaction:
            return await _resumed(transaction, row, by, why, clock.now())

    async def resume_due(self, now: datetime) -> int:
        """End the pauses whose time is over; returns how many were due. One whose PBX is away is tried again soon."""
        async with self.database.read() as connection:
            due = await connection.scalar(
                select(recording_pauses.c.id).where(recording_pauses.c.due_at <= now).limit(1)
            )
        if due is None:
            return 0
        async with self.database.write() as transaction:
            rows = await claim_due(transaction, recording_pauses, now, lease=LEASE)
        for row in rows:
            await self._end(row)
        return len(rows)

    async def _end(self, pause: Row[Any]) -> None:
        call, _ = await self.controls.legs(pause.call_id)
        try:
            await self.resume(call, "system", TIME_OVER)
        except (PbxUnavailable, AnswerUnknown, Conflict) as error:
            log.warning("pauses.resume_failed", call_id=pause.call_id, detail=error.detail)


async def _resumed(transaction: Transaction, call: Row[Any], by: str, why: str, now: datetime) -> Row[Any]:
    await transaction.lock([f"call:{call.id}"])
    mine = (recording_pauses.c.call_id == call.id) & recording_pauses.c.due_at.is_not(None)
    ended = await transaction.execute(update(recording_pauses).where(mine).values(due_at=None))
    row = await call_records.note(transaction, call.id, now, paused_until=None) or call
    if ended.rowcount:
        told = call_records.entry("recording.resumed", row, now, by)
        transaction.journal(replace(told, data={"why": why}))
    return row


async def _mute(link: AmiLink, legs: Iterable[Leg], *, on: bool) -> None:
    """Have the recorders of these legs write silence, or sound again. A leg that is gone is left out."""
    for leg in legs:
        fields = {"Channel": leg.uniqueid, "Direction": "both", "State": "1" if on else "0"}
        try:
            await done(link, "MixMonitorMute", fields)
        except Conflict as error:
            if on:
                raise
            log.info("pauses.leg_gone", channel=leg.name, detail=error.detail)
