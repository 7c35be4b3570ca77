"""Deadlines, their rules, working calendars and the weekly report over HTTP: who sees what, and bad input by field."""

import csv
import io
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import time_machine

from crm_bridge.clocks.jobs import deadline_clock
from tests.support.api import Service
from tests.support.desk import case, party

ZONE = "Asia/Shanghai"
NOON = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # Monday 12:00 in Shanghai
COMPLAINT = {"case_id": "c1", "severity": "general", "text": "rude"}


@pytest.fixture
async def desk(service: Service) -> Service:
    """Two teams with a case each."""
    for name, role, fields in (
        ("crm", "crm", {}), ("li", "collector", {"team": "north"}), ("bai", "collector", {"team": "south"}),
        ("chen", "supervisor", {"team": "north"}), ("sun", "supervisor", {"team": "south"}), ("qian", "qa", {}),
        ("root", "admin", {}), ("guest", "qa", {"clients": ["other"]}),
    ):  # fmt: skip
        await service.add(name, role, **fields)
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    await service.put("/v1/cases/c2", "crm", case(collector="bai", parties=[party("p2")]), status=201)
    return service


async def seen(desk: Service, user: str, query: str = "") -> set[str]:
    """The (kind, case) pairs that a user sees."""
    return {f"{item['kind']} {item['case_id']}" for item in (await desk.get(f"/v1/deadlines{query}", user))["items"]}


async def test_everyone_sees_the_deadlines_that_are_theirs(desk: Service) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    await desk.post("/v1/complaints", "bai", COMPLAINT | {"case_id": "c2"})
    await desk.post("/v1/deadlines", "root", {"kind": "qa-finding", "text": "June", "client": "other"})
    answers = {"complaint-step", "complaint-answer"}
    assert await seen(desk, "li") == {"complaint-step c1"}
    nobodys = {"qa-finding None"}  # of no team
    assert await seen(desk, "chen") == {f"{kind} c1" for kind in answers} | nobodys
    assert await seen(desk, "sun") == {f"{kind} c2" for kind in answers} | nobodys
    assert await seen(desk, "guest") == {"qa-finding None"}
    assert len(await seen(desk, "root")) == 5
    assert await seen(desk, "root", "?kind=qa-finding") == {"qa-finding None"}
    assert await seen(desk, "root", "?case_id=c2&kind=complaint-step") == {"complaint-step c2"}
    assert await seen(desk, "bai", "?mine=true") == {"complaint-step c2"}


async def test_the_list_comes_in_pages_the_most_urgent_first(desk: Service) -> None:
    for index in range(5):
        await desk.post("/v1/deadlines", "qian", {"kind": "qa-finding", "text": f"finding {index}", "case_id": "c1"})
    found, cursor = [], ""
    while True:
        page = await desk.get(f"/v1/deadlines?limit=2&cursor={cursor}".replace("+", "%2B").replace("|", "%7C"), "qian")
        found += [item["text"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [f"finding {index}" for index in range(5)]
    for bad in ("nonsense", "2026-06-01T00:00:00|x", "|"):
        await desk.get(f"/v1/deadlines?cursor={bad}".replace("|", "%7C"), "qian", status=422)


async def test_a_major_matter_is_reported_done_and_kept_with_who_and_what(desk: Service) -> None:
    with time_machine.travel(NOON, tick=False):
        made = await desk.post("/v1/deadlines", "li", {"kind": "major-matter", "text": "police", "case_id": "c1"})
        assert datetime.fromisoformat(made["due_at"]) == NOON + timedelta(minutes=30)
        await desk.post("/v1/deadlines", "li", {"kind": "qa-finding", "text": "t"}, status=403)
    path = f"/v1/deadlines/{made['id']}"
    with time_machine.travel(NOON + timedelta(minutes=10), tick=False):
        await desk.post(f"{path}/done", "sun", {"reason": "not mine"}, status=404)
        done = await desk.post(f"{path}/done", "chen", {"reason": "told the company"}, status=200)
        assert (done["state"], done["ended_by"], done["ended_reason"]) == ("met", "chen", "told the company")
        problem = await desk.post(f"{path}/done", "root", {"reason": "again"}, status=409)
        assert (problem["by"], problem["reason"]) == ("chen", "told the company")
    assert [entry.actor for entry in await desk.journal("deadline.opened", "deadline.done")] == ["li", "chen"]


async def test_a_finding_that_is_not_told_in_a_day_goes_up(desk: Service) -> None:
    with time_machine.travel(NOON, tick=False):
        made = await desk.post("/v1/deadlines", "qian", {"kind": "qa-finding", "text": "threats", "case_id": "c1"})
    clock = deadline_clock(desk.database, ZONE)
    for hours in (20, 24, 26, 99):
        await clock.tick(NOON + timedelta(hours=hours))
    told = [
        (entry.kind, entry.data["told"])
        for entry in await desk.journal("deadline.warning", "deadline.missed", "deadline.escalated")
    ]
    assert told == [
        ("deadline.warning", ["qian"]),
        ("deadline.missed", ["qian", "chen"]),
        ("deadline.escalated", ["root"]),
    ]  # fmt: skip
    cancelled = await desk.post(f"/v1/deadlines/{made['id']}/cancel", "root", {"reason": "an error"}, status=200)
    assert (cancelled["state"], cancelled["ended_by"]) == ("missed", "root")


async def test_what_follows_its_subject_is_not_ended_by_hand(desk: Service) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    item = (await desk.get("/v1/deadlines?kind=complaint-step", "chen"))["items"][0]
    await desk.post(f"/v1/deadlines/{item['id']}/done", "chen", {"reason": "t"}, status=409)


async def test_a_rule_is_data_per_client(desk: Service) -> None:
    rules = (await desk.get("/v1/deadline-rules", "chen"))["items"]
    assert {"major-matter", "qa-finding", "first-call", "note", "retrieval"} <= {item["kind"] for item in rules}
    rule = {"within": 10, "unit": "minutes", "owner": "supervisor", "client": "bank"}
    await desk.put("/v1/deadline-rules/major-matter", "chen", rule, status=403)
    await desk.put("/v1/deadline-rules/nonsense", "root", rule, status=404)
    await desk.put("/v1/deadline-rules/major-matter", "root", rule | {"unit": "years"}, status=422)
    await desk.put("/v1/deadline-rules/major-matter", "root", rule | {"within": -1}, status=422)
    await desk.put("/v1/deadline-rules/major-matter", "root", rule)
    with time_machine.travel(NOON, tick=False):
        ours = await desk.post("/v1/deadlines", "li", {"kind": "major-matter", "text": "t", "case_id": "c1"})
        other = await desk.post("/v1/deadlines", "root", {"kind": "major-matter", "text": "t", "client": "other"})
    assert datetime.fromisoformat(ours["due_at"]) == NOON + timedelta(minutes=10)
    assert datetime.fromisoformat(other["due_at"]) == NOON + timedelta(minutes=30)


async def due(desk: Service, start: str, within: int, unit: str, client: str = "") -> str:
    query = f"start={start}%2B08:00&within={within}&unit={unit}&client={client}"
    answer = datetime.fromisoformat((await desk.get(f"/v1/working-calendar/due?{query}", "chen"))["due_at"])
    return answer.astimezone(timezone(timedelta(hours=8))).isoformat()


async def test_days_that_are_entered_move_what_is_due(desk: Service) -> None:
    assert await due(desk, "2026-10-09T17:00:00", 120, "working_minutes") == "2026-10-10T10:00:00+08:00"
    path = "/v1/working-calendar/days/CN/2026-10-10"
    await desk.put(path, "chen", {"working": False}, status=403)
    await desk.put(path, "root", {"working": False, "name": "we close"})
    assert await due(desk, "2026-10-09T17:00:00", 120, "working_minutes") == "2026-10-12T10:00:00+08:00"
    days = (await desk.get("/v1/working-calendar/days?year=2026", "chen"))["items"]
    assert [(day["day"], day["working"], day["name"], day["updated_by"]) for day in days] == [
        ("2026-10-10", False, "we close", "root")
    ]
    assert (await desk.ask("DELETE", path, "root")).status == 204
    assert (await desk.ask("DELETE", path, "root")).status == 404
    assert await due(desk, "2026-10-09T17:00:00", 2, "working_days") == "2026-10-13T00:00:00+08:00"
    assert len(await desk.journal("calendar.changed")) == 2


async def test_a_client_has_its_own_hours(desk: Service) -> None:
    hours = {"client": "bank", "zone": "America/New_York", "country": "US", "opens": "08:00", "closes": "20:00"}
    shown = await desk.put("/v1/working-calendar", "root", hours)
    assert (shown["zone"], shown["known_until"], shown["runs_out"]) == ("America/New_York", None, False)
    for bad in (
        {"zone": "Mars/Olympus"}, {"country": "XX"}, {"country": "CHINA"}, {"opens": "21:00"}, {"opens": "8"}, {"weekdays": []},
        {"weekdays": [7]}, {"closes": "25:00"},
    ):  # fmt: skip
        await desk.put("/v1/working-calendar", "root", hours | bad, status=422)
    start = "2026-03-06T19:00:00-05:00"  # Friday; the clocks change on Sunday
    query = f"start={start}&within=120&unit=working_minutes&client=bank"
    answer = await desk.get(f"/v1/working-calendar/due?{query}", "chen")
    assert datetime.fromisoformat(answer["due_at"]) == datetime.fromisoformat("2026-03-09T09:00:00-04:00")
    assert (await desk.get("/v1/working-calendar?client=other", "chen"))["zone"] == ZONE


async def test_a_calendar_that_runs_out_is_told_in_time(desk: Service) -> None:
    for moment, runs_out in (("2026-10-01", False), ("2026-11-15", True), ("2027-02-01", True)):
        with time_machine.travel(datetime.fromisoformat(f"{moment}T04:00:00+00:00"), tick=False):
            shown = await desk.get("/v1/working-calendar", "chen")
        assert (shown["known_until"], shown["runs_out"]) == ("2026-12-31", runs_out)
    await desk.put("/v1/working-calendar/days/CN/2027-02-20", "root", {"working": True, "name": "make-up"})
    with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
        assert (await desk.get("/v1/working-calendar", "chen"))["known_until"] == "2027-12-31"


@pytest.mark.parametrize("day", ["2026-13-01", "today", "2026-02-30"])
async def test_a_day_that_is_none_is_refused(desk: Service, day: str) -> None:
    await desk.put(f"/v1/working-calendar/days/CN/{day}", "root", {"working": True}, status=422)
    await desk.put("/v1/working-calendar/days/Narnia/2026-01-01", "root", {"working": True}, status=404)


async def reported(desk: Service) -> dict[str, Any]:
    """A week with a complaint answered in time, one late, one still open, and one of the week before."""
    ids = {}
    moments = (("old", -4, "general"), ("fine", 0, "general"), ("late", 1, "serious"), ("open", 2, "major"))
    for name, days, severity in moments:
        with time_machine.travel(NOON + timedelta(days=days), tick=False):
            text = "=cmd|' /C calc'!A0" if name == "fine" else name
            body = COMPLAINT | {"severity": severity, "text": text, "category": "attitude"}
            ids[name] = (await desk.post("/v1/complaints", "li", body))["id"]
    for name, after, justified in (("fine", timedelta(hours=1), False), ("late", timedelta(days=1, hours=5), True)):
        with time_machine.travel(NOON + after, tick=False):
            body = {"ruling": "r", "justified": justified}
            await desk.post(f"/v1/complaints/{ids[name]}/close", "chen", body, status=200)
    return ids


async def test_the_weekly_report_counts_what_happened(desk: Service) -> None:
    ids = await reported(desk)
    with time_machine.travel(NOON + timedelta(days=7), tick=False):
        report = await desk.get("/v1/complaint-reports/weekly", "chen")
        assert report["week"] == "2026-W23"
        assert (await desk.get("/v1/complaint-reports/weekly?week=2026-W22", "chen"))["total"]["opened"] == 1
        assert (await desk.get("/v1/complaint-reports/weekly", "sun"))["total"]["opened"] == 0
    assert [item["id"] for item in report["items"]] == [ids["fine"], ids["late"], ids["open"]]
    assert [item["in_time"] for item in report["items"]] == [True, False, False]
    assert report["total"] == {
        "opened": 3, "closed": 2, "open": 1, "in_time": 1, "late": 2, "justified": 1, "unjustified": 1, "escalations": 0,
        "median_minutes": 180.0, "longest_minutes": 300.0,
    }  # fmt: skip
    assert report["by"]["severity"]["serious"]["late"] == 1
    assert report["by"]["category"].keys() == {"attitude"}


async def test_the_report_is_a_file_and_a_document_too(desk: Service) -> None:
    ids = await reported(desk)
    with time_machine.travel(NOON + timedelta(days=7), tick=False):
        answer = await desk.ask("GET", "/v1/complaint-reports/weekly?format=csv", "chen")
        rows = list(csv.DictReader(io.StringIO((await answer.text()).lstrip("\ufeff"))))
        assert [(row["id"], row["in_time"]) for row in rows] == [
            (ids["fine"], "true"),
            (ids["late"], "false"),
            (ids["open"], "false"),
        ]
        assert answer.headers["Content-Disposition"] == 'attachment; filename="complaints-2026-W23.csv"'
        for language, title in (("en", "Complaints of the week"), ("zh", "投诉周报")):
            path = f"/v1/complaint-reports/weekly?format=html&language={language}"
            assert title in await (await desk.ask("GET", path, "chen")).text()
    for bad in ("2026-W54", "2026", "W23", "2026-W00", "9999-W60"):
        await desk.get(f"/v1/complaint-reports/weekly?week={bad}", "chen", status=422)
