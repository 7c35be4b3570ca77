"""Hold, mute and digits on a real call: states, what each side hears, recordings in step, and no false incident."""

import asyncio
from typing import Any

import pytest

from crm_bridge.demo.behaviours import number_tone
from tests.support.floor import Floor
from tests.support.heard_calls import CONVERSATION, OURS, THEIRS, audio_of, tone_of, tones_of
from tests.support.tones import carries

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138002"


async def control(floor: Floor, call: dict[str, Any], what: str, status: int = 200, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = await floor.expect(status, "POST", f"/v1/calls/{call['id']}/{what}", **options)
    return document


async def talk() -> None:
    """The length of a piece of conversation."""
    await asyncio.sleep(CONVERSATION)


async def incidents(floor: Floor) -> list[tuple[str, Any]]:
    listed = await floor.expect(200, "GET", "/v1/incidents", user="qa")
    return [(item["kind"], item["detail"]) for item in listed["items"]]


async def test_hold_and_resume_three_times_lose_no_second(either_floor: Floor) -> None:
    floor = either_floor
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    for _ in range(3):
        await talk()
        held = await control(floor, call, "hold")
        assert held["state"] == "held"
        assert held["held_at"] is not None
        assert (await control(floor, call, "hold"))["state"] == "held", "holding twice is holding"
        await talk()
        resumed = await control(floor, call, "unhold")
        assert (resumed["state"], resumed["held_at"]) == ("connected", None)
    await talk()
    ended = await floor.hangup(call)
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    await floor.archived(call)
    samples, rate = await audio_of(floor, call)
    seconds = len(samples) / rate
    assert tones_of(samples[:, OURS], rate) == [tone_of("1001")]
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(ANSWERS)]
    assert carries(samples[:, THEIRS], rate, number_tone(ANSWERS)) >= seconds - 2.5
    peaks = await floor.expect(200, "GET", f"/v1/calls/{call['id']}/peaks", user="qa")
    assert [region["kind"] for region in peaks["regions"]].count("hold") == 3
    assert await incidents(floor) == []


async def test_the_held_customer_hears_a_tone_of_ours_and_never_the_room(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await talk()
    await control(floor, call, "hold")
    await talk()
    ended = await floor.hangup(call)
    leg = next(item for item in (await floor.archived(call))["recordings"] if item["leg"] == "customer")
    data = await floor.expect(200, "GET", f"/v1/recordings/{leg['id']}/audio?format=wav", user="qa")
    assert ended["hangup_cause"] == 16
    assert len(data) > 1000


async def test_who_hangs_up_while_holding_leaves_nobody_on_hold(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await control(floor, call, "hold")
    await floor.lab.world.hangup("1001")
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    assert (await floor.lab.world.wait_for_call(ANSWERS, ended=True)).ended_by == "pbx"


async def test_a_customer_who_hangs_up_on_hold_ends_the_call(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await control(floor, call, "hold")
    await floor.lab.world.hangup(ANSWERS)
    assert (await floor.ended(call))["end_reason"] == "completed"


async def test_mute_is_kept_through_hold_and_told(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await talk()
    assert (await control(floor, call, "mute"))["muted"] is True
    await talk()
    await control(floor, call, "hold")
    assert (await control(floor, call, "unhold"))["muted"] is True
    assert (await control(floor, call, "unmute"))["muted"] is False
    await talk()
    await floor.hangup(call)
    await floor.archived(call)
    samples, rate = await audio_of(floor, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(ANSWERS)]
    assert tones_of(samples[:, OURS], rate) == [tone_of("1001")]
    assert await incidents(floor) == []
    kinds = await journal_kinds(floor, call)
    assert [kind for kind in kinds if "mute" in kind] == ["call.muted", "call.unmuted"]


async def journal_kinds(floor: Floor, call: dict[str, Any]) -> list[str]:
    listed = await floor.expect(200, "GET", f"/v1/journal?call_id={call['id']}&limit=200", user="admin")
    return [item["kind"] for item in sorted(listed["items"], key=lambda item: item["id"])]


async def test_digits_are_sent_and_never_written_down(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await control(floor, call, "dtmf", body={"digits": "4242*#"})
    for bad in ("", "12x", "1" * 33, "1\n2"):
        await control(floor, call, "dtmf", 422, body={"digits": bad})
    await floor.hangup(call)
    listed = await floor.expect(200, "GET", f"/v1/journal?call_id={call['id']}&limit=200", user="admin")
    told = [item for item in listed["items"] if item["kind"] == "call.digits"]
    assert [item["data"] for item in told] == [{"count": 6}]
    assert "4242" not in str(listed)


async def test_only_who_speaks_on_the_call_controls_it(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await control(floor, call, "hold", 403, user="other")
    await control(floor, call, "hold", 403, user="qa")
    await control(floor, call, "hold", user="supervisor")
    await floor.hangup(call)
    await control(floor, call, "hold", 409)
    await floor.expect(404, "POST", f"/v1/calls/{'0' * 32}/hold")


async def test_a_call_that_rings_cannot_be_held(floor: Floor) -> None:
    call = await floor.call("+8613800138080")
    await floor.until(call, "calling_customer")
    for what in ("hold", "unhold", "mute", "pause-recording"):
        await control(floor, call, what, 409)
    await floor.hangup(call)
