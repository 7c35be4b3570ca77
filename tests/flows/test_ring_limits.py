"""What comes in while a leg rings calls it back and says why; what is connected is never cut."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.desk_phones import move_phones, newest_call, typed
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

RINGS = "+8613800138980"
News = Callable[[Floor, str, str], Awaitable[str]]
"""Writes something about a case and its party; the rule that forbids the call from then on."""


async def _complaint(floor: Floor, case_id: str, _: str) -> str:
    body = {"case_id": case_id, "severity": "general", "text": "投诉"}
    await floor.expect(201, "POST", "/v1/complaints", user="supervisor", body=body)
    return "house/complaint-open"


def _flag(flag: str, rule: str) -> News:
    async def flagged(floor: Floor, _: str, party: str) -> str:
        body = {"flag": flag, "value": True, "reason": "said so"}
        await floor.expect(200, "POST", f"/v1/parties/{party}/flags", user="other", body=body)
        return rule

    return flagged


def _state(action: str, rule: str) -> News:
    async def changed(floor: Floor, case_id: str, _: str) -> str:
        body = {"action": action, "reason": "told"}
        await floor.expect(200, "POST", f"/v1/cases/{case_id}/state", user="supervisor", body=body)
        return rule

    return changed


async def _taken_off(floor: Floor, case_id: str, party: str) -> str:
    body = {"client": "anytime", "parties": [{"id": party, "relation": "debtor", "name": "x", "numbers": []}]}
    await floor.expect(200, "PUT", f"/v1/cases/{case_id}", user="crm", body=body)
    return "gate/withdrawn"


NEWS: dict[str, News] = {
    "complaint": _complaint,
    "refusal": _flag("refused", "house/refused"),
    "cease": _flag("cease", "house/cease"),
    "do-not-call": _flag("do_not_call", "house/do-not-call"),
    "suspension": _state("suspend", "house/suspended"),
    "return": _state("return", "house/returned"),
    "number taken off": _taken_off,
}


async def _ringing(floor: Floor, call: dict[str, Any]) -> dict[str, Any]:
    return await floor.until(call, lambda shown: shown["alerted_at"] is not None)


async def _called_back(floor: Floor, call: dict[str, Any], news: News, party: str) -> dict[str, Any]:
    """Write the news; the call once it has ended, long before it would have by itself."""
    rule = await news(floor, call["case_id"], party)
    ended = await floor.ended(call)
    assert ended["denial"]["rule"] == rule
    assert ended["denial"]["reason_zh"]
    assert (ended["end_reason"], ended["hangup_by"], ended["attempts_counted"]) == ("canceled", "policy", 1)
    seen = await floor.lab.world.wait_for_call(RINGS, ended=True)
    assert seen.answered is None
    return ended


@pytest.mark.parametrize("news", NEWS)
async def test_news_that_forbid_the_call_end_its_ring(floor: Floor, news: str) -> None:
    case_id = await floor.case(RINGS)
    call = await _ringing(floor, await floor.call(RINGS))
    await _called_back(floor, call, NEWS[news], f"party-{case_id}")


async def test_a_typed_number_is_called_back_too(either_floor: Floor) -> None:
    floor = either_floor
    await move_phones(floor, {"wang": "1006"})
    case_id = await floor.case(RINGS)
    call = await _ringing(floor, await typed(floor, "wang", "1006", RINGS))
    await _called_back(floor, call, _complaint, f"party-{case_id}")


async def test_a_transfers_target_is_called_back_and_the_customer_goes_back(floor: Floor) -> None:
    customer = "+8613800138902"
    call = await floor.until(await floor.call(customer), "connected")
    case_id = await floor.case(RINGS)
    await floor.lab.world.refer("1001", RINGS)
    target = await _ringing(floor, await newest_call(floor, "collector", 0, origin="transfer"))
    await _called_back(floor, target, _complaint, f"party-{case_id}")
    seen = await floor.lab.world.wait_for_call(customer)
    assert seen.ended is None
    await floor.lab.world.hangup(customer)
    await floor.ended(call)


async def test_news_about_somebody_else_let_it_ring(floor: Floor) -> None:
    call = await _ringing(floor, await floor.call(RINGS))
    other = await floor.case("+8613800138902")
    await _complaint(floor, other, "")
    await _flag("refused", "")(floor, other, f"party-{other}")
    await asyncio.sleep(1.5)  # long enough for the news to be read
    shown = await floor.show(call)
    assert (shown["state"], shown["denial"]) == ("calling_customer", None)
    await floor.hangup(call)


async def test_a_conversation_is_not_cut(floor: Floor) -> None:
    answers = "+8613800138902"
    case_id = await floor.case(answers)
    call = await floor.until(await floor.call(answers), "connected")
    await _complaint(floor, case_id, "")
    await asyncio.sleep(1.5)  # long enough for the news to be read
    shown = await floor.show(call)
    assert (shown["state"], shown["denial"]) == ("connected", None)
    assert (await floor.hangup(call))["end_reason"] == "completed"


async def test_a_phone_that_still_rings_is_called_back_before_anybody_is_dialled(floor: Floor) -> None:
    case_id = await floor.case(RINGS)
    before = len(await floor.lab.world.calls_seen(RINGS))
    call = await floor.until(await floor.call(RINGS, user="silent"), "calling_agent")
    await _complaint(floor, case_id, "")
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["attempts_counted"]) == ("denied_at_dial", 0)
    assert ended["denial"]["rule"] == "house/complaint-open"
    assert len(await floor.lab.world.calls_seen(RINGS)) == before
