"""Complaints: opened they stop the calling, closed they wait for the instruction, resumed it is somebody else's case."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config import clock
from tests.support.api import Service
from tests.support.desk import case, finished_call, party

NOON_IN_SHANGHAI = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
COMPLAINT = {"case_id": "c1", "severity": "serious", "text": "called my mother"}


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case of collector li's, and colleagues of two teams."""
    await service.add("crm", "crm")
    await service.add("li", "collector", team="north")
    await service.add("zhao", "collector", team="north")
    await service.add("chen", "supervisor", team="north")
    await service.add("sun", "supervisor", team="south")
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    return service


async def rule_of(desk: Service, user: str) -> str | None:
    with time_machine.travel(NOON_IN_SHANGHAI, tick=False):
        return (await desk.get("/v1/cases/c1", user))["parties"][0]["numbers"][0]["rule"]


async def test_the_way_of_a_complaint_from_opening_to_another_collector(desk: Service) -> None:
    assert await rule_of(desk, "li") is None
    opened = await desk.post("/v1/complaints", "li", COMPLAINT)
    assert (opened["state"], opened["former_agent"], opened["opened_by"]) == ("open", "li", "li")
    assert (await desk.get("/v1/cases/c1", "li"))["complaint"]["state"] == "open"
    assert await rule_of(desk, "zhao") == "house/complaint-open"
    path = f"/v1/complaints/{opened['id']}"
    await desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "zhao"}, status=409)
    closed = await desk.post(f"{path}/close", "chen", {"ruling": "unjustified: the mother answered"}, status=200)
    assert closed["state"] == "closed"
    assert await rule_of(desk, "zhao") == "house/complaint-not-instructed"
    await desk.post(f"{path}/close", "chen", {"ruling": "again"}, status=409)
    problem = await desk.post(f"{path}/instruct", "chen", {"resume": True}, status=422)
    assert problem["errors"][0]["field"] == "assign_to"
    await desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "nobody"}, status=422)
    resumed = await desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "zhao"}, status=200)
    assert (resumed["instructed"], resumed["assigned_to"]) == (True, "zhao")
    assert (await desk.get("/v1/cases/c1", "zhao"))["collector"] == "zhao"
    assert await rule_of(desk, "zhao") is None
    assert await rule_of(desk, "li") == "house/complaint-former-agent"
    entries = await desk.journal(
        "complaint.opened", "complaint.closed", "complaint.instructed", "case.suspended", "case.resumed"
    )
    assert [entry.kind for entry in entries] == [
        "complaint.opened", "case.suspended", "complaint.closed", "complaint.instructed", "case.resumed",
    ]  # fmt: skip
    assert {entry.data["complaint_id"] for entry in entries} == {opened["id"]}


async def test_an_instruction_not_to_resume_keeps_the_calling_stopped(desk: Service) -> None:
    opened = await desk.post("/v1/complaints", "li", COMPLAINT)
    path = f"/v1/complaints/{opened['id']}"
    await desk.post(f"{path}/close", "chen", {"ruling": "justified"}, status=200)
    await desk.post(f"{path}/instruct", "chen", {"resume": False}, status=200)
    assert await rule_of(desk, "zhao") == "house/complaint-not-instructed"


async def test_a_complaint_on_a_call_is_about_who_made_that_call(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(days=1), agent="zhao")
    opened = await desk.post("/v1/complaints", "li", COMPLAINT | {"call_id": call_id})
    assert opened["former_agent"] == "zhao"
    await desk.put("/v1/cases/c2", "crm", case(parties=[party("p2")]), status=201)
    await desk.post("/v1/complaints", "li", COMPLAINT | {"case_id": "c2", "call_id": call_id}, status=404)


async def test_only_supervisors_close_and_only_for_their_team(desk: Service) -> None:
    opened = await desk.post("/v1/complaints", "li", COMPLAINT)
    path = f"/v1/complaints/{opened['id']}"
    await desk.post(f"{path}/close", "li", {"ruling": "mine"}, status=403)
    await desk.post(f"{path}/close", "sun", {"ruling": "not mine"}, status=404)
    await desk.get(path, "sun", status=404)
    assert (await desk.get("/v1/complaints", "sun"))["items"] == []
    assert [item["id"] for item in (await desk.get("/v1/complaints?state=open", "chen"))["items"]] == [opened["id"]]


async def test_of_two_supervisors_closing_at_once_one_is_told_that_it_was_done(desk: Service) -> None:
    await desk.add("wu", "supervisor", team="north")
    opened = await desk.post("/v1/complaints", "li", COMPLAINT)
    path, ruling = f"/v1/complaints/{opened['id']}/close", {"ruling": "done"}
    answers = await asyncio.gather(*(desk.ask("POST", path, user, json=ruling) for user in ("chen", "wu")))
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert len(await desk.journal("complaint.closed")) == 1


async def test_a_closing_can_be_undone(desk: Service) -> None:
    complaint = await desk.post("/v1/complaints", "chen", {"case_id": "c1", "severity": "general", "text": "t"})
    path = f"/v1/complaints/{complaint['id']}"
    await desk.post(f"{path}/reopen", "chen", {"reason": "r"}, status=409)
    await desk.post(f"{path}/close", "chen", {"ruling": "unjustified"}, status=200)
    await desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "zhao"}, status=200)
    reopened = await desk.post(f"{path}/reopen", "chen", {"reason": "a recording turned up"}, status=200)
    assert (reopened["state"], reopened["ruling"], reopened["instructed"]) == ("open", None, False)
    (entry,) = await desk.journal("complaint.reopened")
    assert (entry.data["reason"], entry.data["ruling"]) == ("a recording turned up", "unjustified")
    await desk.post(f"{path}/instruct", "chen", {"resume": True}, status=409)
    await desk.post(f"{path}/close", "chen", {"ruling": "justified"}, status=200)
