"""Cases over HTTP: what an upsert keeps, what a look-up finds, who sees what, and what may be called now."""

import asyncio
from datetime import UTC, datetime

import pytest
import time_machine

from tests.support.api import Service
from tests.support.desk import LANDLINE, MOBILE, case, party

NOON_IN_SHANGHAI = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
NIGHT_IN_SHANGHAI = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)


@pytest.fixture
async def desk(service: Service) -> Service:
    """A CRM, two collectors of two teams, their supervisor, QA and an admin."""
    await service.add("crm", "crm")
    await service.add("li", "collector", team="north")
    await service.add("zhao", "collector", team="south")
    await service.add("chen", "supervisor", team="north")
    await service.add("qa", "qa")
    await service.add("root", "admin")
    return service


async def test_a_new_case_is_201_and_the_same_again_200_without_a_trace_in_the_journal(desk: Service) -> None:
    created = await desk.put("/v1/cases/c1", "crm", case(collector="li", mandate_until="2026-12-31"), status=201)
    assert created["debtor_name"] == "王小明"
    assert created["parties"][0]["numbers"][0]["e164"] == MOBILE
    assert created["parties"][0]["numbers"][0]["allowed_now"] is None
    again = await desk.put("/v1/cases/c1", "crm", case(collector="li", mandate_until="2026-12-31"))
    assert again == created
    assert [entry.kind for entry in await desk.journal("case.created", "case.updated")] == ["case.created"]


async def test_numbers_are_normalised_and_a_bad_one_is_named_with_its_party(desk: Service) -> None:
    written = party("p1", "138 0013 8000", "0371-6555 1234 转 802")
    created = await desk.put("/v1/cases/c1", "crm", case(parties=[written]), status=201)
    assert [number["e164"] for number in created["parties"][0]["numbers"]] == [MOBILE, LANDLINE]
    bad = [party("p1"), party("p2", MOBILE, "12345")]
    problem = await desk.put("/v1/cases/c2", "crm", case(parties=bad), status=422)
    assert problem["type"] == "/problems/invalid-number"
    assert problem["party_id"] == "p2"
    assert "p2" in problem["detail"]
    assert "12345" in problem["detail"]
    assert problem["errors"][0]["field"] == "parties.p2.numbers.1.e164"
    await desk.get("/v1/cases/c2", "crm", status=404)


async def test_absent_fields_of_a_known_case_and_person_stay(desk: Service) -> None:
    first = case(collector="li", dispute=True, parties=[party(household="h1", deceased=True)])
    await desk.put("/v1/cases/c1", "crm", first, status=201)
    bare = {"id": "p1", "relation": "guarantor"}
    changed = await desk.put("/v1/cases/c1", "crm", {"client": "bank", "parties": [bare]})
    assert changed["dispute"] is True
    assert changed["collector"] == "li"
    person = changed["parties"][0]
    assert (person["relation"], person["household"], person["deceased"]) == ("guarantor", "h1", True)
    assert len(person["numbers"]) == 1


async def test_an_upsert_never_clears_a_refusal_a_cease_or_a_do_not_call(desk: Service) -> None:
    protected = party(refused_at="2026-05-02T00:00:00Z", cease_at="2026-05-03T00:00:00Z")
    protected["numbers"][0]["do_not_call"] = True
    await desk.put("/v1/cases/c1", "crm", case(parties=[protected]), status=201)
    cleared = party(refused_at=None, cease_at="2026-06-03T00:00:00Z")
    cleared["numbers"][0]["do_not_call"] = False
    person = (await desk.put("/v1/cases/c1", "crm", case(parties=[cleared])))["parties"][0]
    assert person["refused_at"] == "2026-05-02T00:00:00Z"
    assert person["cease_at"] == "2026-05-03T00:00:00Z"
    assert person["numbers"][0]["do_not_call"] is True


async def test_a_do_not_call_survives_that_its_number_is_left_out_and_comes_back(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    await desk.post("/v1/parties/p1/flags", "li", {"flag": "do_not_call", "value": True, "reason": "asked"}, status=200)
    left_out = case(parties=[party("p1", LANDLINE)])
    shown = (await desk.put("/v1/cases/c1", "crm", left_out))["parties"][0]["numbers"]
    assert {number["e164"]: number["do_not_call"] for number in shown} == {LANDLINE: False, MOBILE: True}
    back = (await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1", MOBILE)])))["parties"][0]["numbers"]
    assert {number["e164"]: number["do_not_call"] for number in back} == {MOBILE: True}


async def test_a_person_is_one_person_on_all_cases_and_keeps_the_numbers_another_case_knows(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1", MOBILE)]), status=201)
    await desk.put("/v1/cases/c2", "crm", case(client="other", parties=[party("p1", LANDLINE, minor=True)]), status=201)
    person = (await desk.get("/v1/cases/c1", "crm"))["parties"][0]
    assert person["minor"] is True
    assert {number["e164"] for number in person["numbers"]} == {MOBILE, LANDLINE}


async def test_a_case_does_not_change_its_client(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    problem = await desk.put("/v1/cases/c1", "crm", case(client="other"), status=409)
    assert problem["type"] == "/problems/conflict"


async def test_a_crm_that_repeats_itself_does_not_undo_a_suspension_made_at_the_desk(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(state="open"), status=201)
    await desk.post("/v1/cases/c1/state", "chen", {"action": "suspend", "reason": "under review"}, status=200)
    assert (await desk.put("/v1/cases/c1", "crm", case(state="open")))["state"] == "suspended"
    assert (await desk.put("/v1/cases/c1", "crm", case(state="payment_pending")))["state"] == "payment_pending"
    assert (await desk.put("/v1/cases/c1", "crm", case(state="open")))["state"] == "open"


async def test_state_changes_carry_their_reason_and_tell_the_stream(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    for action, state in (("suspend", "suspended"), ("resume", "open"), ("settle", "settled"), ("return", "returned")):
        shown = await desk.post("/v1/cases/c1/state", "chen", {"action": action, "reason": f"to {action}"}, status=200)
        assert shown["state"] == state
    await desk.post("/v1/cases/c1/state", "chen", {"action": "return", "reason": "again"}, status=409)
    entries = await desk.journal("case.suspended", "case.resumed", "case.state")
    kinds = [entry.kind for entry in entries]
    assert kinds.count("case.suspended") == 2  # suspended, and settled: either stops the calling
    assert kinds.count("case.resumed") == 1
    assert {entry.agent for entry in entries} == {"li"}
    assert entries[0].data == {"from": "open", "to": "suspended", "reason": "to suspend"}


async def test_a_flag_is_set_by_who_talks_to_the_person_and_cleared_by_a_supervisor(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    flag = {"flag": "attorney", "value": True, "reason": "has a lawyer"}
    done = await desk.post("/v1/parties/p1/flags", "li", flag, status=200)
    assert done["flags"]["attorney"]["by"] == "li"
    kept = await desk.put("/v1/cases/c1", "crm", case(parties=[party(attorney=False)]))
    assert kept["parties"][0]["attorney"] is True
    clear = {"flag": "attorney", "value": False, "reason": "no longer"}
    await desk.post("/v1/parties/p1/flags", "li", clear, status=403)
    assert (await desk.post("/v1/parties/p1/flags", "chen", clear, status=200))["flags"] == {}
    assert (await desk.get("/v1/cases/c1", "crm"))["parties"][0]["attorney"] is False
    assert [entry.data["value"] for entry in await desk.journal("party.flagged")] == [True, False]


async def test_a_refusal_may_say_when_and_the_earlier_one_counts(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    for value in ("2026-05-02T08:00:00+08:00", "2026-05-01T08:00:00+08:00", True):
        body = {"flag": "refused_at", "value": value, "reason": "said so"}
        await desk.post("/v1/parties/p1/flags", "li", body, status=200)
    assert (await desk.get("/v1/cases/c1", "crm"))["parties"][0]["refused_at"] == "2026-05-01T00:00:00Z"
    late = {"flag": "deceased", "value": "2026-05-01T08:00:00+08:00", "reason": "x"}
    await desk.post("/v1/parties/p1/flags", "li", late, status=422)
    naive = {"flag": "refused", "value": "2026-05-01T08:00:00", "reason": "x"}
    await desk.post("/v1/parties/p1/flags", "li", naive, status=422)


async def test_one_number_of_a_person_may_be_marked_do_not_call(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1", MOBILE, LANDLINE)]), status=201)
    body = {"flag": "do_not_call", "value": True, "reason": "a shop's line", "number": "0371 6555 1234"}
    await desk.post("/v1/parties/p1/flags", "li", body, status=200)
    numbers = (await desk.get("/v1/cases/c1", "crm"))["parties"][0]["numbers"]
    assert {number["e164"]: number["do_not_call"] for number in numbers} == {MOBILE: False, LANDLINE: True}


async def test_the_reverse_look_up_finds_every_match(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    await desk.put("/v1/cases/c2", "crm", case(parties=[party("p2", MOBILE, name="李娜")]), status=201)
    await desk.put(
        "/v1/cases/c3", "crm", case(account="6222", parties=[party("p3", LANDLINE, name="Ann_e")]), status=201
    )

    async def found(query: str) -> list[str]:
        return [item["id"] for item in (await desk.get(f"/v1/cases?{query}", "qa"))["items"]]

    assert await found("number=138-0013-8000") == ["c1", "c2"]
    assert await found("q=李娜") == ["c2"]
    assert await found("q=6222") == ["c3"]
    assert await found("q=0013 8000") == ["c1", "c2"]
    assert await found("q=ANN_E") == ["c3"]
    assert await found("q=_n") == []
    assert await found("number=%2B8613911112222") == []
    await desk.get("/v1/cases?number=nonsense", "qa", status=422)


async def test_a_list_goes_on_where_the_page_before_ended(desk: Service) -> None:
    for index in range(5):
        await desk.put(f"/v1/cases/c{index}", "crm", case(parties=[]), status=201)
    first = await desk.get("/v1/cases?limit=3", "qa")
    second = await desk.get(f"/v1/cases?limit=3&cursor={first['next_cursor']}", "qa")
    assert [item["id"] for item in first["items"] + second["items"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert second["next_cursor"] is None


async def test_another_teams_case_does_not_exist_for_a_collector(desk: Service) -> None:
    await desk.put("/v1/cases/mine", "crm", case(collector="li"), status=201)
    await desk.put("/v1/cases/theirs", "crm", case(collector="zhao", parties=[party("p2")]), status=201)
    await desk.put("/v1/cases/nobodys", "crm", case(parties=[party("p3")]), status=201)
    for user in ("li", "chen"):
        items = (await desk.get("/v1/cases", user))["items"]
        assert [item["id"] for item in items] == ["mine", "nobodys"]
        await desk.get("/v1/cases/theirs", user, status=404)
        await desk.get("/v1/cases/theirs/notes", user, status=404)
        await desk.post("/v1/cases/theirs/notes", user, {"text": "x"}, status=404)
        flag = {"flag": "minor", "value": True, "reason": "x"}
        await desk.post("/v1/parties/p2/flags", user, flag, status=404)
    await desk.post("/v1/cases/theirs/state", "chen", {"action": "close", "reason": "x"}, status=404)
    await desk.put("/v1/cases/theirs", "chen", case(), status=404)
    assert [item["id"] for item in (await desk.get("/v1/cases?mine=true", "li"))["items"]] == ["mine"]
    assert len((await desk.get("/v1/cases", "qa"))["items"]) == 3


async def test_a_user_of_one_client_neither_sees_nor_writes_anothers(desk: Service) -> None:
    await desk.add("bank-crm", "crm", clients=["bank"])
    await desk.put("/v1/cases/c1", "bank-crm", case(), status=201)
    await desk.put("/v1/cases/c2", "crm", case(client="other", parties=[party("p2")]), status=201)
    await desk.get("/v1/cases/c2", "bank-crm", status=404)
    problem = await desk.put("/v1/cases/c3", "bank-crm", case(client="other"), status=403)
    assert problem["type"] == "/problems/forbidden"
    await desk.put("/v1/cases/c2", "bank-crm", case(), status=404)
    contact = {"party_id": "p2", "at": "2026-01-01T00:00:00Z", "channel": "sms"}
    await desk.post("/v1/contacts", "bank-crm", contact, status=404)


async def test_each_number_says_whether_it_may_be_called_now_and_if_not_why_and_until_when(desk: Service) -> None:
    numbers = [{"e164": MOBILE}, {"e164": LANDLINE, "kind": "landline", "do_not_call": True}]
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1") | {"numbers": numbers}]), status=201)
    with time_machine.travel(NOON_IN_SHANGHAI, tick=False):
        mobile, landline = (await desk.get("/v1/cases/c1", "li"))["parties"][0]["numbers"]
    assert mobile["allowed_now"] is True
    assert landline["allowed_now"] is False
    assert landline["rule"] == "house/do-not-call"
    assert landline["reason"]
    assert landline["reason_zh"]
    with time_machine.travel(NIGHT_IN_SHANGHAI, tick=False):
        mobile = (await desk.get("/v1/cases/c1", "li"))["parties"][0]["numbers"][0]
    assert mobile["allowed_now"] is False
    assert mobile["rule"].startswith("cn-outsourcing/")
    assert mobile["retry_at"] == "2026-06-02T08:00:00+08:00"


async def test_contacts_told_by_others_use_the_attempts_up(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    await desk.put(
        "/v1/policies/bank", "root", {"packs": ["cn-outsourcing"], "house": {"caps": [{"limit": 2, "days": 7}]}}, 201
    )
    with time_machine.travel(NOON_IN_SHANGHAI, tick=False):
        for day in ("2026-05-30", "2026-05-31"):
            contact = {
                "party_id": "p1",
                "case_id": "c1",
                "number": MOBILE,
                "at": f"{day}T10:00:00+08:00",
                "channel": "call",
            }
            await desk.post("/v1/contacts", "crm", contact)
        number = (await desk.get("/v1/cases/c1", "li"))["parties"][0]["numbers"][0]
    assert number["allowed_now"] is False
    cap = next(count for count in number["counts"] if count["limit"] == 2)
    assert (cap["used"], cap["left"]) == (2, 0)


async def test_twenty_upserts_at_once_of_cases_that_share_a_person_all_arrive(desk: Service) -> None:
    def body(index: int) -> dict:
        return case(parties=[party("p1", MOBILE), party("p2", LANDLINE)][:: 1 if index % 2 else -1])

    answers = await asyncio.gather(
        *(desk.ask("PUT", f"/v1/cases/c{index % 4}", "crm", json=body(index)) for index in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] * 16 + [201] * 4
    assert len((await desk.get("/v1/cases", "qa"))["items"]) == 4
