"""Reminders of promises, call-backs, ends of mandates and imports; each told once, gone when it is over."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from config import clock
from crm_bridge.clocks.deadline_rules import shipped
from crm_bridge.clocks.jobs import deadline_clock
from crm_bridge.clocks.tables import deadlines
from crm_bridge.clocks.working_time import WorkingTime
from crm_bridge.notes.clocks import MandateEnds, NoteClocks, reminder
from crm_bridge.workers import JournalReader
from tests.support.api import Service
from tests.support.desk import case, finished_call, party

ZONE = "Asia/Shanghai"
MONDAY = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai


@pytest.fixture
def moved() -> Iterator[time_machine.Traveller]:
    """The clock stands at Monday."""
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
async def desk(moved: time_machine.Traveller, service: Service) -> Service:
    """A case of li's whose mandate ends in June."""
    await service.add("crm", "crm")
    await service.add("li", "collector")
    await service.add("chen", "supervisor")
    await service.put("/v1/cases/c1", "crm", case(collector="li", mandate_until="2026-06-19"), status=201)
    return service


async def said(desk: Service, **body: Any) -> str:
    """A finished call with a disposition, and the reaction to it."""
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=5))
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", {"action_code": "OTHER", "note": "n", **body})
    await followed(desk)
    return call_id


async def followed(desk: Service) -> None:
    reader = JournalReader("reminders", desk.database, NoteClocks(ZONE).subscribers)
    while await reader.read_on():
        pass


async def told(desk: Service) -> list[tuple[str, str]]:
    """Fire what is due, and what was told by then."""
    await deadline_clock(desk.database, ZONE).tick(clock.now())
    entries = await desk.journal("deadline.warning", "deadline.missed")
    return [(entry.kind, entry.data["deadline"]) for entry in entries]


async def rows(desk: Service) -> list[Any]:
    async with desk.database.read() as connection:
        return list((await connection.execute(select(deadlines).order_by(deadlines.c.due_at))).all())


async def test_a_promise_is_reminded_of_on_the_workday_before_at_nine(
    desk: Service, moved: time_machine.Traveller
) -> None:
    await said(desk, promise={"on": "2026-06-10", "amount": "500"})
    (row,) = await rows(desk)
    assert (row.kind, row.owner, row.case_id) == ("promise", "li", "c1")
    assert row.warn_at == datetime(2026, 6, 9, 1, 0, tzinfo=UTC)
    assert row.due_at == datetime(2026, 6, 10, 16, 0, tzinfo=UTC)
    assert await told(desk) == []
    moved.move_to(row.warn_at)
    assert await told(desk) == await told(desk) == [("deadline.warning", "promise")]
    moved.move_to(row.due_at)
    assert (await told(desk))[-1] == ("deadline.missed", "promise")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-06-15", datetime(2026, 6, 12, 1, tzinfo=UTC)),  # a Monday: on the Friday before
        ("2026-06-22", datetime(2026, 6, 18, 1, tzinfo=UTC)),  # after the Dragon Boat Festival of 19 to 21 June
        ("2026-06-02", datetime(2026, 6, 2, 1, tzinfo=UTC)),  # tomorrow: in the morning of that day
        ("2026-06-01", None),  # today, and it is past nine
    ],
)
def test_the_reminder_falls_on_a_day_that_people_work(day: str, expected: datetime | None) -> None:
    calendar = WorkingTime(ZONE)
    due = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(hours=16)
    assert reminder(due, shipped()["promise"], calendar, MONDAY) == expected


async def test_a_call_back_is_reminded_of_a_quarter_of_an_hour_before_and_gone_when_done(
    desk: Service, moved: time_machine.Traveller
) -> None:
    at = MONDAY + timedelta(hours=3)
    await said(desk, call_back={"at": at.isoformat()})
    moved.move_to(at - timedelta(minutes=15))
    assert await told(desk) == [("deadline.warning", "call-back")]
    (one,) = (await desk.get("/v1/commitments", "li"))["items"]
    await desk.post(f"/v1/commitments/{one['id']}/close", "li", {"state": "done"}, status=200)
    await followed(desk)
    moved.move_to(at + timedelta(hours=1))
    assert await told(desk) == [("deadline.warning", "call-back")]
    assert [row.state for row in await rows(desk)] == ["met"]


async def test_a_promise_that_is_withdrawn_reminds_nobody(desk: Service, moved: time_machine.Traveller) -> None:
    call_id = await said(desk, promise={"on": "2026-06-10"})
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", {"action_code": "OTHER", "note": "a mistake"})
    await followed(desk)
    moved.move_to(MONDAY + timedelta(days=30))
    assert await told(desk) == []
    assert [row.state for row in await rows(desk)] == ["cancelled"]


async def test_the_end_of_a_mandate_is_told_a_week_before_once(desk: Service, moved: time_machine.Traveller) -> None:
    ends = MandateEnds(desk.database, ZONE)
    assert await ends.tick(clock.now()) == 1
    assert await ends.tick(clock.now()) == 0
    (row,) = await rows(desk)
    assert (row.kind, row.due_at) == ("mandate-end", datetime(2026, 6, 19, 16, tzinfo=UTC))
    assert row.warn_at == datetime(2026, 6, 12, 16, tzinfo=UTC) - timedelta(days=1)  # the 13th is a Saturday
    moved.move_to(row.warn_at)
    assert await told(desk) == await told(desk) == [("deadline.warning", "mandate-end")]
    await desk.put("/v1/cases/c1", "crm", case(mandate_until="2026-06-30"))
    await followed(desk)
    assert await ends.tick(clock.now()) == 1
    assert [row.state for row in await rows(desk) if row.text == "2026-06-30"] == ["open"]
    await desk.post("/v1/cases/c1/state", "chen", {"action": "return", "reason": "asked for"}, status=200)
    await followed(desk)
    assert await ends.tick(clock.now()) == 0
    assert [row for row in await rows(desk) if row.state == "open"] == []


async def test_hundreds_of_mandates_that_end_on_one_day_are_all_told(desk: Service) -> None:
    for number in range(203):
        given = case(mandate_until="2026-06-05", parties=[party(f"p{number}")])
        await desk.put(f"/v1/cases/m{number}", "crm", given, status=201)
    assert await MandateEnds(desk.database, ZONE).tick(clock.now()) == 204


async def test_a_file_that_nobody_confirms_within_the_hour_is_missed(
    desk: Service, moved: time_machine.Traveller
) -> None:
    from tests.support.imports import csv_file, line, sent

    found, other = [await sent(desk, csv_file(line("A1"))) for _ in range(2)]
    await followed(desk)
    await desk.post(f"/v1/imports/{other['id']}/extend", "chen", {"reason": "their line is down"}, status=200)
    await desk.post(f"/v1/imports/{found['id']}/cancel", "chen", {"reason": "the wrong file"}, status=200)
    await followed(desk)
    moved.move_to(MONDAY + timedelta(hours=2))
    assert await told(desk) == []
    moved.move_to(MONDAY + timedelta(hours=3))
    assert await told(desk) == [("deadline.missed", "import")]
