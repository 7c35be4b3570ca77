"""Which recordings are heard in a call, on which side and from when to when.

Its own legs, whole: several on either side where the call was handed on. And legs of other calls while they talked with its
outside party (`telephony.tables.meetings`): whoever a call was handed on to outside has a call of their own, and is our side
here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.compose import SIDES, Part
from recordings.peaks import PER_SECOND
from recordings.tables import recordings
from telephony.tables import legs, meetings


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording's part in a call: on the side of `role`, from `skip` seconds after its first sample, for `seconds`."""

    row: Row[Any]
    role: str
    skip: float
    seconds: float

    @property
    def started_at(self) -> datetime:
        """The moment of its first sample that is heard."""
        started: datetime = self.row.started_at
        return started + timedelta(seconds=self.skip)

    def part(self, key: str) -> Part:
        """For the composition; `key` names it there."""
        rate = self.row.rate
        frames = round(self.seconds * rate)
        return Part(self.role, key, self.row.pcm_sha256, self.started_at, frames, rate, round(self.skip * rate))

    def peaks(self) -> tuple[int, datetime, int, bytes]:
        """For the waveform: side, first moment, channels, peaks."""
        width = self.row.channels
        first, last = (round(at * PER_SECOND) * width for at in (self.skip, self.skip + self.seconds))
        return SIDES.index(self.role), self.started_at, width, self.row.peaks[first : last + width]


async def heard_in(connection: AsyncConnection, call_id: str) -> list[Heard]:
    """Every archived recording with sound in it that is heard in the call, its own first; empty when there is none."""
    ready = (recordings.c.state == "archived", recordings.c.duration > 0)
    order = (recordings.c.leg_started_at, recordings.c.id)
    own = await connection.execute(select(recordings).where(recordings.c.call_id == call_id, *ready).order_by(*order))
    found = [Heard(row, row.leg, 0.0, row.duration) for row in own if row.leg in SIDES]
    same_leg = and_(meetings.c.pbx == recordings.c.pbx, meetings.c.uniqueid == recordings.c.uniqueid)
    foreign = (
        select(*recordings.c, meetings.c.since, meetings.c.until)
        .join(meetings, same_leg)
        .where(meetings.c.call_id == call_id, recordings.c.call_id != call_id, *ready)
        .order_by(meetings.c.since)
    )
    rows: list[Any] = list(await connection.execute(foreign)) if found else []
    if rows:
        last = await connection.scalar(
            select(func.max(recordings.c.leg_ended_at)).where(recordings.c.call_id == call_id)
        )
        found += _while_met(rows, last)
    return found


def _while_met(rows: Iterable[Row[Any]], last: datetime) -> list[Heard]:
    """The pieces of foreign legs within their meetings, and not after the call's own last leg."""
    pieces = []
    for row in rows:
        skip = max((row.since - row.started_at).total_seconds(), 0.0)
        until = min((min(row.until or last, last) - row.started_at).total_seconds(), row.duration)
        if until > skip:
            pieces.append(Heard(row, SIDES[0], skip, until - skip))
    return pieces


async def is_waited_for(connection: AsyncConnection, call_id: str) -> bool:
    """Whether a leg of another call that is heard in this one has ended, and its recording is still on its way."""
    there = and_(recordings.c.pbx == meetings.c.pbx, recordings.c.uniqueid == meetings.c.uniqueid)
    its_leg = and_(legs.c.pbx == meetings.c.pbx, legs.c.uniqueid == meetings.c.uniqueid)
    pending = (
        select(meetings.c.id)
        .join(legs, its_leg)
        .outerjoin(recordings, there)
        .where(meetings.c.call_id == call_id, legs.c.ended_at.is_not(None))
        .where(or_(recordings.c.id.is_(None), recordings.c.state == "expected"))
        .limit(1)
    )
    return await connection.scalar(pending) is not None
