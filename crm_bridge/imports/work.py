"""The worker of imports: takes up what is due, one import at a time, and leaves it to another process when it dies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from config.database import Database, DatabaseUnavailable
from config.deadlines import claim_due
from config.errors import Fault
from config.journal import Entry
from crm_bridge.imports.checking import Check
from crm_bridge.imports.claims import LEASE, Claim, Lost
from crm_bridge.imports.findings import finding
from crm_bridge.imports.running import Run
from crm_bridge.imports.tables import imports
from crm_bridge.people import users

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ImportWork:
    """What `tick` does every second."""

    database: Database
    region: str
    clock: Callable[[], datetime]

    async def tick(self) -> None:
        """Take up one import, if one is due, and see it through."""
        now = self.clock()
        async with self.database.write() as transaction:
            rows = await claim_due(transaction, imports, now, lease=LEASE, limit=1)
        for row in rows:
            claim = Claim(row.id, row.attempts, self.clock)
            try:
                async with self.database.read() as connection:
                    name = row.run_by if row.state in ("trying", "running") else row.uploaded_by
                    user = users.user_of(await users.find_user(connection, name))
                work = Check if row.state == "checking" else Run
                await work(self.database, claim, row, user, self.region).run(now)
            except Lost:
                log.info("import.left", import_id=row.id)
            except DatabaseUnavailable:
                raise
            except Fault as fault:
                await self._fail(claim, row.client, fault.detail, now)

    async def _fail(self, claim: Claim, client: str, why: str, now: datetime) -> None:
        """What cannot go on says so; what a crash or a lost database stopped is taken up again instead."""
        problems = [finding("broken-off", row=0, why=why)]
        async with self.database.write() as transaction:
            await claim.end(transaction, state="failed", finished_at=now, problems=problems)
            data = {"import_id": claim.import_id, "why": why}
            transaction.journal(Entry(now, "import.failed", "system", client, data=data))
