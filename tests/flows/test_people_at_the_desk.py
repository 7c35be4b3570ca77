"""A real call, and what it does to the people: details unlock for the debtor, states follow by themselves, events are masked."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.floor import PATIENCE, Floor

pytestmark = pytest.mark.flow

NUMBER = "+8613800138002"
IDENTITY = "310101199001011234"


async def state_of(floor: Floor, wanted: str) -> dict[str, Any]:
    """The collector's state once it is `wanted`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            document: dict[str, Any] = await floor.expect(200, "GET", "/v1/agents/collector", user="supervisor")
            if document["state"] == wanted:
                return document
            await asyncio.sleep(0.05)


async def test_a_call_from_the_click_to_the_next_one(floor: Floor) -> None:
    case = await floor.case(NUMBER, party={"identity": IDENTITY})
    assert (await floor.expect(200, "GET", f"/v1/cases/{case}"))["disclosure"]["locked"] is True
    call = await floor.until(await floor.call(NUMBER), "connected")
    busy = await state_of(floor, "busy")
    assert (busy["call"]["id"], busy["available"]) == (call["id"], False)

    said = await floor.expect(200, "POST", f"/v1/calls/{call['id']}/right-party", body={"answer": "debtor"})
    assert said["unlocked"]
    shown = await floor.expect(200, "GET", f"/v1/cases/{case}")
    assert (shown["debts"], shown["account"]) == ([f"debt-{case}"], case)

    await floor.hangup(call)
    wrapping = await state_of(floor, "wrap_up")
    assert wrapping["due_at"] is not None
    body = {"action_code": "PTP", "note": "pays on Friday"}
    await floor.expect(200, "PUT", f"/v1/calls/{call['id']}/disposition", body=body)
    assert (await state_of(floor, "ready"))["available"]
    told = await floor.expect(200, "GET", "/v1/journal?kind=agent.state&agent=collector", user="admin")
    assert [entry["data"]["state"] for entry in reversed(told["items"])] == ["busy", "wrap_up", "ready"]


async def test_a_collector_with_masked_numbers_calls_and_hears_of_it_without_the_number(floor: Floor) -> None:
    floor.settings.desk.mask_numbers.append("collector")
    case = await floor.case(NUMBER)
    headers = {"Authorization": f"Bearer {floor.tokens['collector']}"}
    async with floor.http.get(f"{floor.base}/v1/events", headers=headers) as stream:
        shown = await floor.expect(200, "GET", f"/v1/cases/{case}")
        masked = shown["parties"][0]["numbers"][0]["e164"]
        assert masked == "+86138****8002"
        body = {"case_id": case, "party_id": f"party-{case}", "number": masked}
        placed = await floor.expect(201, "POST", "/v1/calls", body=body, headers={"Idempotency-Key": "masked-1"})
        assert placed["number"] == masked
        call = await floor.until(placed, "connected")
        assert call["number"] == NUMBER  # the supervisor sees it whole
        heard = await _heard(stream, call["id"], "connected")
        assert NUMBER not in heard
        assert masked in heard
        await floor.hangup(call)
    full = await floor.dial(NUMBER)
    assert full[0] == 201, full  # who knows the number may still send it
    await floor.hangup(full[1])


async def _heard(stream: Any, call_id: str, state: str) -> str:
    """Everything the stream said until the call was in that state."""
    text = ""
    async with asyncio.timeout(PATIENCE):
        async for line in stream.content:
            text += line.decode()
            if line.startswith(b"data:"):
                about = json.loads(line[5:])["data"].get("call", {})
                if about.get("id") == call_id and about.get("state") == state:
                    return text
    raise AssertionError(text)
