"""A connector to the real Tryton of a test, without HTTP of ours: what pulls and notes are tried with."""

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from config import clock
from config.database import Database
from config.sealing import Seal
from config.settings import Keys
from crm_bridge.connectors.asking import Asker
from crm_bridge.connectors.pulls import Pulls
from crm_bridge.connectors.registry import Connectors
from crm_bridge.connectors.tables import conflicts, connectors
from crm_bridge.outbox import registry
from crm_bridge.outbox.destination import Destination
from crm_bridge.people.users import User
from crm_bridge.webhooks.guard import Guard
from tests.support.tryton import Tryton

ADMIN = User("ada", "admin")
HERE = Guard(("127.0.0.0/8",))


class Connected:
    """One connector of client `bank`; `pull` makes a pull as the service does."""

    def __init__(self, database: Database, service: Connectors, connector_id: str) -> None:
        self.database, self.service, self.id = database, service, connector_id
        self.pulls = Pulls(database, service.crm, "CN", clock.now)

    async def row(self) -> Row[Any]:
        """The connector."""
        async with self.database.read() as connection:
            return (await connection.execute(select(connectors).where(connectors.c.id == self.id))).one()

    async def destination(self) -> Destination:
        """What the outbox would open."""
        async with self.database.read() as connection:
            row = await registry.find(connection, self.id)
        return await self.service.open_destination(row)

    async def pull(self, *, full: bool = False, accept_removed: bool = False) -> Row[Any]:
        """Ask for a pull and make it: the connector afterwards."""
        async with self.database.write() as transaction:
            await self.service.ask_pull(
                transaction, self.id, full=full, accept_removed=accept_removed, user=ADMIN, now=clock.now()
            )
        await self.pulls.tick()
        return await self.row()

    async def conflicts(self) -> list[Row[Any]]:
        """Those that are open."""
        wanted = select(conflicts).where(conflicts.c.connector_id == self.id, conflicts.c.state == "open")
        async with self.database.read() as connection:
            return list((await connection.execute(wanted.order_by(conflicts.c.id))).all())


async def connected(
    database: Database, tryton: Tryton, folder: Path, asker: Asker, *, url: str | None = None, **mapping: Any
) -> Connected:
    """A connector without a schedule, for the works that this test makes."""
    seal = Seal(Keys(master=folder / "master.key"), "connector")
    service = Connectors(database, seal, asker, "Asia/Shanghai", "CN", clock.now)
    given = {
        "name": "Tryton", "kind": "tryton", "url": url or tryton.url, "database": tryton.database, "token": tryton.token,
        "client": "bank", "mapping": {"domain": tryton.people.mine(), **mapping}, "minutes": None, "enabled": True,
    }  # fmt: skip
    async with database.write() as transaction:
        identifier = await service.create(transaction, given, user=ADMIN, now=clock.now())
    return Connected(database, service, identifier)
