"""Calls from outside on a real Asterisk: routed, recorded, matched, missed, and taken in while the service is away."""

import asyncio
import io
from typing import Any

import numpy as np
import pytest
import soundfile

from crm_bridge.demo.behaviours import PHONE_TONES, number_tone
from tests.support.callers import CALLER, Callers
from tests.support.floor import PATIENCE, Floor
from tests.support.tones import assert_tone

pytestmark = pytest.mark.flow


async def _audio(floor: Floor, call: dict[str, Any], tmp_path: Any) -> tuple[np.ndarray, int]:
    data = await floor.expect(200, "GET", f"/v1/calls/{call['id']}/audio?format=wav", user="qa")
    path = tmp_path / f"{call['id']}.wav"
    path.write_bytes(data)
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return samples, rate


async def test_a_customer_reaches_the_collector_of_the_case(either_callers: Callers, tmp_path: Any) -> None:
    callers, floor = either_callers, either_callers.floor
    case_id = await floor.case(CALLER, collector="collector")
    await callers.route()
    caller = await callers.call()
    call = await callers.inbound()
    connected = await callers.state(call, "connected")
    assert (connected["agent"], connected["extension"], connected["case_id"]) == ("collector", "1001", case_id)
    assert (connected["number"], connected["origin"], connected["decision_id"]) == (CALLER, "inbound", None)
    pops = await callers.journal("screen_pop", 2)
    assert [pop["data"]["state"] for pop in pops] == ["ringing", "answered"]
    assert [match["case_id"] for match in pops[0]["data"]["matches"]] == [case_id]
    await asyncio.sleep(3)  # the length of the conversation
    await callers.lab.world.give_up(caller)
    ended = await callers.state(call, "ended")
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    moments = ("created_at", "calling_agent_at", "connected_at", "ended_at")
    assert [ended[name] for name in moments] == sorted(ended[name] for name in moments)

    kept = await floor.archived(call)
    assert {item["leg"] for item in kept["recordings"]} == {"agent", "customer"}
    assert all(item["flags"] == [] for item in kept["recordings"]), kept["recordings"]
    samples, rate = await _audio(floor, call, tmp_path)
    middle = len(samples) / rate / 2
    assert_tone(samples[:, 0], rate, PHONE_TONES["1001"], middle, middle + 1)
    assert_tone(samples[:, 1], rate, number_tone(CALLER), middle, middle + 1)
    notes = await floor.expect(200, "GET", f"/v1/cases/{case_id}/notes")
    assert [note["call_id"] for note in notes["items"]] == [call["id"]]


async def test_the_announcement_is_played_first_and_is_in_the_callers_recording(callers: Callers) -> None:
    await callers.floor.case(CALLER, collector="collector")
    await callers.route(announcement="conf-now-recording")
    caller = await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    await asyncio.sleep(2)  # a little talk
    await callers.lab.world.give_up(caller)
    kept = await callers.floor.archived(await callers.state(call, "ended"))
    (announced,) = await callers.journal("call.announced")
    assert (announced["call_id"], announced["data"]["result"]) == (call["id"], "SUCCESS")
    leg = next(item for item in kept["recordings"] if item["leg"] == "customer")
    data = await callers.floor.expect(200, "GET", f"/v1/recordings/{leg['id']}/audio", user="qa")
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    early = samples[: 8000 * 2, 1].astype(np.float64)
    assert np.sqrt(np.mean(early**2)) > 100, "what the caller was told is on the second channel"


@pytest.mark.parametrize("caller", ["anonymous", "1380013&PJSIP1002", "$EXTEN", "0", "%22%3E%3Cscript"])
async def test_a_caller_without_a_number_is_taken_recorded_and_never_called_back(callers: Callers, caller: str) -> None:
    await callers.floor.case(CALLER, collector="collector")
    await callers.group("desk", "other", "supervisor")
    await callers.route(overflow=[{"to": "group", "target": "desk"}])
    channel = await callers.call(caller)
    call = await callers.state(await callers.inbound(), "connected")
    assert (call["number"], call["case_id"]) == (None, None)
    assert call["agent"] in ("other", "supervisor")
    pop = (await callers.journal("screen_pop"))[0]
    assert (pop["data"]["number"], pop["data"]["matches"]) == (None, [])
    await callers.lab.world.give_up(channel)
    ended = await callers.state(call, "ended")
    assert ended["end_reason"] == "completed"
    await callers.floor.archived(call)
    tasks = await callers.floor.expect(200, "GET", "/v1/call-backs", user="supervisor")
    assert tasks["items"] == []


async def test_outside_the_hours_a_message_is_played_and_somebody_calls_back(callers: Callers) -> None:
    case_id = await callers.floor.case(CALLER, collector="collector")
    await callers.route(hours=[], closed_message="vm-goodbye")
    await callers.call()
    ended = await callers.state(await callers.inbound(), "ended")
    assert (ended["end_reason"], ended["outcome"], ended["denial"]["rule"]) == ("closed", "no_answer", "inbound/closed")
    assert not await callers.lab.world.calls_seen("1001") or (await callers.lab.world.calls_seen("1001"))[-1].ended
    task = await _task(callers)
    assert (task["case_id"], task["agent"], task["missed"]) == (case_id, "collector", 1)
    leg = (await callers.floor.archived(ended, legs=1))["recordings"][0]
    assert leg["leg"] == "customer"
    assert leg["duration"] > 0.3


async def test_a_busy_collectors_calls_go_to_the_group(callers: Callers) -> None:
    await callers.floor.case(CALLER, collector="collector")
    await callers.group("desk", "collector", "other")
    await callers.route(overflow="desk")
    busy = await callers.floor.call("+8613800138013")
    await callers.floor.until(busy, "connected")
    channel = await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    assert (call["agent"], call["extension"]) == ("other", "1002")
    preview = await callers.floor.expect(
        200, "GET", f"/v1/inbound-routes/preview?did=01055550000&number={CALLER[1:]}", user="admin"
    )
    assert [person["why"] for person in preview["stops"][0]["people"]] == ["not_ready"]
    await callers.lab.world.give_up(channel)
    await callers.state(call, "ended")
    await callers.floor.hangup(busy)


async def test_a_missed_call_is_to_be_called_back_and_ticked_off_by_the_conversation(either_callers: Callers) -> None:
    callers, floor = either_callers, either_callers.floor
    case_id = await floor.case(CALLER, collector="collector")
    await callers.route(to="extension", target="1010", ring_seconds=5)
    await callers.call()
    ended = await callers.state(await callers.inbound(), "ended")
    assert (ended["end_reason"], ended["outcome"]) == ("no_answer", "no_answer")
    task = await _task(callers)
    assert (task["number"], task["case_id"], task["allowed_now"]) == (CALLER, case_id, True)
    notes = await floor.expect(200, "GET", f"/v1/cases/{case_id}/notes")
    assert notes["items"][0]["details"]["direction"] == "inbound"
    call = await floor.call(CALLER)
    await floor.until(call, "connected")
    await floor.hangup(call)
    done = await _task(callers, "done")
    assert (done["done_call"], done["done_by"]) == (call["id"], "collector")


async def test_a_caller_who_gives_up_while_it_rings(callers: Callers) -> None:
    await callers.route(to="extension", target="1010")
    channel = await callers.call()
    call = await callers.state(await callers.inbound(), "calling_agent")
    await callers.lab.world.give_up(channel)
    ended = await callers.state(call, "ended")
    assert (ended["end_reason"], ended["outcome"], ended["agent"]) == ("canceled", "no_answer", None)


async def test_phones_that_are_all_busy(callers: Callers) -> None:
    await callers.route(to="extension", target="1009")
    await callers.call()
    assert (await callers.state(await callers.inbound(), "ended"))["end_reason"] == "agent_busy"


async def test_of_two_cases_with_the_number_the_collector_chooses(callers: Callers) -> None:
    floor = callers.floor
    first = await floor.case(CALLER, collector="collector")
    second = await floor.case(CALLER, collector="collector", client="anytime")
    await callers.route()
    channel = await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    assert call["case_id"] is None
    pop = (await callers.journal("screen_pop"))[0]
    assert {match["case_id"] for match in pop["data"]["matches"]} == {first, second}
    assert all(match["name"] == "测**" for match in pop["data"]["matches"])
    assert "debt-" not in str(pop["data"])
    mine = await floor.expect(200, "GET", "/v1/inbound-calls")
    assert [(item["call_id"], item["state"], len(item["matches"])) for item in mine["items"]] == [
        (call["id"], "answered", 2)
    ]
    assert (await floor.expect(200, "GET", "/v1/inbound-calls", user="other"))["items"] == []
    path = f"/v1/calls/{call['id']}/case"
    await floor.expect(404, "PUT", path, user="collector", body={"case_id": "no-such-case"})
    await floor.expect(404, "PUT", path, user="other", body={"case_id": second})
    chosen = await floor.expect(200, "PUT", path, body={"case_id": second})
    assert (chosen["case_id"], chosen["party_id"]) == (second, f"party-{second}")
    await callers.lab.world.give_up(channel)
    await callers.state(call, "ended")
    await floor.archived(call)
    notes = await floor.expect(200, "GET", f"/v1/cases/{second}/notes")
    assert [note["call_id"] for note in notes["items"]] == [call["id"]]
    assert not (await floor.expect(200, "GET", f"/v1/cases/{first}/notes"))["items"]


async def test_a_number_without_a_route_takes_that_of_every_other_number(callers: Callers) -> None:
    await callers.group("desk", "other")
    await callers.route("*", to="group", target="desk")
    channel = await callers.call(did="02155550101")
    call = await callers.state(await callers.inbound(), "connected")
    assert call["agent"] == "other"
    await callers.lab.world.give_up(channel)
    await callers.state(call, "ended")


async def test_a_number_without_any_route_is_answered_politely_and_recorded(callers: Callers) -> None:
    await callers.call()
    ended = await callers.state(await callers.inbound(), "ended")
    assert (ended["end_reason"], ended["denial"]["rule"]) == ("no_answer", "inbound/no-route")
    await callers.floor.archived(ended, legs=1)


async def _task(callers: Callers, state: str = "due") -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            page = await callers.floor.expect(200, "GET", f"/v1/call-backs?state={state}&mine=true")
            if page["items"]:
                return dict(page["items"][0])
            await asyncio.sleep(0.05)
