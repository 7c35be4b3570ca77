"""People and tokens from the command line, before anybody can log in."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from config import clock
from config.database import Database
from crm_bridge.cli import cli
from crm_bridge.people import passwords
from crm_bridge.tables import credentials


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with an empty database of this version, and tokens that live 90 days."""
    path = tmp_path / "ringfence.toml"
    path.write_text('[database]\nurl = "sqlite+aiosqlite:///ringfence.db"\n[people]\ntoken_days = 90\n')
    assert CliRunner().invoke(cli, ["migrate", "--config", str(path)]).exit_code == 0
    return path


def _run(config: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, [*words, "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_first_admin_is_given_a_password_that_works(config: Path) -> None:
    password = _run(config, "user", "add", "ada", "--role", "admin").rpartition("password: ")[2].strip()

    async def log_in() -> str:
        database = Database(f"sqlite+aiosqlite:///{config.parent / 'ringfence.db'}")
        try:
            return await passwords.check_login(database, "ada", password, clock.now())
        finally:
            await database.close()

    assert asyncio.run(log_in()) == "ada"


def test_a_token_made_here_ends_as_the_settings_say(config: Path) -> None:
    _run(config, "user", "add", "crm", "--role", "crm", "--password", "a good password")
    assert _run(config, "token", "create", "--user", "crm").strip().startswith("rf_")

    async def ends() -> timedelta:
        database = Database(f"sqlite+aiosqlite:///{config.parent / 'ringfence.db'}")
        try:
            async with database.read() as connection:
                row = (await connection.execute(select(credentials))).one()
        finally:
            await database.close()
        lasts: timedelta = row.expires_at - row.created_at
        return lasts

    assert asyncio.run(ends()) == timedelta(days=90)
