"""The chain of custody: what had to be recorded is there, its row is what the log says, and its object what the row says."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import soundfile
from sqlalchemy import and_, func, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from config.errors import Fault
from config.journal import journal
from recordings.archive import Archive
from recordings.completeness import TINY_SECONDS
from recordings.encryption import intact
from recordings.proof import decoded_sha256
from recordings.retention_tables import receipts
from recordings.tables import incidents, recordings
from recordings.verify import PAGE, Progress, Report
from telephony.tables import calls, legs

ARCHIVED_WITHIN = timedelta(minutes=5)
AT_ONCE = 2
SEALED = ("sha256", "pcm_sha256", "stored_sha256", "stored_bytes", "object")


class Custody:
    """Checks rows against the log, and objects against rows."""

    def __init__(self, *, database: Database, archive: Archive, report: Report, progress: Progress) -> None:
        self._database = database
        self._archive = archive
        self._report = report
        self._progress = progress

    async def check_rows(self, now: datetime) -> None:
        """Every recording's row against the journal, and every leg against the rows."""
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(recordings)) or 0
            last = ""
            while rows := await _page(connection, last):
                last = rows[-1].id
                told = await _told(connection, {row.call_id for row in rows})
                received = set(
                    await connection.scalars(
                        select(receipts.c.recording_id).where(receipts.c.recording_id.in_([row.id for row in rows]))
                    )
                )
                doubted = set(
                    await connection.scalars(
                        select(incidents.c.subject).where(incidents.c.subject.in_([row.id for row in rows]))
                    )
                )
                for row in rows:
                    self._check_row(row, told.get(row.id, {}), row.id in received, row.id in doubted, now)
                self._progress("custody", self._report.checked["recordings"], total)
            await self._check_gone(connection)
            await self._check_legs(connection, now)

    def _check_row(
        self, row: Row[Any], told: Mapping[str, dict[str, Any]], received: bool, doubted: bool, now: datetime
    ) -> None:
        self._report.checked["recordings"] += 1
        ready = told.get("recording.ready")
        if row.state in ("archived", "deleting"):
            if ready is None:
                self._report.wrong(f"recording {row.id} is archived, and the journal does not say so")
            elif differing := [name for name in SEALED if name in ready and ready[name] != row._mapping[name]]:
                self._report.wrong(f"recording {row.id}: {', '.join(differing)} is not what was sealed")
        elif row.state == "deleted":
            if "recording.deleted" not in told or not received:
                self._report.wrong(f"recording {row.id} is deleted without a journal entry and a receipt")
        elif ready is not None:
            self._report.wrong(f"recording {row.id} was archived and is {row.state} now")
        elif row.required and not doubted and now - row.leg_ended_at > ARCHIVED_WITHIN:
            self._report.wrong(f"recording {row.id} had to be there, is {row.state}, and no incident was opened")

    async def _check_gone(self, connection: AsyncConnection) -> None:
        """Recordings that the journal knows and the table does not."""
        position = 0
        while True:
            ready = await connection.execute(
                select(journal.c.id, journal.c.data)
                .where(journal.c.kind == "recording.ready", journal.c.id > position)
                .order_by(journal.c.id)
                .limit(PAGE)
            )
            named = {str(row.data.get("recording_id")): row.id for row in ready}
            if not named:
                return
            position = max(named.values())
            known = set(await connection.scalars(select(recordings.c.id).where(recordings.c.id.in_(list(named)))))
            for lost in sorted(named.keys() - known):
                self._report.wrong(f"recording {lost} was archived (journal entry {named[lost]}) and its row is gone")

    async def _check_legs(self, connection: AsyncConnection, now: datetime) -> None:
        """Answered legs that no recording is expected of."""
        of_leg = and_(recordings.c.pbx == legs.c.pbx, recordings.c.uniqueid == legs.c.uniqueid)
        answered = (
            select(legs.c.uniqueid, legs.c.call_id, legs.c.answered_at, legs.c.ended_at, calls.c.ended_at.label("over"))
            .join(calls, calls.c.id == legs.c.call_id)
            .outerjoin(recordings, of_leg)
            .where(legs.c.answered_at.is_not(None), recordings.c.id.is_(None), calls.c.ended_at < now - ARCHIVED_WITHIN)
        )
        for leg in await connection.execute(answered):
            if ((leg.ended_at or leg.over) - leg.answered_at).total_seconds() >= TINY_SECONDS:
                self._report.wrong(
                    f"leg {leg.uniqueid} of call {leg.call_id} was answered and nothing is expected of it"
                )

    async def check_objects(self, now: datetime, limit: int | None) -> None:
        """Read objects back from every store, decrypt and decode them; `limit` takes those not read for longest."""
        async with self._database.read() as connection:
            archived = select(recordings).where(recordings.c.state == "archived")
            total = await connection.scalar(select(func.count()).select_from(archived.subquery())) or 0
            wanted = total if limit is None else min(limit, total)
            oldest = archived.order_by(recordings.c.verified_at.is_not(None), recordings.c.verified_at, recordings.c.id)
            ids = list(await connection.scalars(oldest.with_only_columns(recordings.c.id).limit(wanted)))
        for start in range(0, len(ids), AT_ONCE):
            await self._check_some(ids[start : start + AT_ONCE], now)
            self._progress("store", min(start + AT_ONCE, len(ids)), len(ids))

    async def _check_some(self, ids: Sequence[str], now: datetime) -> None:
        async with self._database.read() as connection:
            found = await connection.execute(
                select(recordings).where(recordings.c.id.in_(ids), recordings.c.state == "archived")
            )
            rows = list(found)
        problems = await asyncio.gather(*(asyncio.to_thread(self._object_problems, row) for row in rows))
        sound = []
        for row, wrong in zip(rows, problems, strict=True):
            self._report.checked["objects"] += 1
            for problem in wrong:
                self._report.wrong(f"recording {row.id}: {problem}")
            if not wrong:
                sound.append(row.id)
        async with self._database.write() as transaction:
            await transaction.execute(update(recordings).where(recordings.c.id.in_(sound)).values(verified_at=now))

    def _object_problems(self, row: Row[Any]) -> list[str]:
        places = [("archive", row.object, row.object_version, row.stored_sha256)]
        if row.object_copy:
            places.append(("archive-copy", *(row.object_copy[name] for name in ("key", "version", "sha256"))))
        problems = []
        for name, key, version, sha256 in places:
            if (store := self._archive.stores.get(name)) is None:
                problems.append(f"its second copy is in a store that is not configured ({key})")
                continue
            try:
                if store.read_back(key, version).sha256 != sha256:
                    problems.append(f"its object in the {name} is not what was stored ({key})")
            except (OSError, Fault) as error:
                problems.append(f"its object in the {name} cannot be read: {error}")
        return problems or self._audio_problems(row)

    def _audio_problems(self, row: Row[Any]) -> list[str]:
        try:
            with self._archive.open(row) as plain, intact(plain):
                audible = bool(row.duration)
                found = decoded_sha256(plain) if audible else hashlib.file_digest(plain, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed wants a narrower file
        except (OSError, Fault, soundfile.LibsndfileError) as error:
            return [f"it cannot be decoded: {error}"]
        return [] if found == (row.pcm_sha256 if audible else row.sha256) else ["it decodes to other samples"]


async def _page(connection: AsyncConnection, last: str) -> Sequence[Row[Any]]:
    page = select(recordings).where(recordings.c.id > last).order_by(recordings.c.id).limit(PAGE // 4)
    return (await connection.execute(page)).all()


async def _told(connection: AsyncConnection, calls_of: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """By recording and kind, what the journal says last of recordings of these calls."""
    kinds = ("recording.ready", "recording.deleted")
    rows = await connection.execute(
        select(journal.c.kind, journal.c.data)
        .where(journal.c.call_id.in_(list(calls_of)), journal.c.kind.in_(kinds))
        .order_by(journal.c.id)
    )
    told: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        told.setdefault(str(row.data.get("recording_id")), {})[row.kind] = row.data
    return told
