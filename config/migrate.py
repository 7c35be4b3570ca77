"""Bring a database to the version of this code. The tables are those of the metadata, which the caller has imported."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Fault
from config.schema import metadata

FOLDER = Path(__file__).parent / "migrations"


class SchemaOutdated(Fault):
    """The database was made by another version of this service."""

    code = "schema-outdated"
    status = 503
    title = "The database needs `ringfence migrate`"


def _configured(connection: Connection) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(FOLDER))
    configuration.attributes["connection"] = connection
    configuration.attributes["metadata"] = metadata
    return configuration


async def upgrade(database: Database) -> None:
    """Apply every migration that is missing, in one transaction."""
    async with database.write() as transaction:
        await upgrade_to(transaction, "head")


async def upgrade_to(transaction: Transaction, revision: str) -> None:
    """Apply the migrations up to `revision`, as part of a transaction."""
    await transaction.connection.run_sync(lambda connection: command.upgrade(_configured(connection), revision))


def knows_revision(revision: str) -> bool:
    """Whether this code has that migration; one of a newer version is unknown."""
    return revision in {script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()}


async def current_revision(connection: AsyncConnection) -> str | None:
    """The migration that the database is at, None before the first."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def differences(database: Database) -> list[object]:
    """How the database differs from the tables in the code; empty when they agree."""
    async with database.write() as transaction:
        return await transaction.connection.run_sync(
            lambda connection: list(compare_metadata(MigrationContext.configure(connection), metadata))
        )


async def require_current(database: Database) -> None:
    """Refuse to run on a database that is not at the newest migration."""

    def newest(connection: Connection) -> bool:
        heads = set(ScriptDirectory(str(FOLDER)).get_heads())
        return set(MigrationContext.configure(connection).get_current_heads()) == heads

    async with database.read() as connection:
        if not await connection.run_sync(newest):
            raise SchemaOutdated(f"{database.url.split('@')[-1]} is not at this version: run `ringfence migrate`")
