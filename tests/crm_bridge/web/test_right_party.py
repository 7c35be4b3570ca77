"""Who answered: what a collector sees of a debt before and after, and what follows when it was somebody else (S13)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from config import clock
from telephony.tables import calls
from tests.support.api import Service
from tests.support.desk import MOBILE, case, finished_call, party

CASE = "/v1/cases/c1"
LIVE = {"state": "connected", "ended_at": None, "end_reason": None, "outcome": "live"}
CONTACT = {"id": "p2", "relation": "contact", "name": "李静", "numbers": [{"e164": "+8613700003333"}]}


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case of two debts with a debtor and a contact, and people who look at it."""
    for name, role in (("crm", "crm"), ("li", "collector"), ("other", "collector"), ("boss", "supervisor")):
        await service.add(name, role)
    body = case(
        account="622588880001", debts=["loan-77", "loan-78"], parties=[party(identity="310101199001011234"), CONTACT]
    )
    await service.put(CASE, "crm", body, 201)
    return service


async def on_a_call(desk: Service, **columns: Any) -> str:
    return await finished_call(desk.database, clock.now() - timedelta(seconds=30), **{**LIVE, **columns})


async def confirm(desk: Service, call: str, status: int = 200, user: str = "li", **body: Any) -> Any:
    return await desk.post(f"/v1/calls/{call}/right-party", user, {"answer": "debtor", **body}, status)


async def text_of(desk: Service, path: str, user: str) -> str:
    return await (await desk.ask("GET", path, user)).text()


async def test_a_collector_without_a_call_gets_no_details_of_the_debt(desk: Service) -> None:
    shown = await desk.get(CASE, "li")
    assert shown["disclosure"] == {"locked": True, "hidden": ["debts", "account", "amounts", "identity"]}
    assert len(shown["debts"]) == 2
    text = await text_of(desk, CASE, "li") + await text_of(desk, "/v1/cases", "li")
    for secret in ("622588880001", "loan-77", "loan-78", "310101199001011234"):
        assert secret not in text


@pytest.mark.parametrize("user", ["crm", "boss"])
async def test_who_does_not_call_sees_the_details_by_role(desk: Service, user: str) -> None:
    shown = await desk.get(CASE, user)
    assert (shown["debts"], shown["account"]) == (["loan-77", "loan-78"], "622588880001")
    assert shown["parties"][0]["identity"] == "310101199001011234"
    assert shown["disclosure"] == {"locked": False, "hidden": []}


async def test_the_debtor_on_the_line_unlocks_the_details_for_who_speaks_to_them(desk: Service) -> None:
    call = await on_a_call(desk)
    assert (await confirm(desk, call))["unlocked"]
    shown = await desk.get(CASE, "li")
    assert (shown["debts"], shown["account"]) == (["loan-77", "loan-78"], "622588880001")
    assert shown["disclosure"]["locked"] is False
    assert shown["parties"][0]["identity"] == "3101**********1234"  # masked by role: a reveal shows it
    assert (await desk.get(CASE, "other"))["disclosure"]["locked"] is True


async def test_the_answer_is_journalled_with_the_one_before(desk: Service) -> None:
    call = await on_a_call(desk)
    await confirm(desk, call, answer="unknown")
    await confirm(desk, call, note="gave the last four digits")
    entries = await desk.journal("call.right_party")
    assert [(entry.actor, entry.call_id, entry.case_id, entry.data["answer"]) for entry in entries] == [
        ("li", call, "c1", "unknown"),
        ("li", call, "c1", "debtor"),
    ]
    assert entries[1].data["before"] == "unknown"


async def test_an_answer_taken_back_locks_again(desk: Service) -> None:
    call = await on_a_call(desk)
    await confirm(desk, call)
    await confirm(desk, call, answer="third_party", relation="spouse")
    assert (await desk.get(CASE, "li"))["disclosure"]["locked"] is True


async def test_the_details_lock_again_some_time_after_the_call(desk: Service) -> None:
    ended = clock.now() - timedelta(seconds=60)
    call = await on_a_call(desk, state="ended", ended_at=ended)
    await confirm(desk, call)
    assert (await desk.get(CASE, "li"))["disclosure"]["locked"] is False
    earlier = await on_a_call(desk, state="ended", ended_at=clock.now() - timedelta(seconds=901))
    await confirm(desk, earlier, 409)


async def test_nobody_is_confirmed_before_somebody_answers(desk: Service) -> None:
    call = await on_a_call(desk, connected=False, state="calling_customer")
    assert "yet" in (await confirm(desk, call, 409))["detail"]


async def test_only_who_is_on_the_call_says_who_answered(desk: Service) -> None:
    call = await on_a_call(desk)
    await confirm(desk, call, 403, user="boss")
    assert await desk.journal("call.right_party") == []


async def test_somebody_else_leads_to_the_third_party_script(desk: Service) -> None:
    call = await on_a_call(desk)
    said = await confirm(desk, call, answer="third_party", relation="spouse")
    assert (said["unlocked"], said["relation"]) == (False, "spouse")
    assert "{name}" in said["script"]["zh"]
    assert "{name}" in said["script"]["en"]
    assert (await desk.get(CASE, "li"))["disclosure"]["locked"] is True
    again = await desk.get(f"/v1/calls/{call}/right-party", "li")
    assert (again["answer"], again["script"]) == ("third_party", said["script"])


async def test_a_client_has_words_of_its_own(desk: Service) -> None:
    path = "/v1/policies/bank/third-party-script"
    assert (await desk.get(path, "li"))["own"] is False
    await desk.put(path, "li", {"zh": "你好", "en": "Hello"}, 403)
    await desk.put(path, "boss", {"zh": "请{name}回电", "en": ""}, 422)
    set_ = await desk.put(path, "boss", {"zh": "请{name}回电", "en": "Ask {name} to call back"})
    assert (set_["own"], set_["updated_by"]) == (True, "boss")
    call = await on_a_call(desk)
    said = await confirm(desk, call, answer="unknown")
    assert said["script"]["zh"] == "请{name}回电"
    assert [entry.client for entry in await desk.journal("script.changed")] == ["bank"]


async def test_a_wrong_number_is_marked_and_not_called_again(desk: Service) -> None:
    call = await on_a_call(desk)
    await confirm(desk, call, answer="third_party", wrong_number=True)
    number = (await desk.get(CASE, "li"))["parties"][0]["numbers"][0]
    assert (number["status"], number["allowed_now"]) == ("invalid", False)


async def test_a_contact_who_refuses_is_flagged(desk: Service) -> None:
    call = await on_a_call(desk, party_id="p2", number="+8613700003333")
    said = await confirm(desk, call, answer="third_party", refused=True)
    assert (said["party_id"], said["relation"]) == ("p2", "contact")
    contact = (await desk.get(CASE, "boss"))["parties"][1]
    assert contact["refused_at"] is not None
    assert contact["flags"]["refused"]["by"] == "li"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"answer": "me"}, "answer"),
        ({"answer": "debtor", "party_id": "p9"}, "party_id"),
        ({"answer": "debtor", "party_id": "p2"}, "party_id"),
        ({"answer": "third_party", "party_id": "p1"}, "party_id"),
        ({"answer": "debtor", "wrong_number": True}, "answer"),
        ({"answer": "third_party", "refused": True}, "refused"),
        ({"answer": "unknown", "relation": "neighbour"}, "relation"),
        ({}, "answer"),
        ({"answer": "debtor", "extra": 1}, "extra"),
    ],
)
async def test_bad_input_names_the_field(desk: Service, body: dict[str, Any], field: str) -> None:
    call = await on_a_call(desk)
    problem = await desk.post(f"/v1/calls/{call}/right-party", "li", body, 422)
    assert problem["errors"][0]["field"] == field
    assert await desk.journal("call.right_party") == []


async def test_an_inbound_call_without_a_case_names_one(desk: Service) -> None:
    call = await on_a_call(desk, direction="inbound")
    async with desk.database.write() as transaction:
        await transaction.execute(update(calls).where(calls.c.id == call).values(case_id=None, party_id=None))
    await confirm(desk, call, 422)
    await confirm(desk, call, 404, case_id="nothing")
    assert (await confirm(desk, call, case_id="c1"))["party_id"] == "p1"
    assert (await desk.get(CASE, "li"))["disclosure"]["locked"] is False


async def test_amounts_in_notes_and_debts_of_contacts_are_hidden_too(desk: Service) -> None:
    call = await on_a_call(desk, state="ended", ended_at=clock.now())
    promise = {"on": "2030-01-01", "amount": "612.40", "currency": "CNY"}
    await desk.put(f"/v1/calls/{call}/disposition", "boss", {"action_code": "PTP", "note": "half", "promise": promise})
    contact = {
        "party_id": "p1", "case_id": "c1", "number": MOBILE, "at": clock.now().isoformat(), "channel": "sms",
        "direction": "outbound", "by": "client", "outcome": "conversation",
    }  # fmt: skip
    told = await desk.post("/v1/contacts", "li", contact)
    assert "loan-77" not in str(told)
    assert len(told["debts"]) == 2
    assert "612.40" not in await text_of(desk, f"{CASE}/notes", "li")
    assert "612.40" in await text_of(desk, f"{CASE}/notes", "boss")
    await confirm(desk, call)
    assert "612.40" in await text_of(desk, f"{CASE}/notes", "li")
