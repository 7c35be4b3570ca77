"""The facts document: everything the verdict needs of case, person, number and history, and nothing that is not theirs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from config import clock
from config.database import Database
from config.errors import NotFound
from crm_bridge.tables import cases, complaints, numbers, parties
from telephony.dialling import decisions
from telephony.dialling.decisions import Decision, pinned, read, seconds_allowed
from telephony.numbers import time_zones
from telephony.policy.engine import evaluate, evaluate_document
from telephony.policy.facts import read_facts
from telephony.tables import overrides, policies
from tests.support.dial_core import NUMBER, DialCore

DAY = timedelta(days=1)
SEVERAL_ZONES = "+79001234567"
"""A Russian mobile: its number speaks for every zone of the country."""


async def _facts(core: DialCore, now: datetime | None = None, **options: Any) -> dict[str, Any]:
    subject = core.subject(number=options.pop("number", NUMBER))
    async with core.database.read() as connection:
        _, document = await core.gathering.document(connection, subject, now or clock.now(), **options)
    read_facts(document)
    return document


async def _decide(core: DialCore, now: datetime | None = None) -> Decision:
    async with core.database.read() as connection:
        return await core.decider.decide(connection, core.subject(), now or clock.now())


async def _set(core: DialCore, table: Any, **values: Any) -> None:
    async with core.database.write() as transaction:
        await transaction.execute(update(table).values(**values))


async def test_the_history_is_of_the_person_the_number_and_the_household(core: DialCore) -> None:
    await _set(core, parties, household="home")
    now = clock.now()
    await core.contact(now - DAY, id="own", number="+8613900139000")
    await core.contact(now - 2 * DAY, id="other-on-number", party_id="p9")
    await core.contact(now - 3 * DAY, id="household", party_id="p8", number="+8613700137000", household="home")
    await core.contact(now - 4 * DAY, id="stranger", party_id="p7", number="+8613600136000", household="elsewhere")
    found = (await _facts(core))["history"]
    assert [entry["id"] for entry in found] == ["household", "other-on-number", "own"]
    assert [entry["party"] for entry in found] == ["p8", "p9", "p1"]


async def test_strangers_without_a_household_are_not_one(core: DialCore) -> None:
    await core.contact(clock.now() - DAY, id="stranger", party_id="p7", number="+8613600136000", household=None)
    assert (await _facts(core))["history"] == []


async def test_the_history_reaches_as_far_as_the_clients_own_caps(core: DialCore) -> None:
    await core.policy(caps=[{"limit": 1, "days": 90, "per": ["person"]}])
    await core.contact(clock.now() - 60 * DAY, id="old")
    decision = await _decide(core)
    assert [entry["id"] for entry in decision.document["history"]] == ["old"]
    assert not decision.allowed


async def test_what_is_older_than_every_window_is_left_out(core: DialCore) -> None:
    await core.contact(clock.now() - 400 * DAY, id="ancient")
    assert (await _facts(core))["history"] == []


async def test_the_calls_own_reservation_can_be_left_out(core: DialCore) -> None:
    call = await core.reserved()
    assert [entry["id"] for entry in (await _facts(core))["history"]] == [call.id]
    assert (await _facts(core, without_call=call.id))["history"] == []


async def test_a_number_and_an_address_both_say_where_somebody_is(core: DialCore) -> None:
    await _set(core, parties, locations=[{"source": "address", "zone": "Asia/Urumqi"}])
    assert (await _facts(core))["party"]["locations"] == [
        {"source": "address", "zone": "Asia/Urumqi"},
        {"source": "number", "zone": "Asia/Shanghai"},
    ]


async def test_a_number_that_agrees_with_the_address_adds_nothing(core: DialCore) -> None:
    assert (await _facts(core))["party"]["locations"] == [{"source": "address", "zone": "Asia/Shanghai"}]


@pytest.mark.parametrize("address", ["Europe/Moscow", "Europe/Berlin", None])
async def test_a_number_of_several_zones_counts_unless_one_of_them_is_known(
    core: DialCore, address: str | None
) -> None:
    zones = time_zones(SEVERAL_ZONES)
    assert len(zones) > 1
    await _set(core, numbers, e164=SEVERAL_ZONES)
    await _set(core, parties, locations=[{"source": "address", "zone": address}] if address else [])
    found = {place["zone"] for place in (await _facts(core, number=SEVERAL_ZONES))["party"]["locations"]}
    assert found == ({address} if address in zones else {*zones, *([address] if address else [])})


async def test_a_place_without_a_zone_is_carried_and_does_not_silence_the_number(core: DialCore) -> None:
    await _set(core, parties, locations=[{"source": "statement", "region": "CN-65"}])
    places = (await _facts(core))["party"]["locations"]
    assert places == [{"source": "statement", "region": "CN-65"}, {"source": "number", "zone": "Asia/Shanghai"}]


async def test_a_number_of_no_place_and_no_address_is_a_denial(core: DialCore) -> None:
    await _set(core, numbers, e164="+18005551234")
    await _set(core, parties, locations=[])
    async with core.database.read() as connection:
        decision = await core.decider.decide(connection, core.subject(number="+18005551234"), clock.now())
    assert decision.verdict.rule == "house/unknown-zone"


async def _override(core: DialCore, created: datetime, expires: datetime, **changes: str) -> None:
    row = {"id": f"{len(changes)}{created.timestamp():.0f}", "case_id": "case-p1", "number": NUMBER, "by": "boss",
           "reason": "asked", "created_at": created, "expires_at": expires}  # fmt: skip
    await core.insert(overrides, {**row, **changes})


async def test_an_override_counts_from_its_making_until_its_expiry_exclusive(core: DialCore) -> None:
    now = clock.now().replace(microsecond=0)
    await _override(core, now, now + DAY)
    for moment, there in ((-1, False), (0, True), (86399, True), (86400, False)):
        assert ("override" in await _facts(core, now + timedelta(seconds=moment))) is there
    assert (await _facts(core, now))["override"]["expires_at"] == (now + DAY).isoformat()


async def test_an_override_is_for_its_case_and_number_only_and_the_longest_counts(core: DialCore) -> None:
    now = clock.now().replace(microsecond=0)
    await _override(core, now - DAY, now + DAY, case_id="case-p2")
    await _override(core, now - DAY, now + DAY, number="+8613900139000", id="x")
    assert "override" not in await _facts(core, now)
    await _override(core, now - DAY, now + DAY)
    await _override(core, now - 2 * DAY, now + 2 * DAY)
    assert (await _facts(core, now))["override"]["expires_at"] == (now + 2 * DAY).isoformat()


@pytest.mark.parametrize(
    ("table", "values", "rule"),
    [
        (numbers, {"do_not_call": True}, "house/do-not-call"),
        (numbers, {"status": "invalid"}, "house/invalid-number"),
        (parties, {"deceased": True}, "house/deceased"),
        (parties, {"minor": True}, "house/minor"),
        (parties, {"attorney": True}, "house/attorney"),
        (parties, {"refused_at": datetime.fromisoformat("2026-01-01T00:00:00Z")}, "house/refused"),
        (parties, {"cease_at": datetime.fromisoformat("2026-01-01T00:00:00Z")}, "house/cease"),
        (cases, {"state": "suspended"}, "house/suspended"),
        (cases, {"state": "returned"}, "house/returned"),
        (cases, {"mandate_until": "2026-01-01"}, "house/mandate-expired"),
        (cases, {"dispute": True}, "house/dispute"),
        (cases, {"fraud_statement": True}, "house/fraud-statement"),
    ],
)
async def test_what_the_desk_marks_reaches_the_verdict(
    core: DialCore, table: Any, values: dict[str, Any], rule: str
) -> None:
    await _set(core, table, **values)
    assert rule in {denial.rule for denial in (await _decide(core)).verdict.denials}


async def test_an_open_complaint_decides_however_old_it_is(core: DialCore) -> None:
    now = clock.now()
    row = {"case_id": "case-p1", "severity": "major", "text": "t", "opened_by": "x", "instructed": True, "resume": True}
    await core.insert(complaints, {**row, "id": "old", "state": "open", "opened_at": now - 50 * DAY})
    await core.insert(complaints, {**row, "id": "new", "state": "closed", "opened_at": now - DAY})
    assert (await _decide(core)).verdict.rule == "house/complaint-open"


@pytest.mark.parametrize("missing", ["case", "party", "number"])
async def test_what_is_not_there_is_named(core: DialCore, missing: str) -> None:
    subject = {
        "case": core.subject(party="p9"),
        "party": type(core.subject())("case-p1", "p9", NUMBER, "li", "collector"),
        "number": core.subject(number="+8613900139000"),
    }[missing]
    async with core.database.read() as connection:
        with pytest.raises(NotFound, match=missing):
            await core.decider.decide(connection, subject, clock.now())


async def test_a_stored_decision_runs_again_to_the_same_verdict(core: DialCore) -> None:
    await core.policy(caps=[{"limit": 2, "days": 7}], hours="08:00-21:00", guard_seconds=30)
    await _set(core, policies, packs=["cn-outsourcing", "us-reg-f"])
    for at, expected in (("2026-06-01T03:00:00+00:00", "allow"), ("2026-06-01T15:00:00+00:00", "deny")):
        now = datetime.fromisoformat(at)
        await core.contact(now - DAY, id=f"{expected}", debts=["debt-p1"])
        decision = await _decide(core, now)
        async with core.database.write() as transaction:
            await decisions.store(transaction, decision, "check", None)
        async with core.database.read() as connection:
            row = await read(connection, decision.id)
        with time_machine.travel("2031-01-01T00:00:00Z"):
            assert evaluate_document(row.facts) == row.result
            again = evaluate_document(pinned(row.facts, row.result))
        assert (again["verdict"], again["denials"]) == (row.verdict, row.result["denials"])
        assert row.verdict == expected
        assert again["versions"] == row.result["versions"]


def test_pinning_names_each_pack_version_of_that_day_and_leaves_the_facts_alone() -> None:
    facts = {"packs": ["us-reg-f", "cn-gbt-45251", "au-rg96@1"], "at": "x"}
    result = {"versions": {"house": 1, "us-reg-f": "1,2", "au-rg96": 1, "tzdata": "2026b", "holidays": "0.9"}}
    assert pinned(facts, result) == {"packs": ["au-rg96@1", "house@1", "us-reg-f@1", "us-reg-f@2"], "at": "x"}
    assert facts["packs"] == ["us-reg-f", "cn-gbt-45251", "au-rg96@1"]


async def test_a_check_is_kept_but_no_denial_in_the_journal(core: DialCore, database: Database) -> None:
    await core.policy(caps=[{"limit": 0, "days": 1}])
    decision = await core.dialer.check(core.subject(), clock.now())
    async with database.read() as connection:
        assert (await read(connection, decision.id)).verdict == "deny"
    assert await core.journal("call.denied") == []


async def test_the_seconds_allowed_end_with_the_window_or_the_override(core: DialCore) -> None:
    await core.policy(hours="08:00-21:00")
    evening = datetime.fromisoformat("2026-06-01T20:59:30+08:00")
    facts = (await _decide(core, evening)).facts
    assert evaluate(facts).allowed
    assert seconds_allowed(facts, 45) == 29
    assert seconds_allowed(facts, 10) == 10
    await _override(core, evening - DAY, evening + timedelta(seconds=10))
    night = facts.model_copy(update={"at": evening + timedelta(hours=1)})
    assert seconds_allowed(night, 45) == 0
