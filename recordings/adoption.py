"""Rows for files that nobody expected but whose name says what they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Row

from config.database import Database
from config.journal import Entry
from recordings.completeness import expectation
from recordings.spool import Look, Named
from recordings.tables import recordings
from recordings.wav import RAW_CHANNELS, RAW_RATE, SAMPLE_BYTES


async def adopt(
    database: Database, pbx: str, look: Look, name: Named, call: Row[Any], leg: Row[Any] | None, now: datetime
) -> None:
    """The recording of an ended call's leg, which may be one that was never seen."""
    times = leg._mapping if leg is not None else _unseen_leg(pbx, name, call.created_at, call.ended_at)
    row = expectation(times, call.ended_at, now)
    await _insert(
        database, row, look, Entry(now, "recording.adopted", "system", call.client, call.agent, call.case_id), now
    )


async def adopt_emergency(database: Database, pbx: str, look: Look, name: Named, now: datetime) -> None:
    """The recording of an emergency call, which has no call row: it passes the PBX even when nothing of ours runs.

    Its times are the file's: the last sample was written when the file was.
    """
    ended = datetime.fromtimestamp(look.modified_ns / 1e9, UTC)
    length = timedelta(seconds=look.size / (SAMPLE_BYTES * RAW_CHANNELS * RAW_RATE))
    row = expectation(_unseen_leg(pbx, name, ended - length, ended), ended, now)
    await _insert(database, row, look, Entry(now, "recording.adopted"), now)


async def _insert(database: Database, row: dict[str, Any], look: Look, entry: Entry, now: datetime) -> None:
    async with database.write() as transaction:
        await transaction.lock([f"recordings:{row['call_id']}"])
        same_leg = (recordings.c.pbx == row["pbx"], recordings.c.uniqueid == row["uniqueid"])
        if await transaction.first(select(recordings.c.id).where(*same_leg)):
            return
        await transaction.execute(insert(recordings), row | {"file": look.name, "due_at": now})
        data = {"recording_id": row["id"], "file": look.name, "pbx": row["pbx"]}
        transaction.journal(replace(entry, call_id=row["call_id"], data=data))


def _unseen_leg(pbx: str, name: Named, created_at: datetime, ended_at: datetime) -> dict[str, Any]:
    """What can be said of a leg that was never seen: it lived at most as long as its call."""
    return {
        "call_id": name.call_id,
        "pbx": pbx,
        "uniqueid": name.uniqueid,
        "role": name.role,
        "created_at": created_at,
        "answered_at": None,
        "ended_at": ended_at,
    }
