"""The migrations make exactly the tables that the code has, on either database, and a wrong version is refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from config.database import Database
from config.migrate import FOLDER, SchemaOutdated, differences, require_current, upgrade
from tests.support.databases import TABLE_MODULES
from tests.support.postgres import fresh_database

assert TABLE_MODULES  # importing them filled the metadata that migrations are compared with


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        sqlite = Database(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
        yield sqlite
        await sqlite.close()
        return
    async for url in fresh_database(request.getfixturevalue("postgres_server"), "template1"):
        postgres = Database(url)
        yield postgres
        await postgres.close()


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory(str(FOLDER)).get_heads()) == 1


async def test_an_empty_database_is_refused(empty: Database) -> None:
    with pytest.raises(SchemaOutdated, match="run `ringfence migrate`"):
        await require_current(empty)


async def test_the_migrations_make_the_tables_of_the_code(empty: Database) -> None:
    await upgrade(empty)
    assert await differences(empty) == []
    await require_current(empty)


async def test_upgrading_twice_is_harmless(empty: Database) -> None:
    await upgrade(empty)
    await upgrade(empty)
    assert await differences(empty) == []


async def test_a_database_of_another_version_is_refused(empty: Database) -> None:
    await upgrade(empty)
    async with empty.write() as transaction:
        await transaction.execute(text("UPDATE alembic_version SET version_num = 'tomorrow'"))
    with pytest.raises(SchemaOutdated):
        await require_current(empty)


async def test_what_is_missing_in_the_database_is_a_difference(empty: Database) -> None:
    await upgrade(empty)
    async with empty.write() as transaction:
        await transaction.execute(text("DROP TABLE overrides"))
    assert await differences(empty) != []


async def test_a_refusal_does_not_tell_the_databases_password(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    database.url = "postgresql+asyncpg://ringfence:hunter2@db.example/ringfence"
    with pytest.raises(SchemaOutdated) as caught:
        await require_current(database)
    await database.close()
    assert "hunter2" not in caught.value.detail
    assert "db.example/ringfence" in caught.value.detail
