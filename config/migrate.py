"""Bring a database to the version of this code. The tables are those of the metadata, which the caller has imported."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from config.database import Database
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
        await transaction.connection.run_sync(lambda connection: command.upgrade(_configured(connection), "head"))


async def differences(database: Database) -> list[object]:
    """How the database differs from the tables in the code; empty when they agree."""
    async with database.write() as transaction:
        return await transaction.connection.run_sync(
            lambda connection: list(compare_metadata(MigrationContext.configure(connection), metadata))
        )


async def require_current(database: Database) -> None:
    """Refuse to run on a database that is not at the newest migration."""

    def newest(connection: Connection) -> bool:
        from alembic.script import ScriptDirectory

        heads = set(ScriptDirectory(str(FOLDER)).get_heads())
        return set(MigrationContext.configure(connection).get_current_heads()) == heads

    async with database.read() as connection:
        if not await connection.run_sync(newest):
            raise SchemaOutdated(f"{database.url.split('@')[-1]} is not at this version: run `ringfence migrate`")
