"""The service killed around a delivery: one row in the books, told again under the same id, and nothing lost."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from config import clock
from crm_bridge.outbox.claims import LEASE
from crm_bridge.outbox.tables import items
from tests.crm_bridge.outbox.conftest import Outside
from tests.support.webhook_receiver import Receiver

PROCESS = """
import asyncio, sys
from pathlib import Path
from config.database import Database
from tests.crm_bridge.outbox.conftest import services_of

async def main():
    services = services_of(Database(sys.argv[1]), Path(sys.argv[2]), answer_seconds=20)
    await asyncio.gather(*(job.run() for job in services.jobs[:2]))

asyncio.run(main())
"""


@asynccontextmanager
async def running(url: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Reader and worker in a process of their own, which is killed at the end without a word."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, url, str(folder))
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("how", ["silent", "ok"])
async def test_what_was_told_when_it_was_killed_is_told_again_under_the_same_id(
    outside: Outside, crm: Receiver, database_url: str, tmp_path: Path, how: str
) -> None:
    await outside.hook(crm.url)
    crm.otherwise = how
    for index in range(5):
        await outside.happen("call.created", "call.ended", case_id=f"c{index}")
    async with running(database_url, tmp_path):
        await crm.wait_for(5, seconds=60)
    crm.otherwise = "ok"
    await outside.tell_in(LEASE + timedelta(seconds=1))
    assert await outside.states() == ["delivered"] * 10
    assert set(crm.ids) == {row.id for row in await outside.rows()}
    assert len(set(crm.ids)) == 10
    first = list(dict.fromkeys((got.message["data"]["case_id"], got.message["type"]) for got in crm.received))
    for index in range(5):
        mine = [kind for case_id, kind in first if case_id == f"c{index}"]
        assert mine == ["call.created", "call.ended"]


async def test_killed_again_and_again_nothing_is_lost_or_told_under_another_id(
    outside: Outside, crm: Receiver, database_url: str, tmp_path: Path
) -> None:
    await outside.hook(crm.url)
    for index in range(16):
        await outside.happen("call.state", case_id=f"c{index % 2}", number=index)
    for _ in range(3):
        crm.script.clear()
        crm.script.extend(["ok", "ok"])  # two arrive, and of the third no answer is ever heard
        crm.otherwise, before = "silent", len(crm.received)
        async with running(database_url, tmp_path):
            await crm.wait_for(before + 3, seconds=120)
        await _leases_end(outside)
    crm.script.clear()
    crm.otherwise = "ok"
    await outside.tell()
    assert await outside.states() == ["delivered"] * 16
    assert set(crm.ids) == {row.id for row in await outside.rows()}
    told = list(dict.fromkeys((got.id, got.message["data"]["data"]["number"]) for got in crm.received))
    assert len(told) == 16
    for index in range(2):
        mine = [number for _, number in told if number % 2 == index]
        assert mine == sorted(mine)


async def _leases_end(outside: Outside) -> None:
    """As if so much time had gone by since the kill."""
    async with outside.database.write() as transaction:
        await transaction.execute(update(items).where(items.c.in_flight).values(due_at=clock.now()))
