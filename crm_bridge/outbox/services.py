"""The outbox's part of the composition: who reads the journal for it, who delivers, and what opens each destination."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from config import clock
from config.database import Database
from config.sealing import Seal
from config.settings import Settings
from crm_bridge.outbox.messages import NoteDocuments
from crm_bridge.outbox.reader import OutboxReader
from crm_bridge.outbox.upkeep import forget
from crm_bridge.outbox.worker import Opener, OutboxWorker
from crm_bridge.webhooks.guard import Guard
from crm_bridge.webhooks.sending import Sender
from crm_bridge.webhooks.webhooks import KIND, Webhooks
from crm_bridge.workers import Ticker


@dataclass(frozen=True, slots=True)
class OutboxServices:
    """Everything that tells other systems."""

    reader: OutboxReader
    worker: OutboxWorker
    webhooks: Webhooks
    upkeep: Ticker

    @classmethod
    def made(
        cls, settings: Settings, database: Database, connectors: Mapping[str, Opener] | None = None
    ) -> "OutboxServices":
        """`connectors` open the destinations that are not webhooks, by kind."""
        told = settings.outbox
        webhooks = webhooks_of(settings, database)
        keep = timedelta(days=told.keep_days)
        return cls(
            reader=OutboxReader(database, NoteDocuments(settings.server.public_url)),
            worker=OutboxWorker(database, {KIND: webhooks.open, **(connectors or {})}, told.at_once),
            webhooks=webhooks,
            upkeep=Ticker(name="outbox", tick=lambda: forget(database, clock.now(), keep), seconds=3600),
        )

    @property
    def jobs(self) -> tuple[OutboxReader, OutboxWorker, Ticker]:
        """Its background work."""
        return self.reader, self.worker, self.upkeep

    async def close(self) -> None:
        """After its jobs have ended: let what is under way end, and close every connection."""
        await self.worker.close()
        await self.webhooks.sender.close()


def webhooks_of(settings: Settings, database: Database) -> Webhooks:
    """The webhooks as the settings describe them. Nothing is opened yet."""
    sender = Sender(Guard(tuple(settings.outbox.allow_networks)), settings.outbox.answer_seconds)
    return Webhooks(database, Seal(settings.keys, KIND), sender, settings.desk)
