"""Phones that forward, that have a second device, or that die while they ring: no stray leg leaves, the collector is told."""

import asyncio

import pytest

from crm_bridge.demo.behaviours import FORWARDS_TO
from tests.support.desk_phones import hire_collectors, move_phones
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

ANSWERS, RINGS = "+8613800138202", "+8613800138280"
FORWARDED = f"+86{FORWARDS_TO}"


@pytest.mark.parametrize("context", ["the admin's", "ours"])
async def test_a_phone_that_forwards_reaches_nobody(floor: Floor, context: str) -> None:
    """Not even where it forwards to a number that might be called by itself."""
    people = {"qian": "1012"}
    await (move_phones(floor, people) if context == "ours" else hire_collectors(floor, people))
    await floor.case(FORWARDED)
    world = floor.lab.world
    before = len(await world.calls_seen(FORWARDED)), len(await world.calls_seen(ANSWERS))
    call = await floor.call(ANSWERS, user="qian")
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["outcome"], ended["attempts_counted"]) == ("denied_at_dial", "not_placed", 0)
    assert ended["denial"]["rule"] == "gate/forwarded"
    assert "呼叫转移" in ended["denial"]["reason_zh"]
    assert (len(await world.calls_seen(FORWARDED)), len(await world.calls_seen(ANSWERS))) == before
    page = await floor.expect(200, "GET", "/v1/calls?mine=true", user="qian")
    assert [item["id"] for item in page["items"]] == [call["id"]]


async def test_two_devices_of_one_phone_that_dial_at_once_make_one_call(floor: Floor) -> None:
    await move_phones(floor, {"wang": "1006"})
    await floor.case(RINGS)
    await floor.case("+8613800138380")
    world = floor.lab.world
    before = len(await world.calls_seen(RINGS)) + len(await world.calls_seen("+8613800138380"))
    await asyncio.gather(*(world.dial("1006", number) for number in (RINGS, "+8613800138380", RINGS, RINGS)))
    calls: list[dict[str, object]] = []
    async with asyncio.timeout(20):
        while len(calls) < 4:
            calls = (await floor.expect(200, "GET", "/v1/calls?mine=true", user="wang"))["items"]
            await asyncio.sleep(0.05)
    living = [call for call in calls if call["denial"] is None]
    assert len(living) == 1
    await floor.until(living[0], lambda shown: shown["alerted_at"] is not None)
    assert len(await world.calls_seen(RINGS)) + len(await world.calls_seen("+8613800138380")) == before + 1
    await floor.hangup(living[0], user="wang")


async def test_a_phone_that_dies_while_it_rings_ends_the_call_without_a_customer(floor: Floor) -> None:
    before = len(await floor.lab.world.calls_seen(ANSWERS))
    call = await floor.until(await floor.call(ANSWERS, user="silent"), "calling_agent")
    await floor.lab.world.unregister("1010")
    try:
        ended = await floor.ended(call)
    finally:
        await floor.lab.world.register("1010")
    assert (ended["end_reason"], ended["outcome"], ended["attempts_counted"]) == ("agent_no_answer", "not_placed", 0)
    assert len(await floor.lab.world.calls_seen(ANSWERS)) == before
