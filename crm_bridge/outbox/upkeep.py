"""What is not needed any more leaves the outbox: it holds personal data, and the journal has the events anyway."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from config.database import Database
from crm_bridge.outbox.tables import items, tries

BATCH = 1000


async def forget(database: Database, now: datetime, keep: timedelta) -> int:
    """Delete what was delivered or dropped more than `keep` ago, and the log of tries; how many items went.

    Dead letters stay until somebody decides about them.
    """
    gone = 0
    while True:
        old = select(items.c.seq).where(items.c.state.in_(("delivered", "dropped")), items.c.ended_at < now - keep)
        older = select(tries.c.id).where(tries.c.at < now - keep)
        async with database.write() as transaction:
            done = await transaction.execute(delete(items).where(items.c.seq.in_(old.limit(BATCH))))
            logged = await transaction.execute(delete(tries).where(tries.c.id.in_(older.limit(BATCH))))
        gone += done.rowcount
        if done.rowcount < BATCH and logged.rowcount < BATCH:
            return gone
