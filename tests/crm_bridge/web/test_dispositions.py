"""What a disposition sets in motion: required fields, flags, marks, agreements, promises and call-backs."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from config import clock
from tests.support.api import Service
from tests.support.desk import LANDLINE, MOBILE, case, finished_call, party


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case of collector li's with a debtor and a contact, and colleagues."""
    await service.add("crm", "crm")
    await service.add("li", "collector")
    await service.add("chen", "supervisor")
    await service.add("root", "admin")
    people = [party(), party("p2", LANDLINE, relation="contact", name="李静")]
    await service.put("/v1/cases/c1", "crm", case(collector="li", parties=people), status=201)
    return service


async def say(desk: Service, code: str, status: int = 200, call: dict[str, Any] | None = None, **body: Any) -> Any:
    """A finished call of li's and its disposition; the answer."""
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=5), **(call or {}))
    given = {"action_code": code, "note": "n", **body}
    return await desk.put(f"/v1/calls/{call_id}/disposition", "li", given, status=status)


async def number_of(desk: Service, party_id: str = "p1") -> dict[str, Any]:
    shown = await desk.get("/v1/cases/c1", "chen")
    found: dict[str, Any] = next(one for one in shown["parties"] if one["id"] == party_id)["numbers"][0]
    return found


def at(moment: timedelta) -> str:
    return (clock.now() + moment).isoformat()


async def test_a_wrong_number_is_marked_and_denied_at_once_and_no_upsert_takes_it_back(desk: Service) -> None:
    await say(desk, "WRONG")
    number = await number_of(desk)
    assert (number["status"], number["mark"]["mark"], number["mark"]["by"]) == ("invalid", "wrong_person", "li")
    assert (number["allowed_now"], number["rule"]) == (False, "house/invalid-number")
    said = [{"e164": MOBILE, "status": "valid"}]
    await desk.put("/v1/cases/c1", "crm", case(parties=[party() | {"numbers": said}]))
    assert (await number_of(desk))["status"] == "invalid"


@pytest.mark.parametrize(("code", "rule"), [("STOP", "house/refused"), ("DEAD", "house/deceased")])
async def test_a_refusal_or_a_death_denies_the_very_next_call(desk: Service, code: str, rule: str) -> None:
    await say(desk, code)
    number = await number_of(desk)
    assert number["allowed_now"] is False
    check = {"case_id": "c1", "party_id": "p1", "number": MOBILE}
    (entry,) = await desk.journal("party.flagged")
    assert entry.actor == "li"
    shown = await desk.get("/v1/cases/c1", "chen")
    denied = (await desk.post("/v1/policies/what-if", "chen", {**check, "at": at(timedelta(seconds=1))}, 200))[
        "denials"
    ]
    assert rule in [one["rule"] for one in denied]
    assert len(shown["parties"][0]["flags"]) == 1


async def test_call_me_at_nine_in_the_evening_is_an_agreement_that_opens_the_hours(desk: Service) -> None:
    night = (clock.now() + timedelta(days=1)).replace(hour=14, minute=0, second=0, microsecond=0)  # 22:00 in Shanghai
    asked = {"case_id": "c1", "party_id": "p1", "number": MOBILE, "at": night.isoformat()}
    before = await desk.post("/v1/policies/what-if", "chen", asked, 200)
    assert before["verdict"] == "deny"
    await say(desk, "CB", call_back={"at": night.isoformat(), "agreed": True})
    after = await desk.post("/v1/policies/what-if", "chen", asked, 200)
    assert "cn-outsourcing/hours" not in [one["rule"] for one in after["denials"]]
    late = {**asked, "at": (night + timedelta(hours=1)).isoformat()}
    assert (await desk.post("/v1/policies/what-if", "chen", late, 200))["verdict"] == "deny"
    (entry,) = await desk.journal("party.agreed")
    assert {one["kind"] for one in entry.data["agreements"]} == {"hours", "call"}


async def test_what_the_party_said_survives_an_upsert_that_knows_nothing_of_it(desk: Service) -> None:
    night = clock.now() + timedelta(days=1)
    bands = [{"days": ["mon"], "from": "13:00", "to": "14:00"}]
    await say(desk, "CB", call_back={"at": night.isoformat(), "agreed": True}, inconvenient=bands)
    await desk.put("/v1/cases/c1", "crm", case(parties=[party() | {"agreements": [], "inconvenient": []}]))
    shown = (await desk.get("/v1/cases/c1", "chen"))["parties"][0]
    assert [one["kind"] for one in shown["agreements"]] == ["hours", "call"]
    assert shown["inconvenient"] == bands


async def test_nobody_agreed_in_a_call_that_nobody_answered(desk: Service) -> None:
    back = {"at": at(timedelta(hours=2)), "agreed": True}
    problem = await say(desk, "CB", 422, {"connected": False}, call_back=back)
    assert problem["errors"][0]["field"] == "call_back.agreed"
    await say(desk, "CB", 200, {"connected": False}, call_back={"at": at(timedelta(hours=2))})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"call_back": {"at": "2020-01-01T00:00:00Z"}}, "call_back.at"),
        ({"call_back": {"at": "not a time"}}, "call_back.at"),
        ({"call_back": {"at": "2026-06-01T20:00:00"}}, "call_back.at"),
        ({"promise": {"on": "2026-02-30"}}, "promise.on"),
        ({"promise": {"on": "2026-07-01", "amount": "=1+1"}}, "promise.amount"),
        ({"promise": {"on": "2026-07-01", "amount": "-5"}}, "promise.amount"),
        ({"fields": {"nope": "x"}}, "fields.nope"),
        ({"inconvenient": [{"from": "25:00", "to": "26:00"}]}, "inconvenient.0.from"),
    ],
)
async def test_what_cannot_be_is_refused_by_name_and_leaves_nothing(
    desk: Service, body: dict[str, Any], field: str
) -> None:
    problem = await say(desk, "OTHER", 422, **body)
    assert problem["errors"][0]["field"] == field
    assert (await desk.get("/v1/commitments", "chen"))["items"] == []
    assert await desk.journal("note.final") == []


async def test_a_promise_is_kept_until_it_is_closed_once(desk: Service) -> None:
    call = await say(desk, "PTP", promise={"on": "2026-07-01", "amount": "1000.00", "currency": "CNY"})
    (one,) = (await desk.get("/v1/commitments?case_id=c1", "chen"))["items"]
    assert one["promise"] == {"on": "2026-07-01", "amount": "1000.00", "currency": "CNY"}
    assert (one["kind"], one["state"], one["call_id"], one["collector"]) == ("promise", "open", call["id"], "li")
    path = f"/v1/commitments/{one['id']}/close"
    await desk.post(path, "li", {"state": "done"}, status=409)
    await desk.post(path, "li", {"state": "kept", "reason": "paid at the counter"}, status=200)
    await desk.post(path, "chen", {"state": "broken"}, status=409)
    assert (await desk.get("/v1/commitments?state=open", "chen"))["items"] == []
    assert [entry.data["state"] for entry in await desk.journal("commitment.closed")] == ["kept"]


async def test_a_disposition_said_again_changes_its_promise_and_doubles_nothing(desk: Service) -> None:
    call_id = (await say(desk, "PTP", promise={"on": "2026-07-01", "amount": "100"}))["id"]
    body = {"action_code": "PTP", "note": "n", "promise": {"on": "2026-07-01", "amount": "100"}}
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", body)
    assert len((await desk.get("/v1/commitments", "chen"))["items"]) == 1
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", body | {"promise": {"on": "2026-07-02", "amount": "90"}})
    items = (await desk.get("/v1/commitments", "chen"))["items"]
    assert [(one["day"], one["state"]) for one in items] == [("2026-07-01", "withdrawn"), ("2026-07-02", "open")]


async def test_commitments_come_in_pages_by_day(desk: Service) -> None:
    for day in ("03", "01", "02"):
        await say(desk, "PTP", promise={"on": f"2026-07-{day}"})
    days, cursor = [], ""
    while cursor is not None:
        page = await desk.get(f"/v1/commitments?limit=1&cursor={cursor}", "chen")
        days += [one["day"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert days == ["2026-07-01", "2026-07-02", "2026-07-03"]


async def test_another_collector_does_not_close_what_is_not_theirs(desk: Service) -> None:
    await desk.add("zhao", "collector")
    await say(desk, "PTP", promise={"on": "2026-07-01"})
    (one,) = (await desk.get("/v1/commitments", "chen"))["items"]
    await desk.post(f"/v1/commitments/{one['id']}/close", "zhao", {"state": "kept"}, status=403)
    await desk.post("/v1/commitments/nope/close", "chen", {"state": "kept"}, status=404)


OWN = {
    "codes": [
        {
            "code": "K1", "label": {"zh": "承诺", "en": "promised"}, "outcome": "conversation",
            "requires": ["note", "promise", "amount", "reaction"], "effects": ["number_valid"],
        },
        {"code": "K2", "label": {"zh": "律师", "en": "attorney"}, "effects": ["attorney", "dispute"]},
    ],
    "fields": [
        {"name": "reaction", "label": {"zh": "客户反应", "en": "reaction"}, "kind": "choice", "choices": ["配合", "抗拒"]},
        {"name": "seen_on", "label": {"zh": "日期", "en": "day"}, "kind": "date"},
    ],
}  # fmt: skip


async def test_a_client_has_codes_of_its_own_with_what_each_requires(desk: Service) -> None:
    await desk.put("/v1/action-codes/bank", "root", OWN, status=201)
    assert [one["code"] for one in (await desk.get("/v1/action-codes?client=bank", "li"))["items"]] == ["K1", "K2"]
    assert (await desk.get("/v1/action-codes?client=other", "li"))["items"][0]["code"] == "PTP"
    problem = await say(desk, "K1", 422, note=" ")
    assert [one["field"] for one in problem["errors"]] == ["note", "promise", "amount", "fields.reaction"]
    await say(desk, "PTP", 422)
    given = {"promise": {"on": "2026-07-01", "amount": "5"}, "fields": {"reaction": "配合"}}
    await say(desk, "K1", **given)
    assert (await number_of(desk))["status"] == "valid"
    wrong = await say(desk, "K1", 422, **given | {"fields": {"reaction": "=cmd|' /C calc'!A0"}})
    assert wrong["errors"][0]["field"] == "fields.reaction"
    await say(desk, "K1", 422, **given | {"fields": {"reaction": "配合", "seen_on": "31.12.2026"}})


async def test_a_code_says_something_of_person_and_case_at_once(desk: Service) -> None:
    await desk.put("/v1/action-codes/bank", "root", OWN, status=201)
    await say(desk, "K2")
    shown = await desk.get("/v1/cases/c1", "chen")
    assert (shown["dispute"], shown["parties"][0]["attorney"]) == (True, True)


async def test_the_default_codes_come_back_when_a_clients_own_go(desk: Service) -> None:
    await desk.put("/v1/action-codes/bank", "root", OWN, status=201)
    await desk.put("/v1/action-codes/bank", "root", OWN)
    assert [one["client"] for one in (await desk.get("/v1/action-codes/own", "root"))["items"]] == ["bank"]
    assert (await desk.ask("DELETE", "/v1/action-codes/bank", "root")).status == 204
    assert (await desk.ask("DELETE", "/v1/action-codes/bank", "root")).status == 404
    await say(desk, "PTP")
    assert len(await desk.journal("action_codes.changed")) == 3


@pytest.mark.parametrize(
    "codes",
    [
        {"codes": []},
        {"codes": [OWN["codes"][1], OWN["codes"][1]]},
        {"codes": [OWN["codes"][0]]},
        {"codes": [{**OWN["codes"][1], "effects": ["delete_everything"]}]},
        {"codes": [{**OWN["codes"][1], "code": "a b"}]},
        {"codes": [OWN["codes"][1]], "fields": [{"name": "x", "label": {"zh": "一", "en": "x"}, "kind": "choice"}]},
    ],
    ids=["none", "twice", "unknown field", "unknown effect", "a space", "no choices"],
)
async def test_action_codes_that_contradict_themselves_are_refused(desk: Service, codes: dict[str, Any]) -> None:
    await desk.put("/v1/action-codes/bank", "root", codes, status=422)


async def test_only_an_admin_sets_action_codes(desk: Service) -> None:
    for name in ("li", "chen", "crm"):
        await desk.put("/v1/action-codes/bank", name, OWN, status=403)


async def test_a_number_is_marked_by_anyone_and_made_callable_by_a_supervisor_only(desk: Service) -> None:
    path = f"/v1/parties/p1/numbers/{MOBILE}/mark"
    marked = await desk.post(path, "li", {"mark": "valid", "reason": "spoke to him"}, status=200)
    assert (marked["status"], marked["mark"]["mark"]) == ("valid", "valid")
    await desk.post(path, "li", {"mark": "no_longer_used", "reason": "moved"}, status=200)
    await desk.post(path, "li", {"mark": "valid", "reason": "no"}, status=403)
    marked = await desk.post(path, "chen", {"mark": "unknown", "reason": "a mistake"}, status=200)
    assert (marked["status"], marked["mark"]) == ("unknown", None)
    await desk.post("/v1/parties/p1/numbers/+8613900000000/mark", "li", {"mark": "valid", "reason": "x"}, status=404)
    await desk.post("/v1/parties/p1/numbers/zzz/mark", "li", {"mark": "valid", "reason": "x"}, status=422)
    await desk.post(path, "li", {"mark": "valid", "reason": ""}, status=422)
    assert [entry.data["mark"] for entry in await desk.journal("number.marked")] == [
        "valid",
        "no_longer_used",
        "unknown",
    ]


async def test_a_call_back_falls_on_the_day_of_the_desks_clock(desk: Service) -> None:
    evening = datetime.fromisoformat("2027-01-01T18:00:00+00:00")  # already the 2nd in Shanghai
    await say(desk, "CB", call_back={"at": evening.isoformat()})
    (one,) = (await desk.get("/v1/commitments?kind=call_back", "chen"))["items"]
    assert (one["day"], one["overdue"]) == ("2027-01-02", False)
