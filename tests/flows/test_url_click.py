"""A CRM that can only call a URL: one call however often it is called, and no call where the policy says no; with real phones."""

import asyncio
from typing import Any

import pytest

from tests.support.floor import Floor

pytestmark = pytest.mark.flow

ANSWERS, SECOND, THIRD = "+8613811220002", "+8613811220102", "+8613811220202"


async def _token(floor: Floor, user: str = "collector") -> str:
    body = {"user": user, "only": "url-click"}
    made = await floor.expect(201, "POST", "/v1/tokens", user="admin", body=body)
    return str(made["token"])


async def _click(floor: Floor, token: str, number: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    address, given = f"{floor.base}/compat/abcti", {"token": token, "n_tel": number}
    async with floor.http.request(method, address, params=given, headers=headers) as answer:
        return answer.status, await answer.text()


async def _calls(floor: Floor) -> list[dict[str, Any]]:
    page = await floor.expect(200, "GET", "/v1/calls", user="admin")
    return list(page["items"])


async def test_an_address_that_is_called_again_and_again_gives_one_call(
    floor: Floor, capfd: pytest.CaptureFixture[str]
) -> None:
    case_id = await floor.case(ANSWERS, collector="collector")
    token = await _token(floor)
    assert (await _click(floor, token, ANSWERS, **{"Sec-Purpose": "prefetch"}))[0] == 503
    assert (await _click(floor, token, ANSWERS, method="HEAD"))[0] == 405
    assert await _calls(floor) == []
    answers = await asyncio.gather(*(_click(floor, token, "138 1122 0002") for _ in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    assert all(ANSWERS in text for _, text in answers)
    (call,) = await _calls(floor)
    assert (call["case_id"], call["number"], call["origin"]) == (case_id, ANSWERS, "click")
    await floor.until(call, "connected")
    assert (await _click(floor, token, ANSWERS))[0] == 200
    await floor.hangup(call)
    assert (await _click(floor, token, ANSWERS))[0] == 200
    assert len(await _calls(floor)) == 1
    said = capfd.readouterr()
    assert token not in said.out + said.err
    assert token not in str(await floor.expect(200, "GET", "/v1/journal", user="admin"))


async def test_a_denied_address_says_why_and_calls_nobody(floor: Floor) -> None:
    case_id = await floor.case(SECOND, collector="collector")
    complaint = {"case_id": case_id, "severity": "general", "text": "x"}
    await floor.expect(201, "POST", "/v1/complaints", user="crm", body=complaint)
    token = await _token(floor)
    status, text = await _click(floor, token, SECOND)
    assert (status, SECOND in text, "投诉" in text) == (403, True, True)
    await floor.expect(200, "PATCH", "/v1/users/collector", user="admin", body={"language": "en"})
    assert "complaint" in (await _click(floor, token, SECOND))[1]
    assert await _calls(floor) == []
    assert (await _click(floor, token, "+8613811229999"))[0] == 403


async def test_every_case_that_holds_the_number_must_allow_it(floor: Floor) -> None:
    mine = await floor.case(THIRD, collector="collector")
    other = await floor.case(THIRD, collector="other")
    token = await _token(floor)
    await floor.expect(
        200, "POST", f"/v1/cases/{other}/state", user="supervisor", body={"action": "suspend", "reason": "x"}
    )
    assert (await _click(floor, token, THIRD))[0] == 403
    await floor.expect(
        200, "POST", f"/v1/cases/{other}/state", user="supervisor", body={"action": "resume", "reason": "x"}
    )
    headers = {"Idempotency-Key": "a-tel-link"}
    body = {"number": THIRD}
    call = await floor.expect(201, "POST", "/v1/calls/by-number", body=body, headers=headers)
    assert call["case_id"] == mine
    assert {one["case_id"] for one in call["candidates"]} == {mine, other}
    await floor.until(call, "connected")
    ended = await floor.hangup(call)
    assert ended["outcome"] == "conversation"
    again = await floor.expect(201, "POST", "/v1/calls/by-number", body=body, headers=headers)
    assert again["id"] == call["id"]
