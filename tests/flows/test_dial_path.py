"""From the click to the archived recording, on a real Asterisk and real carriers."""

import asyncio
import secrets
from typing import Any

import numpy as np
import pytest
import soundfile

from crm_bridge.demo.behaviours import PHONE_TONES, number_tone
from tests.support.floor import Floor
from tests.support.tones import assert_tone

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138002"


async def _audio(floor: Floor, call: dict[str, Any], tmp_path: Any) -> tuple[np.ndarray, int]:
    data = await floor.expect(200, "GET", f"/v1/calls/{call['id']}/audio?format=wav", user="qa")
    path = tmp_path / f"{call['id']}.wav"
    path.write_bytes(data)
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return samples, rate


async def test_a_click_becomes_a_call_an_archived_recording_and_a_note(either_floor: Floor, tmp_path: Any) -> None:
    floor = either_floor
    call = await floor.call(ANSWERS)
    assert call["state"] in ("calling_agent", "calling_customer")
    await floor.until(call, "connected")
    await asyncio.sleep(3)  # the length of the conversation
    ended = await floor.hangup(call)
    assert (ended["end_reason"], ended["outcome"], ended["attempts_counted"]) == ("completed", "conversation", 1)
    assert ended["trunk"] == "main"
    assert ended["caller_id"] == "+861055550000"
    moments = ("created_at", "calling_agent_at", "calling_customer_at", "alerted_at", "connected_at", "ended_at")
    assert [ended[name] for name in moments] == sorted(ended[name] for name in moments)
    seen = await floor.lab.world.calls_seen(ANSWERS)
    assert seen[-1].caller_id.endswith("861055550000")

    kept = await floor.archived(call)
    assert {item["leg"] for item in kept["recordings"]} == {"agent", "customer"}
    assert all(len(item["sha256"]) == 64 and item["flags"] == [] for item in kept["recordings"])
    samples, rate = await _audio(floor, call, tmp_path)
    middle = len(samples) / rate / 2
    assert_tone(samples[:, 0], rate, PHONE_TONES["1001"], middle, middle + 1)
    assert_tone(samples[:, 1], rate, number_tone(ANSWERS), middle, middle + 1)
    spool = floor.settings.pbx[0].spool_local
    assert not list(spool.iterdir()), "the spool is cleared once the archive is proven"

    notes = await floor.expect(200, "GET", f"/v1/cases/{call['case_id']}/notes")
    assert [note["call_id"] for note in notes["items"]] == [call["id"]]


@pytest.mark.parametrize(
    ("number", "end_reason", "outcome", "alerted"),
    [
        ("+8613800138086", "busy", "busy", False),
        ("+8613800138003", "rejected", "rejected", False),
        ("+8613800138063", "rejected", "rejected", False),
        ("+8613800138004", "failed", "not_in_service", False),
        ("+8613800138010", "failed", "not_in_service", False),
        ("+8613800138053", "failed", "failed", False),
        ("+8613800138040", "no_answer", "no_answer", False),
        ("+8613800138080", "no_answer", "no_answer", True),
        ("+8613800138023", "rejected", "rejected", True),
        ("+8613800138025", "failed", "no_answer", True),
        ("+8613800138026", "busy", "busy", True),
        ("+8613800138048", "no_answer", "no_answer", True),
        ("+8613800138071", "completed", "conversation", True),
    ],
    ids=lambda value: str(value),
)
async def test_the_outcome_is_what_the_carrier_did(
    either_floor: Floor, number: str, end_reason: str, outcome: str, alerted: bool
) -> None:
    ended = await either_floor.ended(await either_floor.call(number))
    assert (ended["end_reason"], ended["outcome"], bool(ended["alerted_at"])) == (end_reason, outcome, alerted)


async def test_the_page_hangs_up_while_the_customer_rings(floor: Floor) -> None:
    call = await floor.call("+8613800138080")
    await floor.until(call, lambda document: document["alerted_at"] is not None)
    ended = await floor.hangup(call)
    assert (ended["end_reason"], ended["outcome"]) == ("canceled", "no_answer")
    assert (await floor.lab.world.wait_for_call("+8613800138080", ended=True)).answered is None


async def test_the_page_hangs_up_before_the_phone_was_answered(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    before = len(await floor.lab.world.calls_seen(ANSWERS))
    ended = await floor.hangup(call)
    assert ended["end_reason"] in ("canceled", "denied_at_dial", "completed")
    if ended["outcome"] == "not_placed":
        assert len(await floor.lab.world.calls_seen(ANSWERS)) == before


async def test_an_unregistered_phone_is_refused_before_anything_rings(floor: Floor) -> None:
    await floor.case(ANSWERS)
    status, problem = await floor.dial(ANSWERS, user="unregistered")
    assert (status, problem["type"]) == (409, "/problems/agent-unavailable")
    assert (await floor.expect(200, "GET", "/v1/calls", user="supervisor"))["items"] == []


async def test_one_key_is_one_call_and_a_double_click_rings_once(floor: Floor) -> None:
    await floor.case(ANSWERS)
    before = len(await floor.lab.world.calls_seen(ANSWERS))
    key = secrets.token_hex(8)
    answers = await asyncio.gather(*(floor.dial(ANSWERS, key=key) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409, 409]
    first = next(document for status, document in answers if status == 201)
    assert (await floor.dial(ANSWERS, key=key))[1]["id"] == first["id"]
    assert (await floor.dial(ANSWERS, key=key, purpose="message"))[0] == 422
    status, problem = await floor.dial(ANSWERS)
    assert (status, problem["type"]) == (409, "/problems/agent-busy")
    await floor.until(first, "connected")
    await floor.hangup(first)
    assert len(await floor.lab.world.calls_seen(ANSWERS)) == before + 1


async def test_a_denied_number_is_refused_with_rule_reason_and_retry(floor: Floor) -> None:
    body = {"packs": ["house"], "house": {"caps": [{"limit": 0, "days": 1}]}, "zone": "Asia/Shanghai"}
    await floor.expect(201, "PUT", "/v1/policies/strict", user="admin", body=body)
    await floor.case(ANSWERS, client="strict")
    status, problem = await floor.dial(ANSWERS)
    assert (status, problem["type"], problem["pack"]) == (403, "/problems/policy-denied", "house")
    decision = await floor.expect(200, "GET", f"/v1/decisions/{problem['decision_id']}")
    assert decision["same"]
    assert decision["verdict"] == "deny"


async def test_the_stream_replays_what_a_page_missed(floor: Floor) -> None:
    call = await floor.call("+8613800138086")
    await floor.ended(call)
    headers = {"Authorization": f"Bearer {floor.tokens['collector']}", "Last-Event-ID": "0"}
    kinds: list[str] = []
    async with asyncio.timeout(10), floor.http.get(f"{floor.base}/v1/events", headers=headers) as stream:
        async for line in stream.content:
            if line.startswith(b"event:"):
                kinds.append(line.decode().split(":", 1)[1].strip())
            if "call.ended" in kinds:
                break
    assert kinds.index("call.created") < kinds.index("call.state") < kinds.index("call.ended")
