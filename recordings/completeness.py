"""The ledger of what must exist: every leg of an ended call expects a recording, which is then held against the leg."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, insert, select
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.identifiers import new_id
from config.journal import Entry
from recordings import spool
from recordings.peaks import PER_SECOND
from recordings.proof import Proof
from recordings.sound import Span, doubts_of_peaks, unexplained
from recordings.tables import recordings
from telephony.tables import calls, legs

FIRST_LOOK = timedelta(seconds=1)
OVERLOOKED = timedelta(hours=2)
SETTLED = timedelta(seconds=30)
TINY_SECONDS = 0.3
SILENCE = 32
"""Largest sample that counts as silence (-60 dBFS): A-law's own silence decodes to ±8."""
JUDGED_SECONDS = 3.0
"""What must be left of a recording, beside hold, mute and pauses, for its silence to mean anything."""
TOLERANCE_SECONDS = 3.0
TOLERANCE_SHARE = 0.05

DOUBTS = (
    "missing", "tiny", "silent", "one-sided", "truncated", "wrong-length", "unreadable", "legs-identical", "clipped",
    "dead-air",
)  # fmt: skip
"""Kinds of incident about one recording; its id is the incident's subject."""


async def expect_recordings(transaction: Transaction, entry: Entry) -> None:
    """Follow a `call.ended` entry: one row for every leg of the call. Seen twice, it adds nothing."""
    if entry.call_id is None:
        return
    await transaction.lock([f"recordings:{entry.call_id}"])
    call = await transaction.first(select(calls.c.id, calls.c.ended_at).where(calls.c.id == entry.call_id))
    if call is None:
        return
    ended = call.ended_at or entry.at
    found = await transaction.all(select(legs).where(legs.c.call_id == entry.call_id))
    known = await transaction.all(
        select(recordings.c.pbx, recordings.c.uniqueid).where(recordings.c.call_id == entry.call_id)
    )
    rows = [
        expectation(leg._mapping, ended, entry.at)
        for leg in found
        if (leg.pbx, leg.uniqueid) not in {tuple(row) for row in known}
    ]
    if rows:
        await transaction.execute(insert(recordings), rows)


async def expect_overlooked(database: Database, now: datetime) -> None:
    """Expect the recordings of recent calls' legs that have no row: a leg may become known after its call's end."""
    row_of_leg = and_(recordings.c.pbx == legs.c.pbx, recordings.c.uniqueid == legs.c.uniqueid)
    without_row = (
        select(legs.c.call_id, calls.c.ended_at)
        .join(calls, calls.c.id == legs.c.call_id)
        .outerjoin(recordings, row_of_leg)
        .where(calls.c.created_at > now - OVERLOOKED, calls.c.ended_at < now - SETTLED, recordings.c.id.is_(None))
        .distinct()
    )
    async with database.read() as connection:
        overlooked = list(await connection.execute(without_row))
    for row in overlooked:
        async with database.write() as transaction:
            await expect_recordings(transaction, Entry(row.ended_at, "call.ended", call_id=row.call_id))


def expectation(leg: Mapping[Any, Any], ended: datetime, now: datetime) -> dict[str, Any]:
    """The row of a leg whose recording is expected. `leg` has the columns of `telephony.tables.legs`.

    Required is the recording of every answered leg, unless it was hung up before it could hold anything.
    """
    leg_ended, answered = leg["ended_at"] or ended, leg["answered_at"]
    required = answered is not None and (leg_ended - answered).total_seconds() >= TINY_SECONDS
    return {
        "id": new_id(now),
        "call_id": leg["call_id"],
        "pbx": leg["pbx"],
        "uniqueid": leg["uniqueid"],
        "leg": leg["role"],
        "state": "expected",
        "required": int(required),
        "file": spool.file_name(leg["call_id"], leg["role"], leg["uniqueid"]),
        "leg_started_at": leg["created_at"],
        "leg_answered_at": answered,
        "leg_ended_at": leg_ended,
        "flags": [],
        "due_at": leg_ended + FIRST_LOOK,
        "attempts": 0,
    }


@dataclass(frozen=True, slots=True)
class Judgement:
    """`flags` are kept on the row; `doubts` are those of them that open an incident."""

    flags: tuple[str, ...]
    doubts: tuple[str, ...]


def judge(
    leg: Row[Any],
    proof: Proof,
    connected_at: datetime | None,
    quiet: Iterable[tuple[str, datetime, datetime | None]] = (),
) -> Judgement:
    """Hold a recording against its leg (a row of `recordings`) and the moment the call was connected, if it was.

    Of a call that never was connected only the form is judged: its files hold a microphone or an announcement. `quiet` are
    the times of `recordings.regions.quiet_times`, whose silence is explained.
    """
    doubts = ["unreadable"] if proof.unreadable else []
    flags = list(proof.flags)
    if leg.call_id.startswith("emergency"):
        flags.append("emergency")
    elif connected_at is None or leg.leg_answered_at is None:
        flags.append("unanswered")
    elif not proof.unreadable:
        doubts += _doubts_of_length(leg, proof, connected_at)
        spans = _spans(leg, proof, quiet)
        doubts += _doubts_of_sound(proof, spans) or doubts_of_peaks(proof.peaks, proof.channels, proof.alike, spans)
    return Judgement(tuple(flags + doubts), tuple(doubts))


def _doubts_of_length(leg: Row[Any], proof: Proof, connected_at: datetime) -> list[str]:
    bridged = (leg.leg_ended_at - max(leg.leg_answered_at, connected_at)).total_seconds()
    lifetime = (leg.leg_ended_at - leg.leg_started_at).total_seconds()
    if proof.duration < TINY_SECONDS <= bridged:
        return ["tiny"]
    if proof.duration < bridged - max(TOLERANCE_SECONDS, TOLERANCE_SHARE * bridged):
        return ["truncated"]
    if proof.duration > lifetime + TOLERANCE_SECONDS:
        return ["wrong-length"]
    return []


def _spans(leg: Row[Any], proof: Proof, quiet: Iterable[tuple[str, datetime, datetime | None]]) -> list[Span]:
    """The quiet times within the recording, in seconds from its first sample; its last one is the leg's end."""
    started = leg.leg_ended_at - timedelta(seconds=proof.duration)
    moments = ((since, leg.leg_ended_at if until is None else until) for _, since, until in quiet)
    spans = (Span((since - started).total_seconds(), (until - started).total_seconds()) for since, until in moments)
    return [span for span in spans if span.end > 0 and span.start < proof.duration]


def _doubts_of_sound(proof: Proof, explained: Sequence[Span]) -> list[str]:
    """Channel 0 is what the leg's party said, the evidence; channel 1 is what it heard."""
    if not proof.frames:
        return []
    silent = [peak <= SILENCE for peak in proof.loudest]
    if explained and any(silent):
        rest = unexplained(proof.peaks, proof.channels, explained)
        if len(rest) < JUDGED_SECONDS * PER_SECOND:
            return []
    if silent[0]:
        return ["silent"]
    return ["one-sided"] if len(silent) > 1 and silent[1] else []
