"""What a decision leaves on its call and its contact: the override it needed, the agreement it used, the packs of a place."""

from datetime import datetime, timedelta
from typing import Any

import time_machine
from sqlalchemy import insert, select, update

from crm_bridge.tables import case_parties, numbers, parties
from telephony.calls.call_records import call_document
from telephony.dialling.gathering import Subject
from telephony.gate.fastagi import Request
from telephony.tables import contacts, overrides, policies
from tests.support.dial_core import NUMBER, SHANGHAI, DialCore

NIGHT = datetime.fromisoformat("2026-06-01T23:30:00+08:00")
HOUR = timedelta(hours=1)
FRIEND = "+8613900139000"


async def _policy(core: DialCore, packs: list[str], **house: Any) -> None:
    row = {
        "client": "north",
        "packs": packs,
        "house": house,
        "zone": "Asia/Shanghai",
        "updated_at": NIGHT,
        "updated_by": "t",
    }
    await core.insert(policies, row)


async def test_a_call_that_needed_an_override_shows_it_for_ever(core: DialCore) -> None:
    await _policy(core, ["cn-outsourcing"])
    given = {"id": "o1", "case_id": "case-p1", "number": NUMBER, "by": "chen", "reason": "asked for a call at night"}
    await core.insert(overrides, {**given, "created_at": NIGHT - HOUR, "expires_at": NIGHT + HOUR})
    with time_machine.travel(NIGHT, tick=False):
        call = await core.reserved()
    shown = call_document(await core.call(call.id))["override"]
    assert (shown["by"], shown["reason"], shown["rules"]) == ("chen", given["reason"], ["cn-outsourcing/hours"])
    (created,) = await core.journal("call.created")
    assert created.data["call"]["override"] == shown


async def test_a_call_that_needed_none_shows_none(core: DialCore) -> None:
    call = await core.reserved()
    assert call_document(await core.call(call.id))["override"] is None


async def test_an_override_that_only_the_gate_needs_is_shown_as_well(core: DialCore) -> None:
    """The click was in time; the collector picked up after closing time."""
    await _policy(core, ["cn-outsourcing"])
    closing = datetime.fromisoformat("2026-06-01T21:00:00+08:00")
    given = {"id": "o1", "case_id": "case-p1", "number": NUMBER, "by": "chen", "reason": "asked"}
    await core.insert(overrides, {**given, "created_at": NIGHT - 9 * HOUR, "expires_at": NIGHT})
    with time_machine.travel(closing - timedelta(seconds=5), tick=False):
        call = await core.reserved()
    assert call.override is None
    with time_machine.travel(closing + timedelta(seconds=5), tick=False):
        channel = {"agi_channel": f"PJSIP/{call.extension}-00000001", "agi_uniqueid": call.id}
        request = Request("/gate", (call.id,), channel)
        answer = await core.gate(request)
    assert (answer["RINGFENCE_VERDICT"], (await core.call(call.id)).denial) == ("allow", None)
    assert (await core.call(call.id)).override["rules"] == ["cn-outsourcing/hours"]


async def test_an_agreed_call_beyond_the_cap_is_stored_as_consented(core: DialCore) -> None:
    await _policy(core, ["us-reg-f"])
    noon = NIGHT - 11 * HOUR
    agreed = [{"kind": "call", "received": (noon - HOUR).isoformat()}]
    async with core.database.write() as transaction:
        await transaction.execute(update(parties).values(agreements=agreed))
    with time_machine.travel(noon, tick=False):
        call = await core.reserved()
    async with core.database.read() as connection:
        assert await connection.scalar(select(contacts.c.consented).where(contacts.c.id == call.id))
    async with core.database.write() as transaction:
        await transaction.execute(update(parties).values(agreements=[]))
    async with core.database.read() as connection:
        later = await core.decider.decide(connection, core.subject("wu"), noon + HOUR)
    assert {count.rule: count.used for count in later.verdict.counts}["us-reg-f/seven-in-seven"] == 0


async def _friend_of(core: DialCore, debtor_place: dict[str, str]) -> Subject:
    """A contact person of the case, elsewhere than the debtor."""
    row = {"id": "friend", "name": "李静", "locations": SHANGHAI, "agreements": [], "inconvenient": [], "attorney": False,
           "deceased": False, "minor": False, "flags": {}}  # fmt: skip
    async with core.database.write() as transaction:
        await transaction.execute(update(parties).values(locations=[debtor_place]))
        await transaction.execute(insert(parties).values(**row))
        link = {"case_id": "case-p1", "party_id": "friend", "relation": "contact", "position": 1}
        await transaction.execute(insert(case_parties).values(**link))
        number = {
            "party_id": "friend",
            "e164": FRIEND,
            "kind": "mobile",
            "status": "valid",
            "do_not_call": False,
            "position": 0,
        }
        await transaction.execute(insert(numbers).values(**number))
    return Subject("case-p1", "friend", FRIEND, "li", "collector", "message")


async def _document(core: DialCore, subject: Subject, at: datetime) -> dict[str, Any]:
    async with core.database.read() as connection:
        return (await core.gathering.document(connection, subject, at))[1]


async def test_the_debtors_region_adds_its_packs_also_to_calls_to_others(core: DialCore) -> None:
    subject = await _friend_of(core, {"source": "address", "zone": "America/New_York", "region": "US-MA"})
    assert (await _document(core, subject, NIGHT))["packs"] == ["house", "us-ma", "us-reg-f"]
    assert (await _document(core, core.subject(), NIGHT))["packs"] == ["house", "us-ma", "us-reg-f"]
    await _policy(core, ["us-reg-f@1"])
    assert (await _document(core, subject, NIGHT))["packs"] == ["us-reg-f@1", "us-ma"]


async def test_a_pack_is_added_by_its_region_from_the_day_it_is_in_force(core: DialCore) -> None:
    await _friend_of(core, {"source": "address", "zone": "America/New_York", "region": "US-NY-NYC"})
    for at, packs in (
        ("2026-08-31T12:00:00-04:00", ["house", "us-reg-f"]),
        ("2026-09-01T12:00:00-04:00", ["house", "us-nyc", "us-reg-f"]),
    ):
        assert (await _document(core, core.subject(), datetime.fromisoformat(at)))["packs"] == packs


async def test_calls_to_the_debtor_that_failed_in_a_row_are_a_loss_of_contact(core: DialCore) -> None:
    subject = await _friend_of(core, SHANGHAI[0])

    async def failed() -> int:
        return int((await _document(core, subject, NIGHT))["case"]["failed_contacts"])

    for hours, outcome, expected in (
        (9, "no_answer", 1), (8, "not_placed", 1), (7, "busy", 2), (6, "conversation", 0), (5, "no_answer", 1),
        (4, "voicemail", 2), (3, "not_in_service", 3), (2, "unknown", 0),
    ):  # fmt: skip
        await core.contact(NIGHT - hours * HOUR, id=f"c{hours}", outcome=outcome)
        assert await failed() == expected, outcome
    assert (await _document(core, core.subject(), NIGHT))["case"]["failed_contacts"] == 0
