"""`ringfence retention run`: what it says, and that a dry run deletes nothing."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from config.database import Database
from config.migrate import upgrade
from crm_bridge.cli import cli
from recordings.retention_classes import recompute
from recordings.tables import recordings
from tests.crm_bridge.web.test_retention_api import LONG_AGO
from tests.support.spooled import Recorder, silence, stereo, tone


@pytest.fixture
async def configured(tmp_path: Path) -> Path:
    """A configuration whose archive holds two recordings that are long over, and one row not yet dated."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
    await upgrade(database)
    recorder = Recorder(database, tmp_path)
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    async with database.write() as transaction:
        await transaction.execute(update(recordings).values(archived_at=LONG_AGO, leg_ended_at=LONG_AGO))
    while await recompute(database):
        pass
    await database.close()
    path = tmp_path / "ringfence.toml"
    path.write_text(
        f'[database]\nurl = "sqlite+aiosqlite:///ringfence.db"\n[archive]\nurl = "file://{tmp_path / "archive"}"\n'
        f'[keys]\nmaster = "keys/master.key"\nfolder = "keys/groups"\n'
    )
    return path


async def _states(path: Path) -> set[str]:
    database = Database(f"sqlite+aiosqlite:///{path.parent / 'ringfence.db'}")
    async with database.read() as connection:
        found = set(await connection.scalars(select(recordings.c.state)))
    await database.close()
    return found


async def test_a_dry_run_counts_and_a_run_deletes(configured: Path) -> None:
    async def run(*options: str) -> str:
        arguments = ["retention", "run", "--config", str(configured), *options]
        result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    assert "2 would be deleted" in await run("--dry-run")
    assert await _states(configured) == {"archived"}
    assert "2 deleted" in await run()
    assert await _states(configured) == {"deleted"}
    report = json.loads(await run("--json"))
    assert (report["looked_at"], report["deleted"]) == (0, 0)
