"""One click, one decision, one Originate on the wire: whatever is repeated, raced or interrupted."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from config import clock
from config.errors import Fault, Invalid, NotFound
from config.identifiers import new_id
from crm_bridge.click import Clicked
from crm_bridge.idempotency import IN_FLIGHT, KeyInFlight, KeyReused, begin
from telephony.ami import PbxUnavailable
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from telephony.tables import trunks
from telephony.trunking.no_trunk import NoTrunk
from tests.support.ami_server import a_hangup, error
from tests.support.dial_core import PBX, DialCore

LAST = [{"limit": 1, "days": 1, "per": ["person"]}]
OTHER = "+8613900139000"


async def _tried(click: Awaitable[Clicked]) -> Any:
    """The status, or the code of the fault."""
    try:
        return (await click).status
    except Fault as fault:
        return fault.code


async def test_a_click_reserves_before_it_originates_once(core: DialCore) -> None:
    await core.start()
    clicked = await core.click()
    call = await core.call(clicked.document["id"])
    (originate,) = core.fake.server.named("Originate")
    assert (clicked.status, call.state) == (201, "calling_agent")
    assert (originate["ChannelId"], originate["Channel"]) == (call.id, "PJSIP/1001")
    assert await core.outcome(call.id) == "reserved"
    kinds = [entry.kind for entry in await core.journal("call.created", "call.state")]
    assert kinds == ["call.created", "call.state"]


async def test_fifty_agents_on_one_persons_last_attempt_give_one_call(core: DialCore) -> None:
    await core.policy(caps=LAST)
    await core.start()
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(core.click(f"agent{n}", key=f"k{n}", extension=str(1001 + n)) for n in range(50))
        )
    placed = [answer for answer in answers if answer.status == 201]
    denied = [answer.document for answer in answers if answer.status == 403]
    assert (len(placed), len(denied)) == (1, 49)
    (call,) = await core.calls()
    assert {tuple(document["competing"]) for document in denied} == {(call.id,)}
    assert {document["denials"][0]["competing"][0] for document in denied} == {call.id}
    assert [action["ChannelId"] for action in core.fake.server.named("Originate")] == [call.id]


async def test_fifty_clicks_of_one_agent_give_one_call(core: DialCore) -> None:
    await core.start()
    async with asyncio.timeout(60):
        told = Counter(await asyncio.gather(*(_tried(core.click(key=f"k{n}")) for n in range(50))))
    assert told == {201: 1, "agent-busy": 49}
    assert len(core.fake.server.named("Originate")) == len(await core.calls()) == 1


async def test_person_number_and_phone_raced_at_once_give_one_call_each(core: DialCore) -> None:
    """The same person by two agents, one agent on two persons, one phone under two names."""
    await core.policy(caps=LAST)
    for party, number in (("p2", OTHER), ("p3", "+8613700137000")):
        await core.case(party, number)
    await core.start()
    clicks = [
        core.click("a", key="1", extension="1001"),
        core.click("b", key="2", extension="1002"),
        core.click("a", "p2", key="3", extension="1003", number=OTHER),
        core.click("c", "p3", key="4", extension="1001", number="+8613700137000"),
        core.click("d", "p3", key="5", extension="1002", number="+8613700137000"),
    ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(_tried(click) for click in clicks))
    calls = await core.calls()
    for occupied in ("agent", "extension", "party_id", "number"):
        assert max(Counter(getattr(call, occupied) for call in calls).values()) == 1
    assert len(core.fake.server.named("Originate")) == len(calls)


async def test_a_number_of_two_persons_has_one_last_attempt(core: DialCore) -> None:
    await core.policy(caps=[{"limit": 1, "days": 1, "per": ["number"]}])
    await core.case("p2")
    await core.start()
    clicks = [core.click(f"agent{n}", f"p{n % 2 + 1}", key="k", extension=str(1001 + n)) for n in range(10)]
    assert Counter([answer.status for answer in await asyncio.gather(*clicks)]) == {201: 1, 403: 9}


async def test_one_key_from_ten_requests_is_one_call(core: DialCore) -> None:
    await core.start()
    told = Counter(await asyncio.gather(*(_tried(core.click(key="same")) for _ in range(10))))
    assert set(told) <= {201, "idempotency-conflict"}
    assert len(core.fake.server.named("Originate")) == len(await core.calls()) == 1


async def test_a_repeated_key_gives_the_first_answer_again(core: DialCore) -> None:
    await core.start()
    first = await core.click(key="k")
    await core.fake.server.say(a_hangup(first.document["id"]))
    again = await core.click(key="k")
    assert (again.status, again.document) == (first.status, first.document)
    assert len(core.fake.server.named("Originate")) == 1


async def test_a_denial_is_repeated_too(core: DialCore) -> None:
    await core.policy(caps=[{"limit": 0, "days": 1}])
    await core.start()
    first = await core.click(key="k")
    assert first.status == 403
    assert (await core.click(key="k")).document == first.document
    assert "competing" not in first.document


async def test_a_key_with_another_body_is_refused(core: DialCore) -> None:
    await core.case("p2", OTHER)
    await core.start()
    await core.click(key="k")
    with pytest.raises(KeyReused):
        await core.click(party="p2", number=OTHER, key="k")


async def test_a_key_belongs_to_its_user(core: DialCore) -> None:
    await core.case("p2", OTHER)
    await core.start()
    assert (await core.click("li", key="k")).status == 201
    assert (await core.click("wu", "p2", key="k", extension="1002", number=OTHER)).status == 201


async def test_a_crash_before_the_originate_leaves_a_call_that_is_never_dialled_again(
    core: DialCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await core.start()

    async def crash(**_: Any) -> None:
        raise RuntimeError("the process dies here")

    with monkeypatch.context() as dying:
        dying.setattr(core.pbx.link, "originate", crash)
        with pytest.raises(RuntimeError):
            await core.click(key="k")
    with pytest.raises(KeyInFlight):
        await core.click(key="k")
    (call,) = await core.calls()
    assert (call.state, await core.outcome(call.id)) == ("queued", "reserved")
    with time_machine.travel(clock.now() + IN_FLIGHT + timedelta(seconds=1)):
        again = await core.click(key="k")
        assert (again.status, again.document["id"], again.document["state"]) == (201, call.id, "queued")
        with pytest.raises(AgentBusy):
            await core.click(key="new")
    assert core.fake.server.named("Originate") == []


async def test_a_refused_originate_gives_the_attempt_back_and_is_repeated_as_a_refusal(core: DialCore) -> None:
    core.fake.server.answers["Originate"] = lambda action: error(action, "Extension does not exist.")
    await core.policy(caps=LAST)
    await core.start()
    with pytest.raises(PbxUnavailable, match="Extension does not exist"):
        await core.click(key="k")
    (call,) = await core.calls()
    assert (call.state, call.end_reason, await core.outcome(call.id)) == ("ended", "failed", "not_placed")
    again = await core.click(key="k")
    assert (again.status, again.document["code"]) == (503, "pbx-unavailable")
    del core.fake.server.answers["Originate"]
    assert (await core.click(key="new")).status == 201


async def test_a_lost_answer_makes_the_call_unknown_and_it_keeps_counting(core: DialCore) -> None:
    await core.policy(caps=LAST)
    await core.start()
    core.fake.server.answers["Originate"] = None
    clicking = asyncio.create_task(core.click(key="k"))
    await core.fake.server.got("Originate")
    core.fake.server.hang_up()
    clicked = await clicking
    assert (clicked.status, clicked.document["state"]) == (201, "unknown")
    await core.until(lambda: core.pbx.ready and core.fake.server.connections == 2)
    assert (await core.click("wu", key="x", extension="1002")).status == 403
    assert (await core.click(key="k")).document == clicked.document
    assert len(core.fake.server.named("Originate")) == 1


async def test_a_late_answer_does_not_unsettle_what_events_have_shown(core: DialCore) -> None:
    await core.start()
    core.fake.server.answers["Originate"] = None
    clicking = asyncio.create_task(core.click(key="k"))
    (originate,) = await core.fake.server.got("Originate")
    call_id = originate["ChannelId"]
    await core.fake.server.say(
        b"Event: Newchannel\r\nChannel: PJSIP/1001-1\r\nChannelStateDesc: Down\r\n"
        + f"Uniqueid: {call_id}\r\nLinkedid: {call_id}\r\n\r\n".encode()
    )
    await core.reaches(call_id, "calling_agent")
    core.fake.server.hang_up()
    assert (await clicking).document["state"] == "calling_agent"


async def test_an_extension_that_must_not_be_sent_gives_the_attempt_back(core: DialCore) -> None:
    core.fake.devices["PJSIP/1001&1002"] = "NOT_INUSE"
    await core.start()
    with pytest.raises(Invalid):
        await core.click(extension="1001&1002")
    (call,) = await core.calls()
    assert (call.state, await core.outcome(call.id)) == ("ended", "not_placed")
    assert core.fake.server.named("Originate") == []


@pytest.mark.parametrize("state", ["UNAVAILABLE", "INVALID", None])
async def test_a_phone_that_cannot_ring_is_refused_before_anything_is_reserved(
    core: DialCore, state: str | None
) -> None:
    core.fake.devices.pop("PJSIP/1001")
    if state:
        core.fake.devices["PJSIP/1001"] = state
    await core.start()
    with pytest.raises(AgentUnavailable):
        await core.click()
    with pytest.raises(AgentUnavailable):
        await core.click(extension="")
    assert await core.calls() == []


@pytest.mark.parametrize("state", ["INUSE", "RINGING", "BUSY", "ONHOLD"])
async def test_a_phone_in_use_is_refused(core: DialCore, state: str) -> None:
    core.fake.devices["PJSIP/1001"] = state
    await core.start()
    with pytest.raises(AgentBusy):
        await core.click()


async def test_a_pbx_that_is_away_is_told_and_the_key_stays_free(core: DialCore) -> None:
    with pytest.raises(PbxUnavailable):
        await core.click(key="k")
    await core.start()
    assert (await core.click(key="k")).status == 201


async def test_no_trunk_and_unknown_things_reserve_nothing(core: DialCore) -> None:
    await core.start()
    with pytest.raises(NotFound):
        await core.click(party="nobody")
    with pytest.raises(NotFound):
        await core.click(number=OTHER)
    async with core.database.write() as transaction:
        await transaction.execute(update(trunks).values(enabled=False))
    with pytest.raises(NoTrunk):
        await core.click()
    assert await core.calls() == []
    assert await core.journal("call.created") == []


async def test_a_user_without_a_pbx_of_that_name_is_told(core: DialCore) -> None:
    with pytest.raises(PbxUnavailable):
        core.dialer.phone_of("1001", "elsewhere")
    assert core.dialer.phone_of("1001", None).pbx == PBX


async def test_a_key_that_was_never_finished_is_taken_up_by_nobody_twice(core: DialCore) -> None:
    """Ten requests claim one key at the same moment: one is first, the others are told to wait."""

    async def claim() -> str:
        now = clock.now()
        async with core.database.write() as transaction:
            try:
                return "first" if await begin(transaction, "li", "k", {}, new_id(now), now) is None else "row"
            except KeyInFlight:
                return "wait"

    assert Counter(await asyncio.gather(*(claim() for _ in range(10)))) == {"first": 1, "wait": 9}
