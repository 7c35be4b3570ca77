"""Reports made on their date: once, also by two processes and after an outage, kept as they were, mailed to those named."""

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import insert, select, update

from config.database import Database
from config.identifiers import new_id
from config.settings import Mail
from crm_bridge.clocks.tables import outbox
from crm_bridge.qa.tables import qa_reviews
from crm_bridge.reports.dates import PERIOD_REPORTS, following, period_with
from crm_bridge.reports.keeping import PeriodReports
from crm_bridge.reports.mailing import ReportMail
from crm_bridge.reports.tables import period_reports
from crm_bridge.workers import JournalReader
from telephony.tables import calls
from tests.support.api import Service
from tests.support.desk import case, finished_call, party

ZONE = "Asia/Shanghai"
MONDAY = datetime(2026, 6, 1, 1, tzinfo=UTC)  # nine o'clock there; week 2026-W23
DUE = datetime(2026, 6, 7, 23, tzinfo=UTC)  # the Monday after, seven o'clock there
DAY = timedelta(days=1)
HOSTILE = "=cmd|' /C calc'!A0"


@pytest.fixture
async def desk(service: Service) -> Service:
    """Two clients, a team with a collector and a supervisor, QA, the company."""
    for name, role, more in (
        ("crm", "crm", {}), ("li", "collector", {"team": "north"}), ("chen", "supervisor", {"team": "north"}),
        ("han", "supervisor", {}), ("qiu", "qa", {}), ("bank-qa", "qa", {"clients": ["bank"]}),
        ("root", "admin", {"email": "root@example.com", "language": "en"}),
    ):  # fmt: skip
        await service.add(name, role, **more)
    with time_machine.travel(MONDAY, tick=False):
        await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
        other = case(client="mill", collector="li", parties=[party("p2", "+8613800138002")])
        await service.put("/v1/cases/c2", "crm", other, status=201)
    return service


async def _tick(desk: Service, now: datetime, database: Database | None = None) -> int:
    with time_machine.travel(now, tick=False):
        return await PeriodReports(database or desk.database, ZONE).tick(now)


async def _complained(desk: Service, case_id: str = "c1", at: datetime = MONDAY) -> str:
    with time_machine.travel(at, tick=False):
        body = {"case_id": case_id, "severity": "general", "text": "rude", "category": "attitude"}
        return str((await desk.post("/v1/complaints", "li", body))["id"])


async def _kept(desk: Service, user: str = "root", **wanted: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    items: list[dict[str, Any]] = (await desk.get(f"/v1/period-reports?limit=200&{query}", user))["items"]
    return items


def test_periods_follow_one_another_without_a_gap() -> None:
    for report in PERIOD_REPORTS:
        day, period = date(2025, 12, 1), period_with(report, date(2025, 12, 1))
        while day < date(2027, 2, 1):
            here = period_with(report, day)
            assert here.first <= day < here.after
            if here != period:
                assert following(report, period.name) == here
                assert here.first == period.after
                period = here
            day += DAY
    assert period_with("complaints-weekly", date(2027, 1, 3)).name == "2026-W53"


async def test_a_week_is_reported_on_the_monday_after_once_with_each_client(desk: Service) -> None:
    assert await _tick(desk, MONDAY) == 0
    await _complained(desk)
    assert await _tick(desk, DUE - timedelta(minutes=1)) == 0
    assert [one["state"] for one in await _kept(desk, report="complaints-weekly")] == ["due"]
    assert await _tick(desk, DUE) == 3
    assert await _tick(desk, DUE + DAY) == 0
    weeks = await _kept(desk, report="complaints-weekly")
    made = {one["client"]: one for one in weeks if one["state"] == "made"}
    assert set(made) == {None, "bank", "mill"}
    assert {one["period"] for one in made.values()} == {"2026-W23"}
    assert [made[one]["figures"]["opened"] for one in (None, "bank", "mill")] == [1, 1, 0]
    assert [one["period"] for one in weeks if one["state"] == "due"] == ["2026-W24"]
    whole = await desk.get(f"/v1/period-reports/{made[None]['id']}", "han")
    by_kind = next(one for one in whole["sections"] if one["name"] == "by_category")
    assert [(row["category"], row["opened"], row["late"]) for row in by_kind["rows"]] == [("attitude", 1, 1)]
    entries = await desk.journal("report.made")
    assert [(entry.client, entry.data["period"]) for entry in entries] == [
        (None, "2026-W23"), ("bank", "2026-W23"), ("mill", "2026-W23"),
    ]  # fmt: skip


async def test_what_was_kept_stays_as_it_was(desk: Service) -> None:
    await _tick(desk, MONDAY)
    complaint = await _complained(desk)
    await _tick(desk, DUE)
    with time_machine.travel(DUE + timedelta(hours=1), tick=False):
        await desk.post(f"/v1/complaints/{complaint}/close", "chen", {"ruling": "unjustified"}, status=200)
    (kept,) = [one for one in await _kept(desk, report="complaints-weekly", client="bank") if one["state"] == "made"]
    assert (kept["figures"]["open"], kept["figures"]["closed"]) == (1, 0)
    with time_machine.travel(DUE + timedelta(hours=1), tick=False):
        live = await desk.get("/v1/complaint-reports/weekly?week=2026-W23", "han")
    assert (live["total"]["open"], live["total"]["closed"]) == (0, 1)


async def test_two_processes_make_each_report_once(desk: Service) -> None:
    await _tick(desk, MONDAY)
    other = Database(desk.database.url) if desk.database.is_postgres else desk.database
    try:
        with time_machine.travel(DUE, tick=False):
            one, two = PeriodReports(desk.database, ZONE), PeriodReports(other, ZONE)
            await asyncio.gather(*(clock.tick(DUE) for clock in (one, two, one, two)))
    finally:
        if other is not desk.database:
            await other.close()
    assert sorted((entry.client or "") for entry in await desk.journal("report.made")) == ["", "bank", "mill"]


async def test_one_that_was_claimed_by_a_process_that_died_is_made_by_the_next(desk: Service) -> None:
    await _tick(desk, MONDAY)
    async with desk.database.write() as transaction:  # claimed, and then killed
        await transaction.execute(
            update(period_reports)
            .where(period_reports.c.report == "complaints-weekly")
            .values(due_at=DUE + timedelta(minutes=10), attempts=1)
        )
    assert await _tick(desk, DUE + timedelta(minutes=9)) == 0
    assert await _tick(desk, DUE + timedelta(minutes=10)) == 3


async def test_after_an_outage_every_week_that_was_missed_is_made(desk: Service) -> None:
    await _tick(desk, MONDAY)
    await _complained(desk, at=MONDAY + 8 * DAY)
    await _tick(desk, DUE + 15 * DAY)
    made = [entry.data for entry in await desk.journal("report.made") if entry.data["report"] == "complaints-weekly"]
    assert sorted({data["period"] for data in made}) == ["2026-W23", "2026-W24", "2026-W25"]
    assert {data["period"]: data["figures"]["opened"] for data in made if data["figures"]["opened"]} == {"2026-W24": 1}


async def _reviewed(desk: Service, call_id: str, agent: str, score: float, finding: str, reviewer: str) -> None:
    values = {
        "id": new_id(MONDAY), "call_id": call_id, "agent": agent, "reviewer": reviewer, "form_id": "standard",
        "form_version": 1, "questions": [], "scores": {}, "score": score, "failed": ["lawful"] if score == 0 else [],
        "comment": HOSTILE, "finding": finding, "made_at": MONDAY,
    }  # fmt: skip
    async with desk.database.write() as transaction:
        await transaction.execute(insert(qa_reviews).values(**values))


async def test_the_months_quality_report_counts_each_reviewed_call_once(desk: Service) -> None:
    await _tick(desk, MONDAY)
    made = [await finished_call(desk.database, MONDAY + hour * timedelta(hours=1)) for hour in range(5)]
    await finished_call(desk.database, MONDAY, connected=False)
    await finished_call(desk.database, MONDAY + 40 * DAY)
    await _reviewed(desk, made[0], "li", 80, "minor", "qiu")
    await _reviewed(desk, made[0], "li", 40, "none", "chen")
    await _reviewed(desk, made[1], "li", 0, "major", "qiu")
    await _tick(desk, datetime(2026, 6, 30, 23, tzinfo=UTC))
    (month,) = [one for one in await _kept(desk, report="quality-monthly", client="bank") if one["state"] == "made"]
    assert month["period"] == "2026-06"
    assert month["figures"] == {
        "answered": 5, "reviewed": 2, "reviewed_rate": 0.4, "mean_score": 30.0, "minor": 1, "major": 1, "wanted_rate": 0.15,
    }  # fmt: skip
    whole = await desk.get(f"/v1/period-reports/{month['id']}", "bank-qa")
    teams = next(one for one in whole["sections"] if one["name"] == "by_team")["rows"]
    assert [(row["team"], row["reviewed"], row["failed_critical"]) for row in teams] == [("north", 2, 1)]
    findings = next(one for one in whole["sections"] if one["name"] == "findings")["rows"]
    assert sorted((row["agent"], row["finding"], row["comment"]) for row in findings) == [
        ("li", "major", HOSTILE), ("li", "minor", HOSTILE),
    ]  # fmt: skip


async def test_the_half_years_rating_is_the_mean_of_what_there_is(desk: Service) -> None:
    await _tick(desk, MONDAY)
    first = await finished_call(desk.database, MONDAY)
    await finished_call(desk.database, MONDAY + DAY)
    await _reviewed(desk, first, "li", 90, "none", "qiu")
    complaint = await _complained(desk)
    with time_machine.travel(MONDAY + timedelta(hours=1), tick=False):
        await desk.post(f"/v1/complaints/{complaint}/close", "chen", {"ruling": "no", "justified": False}, status=200)
    await _complained(desk, at=MONDAY + 2 * DAY)
    await _tick(desk, datetime(2026, 6, 30, 23, tzinfo=UTC))
    (half,) = [one for one in await _kept(desk, report="rating-half-yearly", client="bank") if one["state"] == "made"]
    assert half["period"] == "2026-H1"
    assert half["figures"]["rating"] == 70.0  # 90 for what was heard, 50 % of the complaints answered in time
    whole = await desk.get(f"/v1/period-reports/{half['id']}", "root")
    (team,) = next(one for one in whole["sections"] if one["name"] == "by_team")["rows"]
    assert (team["team"], team["complaints"], team["complaints_per_1000"], team["connect_rate"]) == (
        "north", 2, 1000.0, 1.0,
    )  # fmt: skip


async def test_a_file_holds_the_same_runs_nothing_and_is_journalled(desk: Service) -> None:
    await _tick(desk, MONDAY)
    made = await finished_call(desk.database, MONDAY)
    await _reviewed(desk, made, "li", 50, "minor", "qiu")
    await _tick(desk, datetime(2026, 6, 30, 23, tzinfo=UTC))
    (month,) = [one for one in await _kept(desk, report="quality-monthly", client="bank") if one["state"] == "made"]
    for form in ("csv", "xlsx"):
        answer = await desk.ask("GET", f"/v1/period-reports/{month['id']}?format={form}&language=zh", "qiu")
        assert answer.status == 200
        content = await answer.read()
        if form == "csv":
            cells = [cell for line in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in line]
            assert f"'{HOSTILE}" in cells
            assert "平均分" in cells
    taken = [(entry.actor, entry.data["format"]) for entry in await desk.journal("report.exported")]
    assert taken == [("qiu", "csv"), ("qiu", "xlsx")]


async def test_each_sees_the_reports_of_their_clients_and_a_team_sees_none(desk: Service) -> None:
    await _tick(desk, MONDAY)
    await _tick(desk, DUE)
    made = {one["client"]: one["id"] for one in await _kept(desk) if one["state"] == "made"}
    assert {one["client"] for one in await _kept(desk, "bank-qa")} == {"bank"}
    assert await _kept(desk, "chen") == []
    for user, client in (("bank-qa", "mill"), ("bank-qa", None), ("chen", "bank")):
        await desk.get(f"/v1/period-reports/{made[client]}", user, status=404)
    await desk.get("/v1/period-reports", "li", status=403)
    await desk.get("/v1/period-reports?report=moon", "root", status=422)
    (due,) = [one for one in await _kept(desk, report="quality-monthly")]
    await desk.get(f"/v1/period-reports/{due['id']}", "root", status=404)


async def _letters(desk: Service) -> list[tuple[str, str, str]]:
    """Have what was made written into the outbox: address, subject, body."""
    mail = ReportMail(Mail(host="localhost", sender="a@bank.example"), "https://calls.example", ZONE)
    reader = JournalReader(name="report mail", database=desk.database, subscribers=mail.subscribers)
    while await reader.read_on():
        pass
    async with desk.database.read() as connection:
        rows = await connection.execute(select(outbox).order_by(outbox.c.id))
        return [(row.address, row.subject, row.body) for row in rows]


async def test_it_is_mailed_to_the_company_and_to_whom_the_clients_settings_name(desk: Service) -> None:
    await desk.patch("/v1/users/qiu", "root", {"email": "qiu@example.com", "language": "zh"})
    given = {
        "client": "bank",
        "people": ["qiu"],
        "addresses": ["audit@bank.example"],
        "language": "en",
        "reason": "agreed",
    }
    await desk.put("/v1/report-mailings/complaints-weekly", "root", given)
    await _tick(desk, MONDAY)
    await _complained(desk)
    await _tick(desk, DUE)
    with time_machine.travel(DUE, tick=False):
        letters = await _letters(desk)
        assert await _letters(desk) == letters
    assert sorted((address, subject) for address, subject, _ in letters) == [
        ("audit@bank.example", "Weekly complaint report 2026-W23: bank"),
        ("qiu@example.com", "投诉周报 2026-W23: bank"),
        ("root@example.com", "Weekly complaint report 2026-W23: All clients"),
    ]
    body = next(body for address, _, body in letters if address == "audit@bank.example")
    assert "2026-06-01 – 2026-06-07" in body
    assert "Opened: 1" in body
    assert "https://calls.example/supervisor/reports?kept=" in body
    assert "rude" not in body
    (entry,) = await desk.journal("report.mailing_changed")
    assert (entry.actor, entry.client, entry.data["reason"], entry.data["before"]) == ("root", "bank", "agreed", None)


async def test_somebody_named_who_left_is_replaced_by_the_company_and_switched_off_is_off(desk: Service) -> None:
    await desk.patch("/v1/users/qiu", "root", {"email": "qiu@example.com"})
    await desk.put("/v1/report-mailings/complaints-weekly", "root", {"client": "bank", "people": ["qiu"]})
    await desk.put("/v1/report-mailings/complaints-weekly", "root", {"enabled": False})
    await desk.patch("/v1/users/qiu", "root", {"active": False})
    await _tick(desk, MONDAY)
    await _tick(desk, DUE)
    with time_machine.travel(DUE, tick=False):
        assert [address for address, *_ in await _letters(desk)] == ["root@example.com"]


async def test_bad_settings_are_refused_by_field(desk: Service) -> None:
    path = "/v1/report-mailings/complaints-weekly"
    for body, field in (
        ({"people": ["nobody"]}, "people"), ({"addresses": ["a@b\r\nBcc: c@d"]}, "addresses.0"),
        ({"language": "fr"}, "language"), ({"colour": "red"}, "colour"), ({"client": ""}, "client"),
    ):  # fmt: skip
        problem = await desk.put(path, "root", body, status=422)
        assert problem["errors"][0]["field"] == field
    await desk.put("/v1/report-mailings/moon", "root", {}, status=404)
    await desk.put(path, "han", {}, status=403)
    items = (await desk.get("/v1/report-mailings", "han"))["items"]
    assert [(one["report"], one["client"], one["usual"]) for one in items] == [
        (report, None, True) for report in PERIOD_REPORTS
    ]


async def test_what_a_moved_client_left_behind_is_still_reported(desk: Service) -> None:
    """A client whose cases are gone, but of whose calls the week knows."""
    await _tick(desk, MONDAY)
    call = await finished_call(desk.database, MONDAY, client="gone", case_id=None)
    async with desk.database.write() as transaction:
        await transaction.execute(update(calls).where(calls.c.id == call).values(party_id=None))
    await _tick(desk, DUE)
    assert "gone" in {one["client"] for one in await _kept(desk, report="complaints-weekly")}
