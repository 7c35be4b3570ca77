"""The work plan's clocks follow what happens: cases come in, calls go out, notes are written, calling stops and goes on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.engine import Row

from config.journal import Entry
from crm_bridge.clocks.jobs import deadline_clock
from crm_bridge.clocks.tables import deadlines
from crm_bridge.clocks.work_clocks import WorkClocks
from crm_bridge.notes.notes import draft_note
from crm_bridge.workers import JournalReader
from tests.support.api import Service
from tests.support.desk import case, finished_call, party

ZONE = "Asia/Shanghai"
MORNING = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Plan:
    """The desk, the reader that moves the clocks, and the clock."""

    def __init__(self, desk: Service) -> None:
        self.desk = desk

    async def read(self) -> None:
        """Take in what happened."""
        reader = JournalReader(name="clocks", database=self.desk.database, subscribers=WorkClocks(ZONE).subscribers)
        while await reader.read_on():
            pass

    async def tick(self, now: datetime) -> None:
        """What happened, then the clock."""
        await self.read()
        await deadline_clock(self.desk.database, ZONE).tick(now)

    async def running(self, kind: str) -> list[Row[Any]]:
        """Those of a kind that are not over."""
        wanted = select(deadlines).where(deadlines.c.kind == kind, deadlines.c.ended_at.is_(None))
        async with self.desk.database.read() as connection:
            return list((await connection.execute(wanted.order_by(deadlines.c.due_at))).all())

    async def states(self, kind: str) -> list[str]:
        """The states of all of a kind, by due time."""
        wanted = select(deadlines.c.state).where(deadlines.c.kind == kind).order_by(deadlines.c.due_at)
        async with self.desk.database.read() as connection:
            return list(await connection.scalars(wanted))

    async def call(self, at: datetime, **columns: Any) -> str:
        """A call that went out and ended; the clocks are told."""
        call_id = await finished_call(self.desk.database, at, calling_customer_at=at, **columns)
        ended = at + timedelta(seconds=70)
        call = {"created_at": at.isoformat(), "calling_customer_at": at.isoformat(), "state": "ended"}
        data = {"call": call | {"outcome": "no_answer"}}
        entry = Entry(ended, "call.ended", "system", "bank", "li", "c1", call_id, data)
        async with self.desk.database.write() as transaction:
            transaction.journal(entry)
            await draft_note(transaction, entry)
        return call_id


@pytest.fixture
async def plan(service: Service) -> Plan:
    """A case that came in on Monday morning, collector li."""
    with time_machine.travel(MORNING - DAY, tick=False):
        for name, role, team in (
            ("crm", "crm", None), ("li", "collector", "north"), ("zhao", "collector", "north"),
            ("chen", "supervisor", "north"), ("root", "admin", None),
        ):  # fmt: skip
            await service.add(name, role, team=team)
    with time_machine.travel(MORNING, tick=False):
        await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    made = Plan(service)
    await made.read()
    return made


async def test_a_new_case_is_due_its_first_call_within_two_working_hours(plan: Plan) -> None:
    (first,) = await plan.running("first-call")
    (round_,) = await plan.running("first-round")
    assert (first.due_at, first.owner) == (MORNING + 2 * HOUR, "li")
    assert round_.due_at == MORNING + 2 * DAY
    with time_machine.travel(MORNING + 7 * HOUR, tick=False):  # 17:00
        await plan.desk.put("/v1/cases/c2", "crm", case(collector="li", parties=[party("p2")]), status=201)
    await plan.read()
    assert (await plan.running("first-call"))[-1].due_at == MORNING + DAY  # 10:00 on Tuesday


async def test_a_call_in_time_meets_it_also_when_it_is_known_late(plan: Plan) -> None:
    await plan.call(MORNING + HOUR)
    await plan.tick(MORNING + 3 * HOUR)
    assert (await plan.states("first-call"), await plan.states("first-round")) == (["met"], ["met"])
    assert await plan.desk.journal("deadline.missed") == []


async def test_a_first_call_that_is_not_made_goes_to_the_supervisors(plan: Plan) -> None:
    await plan.tick(MORNING + 2 * HOUR)
    (entry,) = await plan.desk.journal("deadline.missed")
    assert (entry.data["deadline"], entry.data["told"], entry.case_id) == ("first-call", ["li", "chen"], "c1")


async def test_the_floors_are_watched_call_by_call_and_week_by_week(plan: Plan) -> None:
    (next_call,) = await plan.running("cadence")
    assert next_call.due_at == MORNING + 3 * DAY  # S2: the first of three in seven days
    await plan.call(MORNING + HOUR)
    await plan.read()
    (next_call,) = await plan.running("cadence")
    assert next_call.due_at == MORNING + 5 * DAY
    await plan.tick(MORNING + 5 * DAY)
    assert await plan.states("cadence") == ["met", "missed", "open"]
    following = [row for row in await plan.running("cadence") if row.state == "open"]
    assert [row.due_at for row in following] == [MORNING + 10 * DAY]  # S4: the first of three in the second week


async def test_what_stops_the_calling_stops_its_clocks_and_resuming_starts_them_anew(plan: Plan) -> None:
    with time_machine.travel(MORNING + HOUR, tick=False):
        opened = await plan.desk.post("/v1/complaints", "li", {"case_id": "c1", "severity": "general", "text": "rude"})
    await plan.tick(MORNING + 30 * HOUR)
    kinds = {entry.data["deadline"] for entry in await plan.desk.journal("deadline.missed")}
    assert kinds.isdisjoint({"first-call", "first-round", "cadence"})
    path = f"/v1/complaints/{opened['id']}"
    with time_machine.travel(MORNING + 2 * DAY, tick=False):
        await plan.desk.post(f"{path}/close", "chen", {"ruling": "unjustified"}, status=200)
        await plan.desk.post(f"{path}/instruct", "chen", {"resume": True, "assign_to": "zhao"}, status=200)
    await plan.read()
    (first,) = await plan.running("first-call")
    (floor,) = await plan.running("cadence")
    assert (first.due_at, first.owner) == (MORNING + 2 * DAY + 2 * HOUR, "zhao")
    assert (floor.due_at, floor.owner) == (MORNING + 3 * DAY, "zhao")


async def test_the_clocks_go_with_the_case_to_another_collector(plan: Plan) -> None:
    with time_machine.travel(MORNING + HOUR, tick=False):
        await plan.desk.put("/v1/cases/c1", "crm", case(collector="zhao"))
    await plan.read()
    owners = {row.owner for kind in ("first-call", "first-round", "cadence") for row in await plan.running(kind)}
    assert owners == {"zhao"}


async def test_a_note_is_due_by_the_end_of_its_day(plan: Plan) -> None:
    first = await plan.call(MORNING + HOUR)
    await plan.call(MORNING + 2 * HOUR, party_id="p1")
    await plan.read()
    due = [(row.due_at, row.owner, row.warn_at) for row in await plan.running("note")]
    midnight = MORNING + 14 * HOUR
    assert due == [(midnight, "li", midnight - 6 * HOUR)] * 2
    async with plan.desk.database.write() as transaction:
        entry = Entry(MORNING + 3 * HOUR, "note.final", "li", "bank", "li", "c1", first, {"note_id": "n"})
        transaction.journal(entry)
    await plan.tick(midnight)
    assert sorted(await plan.states("note")) == ["met", "missed"]
    missed = [entry for entry in await plan.desk.journal("deadline.missed") if entry.data["deadline"] == "note"]
    assert [entry.data["told"] for entry in missed] == [["li", "chen"]]


async def test_what_somebody_who_left_had_to_do_falls_to_the_supervisors_and_that_is_said(plan: Plan) -> None:
    with time_machine.travel(MORNING + HOUR, tick=False):
        await plan.desk.patch("/v1/users/li", "root", {"active": False})
    await plan.read()
    (first,) = await plan.running("first-call")
    assert (first.owner, first.owner_role, first.team) == (None, "supervisor", "north")
    (entry,) = await plan.desk.journal("deadline.reassigned")
    assert entry.data["reason"] == "li has left"


async def test_read_again_from_the_beginning_nothing_is_doubled(plan: Plan) -> None:
    await plan.call(MORNING + HOUR)
    await plan.read()
    again = JournalReader(name="again", database=plan.desk.database, subscribers=WorkClocks(ZONE).subscribers)
    while await again.read_on():
        pass
    assert (await plan.states("first-call"), len(await plan.running("cadence"))) == (["met"], 1)


async def test_what_is_due_today_is_one_list(plan: Plan) -> None:
    with time_machine.travel(MORNING + 7 * HOUR, tick=False):  # 17:00: the first call of the new case is due tomorrow
        await plan.desk.put("/v1/cases/c2", "crm", case(collector="li", parties=[party("p2")]), status=201)
        await plan.desk.post("/v1/complaints", "zhao", {"case_id": "c1", "severity": "general", "text": "rude"})
        await plan.call(MORNING + 6 * HOUR, case_id="c2", party_id="p2")
        await plan.read()
        due = await plan.desk.get("/v1/work/due?mine=true", "li")
    assert [(item["kind"], item["case_id"], item["overdue"]) for item in due["deadlines"]] == [
        ("complaint-step", "c1", False), ("note", "c2", False),
    ]  # fmt: skip
    assert [item["case_id"] for item in due["items"]] == []  # stopped by the complaint; called already, next tomorrow
