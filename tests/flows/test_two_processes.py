"""Two service processes on one PostgreSQL: clicks at either, one keeps a PBX's books, and the other takes over when it dies."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import func, select

from config.database import Database
from config.leases import leases
from config.settings import Settings
from crm_bridge.demo.lab import Lab
from tests.chaos.service import ServiceProcess
from tests.support.configuration import configuration
from tests.support.floor import PBX, Floor, floor_settings, free_port, furnish, hire, migrated, prepare_pbx
from tests.support.postgres import Server, fresh_database

pytestmark = pytest.mark.flow

ANSWERS, HANGS_UP = "+8613800138002", "+8613800138075"
TAKEOVER_SECONDS = 15


@dataclass
class Pair:
    """Two processes and a floor that asks the first; `second` asks the other."""

    processes: tuple[ServiceProcess, ServiceProcess]
    first: Floor
    second: Floor
    database: Database

    async def holder(self) -> str | None:
        """The process that has the PBX's lease."""
        mine = (leases.c.name == f"pbx:{PBX}") & (leases.c.until > func.now())
        async with self.database.read() as connection:
            owner: str | None = await connection.scalar(select(leases.c.owner).where(mine))
        return owner

    async def leader(self) -> int:
        """Which process holds the PBX's lease: the one that says so in its metrics."""
        holders = [await self._holds(process) for process in self.processes]
        return holders.index(True)

    async def _holds(self, process: ServiceProcess) -> bool:
        async with self.first.http.get(f"{process.base}/metrics") as answer:
            return f'ringfence_pbx_lease_held{{pbx="{PBX}"}} 1.0' in await answer.text()


@asynccontextmanager
async def _pair(lab: Lab, settings: Settings, tokens: dict[str, str], folder: Path) -> AsyncIterator[Pair]:
    processes = []
    for name in ("one", "two"):
        port = free_port()
        config = folder / f"{name}.toml"
        config.write_text(configuration(settings, port))
        processes.append(ServiceProcess(config, port))
    async with aiohttp.ClientSession() as http:
        floors = [Floor(lab, settings, http, tokens=tokens, address=process.base) for process in processes]
        database = Database(settings.database.url)
        try:
            for process in processes:
                process.start()
            for process in processes:
                await process.ready(http)
            await furnish(floors[0])
            yield Pair((processes[0], processes[1]), floors[0], floors[1], database)
        finally:
            await database.close()
            for process in processes:
                process.signal(signal.SIGCONT)
                await process.kill()


@pytest.fixture
async def pair(lab: Lab, tmp_path: Path, gate_port: int, postgres_server: Server) -> AsyncIterator[Pair]:
    """Two processes, ready, on one database, one gate port, one PBX."""
    async for url in fresh_database(postgres_server, "template1"):
        settings = floor_settings(lab, tmp_path, gate_port, url)
        database = await migrated(url)
        tokens = await hire(database)
        await database.close()
        await prepare_pbx(settings)
        async with _pair(lab, settings, tokens, tmp_path) as opened:
            yield opened


async def test_clicks_at_either_process_become_calls_with_their_recordings(pair: Pair) -> None:
    for floor, user in ((pair.first, "collector"), (pair.second, "other")):
        number = ANSWERS if user == "collector" else "+8613800138005"
        await floor.case(number, case_id=f"case-of-{user}")
        call = await floor.call(number, user=user)
        await floor.until(call, "connected")
        ended = await floor.hangup(call, user=user)
        assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
        await floor.archived(call)
        notes = (await floor.expect(200, "GET", f"/v1/cases/case-of-{user}/notes"))["items"]
        assert len(notes) == 1


async def test_one_agent_clicking_at_both_gets_one_call(pair: Pair) -> None:
    await pair.first.case(ANSWERS)
    pair.second.numbers = pair.first.numbers
    before = len(await pair.first.lab.world.calls_seen(ANSWERS))
    answers = await asyncio.gather(*(floor.dial(ANSWERS) for floor in (pair.first, pair.second) * 5))
    assert [status for status, _ in answers].count(201) == 1
    assert {status for status, _ in answers} <= {201, 409}
    call = next(document for status, document in answers if status == 201)
    await pair.first.until(call, "connected")
    await pair.first.hangup(call)
    assert len(await pair.first.lab.world.calls_seen(ANSWERS)) == before + 1


@pytest.mark.parametrize("way", ["killed", "frozen", "told to stop"])
async def test_the_other_process_follows_a_live_call_on(pair: Pair, way: str) -> None:
    leader = await pair.leader()
    old, floor = pair.processes[leader], (pair.second, pair.first)[leader]
    call = await floor.call(HANGS_UP)
    await floor.until(call, "connected")
    former = await pair.holder()
    if way == "killed":
        await old.kill()
    elif way == "frozen":
        old.signal(signal.SIGSTOP)
    else:
        assert await old.drain() == 0
    async with asyncio.timeout(TAKEOVER_SECONDS):
        while True:
            if await pair.holder() not in (former, None):
                break
            await asyncio.sleep(0.1)
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    seen = await floor.lab.world.wait_for_call(HANGS_UP, ended=True)
    assert seen.ended is not None
    assert abs((datetime.fromisoformat(ended["ended_at"]) - seen.ended).total_seconds()) < 1
    if way == "frozen":
        old.signal(signal.SIGCONT)
        again = await floor.call(ANSWERS, user="other")
        await floor.until(again, "connected")
        await floor.hangup(again, user="other")
    await floor.archived(call)


async def test_a_live_call_is_controlled_at_the_process_that_does_not_keep_the_books(pair: Pair) -> None:
    call = await pair.first.call(ANSWERS)
    await pair.second.until(call, "connected")
    for floor in (pair.first, pair.second):
        for what, state in (("hold", "held"), ("unhold", "connected"), ("mute", "connected"), ("unmute", "connected")):
            now = await floor.expect(200, "POST", f"/v1/calls/{call['id']}/{what}")
            assert now["state"] == state
    body = {"to": "other", "kind": "attended"}
    await pair.second.expect(200, "POST", f"/v1/calls/{call['id']}/transfer", body=body)
    await pair.first.until(call, lambda now: now["transfer"]["state"] == "consulting")
    done = await pair.second.expect(200, "POST", f"/v1/calls/{call['id']}/transfer/complete")
    assert (done["state"], done["current_agent"]) == ("connected", "other")
    body = {"to": "collector"}
    await pair.first.expect(200, "POST", f"/v1/calls/{call['id']}/transfer", body=body, user="other")
    await pair.second.until(call, lambda now: now["current_agent"] == "collector")
    await pair.first.lab.world.hangup(ANSWERS)
    assert (await pair.second.ended(call))["end_reason"] == "completed"
