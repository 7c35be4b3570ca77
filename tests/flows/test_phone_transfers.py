"""A desk phone sends its customer to an outside number (REFER): a call of its own at the gate; refused, the customer comes back."""

import asyncio
from typing import Any

import pytest

from crm_bridge.demo.behaviours import number_tone
from crm_bridge.demo.world import SeenCall
from tests.support.desk_phones import move_phones, newest_call, sound_of, typed
from tests.support.floor import PATIENCE, Floor
from tests.support.tones import assert_tone

pytestmark = pytest.mark.flow

CUSTOMER, TARGET = "+8613800138702", "+8613800138713"


async def _connected(floor: Floor, *numbers: str) -> dict[str, Any]:
    await floor.case(CUSTOMER, collector="collector")
    for number in numbers:
        await floor.case(number)
    return await floor.until(await floor.call(CUSTOMER), "connected")


async def _refer(floor: Floor, digits: str) -> dict[str, Any]:
    """The collector's phone transfers; the call that comes of it."""
    await floor.lab.world.refer("1001", digits)
    return await newest_call(floor, "collector", 0, origin="transfer")


async def _collectors_legs(floor: Floor) -> list[SeenCall]:
    return [one for one in await floor.lab.world.calls_seen("1001") if one.at == "phones"]


async def _phone_has_it_again(floor: Floor, before: int) -> None:
    """Wait until the collector's phone has been rung once more, and has answered."""
    async with asyncio.timeout(PATIENCE):
        while True:
            legs = await _collectors_legs(floor)
            if len(legs) > before and legs[-1].answered:
                return
            await asyncio.sleep(0.05)


async def test_the_target_is_a_call_of_its_own(floor: Floor, tmp_path: Any) -> None:
    call = await _connected(floor, TARGET)
    target = await _refer(floor, "13800138713")
    assert (target["number"], target["transferred_from"], target["agent"]) == (TARGET, call["id"], "collector")
    assert target["decision_id"] not in (None, call["decision_id"])
    await floor.until(target, "connected")
    await asyncio.sleep(2.5)  # the length of the conversation
    await floor.lab.world.hangup(TARGET)
    ended, first = await floor.ended(target), await floor.ended(call)
    assert (ended["outcome"], ended["attempts_counted"]) == ("conversation", 1)
    assert (first["outcome"], first["attempts_counted"]) == ("conversation", 1)
    kept = await floor.archived(target, legs=1)
    assert [item["leg"] for item in kept["recordings"]] == ["customer"]
    await floor.archived(call)
    samples, rate = await sound_of(floor, target, tmp_path)
    end = len(samples) / rate
    assert_tone(samples[:, 1], rate, number_tone(TARGET), end - 1.5, end - 0.5)
    for one in (call, target):
        notes = await floor.expect(200, "GET", f"/v1/cases/{one['case_id']}/notes")
        assert [note["call_id"] for note in notes["items"]] == [one["id"]]


async def test_a_collector_who_gave_the_call_away_is_free_for_the_next(floor: Floor) -> None:
    call = await _connected(floor, TARGET)
    target = await _refer(floor, TARGET)
    await floor.until(target, "connected")
    following = await floor.call("+8613800138586")
    assert (await floor.ended(following))["end_reason"] == "busy"
    await floor.lab.world.hangup(CUSTOMER)
    await floor.ended(target)
    await floor.ended(call)


@pytest.mark.parametrize("refusal", ["do-not-call", "unknown number", "gate down"])
async def test_a_refused_target_does_not_drop_the_customer(floor: Floor, refusal: str) -> None:
    call = await _connected(floor, *([] if refusal == "unknown number" else [TARGET]))
    before = len(await floor.lab.world.calls_seen(TARGET))
    rung = len(await _collectors_legs(floor))
    if refusal == "do-not-call":
        _, party = floor.numbers[TARGET]
        flag = {"flag": "do_not_call", "number": TARGET, "value": True, "reason": "asked"}
        await floor.expect(200, "POST", f"/v1/parties/{party}/flags", body=flag)
    if refusal == "gate down":
        await floor.services.gate.close()
        await floor.lab.world.refer("1001", TARGET)
    else:
        target = await floor.ended(await _refer(floor, TARGET))
        assert (target["end_reason"], target["attempts_counted"]) == ("denied_at_dial", 0)
        assert target["denial"]["rule"] == {"do-not-call": "house/do-not-call"}.get(refusal, "gate/no-case")
    await _phone_has_it_again(floor, rung)
    seen = await floor.lab.world.calls_seen(CUSTOMER)
    assert seen[-1].ended is None, "the customer is still there"
    assert len(await floor.lab.world.calls_seen(TARGET)) == before
    await asyncio.sleep(1.5)  # they go on talking
    await floor.lab.world.hangup(CUSTOMER)
    assert (await floor.ended(call))["outcome"] == "conversation"
    kept = await floor.archived(call, legs=3)
    assert sorted(item["leg"] for item in kept["recordings"]) == ["agent", "agent", "customer"]


@pytest.mark.parametrize("number", ["+8613800138786", "+8613800138753"])
async def test_a_target_that_is_not_reached_sends_the_customer_back(floor: Floor, number: str) -> None:
    call = await _connected(floor, number)
    rung = len(await _collectors_legs(floor))
    target = await floor.ended(await _refer(floor, number))
    assert target["end_reason"] == ("busy" if number.endswith("86") else "failed")
    await _phone_has_it_again(floor, rung)
    await floor.lab.world.refer("1001", number)
    again = await newest_call(floor, "collector", 1, origin="transfer")
    assert again["transferred_from"] == call["id"]
    await floor.ended(again)
    await floor.lab.world.hangup(CUSTOMER)
    assert (await floor.ended(call))["outcome"] == "conversation"


async def test_a_carrier_that_transfers_reaches_nobody(floor: Floor) -> None:
    call = await _connected(floor, TARGET)
    before = len(await floor.lab.world.calls_seen(TARGET))
    seen = await floor.lab.world.wait_for_call(CUSTOMER)
    await floor.lab.world.refer_channel(seen.channel, TARGET)
    await floor.ended(call)
    assert len(await floor.lab.world.calls_seen(TARGET)) == before


async def test_a_phone_that_talks_may_consult_one_third_party(floor: Floor) -> None:
    await move_phones(floor, {"wang": "1006"})
    third = "+8613800138771"
    await floor.case(CUSTOMER, collector="wang")
    await floor.case(TARGET)
    await floor.case(third)
    call = await floor.until(await floor.call(CUSTOMER, user="wang"), "connected")
    target = await typed(floor, "wang", "1006", TARGET)
    assert (target["origin"], target["transferred_from"]) == ("transfer", call["id"])
    await floor.until(target, "connected")
    refused = await floor.ended(await typed(floor, "wang", "1006", third))
    assert refused["denial"]["rule"] == "gate/agent-busy"
    assert await floor.lab.world.calls_seen(third) == []
    await asyncio.sleep(1)  # they talk
    await floor.lab.world.hangup(TARGET)
    kept = await floor.archived(await floor.ended(target))
    assert {item["leg"] for item in kept["recordings"]} == {"agent", "customer"}
    assert (await floor.show(call))["state"] == "connected", "the first call goes on"
    await floor.hangup(call, user="wang")
