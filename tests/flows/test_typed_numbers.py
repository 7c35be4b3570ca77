"""A number typed on a desk phone: the same decision, recording, note and events as a click, or no way out."""

import asyncio
from typing import Any

import pytest

from crm_bridge.demo.behaviours import PHONE_TONES, number_tone
from tests.support.desk_phones import move_phones, sound_of, typed
from tests.support.floor import Floor
from tests.support.tones import assert_tone

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138302"


@pytest.fixture
async def desk(floor: Floor) -> Floor:
    """Collectors `wang` and `zhao`, whose phones 1006 and 1007 dial by themselves."""
    await move_phones(floor, {"wang": "1006", "zhao": "1007"})
    return floor


async def test_a_typed_number_lives_like_a_click(either_floor: Floor, tmp_path: Any) -> None:
    floor = either_floor
    await move_phones(floor, {"wang": "1006"})
    case_id = await floor.case(ANSWERS, collector="wang")
    call = await typed(floor, "wang", "1006", "13800138302")
    assert (call["origin"], call["agent"], call["case_id"]) == ("typed", "wang", case_id)
    await floor.until(call, "connected")
    await asyncio.sleep(2.5)  # the length of the conversation
    ended = await floor.hangup(call, user="wang")
    assert (ended["end_reason"], ended["outcome"], ended["attempts_counted"]) == ("completed", "conversation", 1)
    assert (ended["trunk"], ended["caller_id"], ended["party_id"]) == ("main", "+861055550000", f"party-{case_id}")
    kept = await floor.archived(call)
    assert {item["leg"] for item in kept["recordings"]} == {"agent", "customer"}
    samples, rate = await sound_of(floor, call, tmp_path)
    middle = len(samples) / rate / 2
    assert_tone(samples[:, 0], rate, PHONE_TONES["1006"], middle, middle + 0.8)
    assert_tone(samples[:, 1], rate, number_tone(ANSWERS), middle, middle + 0.8)
    notes = await floor.expect(200, "GET", f"/v1/cases/{case_id}/notes", user="wang")
    assert [(note["call_id"], note["state"]) for note in notes["items"]] == [(call["id"], "draft")]
    decision = await floor.expect(200, "GET", f"/v1/decisions/{call['decision_id']}", user="supervisor")
    assert (decision["kind"], decision["verdict"], decision["same"]) == ("gate", "allow", True)


@pytest.mark.parametrize("digits", ["13800138302", "013800138302", "+8613800138302", "008613800138302"])
async def test_every_spelling_is_one_number(desk: Floor, digits: str) -> None:
    await desk.case(ANSWERS)
    before = len(await desk.lab.world.calls_seen(ANSWERS))
    call = await typed(desk, "wang", "1006", digits)
    assert call["number"] == ANSWERS
    await desk.hangup(call, user="wang")
    assert len(await desk.lab.world.calls_seen(ANSWERS)) <= before + 1


async def test_what_no_case_holds_does_not_leave_and_the_collector_is_told(desk: Floor) -> None:
    call = await desk.ended(await typed(desk, "wang", "1006", "13800138402"))
    assert (call["end_reason"], call["attempts_counted"]) == ("denied_at_dial", 0)
    assert call["denial"]["rule"] == "gate/no-case"
    assert "一" <= call["denial"]["reason_zh"][0] <= "鿿"
    assert await desk.lab.world.calls_seen("+8613800138402") == []
    garbage = await desk.ended(await typed(desk, "wang", "1006", "1234567"))
    assert garbage["denial"]["rule"] == "gate/invalid-number"


async def test_all_who_hold_a_number_must_allow_it(desk: Floor) -> None:
    shared = "+8613800138502"
    mine = await desk.case(shared, collector="wang")
    other = await desk.case(shared, collector="zhao")
    change = {"action": "suspend", "reason": "dispute"}
    await desk.expect(200, "POST", f"/v1/cases/{other}/state", user="supervisor", body=change)
    refused = await desk.ended(await typed(desk, "wang", "1006", shared))
    assert refused["denial"]["rule"] == "house/suspended"
    assert {(one["case_id"], one["party_id"]) for one in refused["candidates"]} == {
        (mine, f"party-{mine}"),
        (other, f"party-{other}"),
    }
    assert len({one["decision_id"] for one in refused["candidates"]}) == 2
    assert await desk.lab.world.calls_seen(shared) == []
    change = {"action": "resume", "reason": "settled"}
    await desk.expect(200, "POST", f"/v1/cases/{other}/state", user="supervisor", body=change)
    call = await typed(desk, "wang", "1006", shared)
    assert call["case_id"] == mine
    await desk.until(call, "connected")
    await desk.hangup(call, user="wang")
    for case_id in (mine, other):
        case = await desk.expect(200, "GET", f"/v1/cases/{case_id}", user="supervisor")
        assert case["parties"][0]["id"] == f"party-{case_id}"


async def test_the_attempt_counts_for_everyone_who_holds_the_number(desk: Floor) -> None:
    policy = {
        "packs": ["house"],
        "house": {"caps": [{"limit": 1, "days": 1, "per": ["person"]}]},
        "zone": "Asia/Shanghai",
    }
    await desk.expect(201, "PUT", "/v1/policies/once", user="admin", body=policy)
    shared, second = "+8613800138586", "+8613800138602"
    await desk.case(shared, client="once", case_id="one")
    await desk.case(shared, second, client="once", case_id="two")
    busy = await desk.ended(await typed(desk, "wang", "1006", shared))
    assert (busy["case_id"], busy["outcome"]) == (None, "busy"), "neither case is the collector's"
    again = await desk.ended(await typed(desk, "wang", "1006", second))
    assert again["denial"]["rule"] == "house/cap-1", "the other party's number counts the person's attempt"
    again = await desk.ended(await typed(desk, "wang", "1006", shared))
    assert again["denial"]["rule"] == "house/cap-1"
    assert len(await desk.lab.world.calls_seen(shared)) == 1


async def test_a_phone_whose_collector_is_on_a_call_that_still_rings_is_busy(desk: Floor) -> None:
    await desk.case("+8613800138380", "+8613800138302")
    first = await typed(desk, "wang", "1006", "+8613800138380")
    await desk.until(first, lambda call: call["alerted_at"] is not None)
    second = await desk.ended(await typed(desk, "wang", "1006", "+8613800138302"))
    assert second["denial"]["rule"] == "gate/agent-busy"
    status, problem = await desk.dial("+8613800138302", user="wang")
    assert (status, problem["type"]) == (409, "/problems/agent-busy")
    await desk.hangup(first, user="wang")


async def test_an_allowed_number_leaves_without_a_case_recorded_all_the_same(desk: Floor) -> None:
    courier = "+8613800138671"
    listed = {"number": courier, "reason": "courier"}
    await desk.expect(201, "POST", "/v1/allowed-numbers", user="admin", body=listed)
    ended = await desk.ended(await typed(desk, "wang", "1006", courier))
    assert (ended["end_reason"], ended["case_id"], ended["decision_id"]) == ("completed", None, None)
    assert ended["override"] == {"by": "admin", "reason": "courier", "expires_at": None, "rules": ["gate/no-case"]}
    await desk.archived(ended)
    await desk.case(courier, party={"minor": True})
    refused = await desk.ended(await typed(desk, "wang", "1006", courier))
    assert refused["denial"]["rule"] == "house/minor", "once a case holds the number, the rules decide"


async def test_a_short_number_needs_the_list_and_leaves_as_it_is_dialled(desk: Floor) -> None:
    assert (await desk.ended(await typed(desk, "wang", "1006", "95588")))["denial"]["rule"] == "gate/no-case"
    body = {"number": "95588", "reason": "the bank's hotline", "pbx": "lab"}
    await desk.expect(201, "POST", "/v1/allowed-numbers", user="admin", body=body)
    call = await desk.until(await typed(desk, "wang", "1006", "95588"), "connected")
    assert (await desk.lab.world.calls_seen("95588"))[-1].number == "95588"
    await desk.hangup(call, user="wang")


async def test_a_phone_that_nobody_has_finds_no_way_out(desk: Floor) -> None:
    await desk.case(ANSWERS)
    before = len(await desk.lab.world.calls_seen(ANSWERS))
    body = {"active": False}
    await desk.expect(200, "PATCH", "/v1/users/wang", user="admin", body=body)
    await desk.lab.world.dial("1006", "13800138302")
    await asyncio.sleep(1.5)
    assert len(await desk.lab.world.calls_seen(ANSWERS)) == before


async def test_colleagues_and_emergency_numbers_stay_reachable(desk: Floor) -> None:
    await desk.lab.world.dial("1006", "1003", wait=True)
    await desk.lab.world.hangup("1003")
    await desk.lab.world.dial("1006", "110", wait=True)
    await desk.lab.world.hangup("110")
