"""Keeps the stores' own locks as long as the recordings must be kept: intake locks by what it knows, retention extends."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import structlog
from sqlalchemy import or_, select, update

from config.database import Database
from recordings.archive import Archive
from recordings.tables import recordings

BATCH = 200

log = structlog.get_logger(__name__)


def end_of(day: date) -> datetime:
    """The moment until which an object is locked that must be kept through that day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


async def extend_locks(database: Database, archive: Archive) -> int:
    """Extend the lock of every object that must be kept for longer than it is locked; how many there were.

    A store that does not answer is asked again the next time; the deletion does not depend on locks.
    """
    done = 0
    longer = or_(recordings.c.locked_through.is_(None), recordings.c.delete_after > recordings.c.locked_through)
    due = select(recordings).where(recordings.c.state == "archived", recordings.c.delete_after.is_not(None), longer)
    while True:
        async with database.read() as connection:
            rows = list(await connection.execute(due.order_by(recordings.c.id).limit(BATCH)))
        for row in rows:
            try:
                await asyncio.to_thread(archive.lock_until, row, end_of(row.delete_after))
            except OSError as error:
                log.warning("locks.failed", recording=row.id, error=str(error))
                return done
            async with database.write() as transaction:
                await transaction.execute(
                    update(recordings).where(recordings.c.id == row.id).values(locked_through=row.delete_after)
                )
            done += 1
        if len(rows) < BATCH:
            return done
