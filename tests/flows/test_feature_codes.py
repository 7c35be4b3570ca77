"""Transfers by feature codes: the collector presses ## or *2 on the phone, the outside party never can."""

import asyncio
from typing import Any

import pytest

from crm_bridge.demo.behaviours import number_tone
from tests.flows.test_hold import control, incidents, journal_kinds, talk
from tests.flows.test_transfers import CUSTOMER, LAWYER, connected, sounds
from tests.support.callers import CALLER, Callers
from tests.support.desk_phones import newest_call
from tests.support.floor import PATIENCE, Floor
from tests.support.heard_calls import tone_of

pytestmark = pytest.mark.flow

BLIND, ATTENDED = "##w", "*2w"


async def press(floor: Floor, keys: str, phone: str = "1001") -> None:
    await floor.lab.world.press(phone, keys)


async def outside_call(floor: Floor) -> dict[str, Any]:
    """The call of the outside number that was keyed in."""
    return await newest_call(floor, "collector", origin="transfer")


async def answered(floor: Floor, phone: str, before: int) -> None:
    """Wait until that phone has been rung once more, and has answered."""
    async with asyncio.timeout(PATIENCE):
        while True:
            seen = await floor.lab.world.calls_seen(phone)
            if len(seen) > before and seen[-1].answered:
                return
            await asyncio.sleep(0.05)


async def test_a_blind_code_gives_the_call_to_a_colleague(floor: Floor) -> None:
    call = await connected(floor)
    await press(floor, BLIND + "1002")
    now = await floor.until(call, lambda now: now["current_agent"] == "other")
    assert (now["agent"], now["transfer"]["kind"], now["transfer"]["state"]) == ("collector", "blind", "done")
    await talk()
    await floor.lab.world.hangup("1002")
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    await sounds(floor, call, [tone_of("1001"), tone_of("1002")], [number_tone(CUSTOMER)], 3)
    assert (await journal_kinds(floor, call)).count("call.transferred") == 1
    assert await incidents(floor) == []


async def test_a_blind_code_to_the_outside_is_a_call_of_its_own(floor: Floor) -> None:
    call = await connected(floor, LAWYER)
    await press(floor, BLIND + "13800138102")
    target = await floor.until(await outside_call(floor), "connected")
    assert (target["number"], target["transferred_from"], target["agent"]) == (LAWYER, call["id"], "collector")
    assert target["decision_id"] not in (None, call["decision_id"])
    await floor.until(call, lambda now: now["current_agent"] is None)
    await talk()
    await floor.lab.world.hangup(LAWYER)
    ended, target = await floor.ended(call), await floor.ended(target)
    assert [(one["outcome"], one["attempts_counted"]) for one in (ended, target)] == [("conversation", 1)] * 2
    await sounds(floor, call, [tone_of("1001"), number_tone(LAWYER)], [number_tone(CUSTOMER)], 2)
    await sounds(floor, target, [number_tone(CUSTOMER)], [number_tone(LAWYER)], 1)
    assert await incidents(floor) == []


async def test_a_do_not_call_number_brings_the_customer_back_to_the_phone(floor: Floor) -> None:
    call = await connected(floor, LAWYER)
    _, party = floor.numbers[LAWYER]
    flag = {"flag": "do_not_call", "number": LAWYER, "value": True, "reason": "asked"}
    await floor.expect(200, "POST", f"/v1/parties/{party}/flags", body=flag)
    seen, rung = len(await floor.lab.world.calls_seen(LAWYER)), len(await floor.lab.world.calls_seen("1001"))
    await press(floor, BLIND + "13800138102")
    target = await floor.ended(await outside_call(floor))
    assert (target["end_reason"], target["denial"]["rule"]) == ("denied_at_dial", "house/do-not-call")
    await floor.until(call, lambda now: now["current_agent"] == "collector" and now["state"] == "connected")
    await answered(floor, "1001", rung)
    await talk()
    await talk()
    assert len(await floor.lab.world.calls_seen(LAWYER)) == seen
    await floor.lab.world.hangup(CUSTOMER)
    assert (await floor.ended(call))["outcome"] == "conversation"
    await sounds(floor, call, [tone_of("1001")], [number_tone(CUSTOMER)], 3)


async def test_an_attended_code_to_a_colleague_is_completed_by_hanging_up(floor: Floor) -> None:
    call = await connected(floor)
    rung = len(await floor.lab.world.calls_seen("1002"))
    await press(floor, ATTENDED + "1002")
    await answered(floor, "1002", rung)
    await talk()
    assert (await floor.show(call))["current_agent"] == "collector"
    await floor.lab.world.hangup("1001")
    now = await floor.until(call, lambda now: now["current_agent"] == "other")
    assert (now["transfer"]["kind"], now["transfer"]["state"], now["state"]) == ("attended", "done", "connected")
    await talk()
    assert len(await floor.lab.world.calls_seen("1002")) == rung + 1
    await floor.lab.world.hangup(CUSTOMER)
    assert (await floor.ended(call))["end_reason"] == "completed"
    await sounds(floor, call, [tone_of("1001"), tone_of("1002")], [number_tone(CUSTOMER)], 3)
    assert await incidents(floor) == []


async def test_an_attended_code_to_the_outside(floor: Floor) -> None:
    call = await connected(floor, LAWYER)
    await press(floor, ATTENDED + "13800138102")
    target = await floor.until(await outside_call(floor), "connected")
    assert (target["number"], target["transferred_from"]) == (LAWYER, call["id"])
    await talk()
    await floor.lab.world.hangup("1001")
    await floor.until(call, lambda now: now["current_agent"] is None and now["state"] == "connected")
    await talk()
    rung = len(await floor.lab.world.calls_seen("1002"))
    for number in (LAWYER, CUSTOMER):
        await press(floor, BLIND + "1002", number)
    await talk()
    assert len(await floor.lab.world.calls_seen("1002")) == rung, "neither of them can press codes"
    await floor.lab.world.hangup(CUSTOMER)
    ended, target = await floor.ended(call), await floor.ended(target)
    assert [one["end_reason"] for one in (ended, target)] == ["completed", "completed"]
    await sounds(floor, call, [tone_of("1001"), number_tone(LAWYER)], [number_tone(CUSTOMER)], 2)
    await sounds(floor, target, [tone_of("1001"), number_tone(CUSTOMER)], [number_tone(LAWYER)], 1)
    assert await incidents(floor) == []


async def test_an_attended_code_to_a_do_not_call_number_leaves_the_customer(floor: Floor) -> None:
    call = await connected(floor, LAWYER)
    _, party = floor.numbers[LAWYER]
    flag = {"flag": "do_not_call", "number": LAWYER, "value": True, "reason": "asked"}
    await floor.expect(200, "POST", f"/v1/parties/{party}/flags", body=flag)
    seen = len(await floor.lab.world.calls_seen(LAWYER))
    await press(floor, ATTENDED + "13800138102")
    target = await floor.ended(await outside_call(floor))
    assert (target["end_reason"], target["denial"]["rule"]) == ("denied_at_dial", "house/do-not-call")
    await floor.until(call, "connected")
    await talk()
    assert len(await floor.lab.world.calls_seen(LAWYER)) == seen
    await floor.lab.world.hangup(CUSTOMER)
    assert (await floor.ended(call))["outcome"] == "conversation"
    await sounds(floor, call, [tone_of("1001")], [number_tone(CUSTOMER)], 2)


@pytest.mark.parametrize("keys", [BLIND, ATTENDED])
async def test_the_outside_party_can_never_press_them(floor: Floor, keys: str) -> None:
    call = await connected(floor)
    rung = len(await floor.lab.world.calls_seen("1002"))
    await floor.lab.world.press(CUSTOMER, keys + "1002")
    await asyncio.sleep(5)  # as long as a code, its number and the wait for another digit take
    now = await floor.show(call)
    assert (now["state"], now["current_agent"], now["transfer"]) == ("connected", "collector", None)
    assert len(await floor.lab.world.calls_seen("1002")) == rung
    await floor.hangup(call)


async def test_codes_work_after_a_hold_and_for_the_colleague_who_has_the_call(floor: Floor) -> None:
    call = await connected(floor)
    await control(floor, call, "hold")
    await control(floor, call, "unhold")
    await press(floor, BLIND + "1002")
    await floor.until(call, lambda now: now["current_agent"] == "other")
    await talk()
    rung = len(await floor.lab.world.calls_seen("1001"))
    await press(floor, BLIND + "1001", "1002")
    await answered(floor, "1001", rung)
    await floor.until(call, lambda now: now["current_agent"] == "collector")
    await talk()
    await floor.hangup(call)
    assert await incidents(floor) == []


async def test_a_collector_who_was_called_hands_the_customer_on(callers: Callers) -> None:
    floor = callers.floor
    await floor.case(CALLER, collector="collector")
    await callers.route()
    caller = await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    await talk()
    rung = len(await floor.lab.world.calls_seen("1002"))
    await press(floor, BLIND + "1002")
    await answered(floor, "1002", rung)
    await talk()
    assert (await floor.show(call))["transfer"]["state"] == "done"
    await floor.lab.world.give_up(caller)
    assert (await callers.state(call, "ended"))["end_reason"] == "completed"
    assert len((await floor.archived(call, 3))["recordings"]) == 3


@pytest.mark.parametrize("ends", ["the collector", "the colleague"])
async def test_a_consultation_that_comes_to_nothing_leaves_the_customer(floor: Floor, ends: str) -> None:
    call = await connected(floor)
    rung = len(await floor.lab.world.calls_seen("1002"))
    await press(floor, ATTENDED + "1002")
    await answered(floor, "1002", rung)
    await talk()
    await (press(floor, "*1") if ends == "the collector" else floor.lab.world.hangup("1002"))
    now = await floor.until(call, "connected")
    assert (now["current_agent"], now["transfer"]) == ("collector", None)
    await talk()
    await floor.hangup(call)
    await sounds(floor, call, [tone_of("1001")], [number_tone(CUSTOMER)], 3)
