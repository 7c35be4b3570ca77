"""The outbox as it runs in the service, a receiver, and a journal to tell of."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import Row

from config import clock
from config.database import Database
from config.journal import Entry
from config.settings import Desk, Keys, Outbox, Settings
from crm_bridge.outbox.services import OutboxServices
from crm_bridge.outbox.tables import destinations, items, tries
from tests.support.api import service
from tests.support.webhook_receiver import Receiver, receiver

__all__ = ["service"]
ANSWER_SECONDS = 1.0


@dataclass
class Outside:
    """The outbox, driven by hand."""

    database: Database
    services: OutboxServices

    async def hook(
        self, url: str, *, events: list[str] | None = None, clients: list[str] | None = None
    ) -> tuple[str, str]:
        """A webhook: id and secret."""
        given = {"url": url, "name": "", "events": events or ["call.*"], "clients": clients or [], "shown_as": "crm"}
        async with self.database.write() as transaction:
            return await self.services.webhooks.create(transaction, given, actor="root", now=clock.now())

    async def happen(self, *kinds: str, case_id: str | None = "c1", client: str | None = "bank", **data: Any) -> None:
        """Things that happened, each in a transaction of its own."""
        for kind in kinds:
            async with self.database.write() as transaction:
                transaction.journal(Entry(clock.now(), kind, client=client, case_id=case_id, data=data))

    async def read(self) -> None:
        """Have what happened put into the outbox."""
        while await self.services.reader.read_on():
            pass

    async def tell(self, now: datetime | None = None) -> None:
        """Read on, and try what is due at `now` until nothing is."""
        await self.read()
        worker = self.services.worker
        while await worker.step(now or clock.now()) or worker.busy:
            await worker.something_ended()

    async def tell_in(self, later: timedelta) -> None:
        """The same, as if so much time had gone by."""
        await self.tell(clock.now() + later)

    async def rows(self) -> list[Row[Any]]:
        """Every item, in order."""
        async with self.database.read() as connection:
            return list((await connection.execute(select(items).order_by(items.c.seq))).all())

    async def states(self) -> list[str]:
        """Of every item, in order."""
        return [row.state for row in await self.rows()]

    async def tried(self) -> list[Row[Any]]:
        """The log, in order."""
        async with self.database.read() as connection:
            return list((await connection.execute(select(tries).order_by(tries.c.id))).all())

    async def destination(self) -> Row[Any]:
        """The only one."""
        async with self.database.read() as connection:
            return (await connection.execute(select(destinations))).one()


def services_of(database: Database, folder: Path, **outbox: Any) -> OutboxServices:
    """The outbox's services, which may tell this machine."""
    told = {"allow_networks": ["127.0.0.0/8"], "answer_seconds": ANSWER_SECONDS, **outbox}
    keys = Keys(master=folder / "master.key")
    return OutboxServices.made(Settings(outbox=Outbox(**told), keys=keys, desk=Desk(mask_numbers=["crm"])), database)


@pytest.fixture
async def outside(database: Database, tmp_path: Path) -> AsyncIterator[Outside]:
    made = services_of(database, tmp_path)
    yield Outside(database, made)
    await made.close()


@pytest.fixture
async def crm() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running
