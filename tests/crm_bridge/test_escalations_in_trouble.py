"""A complaint's escalations when the process is killed around each of them, and when the clocks change while it runs."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from config.database import Database
from crm_bridge.clocks.jobs import deadline_clock
from tests.support.api import Service
from tests.support.desk import case

NOON = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # Monday 12:00 in Shanghai
ZONE = "Asia/Shanghai"
STEPS = {30: "collector", 120: "supervisor", 360: "manager", 480: "company", 540: "company"}
KILLED = """
import asyncio, os, signal, sys
from datetime import datetime
from config.database import Database
from crm_bridge.clocks.jobs import deadline_clock
from crm_bridge.clocks.deadline_clock import DeadlineClock

async def main(url, now):
    whole = deadline_clock(Database(url), "Asia/Shanghai")
    def killing(follow):
        async def follows(*given):
            await follow(*given)
            os.kill(os.getpid(), signal.SIGKILL)  # everything is said, nothing is committed
        return follows
    missed = {kind: killing(follow) for kind, follow in whole.missed.items()}
    await DeadlineClock(whole.database, missed).tick(datetime.fromisoformat(now))

asyncio.run(main(*sys.argv[1:]))
"""


async def _opened(service: Service, at: datetime, **fields: Any) -> str:
    for name, role, team in (
        ("crm", "crm", None), ("li", "collector", "north"), ("chen", "supervisor", "north"), ("han", "supervisor", None),
        ("root", "admin", None),
    ):  # fmt: skip
        await service.add(name, role, team=team)
    with time_machine.travel(at, tick=False):
        await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
        for path, body in fields.items():
            await service.put(f"/v1/{path.replace('__', '/').replace('_', '-')}", "root", body)
        made = await service.post("/v1/complaints", "li", {"case_id": "c1", "severity": "general", "text": "rude"})
    return str(made["id"])


async def test_killed_around_every_escalation_each_is_told_once(service: Service) -> None:
    complaint = await _opened(service, NOON)
    for minute in STEPS:
        now = NOON + timedelta(minutes=minute)
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, service.database.url, now.isoformat()
        )
        assert await killed.wait() == -signal.SIGKILL
        again = Database(service.database.url) if service.database.is_postgres else service.database
        await asyncio.gather(*(deadline_clock(one, ZONE).tick(now) for one in (service.database, again)))
        await deadline_clock(service.database, ZONE).tick(now + timedelta(minutes=1))
        if again is not service.database:
            await again.close()
    told = [(entry.data["from"], entry.data["again"]) for entry in await service.journal("complaint.escalated")]
    assert sorted(told) == [
        ("answer", 0), ("collector", 0), ("company", 0), ("company", 1), ("manager", 0), ("supervisor", 0),
    ]  # fmt: skip
    trail = (await service.get(f"/v1/complaints/{complaint}", "root"))["trail"]
    assert [line["what"] for line in trail].count("escalated") == 5
    missed = [entry.data["step"] for entry in await service.journal("deadline.missed")]
    assert sorted(missed) == ["answer", "collector", "company", "manager", "supervisor"]


@pytest.mark.parametrize(
    ("zone", "country", "start", "due"),
    [
        # Saturday evening before the hour that is skipped, and before the hour that comes twice.
        ("America/New_York", "US", "2026-03-07T22:00-05:00", "2026-03-08T06:00-04:00"),
        ("America/New_York", "US", "2026-10-31T22:00-04:00", "2026-11-01T04:00-05:00"),
        # Friday evening before a Saturday on which people work, and before one on which they do not.
        ("Asia/Shanghai", "CN", "2026-10-09T21:00+08:00", "2026-10-10T04:00+08:00"),
        ("Asia/Shanghai", "CN", "2026-10-16T21:00+08:00", "2026-10-19T04:00+08:00"),
    ],
)
async def test_working_hours_of_a_step_are_those_of_the_clients_clock(
    service: Service, zone: str, country: str, start: str, due: str
) -> None:
    """Opening hours 00:00-04:00 (00:00-06:00 over the skipped hour): four working hours each, by the clock on the wall."""
    closes = "06:00" if "03-0" in start else "04:00"
    minutes = {"2026-03-07": 300, "2026-10-31": 300}.get(start[:10], 240)
    days = [0, 1, 2, 3, 4, 5, 6] if country == "US" else [0, 1, 2, 3, 4]
    hours = {"client": "bank", "country": country, "zone": zone, "opens": "00:00", "closes": closes, "weekdays": days}
    within = {"within": minutes, "unit": "working_minutes"}
    ladder = {"answer": within, "steps": [{"name": "company", "role": "company", **within}], "client": "bank"}
    at = datetime.fromisoformat(start)
    complaint = await _opened(service, at, working_calendar=hours, complaint_ladders__general=ladder)
    moment = datetime.fromisoformat(due)
    for before, escalated in ((timedelta(minutes=1), 0), (timedelta(), 2)):
        await deadline_clock(service.database, ZONE).tick(moment - before)
        assert len(await service.journal("complaint.escalated")) == escalated
    shown = await service.get(f"/v1/complaints/{complaint}", "root")
    assert {datetime.fromisoformat(clock["due_at"]) for clock in shown["deadlines"]} == {moment}
