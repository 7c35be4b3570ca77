"""What people see of the rules: the week's strip, what-if, what a change would have denied, overrides and the due list."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from crm_bridge.clocks.due_work import targets
from crm_bridge.web import keys
from telephony.dialling import decisions
from telephony.dialling.gathering import Subject
from telephony.tables import calls
from tests.support.api import Service
from tests.support.desk import LANDLINE, MOBILE, case, finished_call, party

MONDAY = datetime.fromisoformat("2026-06-01T12:00:00+08:00")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def desk(service: Service) -> Service:
    """A collector, a supervisor, an admin, a CRM, and case c1 of a person in Shanghai with a mobile and a landline."""
    for name, role in (("li", "collector"), ("chen", "supervisor"), ("root", "admin"), ("crm", "crm")):
        await service.add(name, role)
    with time_machine.travel(MONDAY - DAY):
        body = case(parties=[party("p1", MOBILE, LANDLINE)], collector="li")
        await service.put("/v1/cases/c1", "crm", body, status=201)
    return service


async def _week(desk: Service, query: str = "", status: int = 200) -> Any:
    return await desk.get(f"/v1/cases/c1/numbers/{MOBILE.replace('+', '%2B')}/week{query}", "li", status)


async def _clicked(desk: Service, at: datetime, number: str = MOBILE) -> str:
    """A stored click decision, allowed or not, as the rules of that moment have it."""
    async with desk.database.write() as transaction:
        assert desk.client.app is not None
        decision = await desk.client.app[keys.DECIDER].decide(
            transaction.connection, Subject("c1", "p1", number, "li", "collector"), at
        )
        await decisions.store(transaction, decision, "click", None)
    return decision.id


async def test_the_week_of_a_number(desk: Service) -> None:
    with time_machine.travel(MONDAY, tick=False):
        week = await _week(desk)
        assert (week["party_id"], week["zone"]) == ("p1", "Asia/Shanghai")
        first, second = week["stretches"][:2]
        assert (first["allowed"], first["until"]) == (True, "2026-06-01T13:00:00Z")
        assert (second["allowed"], second["rule"], second["until"]) == (
            False,
            "cn-outsourcing/hours",
            "2026-06-02T00:00:00Z",
        )
        assert "supervisor" in second["reason"]
        assert "主管" in second["reason_zh"]
        assert len((await _week(desk, "?days=1"))["stretches"]) == 3


async def test_a_number_of_two_parties_needs_to_be_told_whose(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1"), party("p2", relation="spouse")]))
    problem = await _week(desk, status=409)
    assert problem["parties"] == ["p1", "p2"]
    with time_machine.travel(MONDAY, tick=False):
        assert (await _week(desk, "?party_id=p2"))["stretches"][0]["rule"] == "cn-outsourcing/third-party"
    await _week(desk, "?party_id=p9", status=404)
    await desk.get("/v1/cases/c1/numbers/%2B8613811112222/week", "li", 404)
    await _week(desk, "?days=0", status=422)


async def test_who_can_lift_a_denial_is_told_by_itself(desk: Service) -> None:
    with time_machine.travel(MONDAY + 12 * HOUR, tick=False):
        number = (await desk.get("/v1/cases/c1", "li"))["parties"][0]["numbers"][0]
    assert (number["hard"], number["lift"]) == (False, "A supervisor may override it.")
    assert number["lift_zh"] in number["reason_zh"]


async def test_what_if_on_any_date_and_under_other_rules(desk: Service) -> None:
    ask = {"case_id": "c1", "party_id": "p1", "number": MOBILE, "at": "2026-08-01T23:30:00+08:00"}
    verdict = await desk.post("/v1/policies/what-if", "chen", ask, status=200)
    assert (verdict["verdict"], verdict["rule"]) == ("deny", "cn-outsourcing/hours")
    noon = ask | {"at": "2026-08-02T12:00:00+08:00"}
    assert (await desk.post("/v1/policies/what-if", "chen", noon, status=200))["verdict"] == "allow"
    stricter = noon | {"change": {"packs": ["cn-outsourcing"], "house": {"hours": "14:00-15:00"}}}
    assert (await desk.post("/v1/policies/what-if", "chen", stricter, status=200))["rule"] == "house/hours"
    await desk.post("/v1/policies/what-if", "chen", noon | {"change": {"packs": ["none"]}}, status=422)
    await desk.post("/v1/policies/what-if", "chen", noon | {"at": "2026-08-02T12:00:00"}, status=422)
    await desk.post("/v1/policies/what-if", "chen", noon | {"number": LANDLINE, "party_id": "p9"}, status=404)
    await desk.post("/v1/policies/what-if", "li", noon, status=403)


async def test_what_if_in_the_past_knows_nothing_that_came_later(desk: Service) -> None:
    await desk.put("/v1/policies/bank", "root", {"packs": ["house"], "house": {"caps": [{"limit": 1, "days": 7}]}}, 201)
    at = MONDAY.isoformat()
    await desk.post("/v1/contacts", "crm", {"party_id": "p1", "case_id": "c1", "at": at, "channel": "call"})
    for moment, said in ((MONDAY - HOUR, "allow"), (MONDAY + HOUR, "deny")):
        ask = {"case_id": "c1", "party_id": "p1", "number": MOBILE, "at": moment.isoformat()}
        assert (await desk.post("/v1/policies/what-if", "chen", ask, status=200))["verdict"] == said


async def test_a_preview_tells_what_the_change_would_have_denied_last_month(desk: Service) -> None:
    allowed = [await _clicked(desk, MONDAY + index * DAY) for index in range(3)]
    await _clicked(desk, MONDAY + 12 * HOUR)  # denied at night
    await _clicked(desk, MONDAY - 40 * DAY)  # longer ago than a month
    told = {"party_id": "p1", "case_id": "c1", "at": (MONDAY - 20 * DAY).isoformat(), "channel": "call"}
    await desk.post("/v1/contacts", "crm", told)
    with time_machine.travel(MONDAY + 5 * DAY, tick=False):
        narrow = {"packs": ["cn-outsourcing"], "house": {"hours": "14:00-18:00"}}
        found = await desk.post("/v1/policies/bank/preview", "root", narrow, status=200)
        assert (found["judged"], found["denied"], found["allowed"], found["truncated"]) == (4, 3, 0, False)
        assert found["by_rule"] == [{"rule": "house/hours", "calls": 3}]
        assert {one["decision_id"] for one in found["examples"]} == set(allowed)
        wide = await desk.post("/v1/policies/bank/preview", "root", {"packs": [], "house": {}}, status=200)
        assert (wide["denied"], wide["allowed"]) == (0, 1)
        # A cap that looks further back than the rules of that day finds the contact of twenty days before.
        back = {"packs": [], "house": {"caps": [{"limit": 1, "days": 30}]}}
        assert (await desk.post("/v1/policies/bank/preview", "root", back, status=200))["denied"] == 3
    await desk.post("/v1/policies/bank/preview", "root", {"packs": ["none"]}, status=422)
    await desk.post("/v1/policies/bank/preview", "li", {"packs": []}, status=403)
    await desk.add("wu", "supervisor", clients=["other"])
    await desk.post("/v1/policies/bank/preview", "wu", {"packs": []}, status=403)


async def test_the_rule_packs_say_who_can_lift_each_rule_in_both_languages(desk: Service) -> None:
    listed = await desk.get("/v1/rule-packs", "li")
    house = next(pack for pack in listed if pack["id"] == "house")
    cease = next(rule for rule in house["rules"] if rule["id"] == "house/cease")
    assert cease["lift"]["en"].startswith("Only the party")
    assert {"en", "zh"} == set(cease["text"])
    assert house["in_force"]


OVERRIDE = {"case_id": "c1", "number": MOBILE, "reason": "asked for a call at night"}


async def test_the_overrides_and_the_calls_that_came_of_them(desk: Service) -> None:
    night = MONDAY + 12 * HOUR
    with time_machine.travel(night, tick=False):
        body = OVERRIDE | {"expires_at": (night + HOUR).isoformat()}
        granted = await desk.post("/v1/overrides", "chen", body)
        call_id = await finished_call(desk.database, night)
        shown = {"by": "chen", "reason": body["reason"], "rules": ["cn-outsourcing/hours"]}
        async with desk.database.write() as transaction:
            used = shown | {"expires_at": (night + HOUR).astimezone(UTC).isoformat()}
            await transaction.execute(update(calls).values(override=used))
        (entry,) = (await desk.get("/v1/overrides?active=true&case_id=c1", "chen"))["items"]
        assert (entry["id"], entry["client"], entry["calls"]) == (granted["id"], "bank", [call_id])
    with time_machine.travel(night + 2 * HOUR, tick=False):
        assert (await desk.get("/v1/overrides?active=true", "chen"))["items"] == []
        assert len((await desk.get("/v1/overrides", "root"))["items"]) == 1
    await desk.get("/v1/overrides", "li", 403)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"state": "settled"}, "house/settled"),
        ({"parties": [party("p1", cease_at="2026-01-01T00:00:00Z")]}, "house/cease"),
        ({"parties": [party("p1", deceased=True)]}, "house/deceased"),
    ],
)
async def test_no_override_is_granted_over_a_hard_rule(desk: Service, change: dict[str, Any], rule: str) -> None:
    await desk.put("/v1/cases/c1", "crm", case(**change))
    with time_machine.travel(MONDAY, tick=False):
        body = OVERRIDE | {"expires_at": (MONDAY + HOUR).isoformat()}
        problem = await desk.post("/v1/overrides", "chen", body, status=403)
    assert (problem["type"], problem["rule"]) == ("/problems/hard-prohibition", rule)
    assert await desk.journal("override.granted") == []


async def test_a_hard_rule_that_ends_before_the_override_does_not_stand_in_its_way(desk: Service) -> None:
    closed = [{"from": "11:00", "to": "13:00"}]
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1", inconvenient=closed)]))
    with time_machine.travel(MONDAY, tick=False):
        for hours, status in ((0.5, 403), (3, 201)):
            body = OVERRIDE | {"expires_at": (MONDAY + hours * HOUR).isoformat()}
            await desk.post("/v1/overrides", "chen", body, status=status)


def _made(*days: float, talked: bool = False) -> list[tuple[datetime, bool]]:
    return [(MONDAY + day * DAY, talked) for day in days]


@pytest.mark.parametrize(
    ("day", "made", "reachable", "expected"),
    [
        (0, _made(), True, [("S43", 1, 0, 2 / 24), ("S44", 1, 0, 2), ("S2", 3, 0, 3)]),
        (1, _made(0.1), True, [("S2", 3, 1, 5)]),
        (1, _made(0.1, 0.2, 0.3), True, []),
        (8, _made(1, 2, 3), True, [("S3", 2, 0, 15), ("S4", 3, 0, 10)]),
        (8, _made(1, 2, 3, talked=True), True, [("S4", 3, 0, 10)]),
        (8, _made(1, 2, 3, 7.5), False, [("S4", 4, 1, 11), ("S3", 2, 1, 22)]),
        (40, _made(1, 36, 37, 38), True, []),
        (40, _made(1, 36, 37, 38), False, [("S4", 4, 3, 42)]),
    ],
)
def test_the_targets_of_a_case(
    day: float, made: list[tuple[datetime, bool]], reachable: bool, expected: list[tuple[str, int, int, float]]
) -> None:
    found = targets(MONDAY, reachable, made, MONDAY + day * DAY)
    told = [(one.source, one.wanted, one.made, one.due_at) for one in found]
    assert sorted(told) == sorted((source, wanted, had, MONDAY + due * DAY) for source, wanted, had, due in expected)


async def test_what_is_due_today_and_never_against_a_rule(desk: Service) -> None:
    with time_machine.travel(MONDAY + 2 * DAY, tick=False):
        (due,) = (await desk.get("/v1/work/due?mine=true", "li"))["items"]
        assert (due["case_id"], due["number"], due["allowed_now"], due["overdue"]) == ("c1", MOBILE, True, True)
        assert [target["source"] for target in due["targets"]] == ["S43", "S44", "S2"]
        await desk.put("/v1/policies/bank", "root", {"packs": ["house"], "house": {"hours": "18:00-19:00"}}, 201)
        (later,) = (await desk.get("/v1/work/due", "chen"))["items"]
        assert (later["allowed_now"], later["retry_at"]) == (False, "2026-06-03T10:00:00Z")
        await desk.put("/v1/policies/bank", "root", {"packs": ["house"], "house": {"caps": [{"limit": 0, "days": 1}]}})
        assert (await desk.get("/v1/work/due", "chen"))["items"] == []
        await desk.put("/v1/policies/bank", "root", {"packs": ["house"]})
        await desk.post("/v1/cases/c1/state", "chen", {"action": "suspend", "reason": "asked"}, status=200)
        assert (await desk.get("/v1/work/due", "chen"))["items"] == []


async def test_a_call_takes_a_case_off_the_list_of_the_day(desk: Service) -> None:
    with time_machine.travel(MONDAY, tick=False):
        assert len((await desk.get("/v1/work/due", "li"))["items"]) == 1
        await finished_call(desk.database, MONDAY - HOUR, calling_customer_at=MONDAY - HOUR)
        assert (await desk.get("/v1/work/due", "li"))["items"] == []
