"""`ringfence verify`, as the command."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from config.database import Database
from config.journal import Entry
from config.migrate import upgrade
from config.settings import load_settings
from crm_bridge.cli import cli
from recordings.checkpoints import Signer
from recordings.evidence_log import EvidenceLog
from tests.support.evidence import evidence_of
from tests.support.spooled import Recorder

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ringfence.toml"
    path.write_text(f'[archive]\nurl = "file://{tmp_path / "archive"}"\ncheckpoints = "off site"\n')
    return path


async def prepare(config: Path, *statements: str) -> None:
    """A database with three sealed entries, then changed."""
    settings = load_settings(config)
    database = Database(settings.database.url)
    await upgrade(database)
    async with database.write() as transaction:
        for _ in range(3):
            transaction.journal(Entry(NOW, "call.state", "li"))
    log = EvidenceLog(database=database, signer=Signer(settings.keys.signing), folder=settings.archive.checkpoints)
    await log.seal(NOW)
    async with database.write() as transaction:
        for statement in statements:
            await transaction.execute(text(statement))
    await database.close()


def run(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(cli, ["verify", *arguments])
    return ended.exit_code, ended.output


def test_it_exits_0_when_everything_holds(config: Path) -> None:
    asyncio.run(prepare(config))
    code, said = run("--config", str(config), "--archive")
    assert (code, "everything holds: 2 checkpoints, 3 entries" in said) == (0, True), said


def test_it_exits_1_and_says_what_is_wrong(config: Path) -> None:
    asyncio.run(prepare(config, "UPDATE journal SET actor = 'wang' WHERE id = 2"))
    code, said = run("--config", str(config))
    assert code == 1
    assert "WRONG: journal entry 2 is not what was sealed as leaf 1" in said


def test_a_copy_of_the_checkpoints_elsewhere_is_held_against_the_log(config: Path, tmp_path: Path) -> None:
    asyncio.run(prepare(config))
    assert run("--config", str(config), "--checkpoints", str(tmp_path / "off site"))[0] == 0
    for path in (tmp_path / "off site").glob("*.txt"):
        path.write_text(path.read_text().replace("journal 3", "journal 4"))
    assert run("--config", str(config), "--checkpoints", str(tmp_path / "off site"))[0] == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_bundle_is_checked_without_configuration(database: Database, tmp_path: Path) -> None:
    evidence = evidence_of(Recorder(database, tmp_path), tmp_path)
    path = await evidence.bundle(await evidence.talked(), tmp_path / "bundle.zip")
    assert run("--bundle", str(path), "--checkpoints", str(tmp_path / "off site"))[0] == 0
    path.write_bytes(path.read_bytes()[:-1])
    assert run("--bundle", str(path))[0] == 1
