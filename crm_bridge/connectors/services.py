"""The connectors' part of the composition: who keeps them, what opens them for the outbox, and the pulls that are due."""

from collections.abc import Mapping
from dataclasses import dataclass

from config import clock
from config.database import Database
from config.sealing import Seal
from config.settings import Settings
from crm_bridge.connectors.asking import Asker
from crm_bridge.connectors.pulls import Pulls
from crm_bridge.connectors.registry import KIND, Connectors, forget_notes
from crm_bridge.outbox.worker import Opener
from crm_bridge.webhooks.guard import Guard
from crm_bridge.workers import Ticker


@dataclass(frozen=True, slots=True)
class ConnectorServices:
    """Everything that asks CRMs and writes to them."""

    connectors: Connectors
    jobs: tuple[Ticker, ...]

    @classmethod
    def made(cls, settings: Settings, database: Database) -> "ConnectorServices":
        """Nothing is opened yet."""
        connectors = connectors_of(settings, database)
        pulls = Pulls(database, connectors.crm, settings.policy.region, clock.now)
        jobs = (
            Ticker(name="pulls", tick=pulls.tick, seconds=1),
            Ticker(name="old CRM notes", tick=lambda: forget_notes(database, clock.now()), seconds=86_400),
        )
        return cls(connectors, jobs)

    @property
    def openers(self) -> Mapping[str, Opener]:
        """What opens the outbox's destinations, by kind."""
        return {KIND: self.connectors.open_destination}

    async def close(self) -> None:
        """After its jobs and the outbox have ended: close every connection."""
        await self.connectors.asker.close()


def connectors_of(settings: Settings, database: Database) -> Connectors:
    """The connectors as the settings describe them."""
    asker = Asker(Guard(tuple(settings.outbox.allow_networks)))
    seal = Seal(settings.keys, "connector")
    return Connectors(database, seal, asker, settings.policy.zone, settings.policy.region, clock.now)
