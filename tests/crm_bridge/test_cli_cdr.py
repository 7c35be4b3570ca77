"""`ringfence cdr import`: what it prints, how it ends, and that a dry run writes nothing."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from config import clock
from config.database import Database
from config.migrate import upgrade
from crm_bridge.carrier.formats import CdrFormat
from crm_bridge.carrier.records import put_format
from crm_bridge.carrier.tables import carrier_records
from crm_bridge.cli import cli
from telephony.trunking import trunks
from tests.support.carrier_calls import FORMAT, file, line, our_call

MOBILE = "+8613800138000"


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A service's folder with a trunk and one call over it."""
    (tmp_path / "ringfence.toml").write_text('[database]\nurl = "sqlite+aiosqlite:///ringfence.db"\n')
    asyncio.run(_furnish(f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"))
    return tmp_path


async def _furnish(url: str) -> None:
    database = Database(url)
    await upgrade(database)
    trunk = {
        "name": "main",
        "pbx": "main",
        "endpoint": "carrier-a",
        "dial_format": "e164",
        "prefixes": [],
        "caller_ids": [],
    }
    trunk |= {"priority": 10, "weight": 1, "capacity": 0, "enabled": True}
    async with database.write() as transaction:
        await trunks.create(transaction, trunk, actor="tests", now=clock.now())
        await put_format(transaction, "main", CdrFormat.model_validate(FORMAT), actor="tests", now=clock.now())
    await our_call(database, MOBILE, "10:00:00")
    await database.close()


def run(folder: Path, content: str, *options: str) -> tuple[int, str]:
    (folder / "june.csv").write_text(content)
    arguments = [
        "cdr",
        "import",
        "main",
        str(folder / "june.csv"),
        "--config",
        str(folder / "ringfence.toml"),
        *options,
    ]
    result = CliRunner().invoke(cli, arguments)
    return result.exit_code, result.output


async def _kept(folder: Path) -> int:
    database = Database(f"sqlite+aiosqlite:///{folder / 'ringfence.db'}")
    async with database.read() as connection:
        found = await connection.scalar(select(func.count()).select_from(carrier_records))
    await database.close()
    return found or 0


def test_a_file_that_agrees_ends_with_0(configured: Path) -> None:
    code, output = run(configured, file(line(MOBILE, "10:00:03")))
    assert code == 0, output
    assert "matched 1; only the carrier has 0; only we have 0" in output


def test_what_differs_is_printed_line_by_line_and_ends_with_1(configured: Path) -> None:
    content = file(line(MOBILE, "09:00:00"), "nonsense", line(MOBILE, "12:00:00"))
    code, output = run(configured, content, "--dry-run")
    assert code == 1
    assert "june.csv (dry run): 2 records, 1 bad rows" in output
    assert "line 3: " in output
    assert "line 2: 2026-06-01T01:00:00+00:00 +8613800138000: we have no such call" in output
    assert "the carrier has no such call" in output
    assert asyncio.run(_kept(configured)) == 0
    assert "2 attempts" not in output
    code, output = run(configured, content)
    assert (code, asyncio.run(_kept(configured))) == (1, 2)
    assert "3 incidents opened" in output
