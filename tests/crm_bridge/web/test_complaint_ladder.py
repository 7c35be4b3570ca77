"""A complaint on its ladder: steps, warnings and escalations by the clock, and two people who act at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from config.database import Database
from crm_bridge.clocks.deadline_clock import DeadlineClock
from crm_bridge.clocks.jobs import deadline_clock
from tests.support.api import Service
from tests.support.desk import case, finished_call, party

NOON = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # Monday 12:00 in Shanghai
ZONE = "Asia/Shanghai"
COMPLAINT = {"case_id": "c1", "severity": "general", "text": "called my mother", "category": "disclosure"}


@contextmanager
def at(minutes: float) -> Iterator[datetime]:
    """So many minutes after NOON."""
    moment = NOON + timedelta(minutes=minutes)
    with time_machine.travel(moment, tick=False):
        yield moment


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case of collector li's; two supervisors of the team, a manager without a team, and the company."""
    for name, role, team in (
        ("crm", "crm", None), ("li", "collector", "north"), ("zhao", "collector", "north"), ("chen", "supervisor", "north"),
        ("wu", "supervisor", "north"), ("han", "supervisor", None), ("root", "admin", None),
    ):  # fmt: skip
        await service.add(name, role, team=team)
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    return service


def clock_of(desk: Service) -> DeadlineClock:
    return deadline_clock(desk.database, ZONE)


async def opened(desk: Service, **fields: Any) -> dict[str, Any]:
    with at(0):
        answer: dict[str, Any] = await desk.post("/v1/complaints", "li", COMPLAINT | fields)
    return answer


async def run(desk: Service, until: float, database: Database | None = None) -> None:
    """Let the clock look every five minutes from NOON on."""
    clock = deadline_clock(database or desk.database, ZONE)
    for minute in range(0, int(until) + 1, 5):
        await clock.tick(NOON + timedelta(minutes=minute))


async def kinds(desk: Service) -> list[tuple[str, Any, Any]]:
    entries = await desk.journal("deadline.warning", "deadline.missed", "complaint.escalated")
    minutes = [round((entry.at - NOON).total_seconds() / 60) for entry in entries]
    return [
        (entry.kind, entry.data.get("step") or entry.data.get("from"), minute)
        for entry, minute in zip(entries, minutes, strict=True)
    ]


async def test_a_complaint_that_nobody_touches_goes_up_on_time_step_by_step(desk: Service) -> None:
    made = await opened(desk)
    assert (made["stage"], made["step"], [step["name"] for step in made["steps"]]) == (
        "collector", "collector", ["collector", "supervisor", "manager", "company"],
    )  # fmt: skip
    assert datetime.fromisoformat(made["answer_due_at"]) == NOON + timedelta(hours=8)
    await run(desk, 600)
    assert await kinds(desk) == [
        ("deadline.warning", "collector", 20), ("deadline.missed", "collector", 30),
        ("complaint.escalated", "collector", 30), ("deadline.warning", "supervisor", 90),
        ("deadline.missed", "supervisor", 120), ("complaint.escalated", "supervisor", 120),
        ("deadline.warning", "manager", 300), ("deadline.missed", "manager", 360),
        ("complaint.escalated", "manager", 360), ("deadline.warning", "answer", 420),
        ("deadline.warning", "company", 420), ("deadline.missed", "answer", 480), ("deadline.missed", "company", 480),
        ("complaint.escalated", "company", 480), ("complaint.escalated", "answer", 480),
        ("complaint.escalated", "company", 540), ("complaint.escalated", "company", 600),
    ]  # fmt: skip
    told = {entry.data["from"]: entry.data["told"] for entry in await desk.journal("complaint.escalated")}
    assert told == {
        "collector": ["chen", "wu"], "supervisor": ["han"], "manager": ["root"], "company": ["root"], "answer": ["root"],
    }  # fmt: skip
    found = await desk.get(f"/v1/complaints/{made['id']}", "chen")
    assert (found["stage"], found["state"]) == ("company", "open")
    assert [line["what"] for line in found["trail"]] == ["opened", *["escalated"] * 5, "reminded", "reminded"]


async def test_acting_in_time_hands_it_on_and_nothing_is_escalated(desk: Service) -> None:
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    with at(10):
        acted = await desk.post(f"{path}/act", "li", {"step": "collector", "text": "calmed"}, status=200)
    assert acted["stage"] == "supervisor"
    with at(100):
        acted = await desk.post(f"{path}/act", "chen", {"step": "supervisor", "text": "heard it, rang"}, status=200)
        assert acted["stage"] == "manager"
        await desk.post(f"{path}/act", "chen", {"step": "note", "text": "the bank asked"}, status=200)
    with at(110):
        closed = await desk.post(f"{path}/close", "chen", {"ruling": "unjustified", "justified": False}, status=200)
    assert (closed["stage"], closed["next_due_at"]) == ("instruction", None)
    await run(desk, 999)
    assert await desk.journal("deadline.missed", "complaint.escalated") == []
    states = {clock["step"]: clock["state"] for clock in closed["deadlines"]}
    assert states == {"answer": "met", "collector": "met", "supervisor": "met", "manager": "cancelled"}
    assert [(line["by"], line["what"], line["step"]) for line in closed["trail"]] == [
        ("li", "opened", None), ("li", "acted", "collector"), ("chen", "acted", "supervisor"), ("chen", "noted", None),
        ("chen", "closed", None),
    ]  # fmt: skip


async def test_a_supervisor_may_take_over_before_the_collector_acted(desk: Service) -> None:
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    with at(5):
        acted = await desk.post(f"{path}/act", "chen", {"step": "supervisor", "text": "mine"}, status=200)
    assert acted["stage"] == "manager"
    assert {clock["step"]: clock["state"] for clock in acted["deadlines"]}["collector"] == "cancelled"
    await run(desk, 200)
    assert await desk.journal("deadline.missed", "complaint.escalated") == []


async def test_a_missed_step_can_be_made_up_for_without_going_back(desk: Service) -> None:
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    await run(desk, 40)
    with at(45):
        acted = await desk.post(f"{path}/act", "li", {"step": "collector", "text": "late"}, status=200)
    assert acted["stage"] == "supervisor"
    late = next(clock for clock in acted["deadlines"] if clock["step"] == "collector")
    assert (late["state"], late["ended_by"]) == ("missed", "li")


async def test_an_escalation_is_told_once_also_by_two_processes_and_after_a_restart(desk: Service) -> None:
    await opened(desk)
    other = Database(desk.database.url) if desk.database.is_postgres else desk.database
    try:
        clocks = [deadline_clock(one, ZONE) for one in (desk.database, other)]
        for minutes in (30, 30, 120, 360, 480):
            moment = NOON + timedelta(minutes=minutes)
            await asyncio.gather(*(clock.tick(moment) for clock in clocks for _ in range(2)))
    finally:
        if other is not desk.database:
            await other.close()
    again = Database(desk.database.url) if desk.database.is_postgres else desk.database
    await deadline_clock(again, ZONE).tick(NOON + timedelta(hours=20))
    if again is not desk.database:
        await again.close()
    raised = [entry.data["from"] for entry in await desk.journal("complaint.escalated")]
    # At the restart the last step is told again, once.
    assert sorted(raised) == ["answer", "collector", "company", "company", "manager", "supervisor"]


async def test_after_a_long_outage_it_has_gone_up_all_the_way(desk: Service) -> None:
    await opened(desk)
    for _ in range(6):
        await clock_of(desk).tick(NOON + timedelta(hours=30))
    raised = [entry.data["from"] for entry in await desk.journal("complaint.escalated")]
    assert sorted(raised) == ["answer", "collector", "company", "manager", "supervisor"]


async def test_of_two_who_act_on_a_step_the_second_is_told_who_did_what_when(desk: Service) -> None:
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    body = {"step": "supervisor", "text": "heard it"}
    with at(3):
        answers = await asyncio.gather(*(desk.ask("POST", f"{path}/act", user, json=body) for user in ("chen", "wu")))
    assert sorted(answer.status for answer in answers) == [200, 409]
    problem = await next(answer for answer in answers if answer.status == 409).json()
    assert problem["by"] in ("chen", "wu")
    assert (problem["what"], problem["step"]) == ("acted", "supervisor")
    assert problem["by"] in problem["detail"]
    assert len(await desk.journal("complaint.acted")) == 1


async def test_a_decision_on_a_state_that_is_gone_is_refused(desk: Service) -> None:
    made = await opened(desk)
    path = f"/v1/complaints/{made['id']}"
    with at(3):
        note = {"step": "note", "text": "the bank rang", "revision": made["revision"]}
        noted = await desk.post(f"{path}/act", "wu", note, status=200)
        problem = await desk.post(f"{path}/close", "chen", {"ruling": "r", "revision": made["revision"]}, status=409)
        assert (problem["by"], problem["what"], problem["revision"]) == ("wu", "noted", noted["revision"])
        await desk.post(f"{path}/close", "chen", {"ruling": "r", "revision": noted["revision"]}, status=200)
        problem = await desk.post(f"{path}/close", "wu", {"ruling": "other"}, status=409)
        assert (problem["by"], problem["what"]) == ("chen", "closed")


async def test_every_decision_can_be_undone_and_the_clocks_run_as_before(desk: Service) -> None:
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    why = {"reason": "by mistake"}
    with at(5):
        await desk.post(f"{path}/act", "li", {"step": "collector", "text": "calmed"}, status=200)
        await desk.post(f"{path}/close", "chen", {"ruling": "unjustified"}, status=200)
        await desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "zhao"}, status=200)
        await desk.post(f"{path}/instruct", "wu", {"resume": True, "assign_to": "zhao"}, status=409)
    with at(6):
        undone = await desk.post(f"{path}/undo", "chen", why, status=200)
        assert (undone["stage"], undone["assigned_to"], undone["collector"]) == ("instruction", None, "li")
        undone = await desk.post(f"{path}/undo", "chen", why, status=200)
        assert (undone["stage"], undone["ruling"]) == ("supervisor", None)
        undone = await desk.post(f"{path}/undo", "chen", why, status=200)
        assert undone["stage"] == "collector"
        await desk.post(f"{path}/undo", "chen", why, status=409)
        await desk.post(f"{path}/undo", "li", why, status=403)
    await run(desk, 125)
    raised = [entry.data["from"] for entry in await desk.journal("complaint.escalated")]
    assert raised == ["collector", "supervisor"]
    found = await desk.get(path, "chen")
    assert [line["what"] for line in found["trail"] if line["undone_at"]] == ["acted", "closed", "instructed"]


async def test_a_complaint_stops_every_case_of_its_person_also_those_that_come_later(desk: Service) -> None:
    await desk.put("/v1/cases/c2", "crm", case(client="other", collector="li"), status=201)
    await desk.put("/v1/cases/c3", "crm", case(parties=[party("p9", "+8613900139000")]), status=201)
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    await desk.put("/v1/cases/c4", "crm", case(collector="li"), status=201)

    async def rules() -> list[str | None]:
        with at(1):
            found = [await desk.get(f"/v1/cases/{name}", "zhao") for name in ("c1", "c2", "c3", "c4")]
        return [one["parties"][0]["numbers"][0]["rule"] for one in found]

    stopped = "house/complaint-open"
    assert await rules() == [stopped, stopped, None, stopped]
    assert [entry.case_id for entry in await desk.journal("case.suspended")] == ["c1", "c2"]
    with at(2):
        await desk.post(f"{path}/close", "chen", {"ruling": "unjustified"}, status=200)
        resumed = await desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "zhao"}, status=200)
    assert resumed["collector"] == "zhao"
    assert await rules() == [None, None, None, None]
    assert [entry.case_id for entry in await desk.journal("case.resumed")] == ["c1", "c2", "c4"]
    assert (await desk.get("/v1/cases/c2", "zhao"))["collector"] == "zhao"


async def test_a_major_complaint_goes_to_the_manager_at_once_and_is_a_major_matter(desk: Service) -> None:
    made = await opened(desk, severity="major")
    assert made["stage"] == "manager"
    matter = next(clock for clock in made["deadlines"] if clock["kind"] == "major-matter")
    assert datetime.fromisoformat(matter["due_at"]) == NOON + timedelta(minutes=30)
    with at(20):
        acted = await desk.post(
            f"/v1/complaints/{made['id']}/act", "han", {"step": "manager", "text": "rang"}, status=200
        )
    assert {clock["kind"]: clock["state"] for clock in acted["deadlines"]}["major-matter"] == "met"
    await run(desk, 59)
    assert await desk.journal("deadline.missed") == []


async def test_a_ladder_is_data_and_holds_for_what_is_opened_from_now_on(desk: Service) -> None:
    before = await opened(desk)
    ladder = {
        "client": "bank",
        "answer": {"within": 600, "unit": "working_minutes"},
        "steps": [
            {"name": "desk", "role": "supervisor", "within": 60, "unit": "working_minutes", "people": ["wu"]},
            {"name": "board", "role": "company", "within": 600, "unit": "working_minutes"},
        ],
    }
    await desk.put("/v1/complaint-ladders/general", "chen", ladder, status=403)
    await desk.put("/v1/complaint-ladders/tiny", "root", ladder, status=404)
    twice = {**ladder, "steps": [ladder["steps"][0]] * 2}  # type: ignore[index]  # a list of steps
    await desk.put("/v1/complaint-ladders/general", "root", twice, status=422)
    await desk.put("/v1/complaint-ladders/general", "root", ladder)
    with time_machine.travel(
        datetime(2026, 10, 9, 9, 30, tzinfo=UTC), tick=False
    ):  # Friday 17:30, then a make-up Saturday
        made = await desk.post("/v1/complaints", "li", COMPLAINT)
    due = {clock["step"]: datetime.fromisoformat(clock["due_at"]) for clock in made["deadlines"]}
    assert due["desk"] == datetime(2026, 10, 10, 1, 30, tzinfo=UTC)  # Saturday 09:30
    assert due["answer"] == datetime(2026, 10, 12, 1, 30, tzinfo=UTC)  # 0:30 + 9:00 on Saturday + 0:30 on Monday
    await clock_of(desk).tick(datetime(2026, 10, 10, 1, 29, 59, tzinfo=UTC))
    assert [entry.data["complaint_id"] for entry in await desk.journal("complaint.escalated")] == [before["id"]] * 2
    await clock_of(desk).tick(datetime(2026, 10, 10, 1, 30, tzinfo=UTC))
    raised = [entry for entry in await desk.journal("complaint.escalated") if entry.data["complaint_id"] == made["id"]]
    assert [(entry.data["from"], entry.data["to"], entry.data["told"]) for entry in raised] == [
        ("desk", "board", ["root"])
    ]
    assert (await desk.get(f"/v1/complaints/{before['id']}", "chen"))["steps"][0]["name"] == "collector"


async def test_a_step_named_for_somebody_who_left_goes_to_the_others_of_the_role_and_says_so(desk: Service) -> None:
    ladder = {
        "answer": {"within": 480},
        "steps": [
            {"name": "collector", "role": "collector", "within": 30},
            {"name": "supervisor", "role": "supervisor", "within": 120, "people": ["wu"]},
        ],
    }
    await desk.put("/v1/complaint-ladders/general", "root", ladder)
    await desk.patch("/v1/users/wu", "root", {"active": False})
    await opened(desk)
    await run(desk, 31)
    (entry,) = await desk.journal("complaint.escalated")
    assert (entry.data["told"], entry.data["note"]) == (["chen"], "wu has left: told chen")
    await desk.patch("/v1/users/chen", "root", {"active": False})
    await run(desk, 120)
    missed = [entry for entry in await desk.journal("deadline.missed") if entry.data["step"] == "supervisor"]
    assert missed[0].data["told"] == ["han"]


async def test_only_whose_step_it_is_may_act_and_on_known_steps(desk: Service) -> None:
    path = f"/v1/complaints/{(await opened(desk))['id']}"
    with at(1):
        await desk.post(f"{path}/act", "li", {"step": "supervisor", "text": "t"}, status=403)
        problem = await desk.post(f"{path}/act", "chen", {"step": "boss", "text": "t"}, status=422)
        assert "collector, supervisor, manager, company, note" in problem["detail"]
        await desk.post(f"{path}/act", "chen", {"step": "supervisor", "text": ""}, status=422)
        await desk.post(f"{path}/act", "crm", {"step": "supervisor", "text": "t"}, status=403)
        await desk.post("/v1/complaints/nothing/act", "chen", {"step": "supervisor", "text": "t"}, status=404)


async def test_who_heard_and_who_rang_is_shown(desk: Service) -> None:
    call_id = await finished_call(desk.database, NOON - timedelta(days=1), agent="li")
    made = await opened(desk, call_id=call_id, at_second=42.5, party_id="p1")
    assert (made["at_second"], made["party_id"], made["category"]) == (42.5, "p1", "disclosure")
    later = NOON + timedelta(minutes=9)
    rang = await finished_call(desk.database, later, agent="chen", role="supervisor", purpose="complaint")
    found = await desk.get(f"/v1/complaints/{made['id']}", "chen")
    assert [(call["call_id"], call["by"]) for call in found["called"]] == [(rang, "chen")]
    assert found["heard"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"severity": "huge"}, {"text": ""}, {"at_second": -1}, {"at_second": "NaN"}, {"category": "x"}, {"extra": 1},
        {"case_id": "c1\x00"},
    ],
)  # fmt: skip
async def test_bad_input_is_refused_by_field(desk: Service, fields: dict[str, Any]) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT | fields, status=422)


async def test_an_unknown_call_or_party_is_not_found(desk: Service) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT | {"call_id": "0" * 32}, status=404)
    await desk.post("/v1/complaints", "li", COMPLAINT | {"party_id": "nobody"}, status=404)
