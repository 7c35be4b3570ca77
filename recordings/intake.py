"""Intake: takes each expected recording from the spool into the archive, and clears the spool only after that is
written down.

The steps are: claim the row, look at the file, prove and store it (`Archive.keep`), write the row and the journal,
clear the spool. Killed between any two of them, the row's lease runs out and the work is done again with the same
result; told to stop, the claims are given back at once. A file left behind by an archived row is cleared by
`recordings.sweep`. Of two processes on one file, the first to write the row wins.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config import clock
from config.database import Database, Transaction
from config.deadlines import claim_due
from config.errors import Fault
from config.journal import Entry
from recordings.archive import Archive, Kept, Placed
from recordings.completeness import judge
from recordings.incidents import close_incidents, open_incident
from recordings.locks import end_of
from recordings.proof import Changed, NotProven
from recordings.regions import quiet_times
from recordings.shelf import shelf
from recordings.spool import Look, Spool
from recordings.tables import recordings
from telephony.tables import calls

LEASE = timedelta(seconds=120)
AT_ONCE = 2
BATCH = 8
LOOK_AGAIN = timedelta(seconds=1)
QUIET = timedelta(seconds=3)
QUIET_THOUGH_OPEN = timedelta(seconds=30)
LONGEST_WAIT = timedelta(seconds=60)
WORRY_AFTER = timedelta(minutes=4)
MISSING_AFTER = timedelta(seconds=60)
LOOKS_AT_MOST = 40
EMPTY_BYTES = 44
"""A file of this length or less holds no sample: nothing, or a bare WAV header."""

log = structlog.get_logger(__name__)


class SpoolUnknown(Fault):
    """The row's PBX has no spool in the configuration."""

    code = "spool-unknown"


class Intake:
    """The worker. `spools` are by PBX name; `run_due` is called every second or so."""

    def __init__(
        self,
        *,
        database: Database,
        archive: Archive,
        spools: Mapping[str, Spool],
        missing_after: timedelta = MISSING_AFTER,
    ) -> None:
        self._database = database
        self._archive = archive
        self._spools = spools
        self._missing_after = missing_after
        self._looks: dict[str, tuple[Look, datetime]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run_due(self, now: datetime) -> int:
        """Work on all recordings that are due; returns how many were."""
        done = 0
        while rows := await self._claim(now):
            try:
                await asyncio.gather(*(self._work_on(row, now) for row in rows))
            except asyncio.CancelledError:
                await self._give_back(rows, now)
                raise
            done += len(rows)
        return done

    async def _give_back(self, rows: Sequence[Row[Any]], now: datetime) -> None:
        """This process is being stopped: what it has not finished is the next one's at once, not when the claim runs out.

        A file that is being stored meanwhile goes under a name of its own, and only who writes the row clears the spool.
        """
        claimed = recordings.c.id.in_([row.id for row in rows]) & (recordings.c.due_at == now + LEASE)
        async with self._database.write() as transaction:
            await transaction.execute(
                update(recordings).where(claimed, recordings.c.state != "archived").values(due_at=now)
            )

    async def _claim(self, now: datetime) -> list[Row[Any]]:
        async with self._database.read() as connection:
            if not await connection.scalar(select(recordings.c.id).where(recordings.c.due_at <= now).limit(1)):
                return []
        async with self._database.write() as transaction:
            return await claim_due(transaction, recordings, now, lease=LEASE, limit=BATCH)

    async def _work_on(self, row: Row[Any], now: datetime) -> None:
        async with self._slots:
            try:
                await self._take_in(row, now)
            except Changed:
                await self._again(row, now + LOOK_AGAIN)
            except Exception as error:  # whatever it was, the file is still in the spool and the row comes back
                log.warning("intake.failed", recording=row.id, file=row.file, error=str(error))
                await self._failed(row, now, error)

    async def _take_in(self, row: Row[Any], now: datetime) -> None:
        spool = self._spools.get(row.pbx)
        if spool is None:
            raise SpoolUnknown(f"no spool is configured for PBX {row.pbx}")
        look = await asyncio.to_thread(spool.find, row.file)
        if look is None:
            await self._absent(row, now)
        elif not await self._finished(spool, look, row, now):
            await self._again(row, now + LOOK_AGAIN)
        elif not row.required and look.size <= EMPTY_BYTES:
            await self._nothing_to_keep(row, look)
            await asyncio.to_thread(spool.clear, look)
        else:
            await self._keep(spool, look, row)

    async def _keep(self, spool: Spool, look: Look, row: Row[Any]) -> None:
        stem = f"{row.leg_started_at:%Y/%m/%d}/{row.call_id}/{row.leg}.{row.id}"
        async with self._database.read() as connection:
            group, last_day = await shelf(connection, row)
        until = end_of(last_day) if last_day else None
        file = await asyncio.to_thread(spool.here, look)
        kept = await asyncio.to_thread(self._archive.keep, file, stem, group, until)
        if not await asyncio.to_thread(spool.unchanged, look):
            raise Changed(look.name)
        await self._write_down(row, look, replace(kept, locked_through=last_day), clock.now())
        # A key whose last recording was deleted meanwhile is destroyed: then the file stays, and the sweep asks about it.
        if await asyncio.to_thread(self._archive.keyring.is_destroyed, kept.main.key_id):
            raise NotProven(f"the key of {look.name} was destroyed while it was archived")
        if not await asyncio.to_thread(spool.clear, look):
            log.warning("intake.file_changed_after_archiving", recording=row.id, file=look.name)

    async def _finished(self, spool: Spool, look: Look, row: Row[Any], now: datetime) -> bool:
        """Whether the PBX has closed the file: the kernel says so, or it has not changed for a while."""
        closed = await asyncio.to_thread(spool.is_closed, look.name)
        if closed:
            self._looks.pop(row.id, None)
            return True
        before, since = self._looks.get(row.id, (None, now))
        if before != look:
            self._looks[row.id] = (look, now)
            return False
        if now - since < (QUIET if closed is None else QUIET_THOUGH_OPEN):
            return False
        del self._looks[row.id]
        return True

    async def _write_down(self, row: Row[Any], look: Look, kept: Kept, now: datetime) -> None:
        """The row and the journal in one transaction; nothing when another process was faster."""
        async with self._database.write() as transaction:
            connected_at, call = await _call_of(transaction, row, now)
            quiet = await quiet_times(transaction.connection, row.call_id)
            judgement = judge(row, kept.proof, connected_at, quiet)
            done = await transaction.execute(
                update(recordings)
                .where(recordings.c.id == row.id, recordings.c.state != "archived")
                .values(**_archived(row, look, kept, judgement.flags, now))
            )
            if not done.rowcount:
                return
            transaction.journal(_ready(call, row, kept, judgement.flags))
            await close_incidents(
                transaction, now, row.id, "the recording is archived", ("missing", "intake-failing"), call
            )
            for kind in judgement.doubts:
                await open_incident(transaction, now, kind, row.id, _doubt(row, kept), call)

    async def _absent(self, row: Row[Any], now: datetime) -> None:
        lost_at = row.leg_ended_at + self._missing_after
        if row.required and row.state != "missing" and now < lost_at and row.attempts < LOOKS_AT_MOST:
            await self._again(row, min(now + _wait(row.attempts), lost_at))
            return
        async with self._database.write() as transaction:
            state = "missing" if row.required else "none"
            await transaction.execute(_while_open(row).values(state=state, due_at=None, error=None))
            if row.required:
                _, call = await _call_of(transaction, row, now)
                detail = {"leg": row.leg, "file": row.file, "pbx": row.pbx, "uniqueid": row.uniqueid}
                await open_incident(transaction, now, "missing", row.id, detail, call)

    async def _nothing_to_keep(self, row: Row[Any], look: Look) -> None:
        async with self._database.write() as transaction:
            await transaction.execute(_while_open(row).values(state="none", file=look.name, due_at=None, error=None))

    async def _again(self, row: Row[Any], due_at: datetime) -> None:
        async with self._database.write() as transaction:
            await transaction.execute(_while_open(row).values(due_at=due_at))

    async def _failed(self, row: Row[Any], now: datetime, error: Exception) -> None:
        """Come back later; after four minutes it is somebody's business."""
        async with self._database.write() as transaction:
            await transaction.execute(
                _while_open(row).values(due_at=now + _wait(row.attempts), error=str(error)[:1000])
            )
            if now - row.leg_ended_at >= WORRY_AFTER:
                _, call = await _call_of(transaction, row, now)
                detail = {"leg": row.leg, "file": row.file, "error": str(error)[:1000]}
                await open_incident(transaction, now, "intake-failing", row.id, detail, call)


def _wait(attempts: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_WAIT)


def _while_open(row: Row[Any]) -> Any:
    return update(recordings).where(recordings.c.id == row.id, recordings.c.state != "archived")


async def _call_of(transaction: Transaction, row: Row[Any], now: datetime) -> tuple[datetime | None, Entry]:
    """When the row's call was connected, and an entry that carries whose call it is."""
    call = await transaction.first(
        select(calls.c.client, calls.c.agent, calls.c.case_id, calls.c.connected_at).where(calls.c.id == row.call_id)
    )
    if call is None:
        return None, Entry(at=now, kind="recording.ready", call_id=row.call_id)
    scope = Entry(now, "recording.ready", "system", call.client, call.agent, call.case_id, row.call_id)
    return call.connected_at, scope


def _archived(row: Row[Any], look: Look, kept: Kept, flags: tuple[str, ...], now: datetime) -> dict[str, Any]:
    proof = kept.proof
    # Media flows until the hang-up, so the last sample is the leg's end; the first one is not known any better.
    started = max(row.leg_started_at, row.leg_ended_at - timedelta(seconds=proof.duration))
    return {
        "state": "archived",
        "file": look.name,
        "started_at": started,
        "duration": proof.duration,
        "rate": proof.rate or None,
        "channels": proof.channels or None,
        "sha256": proof.sha256,
        "pcm_sha256": proof.pcm_sha256,
        "stored_sha256": kept.main.stored.sha256,
        "stored_bytes": kept.main.stored.size,
        "object": kept.main.key,
        "object_version": kept.main.stored.version,
        "object_copy": _placed(kept.copy) if kept.copy else None,
        "key_id": kept.main.key_id,
        "locked_through": kept.locked_through,
        "flags": list(flags),
        "peaks": proof.peaks or None,
        "due_at": None,
        "error": None,
        "archived_at": now,
    }


def _ready(call: Entry, row: Row[Any], kept: Kept, flags: tuple[str, ...]) -> Entry:
    data = {
        "recording_id": row.id,
        "leg": row.leg,
        "uniqueid": row.uniqueid,
        "duration": round(kept.proof.duration, 3),
        "sha256": kept.proof.sha256,
        "pcm_sha256": kept.proof.pcm_sha256,
        "stored_sha256": kept.main.stored.sha256,
        "stored_bytes": kept.main.stored.size,
        "object": kept.main.key,
        "version": kept.main.stored.version,
        "copy": _placed(kept.copy) if kept.copy else None,
        "key_id": kept.main.key_id,
        "flags": list(flags),
    }
    return replace(call, data=data)


def _placed(copy: Placed) -> dict[str, Any]:
    stored = copy.stored
    return {"key": copy.key, "version": stored.version, "sha256": stored.sha256, "size": stored.size,
            "key_id": copy.key_id}  # fmt: skip


def _doubt(row: Row[Any], kept: Kept) -> dict[str, Any]:
    """What somebody needs to look into it: the leg's times, and the largest sample of each channel (of 32,768)."""
    return {
        "leg": row.leg,
        "uniqueid": row.uniqueid,
        "answered_at": row.leg_answered_at.isoformat() if row.leg_answered_at else None,
        "ended_at": row.leg_ended_at.isoformat(),
        "duration": round(kept.proof.duration, 3),
        "loudest": list(kept.proof.loudest),
        "unreadable": kept.proof.unreadable,
    }
