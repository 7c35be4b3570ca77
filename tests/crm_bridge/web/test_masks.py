"""Masks by role, reveals with a reason, and clicking a number that is shown masked (脱敏)."""

from typing import Any

import pytest

from crm_bridge.people.masking import Redaction, mask_identity, mask_number
from crm_bridge.web import keys
from tests.support.api import Service
from tests.support.desk import MOBILE, case, party

CASE = "/v1/cases/c1"
IDENTITY = "310101199001011234"
MASKED = "+86138****8000"


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case with an identity number, and people of every role."""
    for name, role in (("crm", "crm"), ("li", "collector"), ("boss", "supervisor"), ("qa", "qa")):
        await service.add(name, role)
    await service.put(CASE, "crm", case(parties=[party("p1", MOBILE, "+8637165551234", identity=IDENTITY)]), 201)
    return service


def mask_numbers_for(desk: Service, role: Any) -> None:
    app = desk.client.app
    assert app is not None
    app[keys.SETTINGS].desk.mask_numbers.append(role)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613800138000", "+86138****8000"),
        ("+12125550123", "+121****0123"),
        ("+8637165551234", "+86371****1234"),
        ("+3545551", "+3****51"),
    ],
)
def test_a_masked_number_keeps_both_ends(number: str, shown: str) -> None:
    assert mask_number(number) == shown


@pytest.mark.parametrize(
    ("identity", "shown"), [(IDENTITY, "3101**********1234"), ("E1234567", "******67"), ("AB123", "***23")]
)
def test_a_masked_identity_hides_most_of_it(identity: str, shown: str) -> None:
    assert mask_identity(identity) == shown


def test_numbers_are_masked_wherever_they_stand() -> None:
    hidden = Redaction(numbers=True)
    document = {"a": [{"text": f"call {MOBILE} now"}], "at": "2026-06-01T10:00:00+08:00", "n": 1}
    assert hidden.document(document) == {**document, "a": [{"text": f"call {MASKED} now"}]}


def test_what_was_equal_stays_equal_when_it_is_hidden() -> None:
    facts = {"debts": ["d1", "d2"], "account": "a1", "history": [{"debts": ["d2"], "account": "a1"}]}
    shown = Redaction(details=True).document(facts)
    assert shown["debts"][1] == shown["history"][0]["debts"][0] != shown["debts"][0]
    assert shown["account"] == shown["history"][0]["account"] != "a1"


async def test_by_default_numbers_are_shown_and_identity_numbers_masked(desk: Service) -> None:
    for user, identity in (("li", "3101**********1234"), ("qa", "3101**********1234"), ("boss", IDENTITY)):
        shown = (await desk.get(CASE, user))["parties"][0]
        assert (shown["numbers"][0]["e164"], shown["identity"]) == (MOBILE, identity)


async def test_a_setting_masks_numbers_for_a_role(desk: Service) -> None:
    mask_numbers_for(desk, "collector")
    for path in (CASE, f"/v1/cases?number=%2B{MOBILE[1:]}"):
        text = await (await desk.ask("GET", path, "li")).text()
        assert MOBILE not in text
    assert (await desk.get(CASE, "li"))["parties"][0]["numbers"][0]["e164"] == MASKED
    assert (await desk.get(CASE, "boss"))["parties"][0]["numbers"][0]["e164"] == MOBILE


async def test_masked_digits_are_not_found_by_trying(desk: Service) -> None:
    mask_numbers_for(desk, "collector")
    found = {}
    for words in ("00138", "8613800", "8000", "0013", "13800138000", MOBILE):
        found[words] = len((await desk.get(f"/v1/cases?q={words.replace('+', '%2B')}", "li"))["items"])
    assert found == {"00138": 0, "8613800": 0, "8000": 1, "0013": 0, "13800138000": 1, MOBILE: 1}
    assert len((await desk.get("/v1/cases?q=00138", "boss"))["items"]) == 1


async def test_a_masked_number_still_says_which_one_is_meant(desk: Service) -> None:
    mask_numbers_for(desk, "collector")
    week = await desk.get(f"{CASE}/numbers/{MASKED}/week?party_id=p1&days=1", "li")
    assert week["number"] == MASKED
    body = {"flag": "do_not_call", "value": True, "reason": "asked", "number": MASKED}
    await desk.post("/v1/parties/p1/flags", "li", body, 200)
    numbers = (await desk.get(CASE, "boss"))["parties"][0]["numbers"]
    assert [number["do_not_call"] for number in numbers] == [True, False]


async def test_a_masked_number_that_two_share_is_refused(desk: Service) -> None:
    twins = party("p1", "+8613812348000", MOBILE)
    await desk.put(CASE, "crm", case(parties=[twins]))
    problem = await desk.get(f"{CASE}/numbers/{MASKED}/week?party_id=p1", "li", 422)
    assert "2 numbers" in problem["detail"]
    await desk.get(f"{CASE}/numbers/+86138****0000/week?party_id=p1", "li", 422)


@pytest.mark.parametrize(
    "what",
    [{"kind": "identity", "party_id": "p1"}, "identity:p1"],
)
async def test_a_reveal_shows_an_identity_number_and_is_journalled_without_it(desk: Service, what: Any) -> None:
    shown = await desk.post("/v1/reveals", "li", {"what": what, "reason": "the caller asks which card it is"})
    assert (shown["value"], shown["masked"]) == (IDENTITY, "3101**********1234")
    assert shown["expires_at"]
    (entry,) = await desk.journal("reveal")
    assert (entry.actor, entry.case_id, entry.data["reason"]) == ("li", "c1", "the caller asks which card it is")
    assert IDENTITY not in str(entry.data)


@pytest.mark.parametrize("what", [{"kind": "number", "party_id": "p1", "number": MASKED}, f"number:p1:{MASKED}"])
async def test_a_reveal_shows_a_masked_number(desk: Service, what: Any) -> None:
    mask_numbers_for(desk, "collector")
    shown = await desk.post("/v1/reveals", "li", {"what": what, "reason": "write it into the letter"})
    assert shown["value"] == MOBILE
    (entry,) = await desk.journal("reveal")
    assert MOBILE not in str(entry.data)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"what": "identity:p1"}, 422),
        ({"what": "identity:p1", "reason": ""}, 422),
        ({"what": "salary:p1", "reason": "curious"}, 422),
        ({"what": {"kind": "identity"}, "reason": "curious"}, 422),
        ({"what": 7, "reason": "curious"}, 422),
        ({"what": "number:p1:+8613900000000", "reason": "curious"}, 404),
        ({"what": "number:p1:12", "reason": "curious"}, 422),
        ({"what": "identity:nobody", "reason": "curious"}, 404),
    ],
)
async def test_a_bad_reveal_shows_nothing(desk: Service, body: Any, status: int) -> None:
    await desk.post("/v1/reveals", "li", body, status)
    assert await desk.journal("reveal") == []


async def test_a_reveal_of_somebody_elses_case_is_not_found(desk: Service) -> None:
    await desk.add("far", "collector", clients=["another"])
    await desk.post("/v1/reveals", "far", {"what": "identity:p1", "reason": "curious"}, 404)


async def test_an_identity_number_is_checked_lightly_kept_and_never_journalled(desk: Service) -> None:
    for bad in ("1", "x" * 80, "310101;drop", "号码"):
        await desk.put(CASE, "crm", case(parties=[party(identity=bad)]), 422)
    await desk.put(CASE, "crm", case(parties=[party()]))  # absent: stays
    assert (await desk.get(CASE, "crm"))["parties"][0]["identity"] == IDENTITY
    assert [found["id"] for found in (await desk.get(f"/v1/cases?q={IDENTITY}", "li"))["items"]] == ["c1"]
    everything = await desk.journal("case.created", "case.updated")
    assert everything
    assert IDENTITY not in str([entry.data for entry in everything])
