"""The `database` fixture: every test that takes it runs on SQLite and on PostgreSQL, each time with fresh tables."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import config.journal
import crm_bridge.carrier.tables
import crm_bridge.clocks.tables
import crm_bridge.connectors.tables
import crm_bridge.embed.tables
import crm_bridge.imports.tables
import crm_bridge.inbound.tables
import crm_bridge.notes.tables
import crm_bridge.outbox.tables
import crm_bridge.people.desk_tables
import crm_bridge.qa.tables
import crm_bridge.reports.tables
import crm_bridge.tables
import crm_bridge.webhooks.tables
import recordings.retention_tables
import recordings.tables
import telephony.inbound.tables
import telephony.live.tables
import telephony.tables
import telephony.trunking.tables
from config.database import Database
from config.schema import metadata
from tests.support.postgres import TEMPLATE, Server, fresh_database

TABLE_MODULES = (
    config.journal,
    telephony.tables,
    telephony.inbound.tables,
    telephony.live.tables,
    telephony.trunking.tables,
    recordings.tables,
    recordings.retention_tables,
    crm_bridge.tables,
    crm_bridge.webhooks.tables,
    crm_bridge.carrier.tables,
    crm_bridge.clocks.tables,
    crm_bridge.connectors.tables,
    crm_bridge.people.desk_tables,
    crm_bridge.embed.tables,
    crm_bridge.imports.tables,
    crm_bridge.inbound.tables,
    crm_bridge.notes.tables,
    crm_bridge.reports.tables,
    crm_bridge.outbox.tables,
    crm_bridge.qa.tables,
)
"""Importing them fills the metadata."""


@pytest.fixture(scope="session")
def postgres_templates() -> set[str]:
    """Which template databases have been filled in this run."""
    return set()


async def create_tables(url: str) -> None:
    """Make every table of the code in an empty database."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_templates: set[str]
) -> AsyncIterator[str]:
    """The URL of a database with empty tables."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
        await create_tables(url)
        yield url
        return
    server: Server = request.getfixturevalue("postgres_server")
    if TEMPLATE not in postgres_templates:
        await server.execute(f"CREATE DATABASE {TEMPLATE}")
        await create_tables(server.url(TEMPLATE))
        postgres_templates.add(TEMPLATE)
    async for url in fresh_database(server, TEMPLATE):
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with empty tables."""
    opened = Database(database_url)
    yield opened
    await opened.close()
