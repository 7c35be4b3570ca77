"""Calls over trunks that were set up from the API: drained, broken while a call runs, full, sharing one ring, showing a pool."""

import pytest
from sqlalchemy import select

from telephony.tables import legs
from tests.support.carrier_world import SLOWLY_CONGESTED, CarrierWorld, until
from tests.support.floor import (
    PBX,
    Floor,
)
from tests.support.trunk_asking import OURS, body, create, health, kinds, shows

pytestmark = pytest.mark.flow


async def test_a_drained_trunk_takes_no_new_call_and_its_living_one_goes_on(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world))
    call = await floor.call("+8613900140102")
    assert (await floor.until(call, "connected"))["trunk"] == "acme"
    drained = await floor.expect(200, "POST", "/v1/trunks/acme/drain", user="admin", body={"reason": "maintenance"})
    assert (drained["state"], drained["live_calls"], drained["enabled"]) == ("draining", 1, False)
    other = await floor.call("+8613900140202", user="other")
    assert (await floor.until(other, "connected"))["trunk"] == "main"
    assert (await floor.show(call))["state"] == "connected"
    await floor.hangup(other, user="other")
    await floor.hangup(call)
    await shows(floor, "acme", lambda trunk: trunk["state"] == "disabled")
    assert len(await kinds(floor, "trunk.drained")) == 1
    enabled = await floor.expect(200, "POST", "/v1/trunks/acme/enable", user="admin", body={})
    assert enabled["state"] == "active"


async def test_a_trunk_that_breaks_while_a_call_runs_is_told_before_anybody_notices(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    quick = body(carrier_world, register=False, secret=None, username=None, qualify_seconds=5)
    await create(floor, quick)
    call = await floor.call("+8613900140302")
    await floor.until(call, "connected")
    await health(floor, "acme", "up")
    world = carrier_world.lab.world.asterisk

    async def alarmed() -> bool:
        found = await floor.expect(200, "GET", "/v1/incidents?kind=trunk-down", user="supervisor")
        return f"{PBX}/acme" in [one["subject"] for one in found["items"]]

    world.freeze()
    try:
        assert (await health(floor, "acme", "down"))["reason"] == "no-answer"
        await until(alarmed)
    finally:
        world.thaw()
    await health(floor, "acme", "up")
    assert (await floor.show(call))["state"] == "connected"
    states = [(entry["trunk"], entry["state"]) for entry in await kinds(floor, "trunk.state")]
    assert states.index(("acme", "up")) < states.index(("acme", "down"))  # newest first

    async def calm() -> bool:
        return not await alarmed()

    await until(calm)
    await floor.hangup(call)


async def test_a_leg_says_which_trunk_carried_it(trunk_floor: Floor, carrier_world: CarrierWorld) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world, register=False))
    call = await floor.call("+8613900140453")  # congestion at once: the next trunk is tried, once
    ended = await floor.ended(call)
    assert ended["trunks_tried"] == ["acme"]
    async with floor.services.database.read() as connection:
        rows = await connection.execute(
            select(legs.c.role, legs.c.trunk).where(legs.c.call_id == call["id"]).order_by(legs.c.created_at)
        )
        assert [tuple(row) for row in rows] == [("agent", None), ("customer", "acme"), ("customer", "main")]
    await shows(floor, "acme", lambda trunk: trunk["health"]["failed"] > 0)


async def test_all_trunks_share_one_ring(trunk_floor: Floor, carrier_world: CarrierWorld) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world, register=False))
    second = {"name": "b", "pbx": PBX, "endpoint": "carrier-b", "prefixes": ["+8613"], "priority": 2}
    await create(floor, second)
    number = f"+86139001405{SLOWLY_CONGESTED}"
    call = await floor.call(number)
    ended = await floor.ended(call)
    # Each takes three of the eight seconds that the customer's phone may ring; with less than five left none is tried.
    seen = await floor.lab.world.calls_seen(number)
    assert 1 <= len(seen) < 3
    assert (ended["end_reason"], ended["attempts_counted"]) == ("failed", 1)


async def test_a_trunk_never_takes_more_calls_than_it_can_carry(
    trunk_floor: Floor, carrier_world: CarrierWorld
) -> None:
    floor = trunk_floor
    await create(floor, body(carrier_world, register=False, capacity=1))
    call = await floor.call("+8613900140602")
    assert (await floor.until(call, "connected"))["trunk"] == "acme"
    await floor.expect(200, "PATCH", "/v1/trunks/main", user="admin", body={"prefixes": ["+1"]})
    await floor.case("+8613900140702")
    status, problem = await floor.dial("+8613900140702", user="other")
    assert (status, problem["type"], problem["why"]) == (503, "/problems/no-trunk", "full")
    await floor.expect(200, "PATCH", "/v1/trunks/main", user="admin", body={"prefixes": []})
    other = await floor.call("+8613900140702", user="other")
    assert (await floor.until(other, "connected"))["trunk"] == "main"
    await floor.hangup(other, user="other")
    await floor.hangup(call)


async def test_a_client_shows_only_numbers_of_its_pool(trunk_floor: Floor, carrier_world: CarrierWorld) -> None:
    floor = trunk_floor
    numbers = [OURS, "+861065550002"]
    await create(floor, body(carrier_world, register=False, caller_ids=numbers))
    pool = {"client": "anytime", "region": "+8613", "numbers": numbers[1:], "daily_limit": 1}
    await floor.expect(201, "PUT", "/v1/caller-id-pools/bank", user="admin", body=pool)
    call = await floor.call("+8613900140802")
    connected = await floor.until(call, "connected")
    assert (connected["trunk"], connected["caller_id"]) == ("acme", numbers[1])
    await floor.hangup(call)
    [seen] = await floor.lab.world.calls_seen("+8613900140802")
    assert seen.caller_id == numbers[1]
    loads = (await floor.expect(200, "GET", "/v1/caller-ids", user="supervisor"))["items"]
    assert [one["today"] for one in loads if one["number"] == numbers[1].removeprefix("+")] == [1]
    await floor.case("+8613900140902")
    status, problem = await floor.dial("+8613900140902")  # shown often enough, and no other trunk may show it
    assert (status, problem["why"]) == (503, "no-caller-id")
