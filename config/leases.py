"""A lease: of several service processes on one PostgreSQL, one at a time does a thing, and another takes over when it dies.

SQLite serves one process, which therefore holds every lease.
"""

import time
from datetime import timedelta

from sqlalchemy import Column, DateTime, String, Table, func, update

from config.database import Database
from config.schema import metadata

TERM = timedelta(seconds=10)
"""A holder that stops renewing loses it after so long; renewed every second or two."""

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),  # by the database's clock, which all processes share
)


class Lease:
    """This process's claim to `name`. Held only as long as it was renewed in time, also when the process was frozen."""

    def __init__(self, database: Database, name: str, owner: str) -> None:
        self._database = database
        self._name = name
        self._owner = owner
        self._held_until = 0.0

    @property
    def held(self) -> bool:
        """Whether nobody else can have it at this moment."""
        return not self._database.is_postgres or time.monotonic() < self._held_until

    async def renew(self) -> bool:
        """Take it or keep it; whether it is ours now."""
        if not self._database.is_postgres:
            return True
        asked = time.monotonic()
        async with self._database.write() as transaction:
            until = func.now() + TERM
            free = (leases.c.owner == self._owner) | (leases.c.until < func.now())
            mine = update(leases).where(leases.c.name == self._name, free).values(owner=self._owner, until=until)
            won = bool((await transaction.execute(mine)).rowcount)
            won = won or await transaction.insert_once(leases, name=self._name, owner=self._owner, until=until)
        # Counted from before the question, so that ours ends here before it ends there.
        self._held_until = asked + TERM.total_seconds() if won else 0.0
        return won

    async def release(self) -> None:
        """Give it up, so that another process needs not wait for its end."""
        self._held_until = 0.0
        if self._database.is_postgres:
            async with self._database.write() as transaction:
                mine = (leases.c.name == self._name) & (leases.c.owner == self._owner)
                await transaction.execute(update(leases).where(mine).values(until=func.now()))
