"""Deletion: the one way a recording ends. Every path asks `may_delete` under the locks that holds and complaints take.

The steps: ask and mark the row `deleting` in one transaction (from then on no hold can be too early for it, and nobody
can play it); remove every version and copy from the store and see that they are gone; empty the replay cache; destroy
the key that nothing uses any more; write the receipt, the journal's `recording.deleted` and the state `deleted` in one
transaction. Killed in between, the next run takes up what is marked. The row stays, so that a late file is not taken in
again, and the receipt says what there was and why it went.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import NotFound
from config.identifiers import new_id
from config.journal import Entry, journal
from recordings.archive import Archive
from recordings.holds import holding, names_of_locks
from recordings.incidents import close_incidents, open_incident
from recordings.retention import Due
from recordings.retention_classes import due_of, recompute, write_due
from recordings.retention_tables import receipts
from recordings.tables import recordings
from telephony.tables import calls

BATCH = 100
LAST_MIDNIGHT = timedelta(hours=12)
"""A day is over everywhere on earth half a day after it is over in UTC."""
FAILING, CLOCK_DOUBT = "deletion-failing", "clock-doubt"
LONGEST_PAUSE = timedelta(days=3)
"""Runs are daily: after a longer pause either nothing ran, or the clock jumped ahead and would delete too early."""

CaseHolds = Callable[[AsyncConnection, str], Awaitable[str | None]]
"""Why a case's recordings must stay (an open complaint, a dispute), or None; asked inside the deletion's transaction."""
Progress = Callable[["Report"], None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A refusal to delete: `code` is recording-on-hold, kept-until, no-class, store-locked or not-archived."""

    code: str
    reason: str
    until: date | datetime | None = None


@dataclass(slots=True)
class Report:
    """What a run did, or would do: counts by what came of each recording that was past its date."""

    looked_at: int = 0
    deleted: int = 0
    bytes: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def note(self, kept: Kept) -> None:
        """Count a refusal."""
        self.kept[kept.code] = self.kept.get(kept.code, 0) + 1


def is_over(day: date, now: datetime) -> bool:
    """Whether `day` has ended wherever the debtor may live."""
    return (now - LAST_MIDNIGHT).date() > day


async def may_delete(
    connection: AsyncConnection, row: Row[Any], now: datetime, held_by_case: CaseHolds
) -> tuple[Kept | None, Due | None]:
    """The one question: is its date over and does nothing hold it? Ask it holding the locks of `holds.names_of_locks`.

    The date is worked out anew, since the debt may have been worked on after it was written down. `row` has `id`,
    `state` and the call's `case_id`.
    """
    if row.state != "archived":
        return Kept("not-archived", f"its state is {row.state}"), None
    due = await due_of(connection, row.id)
    matters = [found.matter for found in await connection.execute(holding(row.id, row.case_id))]
    if matters:
        return Kept("recording-on-hold", f"held by {', '.join(matters)}"), due
    if row.case_id is not None and (why := await held_by_case(connection, row.case_id)):
        return Kept("recording-on-hold", why), due
    if due is None:
        return Kept("no-class", "no retention class covers it"), None
    if not is_over(due.delete_after, now):
        return Kept("kept-until", f"{due.decided_by} keeps it until {due.delete_after}", due.delete_after), due
    return None, due


class Deletion:
    """Deletes what may be deleted. `cache` is the replay's, which holds copies of what people listened to."""

    def __init__(self, *, database: Database, archive: Archive, cache: Path, held_by_case: CaseHolds) -> None:
        self._database = database
        self._archive = archive
        self._cache = cache
        self._held_by_case = held_by_case

    async def run(
        self, now: datetime, *, actor: str = "system", dry_run: bool = False, progress: Progress = lambda report: None
    ) -> Report:
        """Delete every recording whose date is over and that nothing holds; those a killed run left half done first."""
        while not dry_run and await recompute(self._database):
            pass
        report, last = Report(), ""
        while rows := await self._past(now, last):
            last = rows[-1].id
            if dry_run:
                await self._would(rows, now, report)
            for row in () if dry_run else rows:
                report.looked_at += 1
                await self._try(row, now, actor, report)
                progress(report)
            progress(report)
        if not dry_run:
            await self._destroy_keys(now, actor)
            async with self._database.write() as transaction:
                transaction.journal(Entry(now, "retention.run", actor, data=asdict(report)))
        return report

    async def run_by_itself(self, now: datetime) -> Report | None:
        """The daily run. None, nothing deleted and an incident, when the clock seems to have jumped ahead since the last one.

        A run that somebody asks for looks at no clock: asking for it says that today is right.
        """
        newest = select(journal.c.at).where(journal.c.kind == "retention.run").order_by(journal.c.id.desc()).limit(1)
        async with self._database.read() as connection:
            last = await connection.scalar(newest)
        async with self._database.write() as transaction:
            if last is not None and now - last > LONGEST_PAUSE:
                detail = {"last_run": last.isoformat(), "now": now.isoformat()}
                await open_incident(transaction, now, CLOCK_DOUBT, "retention", detail)
                return None
            await close_incidents(transaction, now, "retention", "deletion was run again", (CLOCK_DOUBT,))
        return await self.run(now)

    async def _past(self, now: datetime, after: str) -> list[Row[Any]]:
        today = (now - LAST_MIDNIGHT).date()
        over = and_(recordings.c.state == "archived", recordings.c.delete_after < today)
        due = _rows().where(recordings.c.id > after, or_(recordings.c.state == "deleting", over))
        async with self._database.read() as connection:
            return list(await connection.execute(due.order_by(recordings.c.id).limit(BATCH)))

    async def _would(self, rows: list[Row[Any]], now: datetime, report: Report) -> None:
        async with self._database.read() as connection:
            for row in rows:
                report.looked_at += 1
                kept, _ = await may_delete(connection, row, now, self._held_by_case)
                if kept is not None and row.state != "deleting":
                    report.note(kept)
                else:
                    report.deleted += 1
                    report.bytes += row.stored_bytes or 0

    async def _try(self, row: Row[Any], now: datetime, actor: str, report: Report) -> None:
        try:
            kept = await self._delete(row.id, now, actor)
        except Exception as error:  # whatever the store said, the others are still to be deleted; this one comes again
            log.warning("retention.failed", recording=row.id, error=str(error))
            report.failed[row.id] = str(error)
            await self._failed(row, now, error)
            return
        if kept is not None:
            report.note(kept)
        else:
            report.deleted += 1
            report.bytes += row.stored_bytes or 0

    async def delete(self, recording_id: str, now: datetime, *, actor: str) -> Kept | None:
        """Delete one recording, or say why not. Raises NotFound, and what the store raises (it is then marked)."""
        kept = await self._delete(recording_id, now, actor)
        if kept is None:
            await self._destroy_keys(now, actor)
        return kept

    async def _delete(self, recording_id: str, now: datetime, actor: str) -> Kept | None:
        marked = await self._locked_by_store(recording_id, now) or await self._mark(recording_id, now)
        if isinstance(marked, Kept):
            return marked
        copies = await asyncio.to_thread(self._remove, marked)
        async with self._database.write() as transaction:
            await self._write_receipt(transaction, marked, copies, now, actor)
        return None

    async def _locked_by_store(self, recording_id: str, now: datetime) -> Kept | None:
        """Asked before any lock of ours is taken, since a store may be far away; it only ever ends by itself."""
        row = await self._row(recording_id)
        if row.state != "archived" or row.delete_after is None or not is_over(row.delete_after, now):
            return None
        locked = await asyncio.to_thread(self._archive.locked_until, row)
        if locked is None or locked <= now:
            return None
        return Kept("store-locked", f"the store keeps it until {locked.isoformat(timespec='seconds')}", locked)

    async def _row(self, recording_id: str) -> Row[Any]:
        async with self._database.read() as connection:
            row = (await connection.execute(_rows().where(recordings.c.id == recording_id))).first()
        if row is None:
            raise NotFound(f"there is no recording {recording_id}")
        return row

    async def _mark(self, recording_id: str, now: datetime) -> Row[Any] | Kept:
        case_id = (await self._row(recording_id)).case_id
        async with self._database.write() as transaction:
            await transaction.lock(names_of_locks([recording_id], [case_id]))
            row = await transaction.first(_rows().where(recordings.c.id == recording_id))
            if row is None or row.state == "deleting":
                return row or Kept("not-archived", "it is gone")
            kept, due = await may_delete(transaction.connection, row, now, self._held_by_case)
            if due is not None and due.delete_after != row.delete_after:
                await write_due(transaction, row.id, due)
            if kept is not None:
                return kept
            await transaction.execute(update(recordings).where(recordings.c.id == row.id).values(state="deleting"))
            return row

    def _remove(self, row: Row[Any]) -> int:
        """Every version and copy; then what the cache made of it. Blocking. Raises OSError while one is still there."""
        copies = self._archive.remove(row)
        for name, store in self._archive.stores.items():
            if store.exists(row.object if name == "archive" else (row.object_copy or {}).get("key", row.object)):
                raise OSError(f"{name} still has {row.object}")
        # Composed calls hold several recordings: what is in the cache can be made again from what is left.
        for file in self._cache.iterdir() if self._cache.is_dir() else ():
            if not file.name.startswith("."):
                file.unlink(missing_ok=True)
        return copies

    async def _write_receipt(
        self, transaction: Transaction, row: Row[Any], copies: int, now: datetime, actor: str
    ) -> None:
        await transaction.lock([f"recording:{row.id}"])
        gone = await transaction.execute(
            update(recordings)
            .where(recordings.c.id == row.id, recordings.c.state == "deleting")
            .values(state="deleted", peaks=None, object=None, due_at=None)
        )
        if not gone.rowcount:
            return  # another process finished it
        receipt = _receipt(row, copies, now, actor)
        await transaction.execute(insert(receipts).values(**receipt))
        data = {
            name: receipt[name]
            for name in ("recording_id", "sha256", "pcm_sha256", "stored_sha256", "copies", "retention")
        }
        call = Entry(now, "recording.deleted", actor, row.client, row.agent, row.case_id, row.call_id)
        transaction.journal(Entry(**_shared(call), data=data | {"receipt_id": receipt["id"]}))
        await close_incidents(transaction, now, row.id, "the recording is deleted", (FAILING,), call)

    async def _destroy_keys(self, now: datetime, actor: str) -> None:
        """Destroy the group keys under which nothing is left, and say so on the receipts."""
        other = recordings.alias()
        in_use = select(other.c.id).where(other.c.key_id == recordings.c.key_id, other.c.state != "deleted").exists()
        spent = (
            select(recordings.c.key_id)
            .join(receipts, receipts.c.recording_id == recordings.c.id)
            .where(receipts.c.key_destroyed.is_(False), recordings.c.key_id.is_not(None), ~in_use)
            .distinct()
        )
        async with self._database.read() as connection:
            key_ids = list(await connection.scalars(spent))
        for key_id in key_ids:
            await asyncio.to_thread(self._archive.keyring.destroy, key_id)
            under = select(recordings.c.id).where(recordings.c.key_id == key_id)
            async with self._database.write() as transaction:
                await transaction.execute(
                    update(receipts).where(receipts.c.recording_id.in_(under)).values(key_destroyed=True)
                )
                transaction.journal(Entry(now, "key.destroyed", actor, data={"key_id": key_id}))

    async def _failed(self, row: Row[Any], now: datetime, error: Exception) -> None:
        async with self._database.write() as transaction:
            call = Entry(now, "recording.deleted", "system", row.client, row.agent, row.case_id, row.call_id)
            await open_incident(transaction, now, FAILING, row.id, {"error": str(error)[:1000]}, call)


def _rows() -> Any:
    """A recording with whose call it is of."""
    return select(recordings, calls.c.case_id, calls.c.client, calls.c.agent).outerjoin(
        calls, calls.c.id == recordings.c.call_id
    )


def _shared(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in ("at", "kind", "actor", "client", "agent", "case_id", "call_id")}


def _receipt(row: Row[Any], copies: int, now: datetime, actor: str) -> dict[str, Any]:
    copied = (
        "call_id", "case_id", "client", "leg", "object", "sha256", "pcm_sha256", "stored_sha256", "duration",
    )  # fmt: skip
    return {name: row._mapping[name] for name in copied} | {
        "id": new_id(now),
        "recording_id": row.id,
        "copies": copies,
        "recorded_at": row.leg_ended_at,
        "retention": row.retention or {},
        "key_destroyed": False,
        "deleted_at": now,
        "deleted_by": actor,
    }
