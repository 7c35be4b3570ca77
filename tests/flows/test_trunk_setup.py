"""Trunks set up from the API on a real PBX towards a real carrier: planned, created, changed, failed, recovered, removed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from config import clock
from telephony.trunking import claims, file
from tests.support.ami_proxy import AmiProxy
from tests.support.carrier_world import ACCOUNT, SECRET, CarrierWorld, until
from tests.support.floor import (
    PBX,
    Floor,
    floor_settings,
    free_port,
    furnish,
    hire,
    migrated,
    open_floor,
    prepare_pbx,
)
from tests.support.trunk_asking import OURS, body, create, health, kinds, password, written

pytestmark = pytest.mark.flow


async def test_a_trunk_is_planned_created_called_through_and_removed(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    admins = (carrier_world.lab.pbx.etc / "pjsip.conf").read_text()
    plan = await create(floor, body(carrier_world), 200, "/v1/trunks?dry_run=true")
    lines = [line for change in plan["changes"] for line in change["lines"]]
    assert "+[ringfence-acme-auth] password=(hidden)" in lines
    assert SECRET not in str(plan)
    assert await written(floor) == ()

    created = await create(floor, body(carrier_world))
    assert created["test"]["ok"]
    assert created["test"]["registration"] == "Registered"
    assert created["setup"] == {
        "host": "127.0.0.2", "port": carrier_world.port, "transport": "udp", "username": ACCOUNT, "register": True,
        "codecs": ["alaw", "ulaw"], "qualify_seconds": 20, "has_secret": True,
    }  # fmt: skip
    now = (carrier_world.lab.pbx.etc / "pjsip.conf").read_text()
    assert now.startswith(admins)  # nothing of the admin's was touched
    assert now.count(file.INCLUDE) == 1
    number = "+8613900140002"
    call = await floor.call(number)
    connected = await floor.until(call, "connected")
    assert (connected["trunk"], connected["caller_id"]) == ("acme", OURS)
    refused = await floor.expect(409, "DELETE", "/v1/trunks/acme", user="admin")
    assert refused["live"] == 1
    await floor.hangup(call)
    [seen] = await floor.lab.world.calls_seen(number)
    assert (seen.at, seen.caller_id) == ("carrier-a", OURS)
    assert (await health(floor, "acme", "up"))["registration"] == "Registered"
    _, figures = await floor.request("GET", "/metrics")
    assert f'ringfence_trunk_health{{pbx="{PBX}",state="up",trunk="acme"}} 1.0' in figures.decode()

    await floor.expect(204, "DELETE", "/v1/trunks/acme?reason=moved", user="admin")
    assert await written(floor) == ()
    assert "ringfence-acme" not in await floor.lab.pbx.console("pjsip show endpoints")
    await floor.expect(404, "GET", "/v1/trunks/acme", user="admin")
    [removed] = await kinds(floor, "trunk.removed")
    assert removed["reason"] == "moved"
    everything = (await floor.expect(200, "GET", "/v1/journal?limit=500", user="admin"))["items"]
    assert SECRET not in str(everything)


async def test_a_wrong_host_or_secret_is_told_and_everything_is_as_before(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world))
    before = await written(floor)
    problem = await create(floor, body(carrier_world, "wrong", host="127.0.0.77", register=False), 422)
    assert problem["type"].endswith("/trunk-unreachable")
    assert "does not answer" in problem["detail"]
    problem = await create(floor, body(carrier_world, "wrong", secret="not it"), 422)
    assert "refused the log-in" in problem["detail"]
    assert problem["seen"]["registration"] == "Rejected"
    assert await written(floor) == before
    await floor.expect(404, "GET", "/v1/trunks/wrong", user="admin")
    failed = await kinds(floor, "trunk.change_failed")
    assert [entry["brought_back"] for entry in failed] == [True, True]


async def test_a_secret_is_rotated_only_if_the_carrier_takes_it(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world))
    change = {"secret": "n€w ; secret", "reason": "rotation"}
    await floor.expect(422, "PATCH", "/v1/trunks/acme", user="admin", body=change)
    assert await password(floor) == SECRET
    await carrier_world.set_secret("n€w ; secret")
    changed = await floor.expect(200, "PATCH", "/v1/trunks/acme", user="admin", body=change)
    assert changed["test"]["registration"] == "Registered"
    [entry] = await kinds(floor, "trunk.changed")
    assert (entry["secret"], entry["reason"]) == ("changed", "rotation")
    assert "n€w" not in str(entry)
    await carrier_world.set_secret(SECRET)
    back = await floor.expect(200, "PATCH", "/v1/trunks/acme", user="admin", body={"secret": SECRET})
    assert back["setup"]["has_secret"]


async def test_a_reload_that_the_pbx_does_not_take_is_brought_back(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    pbx = carrier_world.lab.pbx
    admins = (pbx.etc / "pjsip.conf").read_text()
    # What the PBX itself can no longer read: a reload then keeps what is in memory.
    pbx.append("pjsip.conf", '\n#include "not-there.conf"\n')
    broken = (pbx.etc / "pjsip.conf").read_text()
    try:
        problem = await create(floor, body(carrier_world), 409)
        assert "pjsip.conf" in problem["detail"]
        assert (pbx.etc / "pjsip.conf").read_text() == broken
        assert await written(floor) == ()
    finally:
        pbx.write("pjsip.conf", admins)
    assert (await create(floor, body(carrier_world)))["test"]["ok"]


async def test_a_name_that_the_pbx_itself_uses_is_refused_untouched(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor, pbx = trunk_floor, carrier_world.lab.pbx
    admins = (pbx.etc / "pjsip.conf").read_text()
    pbx.append("pjsip.conf", "\n[Ringfence-Acme-aor]\ntype=aor\nmax_contacts=1\n")
    collides = (pbx.etc / "pjsip.conf").read_text()
    try:
        problem = await create(floor, body(carrier_world), 409)
        assert "ringfence-acme-aor" in problem["detail"]
        assert (pbx.etc / "pjsip.conf").read_text() == collides
        assert await written(floor) == ()
    finally:
        pbx.write("pjsip.conf", admins)


async def test_a_reload_that_takes_only_half_of_it_is_brought_back_while_another_trunk_goes_on(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor, pbx = trunk_floor, carrier_world.lab.pbx
    await create(floor, body(carrier_world))
    before = await written(floor)
    # The PBX has no TLS transport: it takes endpoint and AOR, but no registration.
    problem = await create(floor, body(carrier_world, "secure", transport="tls"), 502)
    assert problem["type"].endswith("/pbx-config-failed")
    assert "ringfence-secure" in problem["detail"]
    assert await written(floor) == before
    assert "ringfence-secure" not in await pbx.console("pjsip show endpoints")
    assert (await floor.expect(200, "POST", "/v1/trunks/acme/test", user="admin"))["ok"]


async def test_what_a_crash_left_half_done_is_put_right(trunk_floor: Floor, carrier_world: CarrierWorld) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world))
    right = await written(floor)
    link = floor.services.pbxs[PBX].link
    async with floor.services.database.write() as transaction:
        await claims.claim(transaction, PBX, "a process that is gone", clock.now())
    await file.write(link, right[:2])

    async def recovered() -> bool:
        return await written(floor) == right and bool(await kinds(floor, "trunk.recovered"))

    await until(recovered)
    assert (await floor.expect(200, "POST", "/v1/trunks/acme/test", user="admin"))["ok"]


async def test_a_link_that_breaks_at_the_reload_leaves_nothing_half_done(
    carrier_world: CarrierWorld, tmp_path: Path
) -> None:
    lab = carrier_world.lab
    broken = asyncio.Event()

    def at_the_reload(message: bytes) -> Sequence[float]:
        if b"res_pjsip.so" not in message or broken.is_set():
            return (0,)
        broken.set()
        proxy.cut()
        return ()

    async with AmiProxy("127.0.0.1", lab.pbx.ami_port, treat={"to_pbx": at_the_reload}) as proxy:
        settings = floor_settings(lab, tmp_path, free_port(), f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
        database = await migrated(settings.database.url)
        tokens = await hire(database)
        await database.close()
        await prepare_pbx(settings)
        through = settings.pbx[0].model_copy(update={"port": proxy.port})
        settings = settings.model_copy(update={"pbx": [through]})
        async with open_floor(lab, settings, tokens) as floor:
            await furnish(floor)
            problem = await create(floor, body(carrier_world), 502)
            assert problem["type"].endswith("/trunk-half-done")
            assert broken.is_set()

            async def recovered() -> bool:
                return bool(await kinds(floor, "trunk.recovered"))

            await until(recovered)
            assert await written(floor) == ()
            await floor.expect(404, "GET", "/v1/trunks/acme", user="admin")
            [failed] = await kinds(floor, "trunk.change_failed")
            assert failed["brought_back"] is False
            assert (await create(floor, body(carrier_world)))["test"]["ok"]
            await floor.expect(204, "DELETE", "/v1/trunks/acme", user="admin")


async def test_pbx_apply_brings_back_the_trunks_of_a_pbx_that_lost_them(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world))
    right = await written(floor)
    await file.write(floor.services.pbxs[PBX].link, ())
    plan = await floor.expect(200, "GET", f"/v1/pbxs/{PBX}/plan", user="admin")
    [change] = [one for one in plan["changes"] if file.FILE in one["where"]]
    assert "+[ringfence-acme-auth] password=(hidden)" in change["lines"]
    await floor.expect(200, "POST", f"/v1/pbxs/{PBX}/apply", user="admin", body={"reason": "restored"})
    assert await written(floor) == right
    assert (await floor.expect(200, "GET", f"/v1/pbxs/{PBX}/plan", user="admin"))["nothing_to_do"]
