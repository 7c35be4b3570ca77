"""A PBX on another machine: its recordings come over ARI, and stay there until their copies are proven."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.settings import Settings
from crm_bridge.demo.lab import Lab
from tests.support.floor import Floor, floor_settings, furnish, hire, migrated, open_floor, prepare_pbx

TALKS = "+8613800138002"

pytestmark = pytest.mark.flow


def _over_ari(settings: Settings, lab: Lab, landing: Path, secret: str) -> Settings:
    there = Path(lab.pbx.spool_local) / "recording" / "ringfence"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    landing.mkdir()
    remote = {
        "spool_pbx": f"{lab.pbx.spool_pbx}/recording/ringfence",
        "spool_local": landing,
        "ari_url": f"http://127.0.0.1:{lab.pbx.http_port}/ari",
        "ari_username": lab.pbx.ami_username,
        "ari_secret": SecretStr(secret),
    }
    return settings.model_copy(update={"pbx": [settings.pbx[0].model_copy(update=remote)]})


@asynccontextmanager
async def _far_floor(
    lab: Lab, folder: Path, gate_port: int, secret: str, *, ready: bool = True
) -> AsyncIterator[Floor]:
    url = f"sqlite+aiosqlite:///{folder / 'ringfence.db'}"
    settings = _over_ari(floor_settings(lab, folder, gate_port, url), lab, folder / "landing", secret)
    database = await migrated(url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with open_floor(lab, settings, tokens, ready=ready) as floor:
        await furnish(floor)
        yield floor


async def test_a_calls_recordings_are_fetched_archived_and_then_removed_there(
    lab: Lab, tmp_path: Path, gate_port: int
) -> None:
    async with _far_floor(lab, tmp_path, gate_port, lab.pbx.ami_secret) as floor:
        call = await floor.call(TALKS)
        await floor.until(call, "connected")
        await asyncio.sleep(2)  # the conversation
        await floor.hangup(call)
        archived = await floor.archived(call)
        assert [recording["flags"] for recording in archived["recordings"]] == [[], []]
        there = Path(lab.pbx.spool_local) / "recording" / "ringfence"
        async with asyncio.timeout(30):
            while True:  # archived first, removed a moment later
                if not [*there.glob("*.raw"), *(tmp_path / "landing").glob("*.raw")]:
                    break
                await asyncio.sleep(0.1)


async def test_a_refused_log_in_at_ari_stops_calls_and_says_why(lab: Lab, tmp_path: Path, gate_port: int) -> None:
    async with _far_floor(lab, tmp_path, gate_port, "wrong", ready=False) as floor:
        await floor.until_problem("spool:lab", "refuses the log-in")
        await floor.case(TALKS)
        status, problem = await floor.dial(TALKS)
        assert status in (403, 503), problem
