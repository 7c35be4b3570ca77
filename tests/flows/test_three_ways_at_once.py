"""One attempt is left, and three reach for it at one moment: a click, a desk phone, and a second PBX. One INVITE leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.settings import Pbx
from crm_bridge.cli_pbx import linked
from crm_bridge.demo.lab import Lab
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.pbx_setup.plan import apply
from tests.support.desk_phones import hire_collectors, move_phones, newest_call
from tests.support.floor import Floor, floor_settings, furnish, hire, migrated, open_floor, prepare_pbx
from tests.support.postgres import fresh_database

pytestmark = pytest.mark.flow

SECOND = "second"
NUMBER = "+8613800139080"
ONCE = {"packs": ["house"], "house": {"caps": [{"limit": 1, "days": 1, "per": ["person"]}]}, "zone": "Asia/Shanghai"}


@asynccontextmanager
async def _two_pbxs(lab: Lab, other: Lab, folder: Path, gate_port: int, url: str) -> AsyncIterator[Floor]:
    """The service on two PBXs, each with a trunk of its own; `wang` has a desk phone on each of them."""
    settings = floor_settings(lab, folder, gate_port, url)
    spool = Path(other.pbx.spool_local) / "ringfence"
    spool.mkdir(parents=True, exist_ok=True)
    second = Pbx(
        name=SECOND,
        port=other.pbx.ami_port,
        username=other.pbx.ami_username,
        secret=SecretStr(other.pbx.ami_secret),
        spool_pbx=f"{other.pbx.spool_pbx}/ringfence",
        spool_local=spool,
    )
    settings = settings.model_copy(update={"pbx": [*settings.pbx, second]})
    database = await migrated(url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with linked(second) as link:
        await apply(link, dialplan_settings(settings, SECOND), phones=["1007"])
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        trunk = {"name": "second", "pbx": SECOND, "endpoint": "carrier-a"}
        await floor.expect(201, "POST", "/v1/trunks", user="admin", body=trunk)
        await move_phones(floor, {"wang": "1006"})
        await hire_collectors(floor, {"zhao": "1007"}, pbx=SECOND)
        yield floor


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_exactly_one_of_them_reaches_the_person(
    kind: str, request: pytest.FixtureRequest, lab: Lab, tmp_path: Path, gate_port: int
) -> None:
    async with Lab() as other:
        if kind == "sqlite":
            await _race(lab, other, tmp_path, gate_port, f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
            return
        async for url in fresh_database(request.getfixturevalue("postgres_server"), "template1"):
            await _race(lab, other, tmp_path, gate_port, url)


async def _race(lab: Lab, other: Lab, folder: Path, gate_port: int, url: str) -> None:
    async with _two_pbxs(lab, other, folder, gate_port, url) as floor:
        before = len(await lab.world.calls_seen(NUMBER)) + len(await other.world.calls_seen(NUMBER))
        await floor.expect(201, "PUT", "/v1/policies/once", user="admin", body=ONCE)
        await floor.case(NUMBER, client="once")
        (status, answer), *_ = await asyncio.gather(
            floor.dial(NUMBER), lab.world.dial("1006", NUMBER), other.world.dial("1007", NUMBER)
        )
        made = [answer] if status == 201 else []
        typed = [await newest_call(floor, user) for user in ("wang", "zhao")]
        assert {call["origin"] for call in typed} == {"typed"}
        made += [call for call in typed if call["denial"] is None]
        assert len(made) == 1, (status, answer, typed)
        assert {call["denial"]["rule"] for call in typed if call["denial"]} <= {"house/cap-1"}
        assert status == 201 or answer["rule"] == "house/cap-1"
        await floor.until(made[0], lambda shown: shown["alerted_at"] is not None)
        leaving = [*await lab.world.calls_seen(NUMBER), *await other.world.calls_seen(NUMBER)]
        assert len(leaving) == before + 1
        await floor.hangup(made[0], user="supervisor")
