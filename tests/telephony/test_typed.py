"""Passes without a call's id, over a real FastAGI socket: who is believed, what is written, and that one attempt is given once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select, update

from config import clock
from config.identifiers import new_id
from crm_bridge.tables import cases, users
from crm_bridge.typed_numbers import PhoneBook, holders
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.calls.call_tracker import add_leg
from telephony.calls.straddling import mark_straddling
from telephony.dialling.dialer import Phone as ClickPhone
from telephony.gate.fastagi import FastAgiServer
from telephony.gate.gate import Gate
from telephony.gate.typed import MOST_HOLDERS, DeskBook, TypedNumbers
from telephony.tables import calls, contacts, trunks
from tests.support.dial_core import NUMBER, PBX, DialCore
from tests.telephony.test_gate import Asterisk

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
OWN = "PJSIP/1001-0000000a"


class Phone:
    """A desk phone, or whatever else asks without a ticket: `await phone("138…")` is what the gate set."""

    def __init__(self, core: DialCore, port: int) -> None:
        self.core, self.asterisk, self.asked = core, Asterisk(core, port), 0

    async def __call__(
        self, typed: str, *, channel: str = OWN, uniqueid: str = "", pbx: str = PBX, by: str = "", of: str = ""
    ) -> dict[str, str]:
        self.asked += 1
        unique = uniqueid or f"1764000000.{self.asked}"
        return await self.asterisk.ask("", uniqueid=unique, channel=channel, arguments=(typed, pbx, by, of))

    async def refused(self, typed: str, **options: str) -> str | None:
        """The rule that refused it; None where no call of it was written."""
        before = {call.id for call in await self.core.calls()}
        answer = await self(typed, **options)
        assert answer["RINGFENCE_VERDICT"] == "deny"
        assert "RINGFENCE_DIAL" not in answer
        new = [call for call in await self.core.calls() if call.id not in before]
        assert all(
            (call.state, call.outcome, call.end_reason) == ("ended", "not_placed", "denied_at_dial") for call in new
        )
        return new[0].denial["rule"] if new else None


@pytest.fixture
async def phone(core: DialCore) -> AsyncIterator[Phone]:
    """`li` has 1001, `wu` 1002; the case of p1 is nobody's."""
    book = DeskBook(who_has=PhoneBook(PBX).who_has, holders=holders)
    typed = TypedNumbers(core.decider, book, "CN", PBX)
    core.gate = Gate(core.database, core.decider, ring_seconds=45, typed=typed)
    await hire(core, "li", "1001")
    await hire(core, "wu", "1002")
    server = FastAgiServer("127.0.0.1", 0, core.gate)
    await server.start()
    yield Phone(core, server.port)
    await server.close()


async def hire(core: DialCore, name: str, extension: str, **fields: Any) -> None:
    row = {"name": name, "role": "collector", "extension": extension, "pbx": None, "clients": [], "language": "zh",
           "active": True, "failed_logins": 0, "created_at": clock.now()}  # fmt: skip
    await core.insert(users, {**row, **fields})


async def test_a_yes_brings_the_calls_id_and_writes_all_that_a_click_writes(core: DialCore, phone: Phone) -> None:
    answer = await phone("13800138000")
    [call] = await core.calls()
    assert answer == {
        "RINGFENCE_LEG": call.id,
        "RINGFENCE_DIAL": f"PJSIP/{NUMBER}@carrier-a",
        "RINGFENCE_CALLERID": "+861055550000",
        "RINGFENCE_RING": "45",
        "RINGFENCE_ANNOUNCE": "",
        "RINGFENCE_VERDICT": "allow",
    }
    assert list(answer)[-1] == "RINGFENCE_VERDICT"
    assert (call.origin, call.agent, call.extension, call.state) == ("typed", "li", "1001", "calling_customer")
    assert (call.case_id, call.party_id, call.client) == ("case-p1", "p1", "north")
    assert await core.outcome(call.id) == "live"
    assert [entry.kind for entry in await core.journal("call.created", "call.state")] == ["call.created", "call.state"]


@pytest.mark.parametrize("typed", ["13800138000", "013800138000", "+8613800138000", "008613800138000"])
async def test_every_spelling_is_one_number(core: DialCore, phone: Phone, typed: str) -> None:
    assert (await phone(typed))["RINGFENCE_DIAL"] == f"PJSIP/{NUMBER}@carrier-a"


@pytest.mark.parametrize(
    "options",
    [
        {"channel": "PJSIP/1099-0000000a"},
        {"channel": "PJSIP/carrier-a-0000000a"},
        {"channel": "Local/13800138000@ringfence-desk-00000001;2"},
        {"channel": "PJSIP/1001"},
        {"channel": "SIP/1001-0000000a"},
        {"pbx": "elsewhere"},
        {"by": "PJSIP/1001-0000000b"},
        {"of": "0123456789abcdef0123456789abcdef"},
        {"by": "PJSIP/1001-0000000b", "of": "0123456789abcdef0123456789abcdef"},
    ],
)
async def test_what_is_no_collectors_phone_is_nobodys_call(
    core: DialCore, phone: Phone, options: dict[str, str]
) -> None:
    assert await phone.refused("13800138000", **options) is None
    assert await core.calls() == []


async def test_a_former_collector_a_checker_and_a_phone_of_another_pbx_have_no_leave(
    core: DialCore, phone: Phone
) -> None:
    await hire(core, "gone", "1003", active=False)
    await hire(core, "qa", "1004", role="qa")
    await hire(core, "far", "1005", pbx="elsewhere")
    for extension in ("1003", "1004", "1005"):
        assert await phone.refused(NUMBER, channel=f"PJSIP/{extension}-0000000a") is None


async def test_a_number_of_cases_that_the_collector_may_not_see_is_no_number_of_his(
    core: DialCore, phone: Phone
) -> None:
    await hire(core, "far", "1006", clients=["south"])
    assert await phone.refused(NUMBER, channel="PJSIP/1006-0000000a") == "gate/no-case"


async def test_the_strictest_denial_is_shown_and_every_decision_kept(core: DialCore, phone: Phone) -> None:
    await core.case("p2")
    await core.case("p3", deceased=True)
    async with core.database.write() as transaction:
        await transaction.execute(update(cases).where(cases.c.id == "case-p2").values(state="suspended"))
    assert await phone.refused(NUMBER) == "house/deceased"
    [call] = await core.calls()
    assert (call.case_id, {one["case_id"] for one in call.candidates}) == (None, {"case-p1", "case-p2", "case-p3"})
    assert {entry.data["rule"] for entry in await core.journal("call.denied")} == {"house/deceased", "house/suspended"}
    assert (await core.journal("call.denied"))[0].call_id == call.id


async def test_a_number_that_very_many_share_is_refused(core: DialCore, phone: Phone) -> None:
    for index in range(MOST_HOLDERS):
        await core.case(f"q{index}")
    assert await phone.refused(NUMBER) == "gate/too-many-cases"


async def test_one_attempt_of_two_parties_counts_once_a_number_and_once_a_person(core: DialCore, phone: Phone) -> None:
    await core.case("p2")
    await phone(NUMBER)
    async with core.database.read() as connection:
        rows = (await connection.execute(select(contacts).order_by(contacts.c.id))).all()
    assert sorted((row.party_id, row.number, row.outcome) for row in rows) == [
        ("p1", NUMBER, "live"),
        ("p2", None, "live"),
    ]
    [call] = await core.calls()
    async with core.database.write() as transaction:
        await call_records.set_contact(transaction, call.id, outcome="no_answer")
    async with core.database.read() as connection:
        assert set(await connection.scalars(select(contacts.c.outcome))) == {"no_answer"}


async def test_the_ring_ends_with_the_window_and_too_little_of_it_is_none(core: DialCore, phone: Phone) -> None:
    await core.policy(hours="08:00-21:00")
    with time_machine.travel(NOON.replace(hour=20, minute=59, second=40), tick=False):
        assert (await phone(NUMBER))["RINGFENCE_RING"] == "19"
    with time_machine.travel(NOON.replace(hour=20, minute=59, second=57), tick=False):
        assert await phone.refused(NUMBER, channel="PJSIP/1002-0000000a") == "gate/window-closing"


async def test_a_conversation_that_runs_past_the_window_is_marked_and_goes_on(core: DialCore, phone: Phone) -> None:
    await core.policy(hours="08:00-21:00")
    evening = NOON.replace(hour=20, minute=59, second=30)
    with time_machine.travel(evening, tick=False):
        call_id = (await phone(NUMBER))["RINGFENCE_LEG"]
    async with core.database.write() as transaction:
        await call_records.move(transaction, call_id, State.CONNECTED, evening)
    assert await mark_straddling(core.database, evening) == 0
    assert await mark_straddling(core.database, evening.replace(hour=21, minute=0)) == 1
    call = await core.call(call_id)
    assert (call.state, call.violations, call.hangup_by) == ("connected", ["straddled"], None)


async def test_without_a_trunk_nothing_leaves_and_the_attempt_is_given_back(core: DialCore, phone: Phone) -> None:
    async with core.database.write() as transaction:
        await transaction.execute(update(trunks).values(enabled=False))
    assert await phone.refused(NUMBER) == "gate/no-trunk"
    async with core.database.read() as connection:
        assert list(await connection.scalars(select(contacts.c.outcome))) == ["not_placed"]


async def test_fifty_phones_and_clicks_share_the_last_attempt(core: DialCore, phone: Phone) -> None:
    await core.policy(caps=[{"limit": 1, "days": 1, "per": ["person"]}])
    for index in range(10, 35):
        await hire(core, f"c{index}", f"11{index}")
    ways: list[Any] = [phone(NUMBER, channel=f"PJSIP/11{index}-0000000a") for index in range(10, 35)]
    ways += [clicked(core, f"k{index}", f"12{index}") for index in range(10, 35)]
    answers = await asyncio.gather(*ways)
    let_out = [one for one in answers if one is True or (isinstance(one, dict) and one["RINGFENCE_VERDICT"] == "allow")]
    assert len(let_out) == 1
    open_calls = [call for call in await core.calls() if call.ended_at is None]
    assert len(open_calls) == 1


async def clicked(core: DialCore, agent: str, extension: str) -> bool:
    """Whether a click gets the attempt."""
    async with core.database.write() as transaction:
        now = clock.now()
        _, row = await core.dialer.reserve(
            transaction, core.subject(agent), ClickPhone(PBX, extension), new_id(now), now
        )
    return row is not None


async def _talking(core: DialCore) -> Any:
    """A call of `li` that talks: its phone PJSIP/1001-0000000a, its outside party on channel `100.2`."""
    await core.case("p9", "+8613800138009")
    call = await core.reserved("li", "p9", number="+8613800138009")
    now = clock.now()
    async with core.database.write() as transaction:
        await add_leg(transaction, PBX, call.id, call.id, "agent", OWN, now)
        await add_leg(transaction, PBX, "100.2", call.id, "customer", "PJSIP/carrier-a-00000002", now)
        await call_records.move(transaction, call.id, State.CALLING_CUSTOMER, now)
        await call_records.move(transaction, call.id, State.CONNECTED, now)
    return call


async def test_the_outside_party_that_the_collectors_phone_transferred_is_believed(
    core: DialCore, phone: Phone
) -> None:
    call = await _talking(core)
    moved = {"channel": "PJSIP/carrier-a-00000002", "uniqueid": "100.2", "by": OWN, "of": call.id}
    answer = await phone(NUMBER, **moved)
    target = await core.call(answer["RINGFENCE_LEG"])
    assert (target.origin, target.transferred_from, target.agent) == ("transfer", call.id, "li")
    assert (target.uniqueid, target.number) == ("100.2", NUMBER)


@pytest.mark.parametrize(
    "changed",
    [
        {"by": "PJSIP/carrier-a-00000002"},
        {"by": "PJSIP/1002-0000000c"},
        {"by": ""},
        {"uniqueid": "100.9"},
        {"channel": OWN, "uniqueid": "agent"},
        {"of": ""},
    ],
)
async def test_a_transfer_of_somebody_elses_making_is_not(
    core: DialCore, phone: Phone, changed: dict[str, str]
) -> None:
    call = await _talking(core)
    moved = {"channel": "PJSIP/carrier-a-00000002", "uniqueid": "100.2", "by": OWN, "of": call.id, **changed}
    moved["uniqueid"] = call.id if moved["uniqueid"] == "agent" else moved["uniqueid"]
    assert await phone.refused(NUMBER, **moved) is None


async def test_a_transfer_of_a_call_that_is_over_is_not_believed(core: DialCore, phone: Phone) -> None:
    call = await _talking(core)
    async with core.database.write() as transaction:
        await transaction.execute(update(calls).values(ended_at=clock.now()))
    moved = {"channel": "PJSIP/carrier-a-00000002", "uniqueid": "100.2", "by": OWN, "of": call.id}
    assert await phone.refused(NUMBER, **moved) is None


async def test_a_feature_codes_consultation_is_believed_by_who_began_it(core: DialCore, phone: Phone) -> None:
    call = await _talking(core)
    local = "Local/13800138000@ringfence-desk-00000001;2"
    answer = await phone(NUMBER, channel=local, uniqueid="100.7", by=OWN, of=call.id)
    assert (await core.call(answer["RINGFENCE_LEG"])).transferred_from == call.id
    assert await phone.refused(NUMBER, channel=local, uniqueid="100.8", by="PJSIP/1002-0000000c", of=call.id) is None
