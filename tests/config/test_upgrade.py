"""A database filled at the first release is brought to this one, on either database, and keeps every row."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Date, DateTime, Float, Integer, LargeBinary, MetaData, Table, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import JSON

from config import clock
from config.database import Database
from config.migrate import differences, require_current, upgrade, upgrade_to
from crm_bridge.people import passwords
from crm_bridge.tables import users
from tests.support.databases import TABLE_MODULES
from tests.support.postgres import fresh_database

assert TABLE_MODULES  # importing them filled the metadata that migrations are compared with

FIRST = "0001"
ROWS = 3
PASSWORD = "correct horse battery"
WORDS = {
    ("calls", "state"): "ended", ("calls", "direction"): "outbound", ("cases", "state"): "open", ("users", "role"): "admin",
    ("parties", "name"): "欧阳若曦", ("numbers", "e164"): "+86138001380{0:02}", ("credentials", "kind"): "token",
}  # fmt: skip
"""What a row says where "x" would be no sense; `{0}` is its number."""


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


def _value(table: str, column: Any, index: int) -> Any:
    kind = column.type
    if (table, column.name) in WORDS:
        return WORDS[table, column.name].format(index)
    if column.foreign_keys or column.primary_key or column.unique:
        target = next(iter(column.foreign_keys), None)
        own = f"{target.column.table.name}-{target.column.name}" if target is not None else f"{table}-{column.name}"
        return index + 1 if isinstance(kind, Integer) else f"{own}-{index}"
    for known, value in (
        (Boolean, False), (Integer, index), (Float, 1.5), (LargeBinary, b"x"), (DateTime, clock.now()),
        (Date, clock.now().date()), (JSONB, {"n": [index]}), (JSON, {"n": [index]}),
    ):  # fmt: skip
        if isinstance(kind, known):
            return value
    return f"x{index}"


async def _reflected(connection: AsyncConnection) -> MetaData:
    found = MetaData()
    await connection.run_sync(found.reflect)
    return found


async def _fill(database: Database) -> dict[str, int]:
    """Rows in every table that the first release had; how many each has."""
    async with database.write() as transaction:
        tables = [
            table
            for table in (await _reflected(transaction.connection)).sorted_tables
            if table.name != "alembic_version"
        ]
        for table in tables:
            for index in range(ROWS):
                row = {column.name: _value(table.name, column, index) for column in table.c}
                if table.name == "users":
                    row |= {
                        "password_hash": await passwords.hash_password(PASSWORD),
                        "clients": [],
                        "locked_until": None,
                    }
                    row |= {"active": True}
                await transaction.execute(insert(table).values(**row))
    return {table.name: ROWS for table in tables}


async def _count(connection: AsyncConnection, table: Table) -> int:
    return await connection.scalar(select(func.count()).select_from(table)) or 0


async def test_a_filled_database_of_the_first_release_keeps_its_rows(empty: Database) -> None:
    async with empty.write() as transaction:
        await upgrade_to(transaction, FIRST)
    before = await _fill(empty)
    assert {"calls", "cases", "users", "journal", "recordings"} <= before.keys()
    await upgrade(empty)
    await require_current(empty)
    assert await differences(empty) == []
    async with empty.read() as connection:
        now = (await _reflected(connection)).tables
        gone = before.keys() - now.keys()
        assert gone == set()
        kept = {name: await _count(connection, now[name]) for name in before}
        assert [name for name in before if kept[name] < before[name]] == []  # some migrations add rows of their own
        names = (await connection.execute(select(now["parties"].c.name))).scalars().all()
        assert set(names) == {"欧阳若曦"}
    name = await passwords.check_login(empty, "users-name-0", PASSWORD, clock.now())
    async with empty.read() as connection:
        user = (await connection.execute(select(users).where(users.c.name == name))).one()
    assert user.password_set_at is not None
    assert user.must_change_password is False
