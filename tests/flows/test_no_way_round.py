"""A leg on a trunk that the gate did not let out is hung up within a second, counts, and alarms; what is ours is left alone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support.desk_phones import move_phones
from tests.support.floor import PATIENCE, Floor, prepare_pbx

pytestmark = pytest.mark.flow

RINGS = "+8613800138880"
ANSWERS = "+8613800138801"


async def _stray(floor: Floor, known: int = 0) -> dict[str, Any]:
    """The newest call of nobody's making, once it has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            page = await floor.expect(200, "GET", "/v1/calls?limit=500", user="admin")
            strays = [item for item in page["items"] if item["origin"] == "stray" and item["ended_at"]]
            if len(strays) > known:
                return dict(strays[0])
            await asyncio.sleep(0.05)


async def _alarms(floor: Floor) -> list[dict[str, Any]]:
    """The open incidents about legs without a ticket, once there is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            incidents = await floor.expect(200, "GET", "/v1/incidents?kind=no-ticket", user="admin")
            if incidents["items"]:
                return list(incidents["items"])
            await asyncio.sleep(0.05)


async def _watching(floor: Floor) -> None:
    """Wait until the watch knows the trunk."""
    async with asyncio.timeout(PATIENCE):
        while True:
            metrics = await floor.request("GET", "/metrics")
            if (
                b'ringfence_trunks_watched{pbx="lab"} 0.0' not in metrics[1]
                and b"ringfence_trunks_watched" in metrics[1]
            ):
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [RINGS, ANSWERS])
async def test_a_call_from_the_pbxs_console_is_hung_up_at_once(floor: Floor, number: str) -> None:
    case_id = await floor.case(number)
    await _watching(floor)
    await floor.lab.pbx.console(f"channel originate PJSIP/{number}@carrier-a application Wait 60")
    stray = await _stray(floor)
    seen = await floor.lab.world.wait_for_call(number, ended=True)
    assert seen.ended is not None
    assert seen.ended - seen.invited < timedelta(seconds=1)
    assert seen.ended_by == "pbx"
    assert (stray["violations"], stray["number"], stray["case_id"]) == (["no_ticket"], number, case_id)
    assert (stray["attempts_counted"], stray["decision_id"], stray["agent"]) == (1, None, None)
    journal = await floor.expect(200, "GET", "/v1/journal?kind=call.violation", user="admin")
    told = journal["items"][0]["data"]
    assert (told["violation"], told["trunk"], told["dialled"]) == ("no_ticket", "carrier-a", number)
    assert [(one["subject"], one["call_id"]) for one in await _alarms(floor)] == [("lab/carrier-a", stray["id"])]
    metrics = await floor.request("GET", "/metrics")
    assert b"ringfence_calls_without_ticket 1.0" in metrics[1]


async def test_the_attempt_counts_for_who_has_the_number(floor: Floor) -> None:
    policy = {
        "packs": ["house"],
        "house": {"caps": [{"limit": 1, "days": 1, "per": ["person"]}]},
        "zone": "Asia/Shanghai",
    }
    await floor.expect(201, "PUT", "/v1/policies/once", user="admin", body=policy)
    await floor.case(RINGS, "+8613800138811", client="once")
    await _watching(floor)
    await floor.lab.pbx.console(f"channel originate PJSIP/{RINGS}@carrier-a application Wait 60")
    await _stray(floor)
    status, problem = await floor.dial("+8613800138811")
    assert (status, problem["rule"]) == (403, "house/cap-1")


async def test_another_dialplan_on_a_collectors_phone_is_told_by_the_collectors_name(floor: Floor) -> None:
    await floor.case(RINGS)
    await _watching(floor)
    console = floor.lab.pbx.console
    await console(f"dialplan add extension 977,1,Dial,PJSIP/{RINGS}@carrier-a into phones")
    try:
        await floor.lab.world.dial("1002", "977")
        stray = await _stray(floor)
    finally:
        await console("dialplan remove extension 977@phones")
    assert (stray["agent"], stray["extension"]) == ("other", "1002")


async def _forge(floor: Floor, ticket: str) -> None:
    """A dialplan of somebody's that copies ours, and names that call."""
    await floor.case(RINGS)
    dial = f"Dial(PJSIP/{RINGS}@carrier-a,60,b(ringfence-leg^s^1(customer)))"
    for index, step in enumerate((f"Set(__RINGFENCE_CALL={ticket})", dial), 1):
        await floor.lab.pbx.console(f"dialplan add extension s,{index},{step} into forged")
    try:
        await floor.lab.pbx.console("channel originate Local/s@forged application Wait 60")
        await _stray(floor)
    finally:
        await floor.lab.pbx.console("dialplan remove context forged")


@pytest.mark.parametrize("ticket", ["0123456789abcdef0123456789abcdef", "emergency17", ""])
async def test_a_ticket_that_nobody_gave_is_none(floor: Floor, ticket: str) -> None:
    await _watching(floor)
    before = len(await floor.lab.world.calls_seen(RINGS))
    await _forge(floor, ticket)
    seen = (await floor.lab.world.calls_seen(RINGS))[before:]
    assert all(one.ended and one.ended - one.invited < timedelta(seconds=1) for one in seen)


async def test_a_ticket_serves_one_leg(floor: Floor) -> None:
    call = await floor.until(await floor.call("+8613800138802"), "connected")
    before = len(await floor.lab.world.calls_seen(RINGS))
    await _forge(floor, call["id"])
    seen = (await floor.lab.world.calls_seen(RINGS))[before:]
    assert all(one.ended and one.ended - one.invited < timedelta(seconds=1) for one in seen)
    assert (await floor.show(call))["state"] == "connected"
    assert (await floor.hangup(call))["end_reason"] == "completed"


async def test_a_flood_of_them_is_hung_up_and_told_to_the_last(floor: Floor) -> None:
    await _watching(floor)
    many = 20
    for index in range(many):
        await floor.lab.pbx.console(f"channel originate PJSIP/+861390000{index:02}80@carrier-a application Wait 60")
    await _stray(floor, many - 1)
    seen = [call for call in await floor.lab.world.calls_seen() if call.number.startswith("+861390000")][-many:]
    assert all(call.ended and call.ended - call.invited < timedelta(seconds=2) for call in seen)
    assert len(await _alarms(floor)) == 1


async def test_what_is_let_out_and_what_comes_in_is_left_alone(floor: Floor) -> None:
    await _watching(floor)
    call = await floor.until(await floor.call("+8613800138802"), "connected")
    await floor.lab.world.call_in("carrier-a", "13700137000", "02155550000", wait=True)
    await prepare_pbx(floor.settings, phones=["1005"])
    await floor.lab.world.dial("1005", "110", wait=True)
    await asyncio.sleep(1.5)  # longer than a stray lives
    assert (await floor.show(call))["state"] == "connected"
    assert (await floor.lab.world.calls_seen("110"))[-1].ended is None
    await floor.lab.world.hangup("110")
    await floor.lab.pbx.console("channel request hangup all")
    journal = await floor.expect(200, "GET", "/v1/journal?kind=call.violation", user="admin")
    assert journal["items"] == []


async def test_one_that_began_while_nobody_listened_is_found(floor: Floor) -> None:
    await _watching(floor)
    pbx = floor.services.pbxs["lab"]
    await floor.lab.pbx.console("dialplan add extension s,1,Dial,PJSIP/" + RINGS + "@carrier-a into unheard")
    await pbx.link.command("manager reload")
    pbx.link.drop("the test cuts the line")
    await floor.lab.pbx.console("channel originate Local/s@unheard application Wait 60")
    try:
        stray = await _stray(floor)
    finally:
        await floor.lab.pbx.console("dialplan remove context unheard")
    assert stray["violations"] == ["no_ticket"]


async def test_a_phone_of_ours_is_no_trunk(floor: Floor) -> None:
    await move_phones(floor, {"wang": "1006"})
    await floor.lab.world.dial("1006", "1003", wait=True)
    await floor.lab.world.hangup("1003")
    journal = await floor.expect(200, "GET", "/v1/journal?kind=call.violation", user="admin")
    assert journal["items"] == []
