"""What is learnt of late is counted again: later calls are marked, earlier decisions stay as they were (T3, T37)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.engine import Row

from config import clock
from crm_bridge.cases.contacts import ContactIn, record
from crm_bridge.people.users import User
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import Ending
from telephony.calls.straddling import mark_straddled, mark_straddling
from telephony.dialling.decisions import store
from telephony.dialling.recounts import recount_after_call
from telephony.tables import decisions, policies
from tests.support.dial_core import DialCore

NOON = datetime.fromisoformat("2026-06-03T12:00:00+08:00")
HOUR = timedelta(hours=1)
CRM = User("crm", "crm")


async def _policy(core: DialCore, packs: list[str], **house: Any) -> None:
    await core.insert(
        policies,
        {
            "client": "north",
            "packs": packs,
            "house": house,
            "zone": "Asia/Shanghai",
            "updated_at": NOON,
            "updated_by": "t",
        },
    )


async def _called(core: DialCore, at: datetime, *, connected: bool = False) -> str:
    """A call whose customer leg left the PBX at `at`, by the gate's leave."""
    with time_machine.travel(at, tick=False):
        call = await core.reserved()
        async with core.database.write() as transaction:
            decision = await core.decider.decide(transaction.connection, core.subject(), at, without_call=call.id)
            await store(transaction, decision, "gate", call.id)
            await call_records.move(transaction, call.id, State.CALLING_CUSTOMER, at)
            await call_records.set_contact(transaction, call.id, at=at, outcome="live")
            if connected:
                await call_records.move(transaction, call.id, State.CONNECTED, at)
    return str(call.id)


async def _end(core: DialCore, call_id: str, at: datetime, outcome: str = "no_answer") -> None:
    async with core.database.write() as transaction:
        await call_records.end(transaction, call_id, at, Ending(EndReason.NO_ANSWER, outcome))


async def _told(core: DialCore, at: datetime, now: datetime, **fields: Any) -> dict[str, Any]:
    said = {"party_id": "p1", "case_id": "case-p1", "number": "+8613800138000", "at": at, "channel": "call", **fields}
    async with core.database.write() as transaction:
        return await record(transaction, ContactIn.model_validate(said), user=CRM, region="CN", now=now)


async def _decisions(core: DialCore) -> list[Row[Any]]:
    async with core.database.read() as connection:
        return list((await connection.execute(select(decisions).order_by(decisions.c.id))).all())


async def test_a_late_record_marks_the_later_call_and_leaves_its_decision(core: DialCore) -> None:
    await _policy(core, ["house"], caps=[{"limit": 2, "days": 7, "per": ["person"]}])
    first = await _called(core, NOON)
    await _end(core, first, NOON + HOUR)
    second = await _called(core, NOON + 2 * HOUR)
    await _end(core, second, NOON + 3 * HOUR)
    before = await _decisions(core)
    told = await _told(core, NOON - HOUR, NOON + 24 * HOUR)
    assert told["found_later"] == [second]
    assert (await core.call(second)).violations == ["found_later"]
    assert (await core.call(first)).violations == []
    (entry,) = await core.journal("call.violation")
    assert (entry.call_id, entry.data["violation"], entry.data["because_of"]) == (second, "found_later", told["id"])
    assert entry.data["rules"] == ["house/cap-1"]
    assert entry.data["call"]["violations"] == ["found_later"]
    assert await _decisions(core) == before


async def test_a_call_is_marked_once_however_much_is_found(core: DialCore) -> None:
    await _policy(core, ["house"], caps=[{"limit": 1, "days": 7, "per": ["person"]}])
    call = await _called(core, NOON)
    assert (await _told(core, NOON - HOUR, NOON + HOUR))["found_later"] == [call]
    assert (await _told(core, NOON - 2 * HOUR, NOON + HOUR))["found_later"] == []
    assert (await core.call(call)).violations == ["found_later"]


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "busy"},  # does not count
        {"at": NOON + HOUR},  # lies after the call
        {"at": NOON - timedelta(days=8)},  # before the window
        {"channel": "sms"},  # not of the kind that counts
    ],
)
async def test_what_does_not_count_against_the_call_marks_nothing(core: DialCore, fields: dict[str, Any]) -> None:
    await _policy(core, ["house"], caps=[{"limit": 1, "days": 7, "per": ["person"], "counts": "contacts"}])
    call = await _called(core, NOON)
    said = {"at": NOON - HOUR, "outcome": "conversation"} | fields
    told = await _told(core, now=NOON + 2 * HOUR, **said)
    assert told["found_later"] == []
    assert (await core.call(call)).violations == []


async def test_an_inbound_talk_told_late_forbids_the_call_since(core: DialCore) -> None:
    """T18 learnt of late: the debtor rang in, and our call two days later should have rested."""
    await _policy(core, ["us-reg-f"])
    call = await _called(core, NOON)
    told = await _told(core, NOON - 48 * HOUR, NOON + HOUR, direction="inbound", outcome="conversation")
    assert told["found_later"] == [call]
    (entry,) = await core.journal("call.violation")
    assert entry.data["rules"] == ["us-reg-f/after-conversation"]


async def test_an_unknown_call_that_turns_out_a_talk_is_counted_again(core: DialCore) -> None:
    """Nobody knew of the first call's outcome, so it did not rest the person; then its record was found."""
    await _policy(core, ["us-reg-f"])
    first = await _called(core, NOON)
    async with core.database.write() as transaction:
        await call_records.move(transaction, first, State.UNKNOWN, NOON)
        await call_records.set_contact(transaction, first, outcome="unknown")
    with time_machine.travel(NOON + HOUR, tick=False):
        second = await _second_by_another(core, NOON + HOUR)
    await _end(core, first, NOON + 2 * HOUR, "conversation")
    (ended,) = [entry for entry in await core.journal("call.ended") if entry.call_id == first]
    for _ in range(2):  # told twice, it marks once
        async with core.database.write() as transaction:
            await recount_after_call(transaction, ended)
    assert (await core.call(second)).violations == ["found_later"]
    assert len(await core.journal("call.violation")) == 1


async def _second_by_another(core: DialCore, at: datetime) -> str:
    call = await core.reserved("wu", extension="1002")
    async with core.database.write() as transaction:
        decision = await core.decider.decide(transaction.connection, core.subject("wu"), at, without_call=call.id)
        assert decision.allowed
        await store(transaction, decision, "gate", call.id)
        await call_records.move(transaction, call.id, State.CALLING_CUSTOMER, at)
        await call_records.set_contact(transaction, call.id, at=at, outcome="no_answer")
    return str(call.id)


NIGHT = datetime.fromisoformat("2026-06-03T20:50:00+08:00")


async def test_a_talk_that_runs_into_closing_time_is_marked_and_not_ended(core: DialCore) -> None:
    await _policy(core, ["cn-outsourcing"], guard_seconds=60)
    call = await _called(core, NIGHT, connected=True)
    closing = NIGHT + timedelta(minutes=10)
    assert await mark_straddling(core.database, closing - timedelta(seconds=1)) == 0
    assert await mark_straddling(core.database, closing) == 1
    assert await mark_straddling(core.database, closing + HOUR) == 0
    row = await core.call(call)
    assert (row.state, row.violations) == ("connected", ["straddled"])
    (entry,) = await core.journal("call.violation")
    assert (entry.data["violation"], entry.data["rules"]) == ("straddled", ["cn-outsourcing/hours"])


async def test_a_talk_that_crossed_the_closing_time_between_two_looks_is_marked_at_its_end(core: DialCore) -> None:
    await _policy(core, ["cn-outsourcing"])
    over, in_time = await _called(core, NIGHT, connected=True), None
    await _end(core, over, NIGHT + timedelta(minutes=11))
    in_time = await _called(core, NIGHT, connected=True)
    await _end(core, in_time, NIGHT + timedelta(minutes=9))
    for entry in await core.journal("call.ended"):
        async with core.database.write() as transaction:
            await mark_straddled(transaction, entry)
    assert (await core.call(over)).violations == ["straddled"]
    assert (await core.call(in_time)).violations == []


async def test_a_call_that_still_rings_at_closing_time_is_no_talk(core: DialCore) -> None:
    await _policy(core, ["cn-outsourcing"])
    await _called(core, NIGHT)
    assert await mark_straddling(core.database, NIGHT + HOUR) == 0


async def test_the_skew_of_the_clocks_is_among_the_facts(core: DialCore) -> None:
    for given, told in ((0.0, None), (0.04, None), (-2.34, -2.3), (9e9, 86400.0)):
        gathering = type(core.gathering)(
            core.gathering.case_facts,
            core.gathering.defaults,
            core.gathering.recorder_healthy,
            lambda given=given: given,
        )
        async with core.database.read() as connection:
            _, document = await gathering.document(connection, core.subject(), clock.now())
        assert document.get("clock_skew_seconds") == told
