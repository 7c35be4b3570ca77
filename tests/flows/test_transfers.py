"""Transfers from the page, blind and attended, to a colleague, a group and the outside: who hears whom, and what is kept of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.demo.behaviours import number_tone
from crm_bridge.demo.lab import Lab
from tests.flows.test_hold import control, incidents, journal_kinds, talk
from tests.support.floor import (
    PATIENCE,
    Floor,
    floor_settings,
    furnish,
    hire,
    migrated,
    open_floor,
    prepare_pbx,
)
from tests.support.heard_calls import OURS, THEIRS, audio_of, tone_of, tones_of

pytestmark = pytest.mark.flow

CUSTOMER, LAWYER = "+8613800138002", "+8613800138102"
HOTLINE = "+8613800138202"
BUSY, RINGS_OUT, REFUSES = "+8613800138086", "+8613800138080", "+8613800138003"


async def connected(floor: Floor, *others: str, **changes: Any) -> dict[str, Any]:
    """A call that talks, on a case whose debtor has these further numbers."""
    await floor.case(CUSTOMER, *others, **changes)
    call = await floor.call(CUSTOMER)
    await floor.until(call, "connected")
    await talk()
    return call


async def transfer(
    floor: Floor, call: dict[str, Any], to: Any, kind: str = "blind", status: int = 200, **options: Any
) -> Any:
    body = {"to": to, "kind": kind, **options.pop("more", {})}
    return await floor.expect(status, "POST", f"/v1/calls/{call['id']}/transfer", body=body, **options)


async def transferred(floor: Floor, call: dict[str, Any], state: str = "done") -> dict[str, Any]:
    """The call once its transfer stands so, and the outside party talks."""
    return await floor.until(
        call, lambda now: (now["transfer"] or {}).get("state") == state and now["state"] == "connected"
    )


async def sounds(floor: Floor, call: dict[str, Any], ours: list[int], theirs: list[int], legs: int) -> None:
    """Who is heard on the two channels of a call, one after the other."""
    await floor.archived(call, legs)
    samples, rate = await audio_of(floor, call)
    assert (tones_of(samples[:, OURS], rate), tones_of(samples[:, THEIRS], rate)) == (ours, theirs)


async def ended_by_customer(floor: Floor, call: dict[str, Any]) -> dict[str, Any]:
    await floor.lab.world.hangup(CUSTOMER)
    return await floor.ended(call)


@pytest.mark.parametrize("to", ["other", "1002", ["other"]], ids=str)
async def test_a_blind_transfer_to_a_colleague(floor: Floor, to: Any) -> None:
    call = await connected(floor)
    assert (await transfer(floor, call, to))["transfer"]["kind"] == "blind"
    now = await transferred(floor, call)
    assert (now["agent"], now["current_agent"]) == ("collector", "other")
    mine = await floor.expect(200, "GET", "/v1/calls?open=true&mine=true", user="other")
    assert [item["id"] for item in mine["items"]] == [call["id"]]
    assert (await floor.expect(200, "GET", "/v1/calls?open=true&mine=true"))["items"] == []
    await talk()
    await control(floor, call, "hold", 403)
    await control(floor, call, "hold", user="other")
    await control(floor, call, "unhold", user="other")
    await talk()
    ended = await ended_by_customer(floor, call)
    assert (ended["end_reason"], ended["outcome"], ended["current_agent"]) == ("completed", "conversation", "other")
    await sounds(floor, call, [tone_of("1001"), tone_of("1002")], [number_tone(CUSTOMER)], 3)
    assert "call.transferred" in await journal_kinds(floor, call)
    assert await incidents(floor) == []


async def test_an_attended_transfer_to_a_colleague(either_floor: Floor) -> None:
    floor = either_floor
    call = await connected(floor)
    await transfer(floor, call, "other", "attended")
    await floor.until(call, lambda now: now["transfer"]["state"] == "consulting")
    assert (await floor.show(call))["state"] == "held"
    await talk()
    done = await control(floor, call, "transfer/complete")
    assert (done["state"], done["current_agent"], done["transfer"]["state"]) == ("connected", "other", "done")
    await talk()
    hung = await floor.hangup(call, user="other")
    assert hung["end_reason"] == "completed"
    await floor.archived(call, 3)
    samples, rate = await audio_of(floor, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(CUSTOMER)]
    ours = tones_of(samples[:, OURS], rate)
    assert (ours[0], ours[-1]) == (tone_of("1001"), tone_of("1002"))
    assert await incidents(floor) == []


async def test_an_attended_transfer_is_taken_back(floor: Floor) -> None:
    call = await connected(floor)
    for _ in range(2):
        await transfer(floor, call, "1002", "attended")
        await floor.until(call, lambda now: now["transfer"]["state"] == "consulting")
        back = await control(floor, call, "transfer/cancel")
        assert (back["state"], back["current_agent"], back["transfer"]["state"]) == (
            "connected",
            "collector",
            "canceled",
        )
        await talk()
    await floor.hangup(call)
    await floor.archived(call, 4)
    samples, rate = await audio_of(floor, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(CUSTOMER)]


@pytest.mark.parametrize("to", ["silent", RINGS_OUT], ids=["colleague", "outside"])
async def test_a_blind_transfer_that_rings_is_taken_back(floor: Floor, to: str) -> None:
    call = await connected(floor, RINGS_OUT)
    await transfer(floor, call, to)
    if to == RINGS_OUT:
        target = await target_of(floor, call)
        await floor.until(target, lambda now: now["alerted_at"] is not None)
    back = await control(floor, call, "transfer/cancel")
    assert (back["state"], back["current_agent"], back["transfer"]["state"]) == ("connected", "collector", "canceled")
    if to == RINGS_OUT:
        assert (await floor.ended(target))["outcome"] == "no_answer"
    await control(floor, call, "transfer/cancel", 409)
    await control(floor, call, "transfer/complete", 409)
    await talk()
    await floor.hangup(call)
    await floor.archived(call, 2)
    samples, rate = await audio_of(floor, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(CUSTOMER)]


async def test_a_group_rings_and_the_first_who_answers_has_the_call(floor: Floor) -> None:
    await floor.expect(
        201, "POST", "/v1/groups", user="admin", body={"name": "second-line", "members": ["busy", "other"]}
    )
    call = await connected(floor)
    await transfer(floor, call, "second-line")
    assert (await transferred(floor, call))["current_agent"] == "other"
    await talk()
    await ended_by_customer(floor, call)
    await sounds(floor, call, [tone_of("1001"), tone_of("1002")], [number_tone(CUSTOMER)], 3)


@pytest.mark.parametrize("kind", ["blind", "attended"])
@pytest.mark.parametrize(("to", "reason"), [("busy", "busy"), ("silent", "no_answer")])
async def test_a_colleague_who_does_not_take_it_leaves_the_customer_with_the_collector(
    floor: Floor, kind: str, to: str, reason: str
) -> None:
    call = await connected(floor)
    await transfer(floor, call, to, kind)
    back = await transferred(floor, call, "failed")
    assert (back["transfer"]["reason"], back["current_agent"]) == (reason, "collector")
    await talk()
    ended = await floor.hangup(call)
    assert ended["end_reason"] == "completed"
    await floor.archived(call, 2)
    samples, rate = await audio_of(floor, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(CUSTOMER)]
    assert "call.transfer_failed" in await journal_kinds(floor, call)


async def test_a_colleague_without_a_phone_that_can_ring_is_refused_at_once(floor: Floor) -> None:
    call = await connected(floor)
    problem = await transfer(floor, call, "unregistered", status=409)
    assert problem["type"] == "/problems/agent-unavailable"
    problem = await transfer(floor, call, "nobody", status=422)
    assert problem["errors"][0]["field"] == "to"
    await transfer(floor, call, ["other", "nobody"], status=404)
    assert (await floor.show(call))["state"] == "connected"
    await floor.hangup(call)


async def target_of(floor: Floor, call: dict[str, Any]) -> dict[str, Any]:
    """The call of an outside target."""
    now = await floor.show(call)
    target: dict[str, Any] = await floor.expect(
        200, "GET", f"/v1/calls/{now['transfer']['call_id']}", user="supervisor"
    )
    return target


async def test_a_blind_transfer_to_the_outside_is_a_call_of_its_own(either_floor: Floor) -> None:
    floor = either_floor
    call = await connected(floor, LAWYER)
    await transfer(floor, call, LAWYER)
    assert (await transferred(floor, call))["current_agent"] is None
    target = await target_of(floor, call)
    assert (target["origin"], target["transferred_from"], target["state"]) == ("transfer", call["id"], "connected")
    await talk()
    await floor.lab.world.hangup(LAWYER)
    ended, target = await floor.ended(call), await floor.ended(target)
    assert [(one["end_reason"], one["attempts_counted"]) for one in (ended, target)] == [("completed", 1)] * 2
    assert target["decision_id"] != ended["decision_id"]
    await sounds(floor, call, [tone_of("1001"), number_tone(LAWYER)], [number_tone(CUSTOMER)], 2)
    await sounds(floor, target, [number_tone(CUSTOMER)], [number_tone(LAWYER)], 1)
    assert await incidents(floor) == []


async def test_an_attended_transfer_to_the_outside(floor: Floor) -> None:
    call = await connected(floor, LAWYER)
    await transfer(floor, call, LAWYER, "attended")
    await floor.until(call, lambda now: now["transfer"]["state"] == "consulting")
    await talk()
    await control(floor, call, "transfer/complete")
    await talk()
    target = await target_of(floor, call)
    await ended_by_customer(floor, call)
    target = await floor.ended(target)
    assert target["end_reason"] == "completed"
    await sounds(floor, call, [tone_of("1001"), number_tone(LAWYER)], [number_tone(CUSTOMER)], 2)
    await sounds(floor, target, [tone_of("1001"), number_tone(CUSTOMER)], [number_tone(LAWYER)], 1)
    assert await incidents(floor) == []


@pytest.mark.parametrize("kind", ["blind", "attended"])
@pytest.mark.parametrize(
    ("number", "reason"), [(BUSY, "busy"), (RINGS_OUT, "no_answer"), (REFUSES, "unreachable")], ids=str
)
async def test_an_outside_target_that_does_not_answer_gives_the_customer_back(
    floor: Floor, kind: str, number: str, reason: str
) -> None:
    call = await connected(floor, number)
    await transfer(floor, call, number, kind)
    back = await transferred(floor, call, "failed")
    assert (back["transfer"]["reason"], back["current_agent"]) == (reason, "collector")
    target = await floor.ended(await target_of(floor, call))
    assert target["outcome"] == {BUSY: "busy", RINGS_OUT: "no_answer", REFUSES: "rejected"}[number]
    await talk()
    await floor.hangup(call)


@pytest.mark.parametrize("kind", ["blind", "attended"])
async def test_a_do_not_call_number_is_refused_and_the_customer_stays(floor: Floor, kind: str) -> None:
    forbidden = {
        "numbers": [{"e164": CUSTOMER, "kind": "mobile"}, {"e164": LAWYER, "kind": "mobile", "do_not_call": True}]
    }
    call = await connected(floor, LAWYER, party=forbidden)
    before = len(await floor.lab.world.calls_seen(LAWYER))
    problem = await transfer(floor, call, LAWYER, kind, 403)
    assert (problem["type"], problem["rule"]) == ("/problems/policy-denied", "house/do-not-call")
    problem = await transfer(floor, call, "+8613999999999", kind, 403)
    assert problem["rule"] == "gate/no-case"
    assert (await floor.show(call))["state"] == "connected"
    assert len(await floor.lab.world.calls_seen(LAWYER)) == before
    await floor.hangup(call)


async def test_a_number_of_no_case_is_reached_when_it_is_on_the_list(floor: Floor) -> None:
    call = await connected(floor)
    listed = {"number": HOTLINE, "reason": "the bank's own hotline"}
    await floor.expect(201, "POST", "/v1/allowed-numbers", user="admin", body=listed)
    await transfer(floor, call, HOTLINE)
    assert (await transferred(floor, call))["current_agent"] is None
    target = await target_of(floor, call)
    assert (target["case_id"], target["override"]["reason"]) == (None, listed["reason"])
    await ended_by_customer(floor, call)
    assert (await floor.ended(target))["end_reason"] == "completed"


async def test_a_target_that_is_forbidden_meanwhile_gives_the_customer_back(floor: Floor) -> None:
    """The gate decides again: between the collector's click and the gate the number was marked."""
    call = await connected(floor, LAWYER)
    gate = floor.services.gate
    handler = gate._handler

    async def forbid_first(request: Any) -> Any:
        _, party = floor.numbers[LAWYER]
        flag = {"flag": "refused_at", "value": True, "reason": "refuses"}
        await floor.expect(200, "POST", f"/v1/parties/{party}/flags", user="supervisor", body=flag)
        return await handler(request)

    gate._handler = forbid_first
    await transfer(floor, call, LAWYER)
    back = await transferred(floor, call, "failed")
    assert (back["transfer"]["reason"], back["transfer"]["denial"]["rule"]) == ("denied", "house/refused")
    target = await floor.ended(await target_of(floor, call))
    assert (target["end_reason"], target["attempts_counted"]) == ("denied_at_dial", 0)
    await floor.hangup(call)


async def test_who_hangs_up_after_a_blind_transfer_leaves_it_to_ring(floor: Floor) -> None:
    call = await connected(floor, LAWYER)
    await transfer(floor, call, LAWYER)
    await floor.lab.world.hangup("1001")
    assert (await transferred(floor, call))["current_agent"] is None
    await ended_by_customer(floor, call)


async def test_who_hangs_up_while_consulting_leaves_nobody_on_hold(floor: Floor) -> None:
    call = await connected(floor)
    await transfer(floor, call, "other", "attended")
    await floor.until(call, lambda now: now["transfer"]["state"] == "consulting")
    await floor.lab.world.hangup("1001")
    assert (await floor.ended(call))["end_reason"] == "completed"


async def test_twenty_transfers_of_one_call_back_and_forth(floor: Floor) -> None:
    call = await connected(floor)
    there, back = ("collector", "1001"), ("other", "1002")
    for number in range(20):
        (giver, _), (taker, phone) = (there, back) if number % 2 == 0 else (back, there)
        if number % 4 < 2:
            await transfer(floor, call, taker, user=giver)
        else:
            await transfer(floor, call, phone, "attended", user=giver)
            await floor.until(call, lambda now: now["transfer"]["state"] == "consulting")
            await control(floor, call, "transfer/complete", user=giver)
        await floor.until(call, lambda now, who=taker: (now["current_agent"], now["state"]) == (who, "connected"))
        await asyncio.sleep(0.8)  # a piece of conversation, and the giver's phone is free again
    await ended_by_customer(floor, call)
    await floor.archived(call, 22)
    samples, rate = await audio_of(floor, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(CUSTOMER)]
    assert set(tones_of(samples[:, OURS], rate)) == {tone_of("1001"), tone_of("1002")}
    assert (await journal_kinds(floor, call)).count("call.transferred") == 20


@pytest.mark.parametrize("to", ["other", LAWYER], ids=["colleague", "outside"])
async def test_a_transfer_goes_on_without_the_service_and_is_taken_up_again(
    lab: Lab, tmp_path: Path, gate_port: int, to: str
) -> None:
    settings = floor_settings(lab, tmp_path, gate_port, f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
    database = await migrated(settings.database.url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        call = await connected(floor, LAWYER)
        await transfer(floor, call, to)
        if to == LAWYER:
            await floor.until(await target_of(floor, call), "calling_customer")
        numbers = floor.numbers
    rung = await lab.world.wait_for_call("1002" if to == "other" else LAWYER)
    async with asyncio.timeout(PATIENCE):
        while rung.answered is None:
            await asyncio.sleep(0.05)
            rung = await lab.world.wait_for_call(rung.number)
    await talk()
    async with open_floor(lab, settings, tokens) as floor:
        floor.numbers = numbers
        now = await transferred(floor, call)
        assert now["current_agent"] == ("other" if to == "other" else None)
        await talk()
        await ended_by_customer(floor, call)
        heard = tone_of("1002") if to == "other" else number_tone(LAWYER)
        await floor.archived(call, 3 if to == "other" else 2)
        samples, rate = await audio_of(floor, call)
        assert tones_of(samples[:, OURS], rate)[-1] == heard
        assert tones_of(samples[:, THEIRS], rate) == [number_tone(CUSTOMER)]
