"""After the last step's time: the company is told again and again until somebody acts, whoever is there to be told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from crm_bridge.clocks.jobs import deadline_clock
from tests.support.api import Service
from tests.support.desk import case

NOON = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # Monday 12:00 in Shanghai
ZONE = "Asia/Shanghai"


@contextmanager
def at(minutes: float) -> Iterator[None]:
    with time_machine.travel(NOON + timedelta(minutes=minutes), tick=False):
        yield


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case of collector li's, a supervisor of the team, a manager without one, and the company."""
    for name, role, team in (
        ("crm", "crm", None), ("li", "collector", "north"), ("chen", "supervisor", "north"), ("han", "supervisor", None),
        ("root", "admin", None),
    ):  # fmt: skip
        await service.add(name, role, team=team)
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    return service


async def _opened(desk: Service) -> str:
    with at(0):
        made = await desk.post("/v1/complaints", "li", {"case_id": "c1", "severity": "general", "text": "rude"})
    return f"/v1/complaints/{made['id']}"


async def _look(desk: Service, *minutes: int) -> None:
    for minute in minutes:
        await deadline_clock(desk.database, ZONE).tick(NOON + timedelta(minutes=minute))


async def _told(desk: Service, since: float = 0) -> list[tuple[int, str, list[str], int]]:
    """What was escalated from that minute on: when, from which step, to whom, how often before."""
    found = [
        entry for entry in await desk.journal("complaint.escalated") if entry.at >= NOON + timedelta(minutes=since)
    ]
    minutes = [round((entry.at - NOON).total_seconds() / 60) for entry in found]
    return [
        (minute, entry.data["from"], sorted(entry.data["told"]), entry.data["again"])
        for minute, entry in zip(minutes, found, strict=True)
    ]


async def test_it_is_told_every_hour_until_the_company_acts_and_then_until_there_is_a_ruling(desk: Service) -> None:
    path = await _opened(desk)
    await _look(desk, 30, 120, 360, 480, 500, 540, 599, 600)
    assert await _told(desk, 481) == [(540, "company", ["root"], 1), (600, "company", ["root"], 2)]
    with at(610):
        await desk.post(f"{path}/act", "root", {"step": "company", "text": "met them"}, status=200)
    await _look(desk, 660, 720)
    assert await _told(desk, 601) == [(660, "answer", ["root"], 3), (720, "answer", ["root"], 4)]
    with at(725):
        await desk.post(f"{path}/close", "root", {"ruling": "justified"}, status=200)
    await _look(desk, 780, 840, 2000)
    assert await _told(desk, 721) == []
    trail = (await desk.get(path, "root"))["trail"]
    assert [line["what"] for line in trail].count("reminded") == 4
    assert trail[-1]["what"] == "closed"


async def test_undoing_the_companys_step_has_it_told_again(desk: Service) -> None:
    path = await _opened(desk)
    await _look(desk, 30, 120, 360, 480)
    with at(490):
        await desk.post(f"{path}/act", "root", {"step": "company", "text": "done"}, status=200)
        await desk.post(f"{path}/undo", "root", {"reason": "it was not"}, status=200)
    await _look(desk, 500, 501, 559, 560)
    assert [(minute, step) for minute, step, *_ in await _told(desk, 481)] == [(500, "company"), (560, "company")]


async def test_who_decides_on_a_revision_is_not_stopped_by_a_reminder(desk: Service) -> None:
    path = await _opened(desk)
    await _look(desk, 30, 120, 360, 480)
    revision = (await desk.get(path, "root"))["revision"]
    await _look(desk, 540)
    with at(545):
        body = {"step": "company", "text": "met them", "revision": revision}
        assert (await desk.post(f"{path}/act", "root", body, status=200))["stage"] == "ruling"


async def test_somebody_named_who_has_left_is_replaced_at_every_telling(desk: Service) -> None:
    await desk.add("boss", "admin")
    steps: list[dict[str, Any]] = [{"name": "company", "role": "company", "people": ["boss"], "within": 60}]
    ladder = {"answer": {"within": 600}, "steps": steps, "repeat_minutes": 30}
    await desk.put("/v1/complaint-ladders/general", "root", ladder)
    await _opened(desk)
    await _look(desk, 60)
    assert [who for _, _, who, _ in await _told(desk)] == [["boss", "root"]]
    await desk.patch("/v1/users/boss", "root", {"active": False})
    await _look(desk, 90, 120)
    assert await _told(desk, 61) == [(90, "company", ["root"], 1), (120, "company", ["root"], 2)]


async def test_a_long_outage_is_followed_by_one_telling_not_by_all_that_were_missed(desk: Service) -> None:
    await _opened(desk)
    await _look(desk, 30, 120, 360, 480, 3000, 3001, 3059, 3060)
    assert [minute for minute, *_ in await _told(desk, 481)] == [3000, 3060]


@pytest.mark.parametrize("minutes", [4, 0, -1, "x"])
async def test_how_often_it_is_told_again_has_a_least(desk: Service, minutes: Any) -> None:
    steps = [{"name": "a", "role": "company", "within": 60}]
    ladder = {"answer": {"within": 60}, "steps": steps, "repeat_minutes": minutes}
    problem = await desk.put("/v1/complaint-ladders/general", "root", ladder, status=422)
    assert problem["errors"][0]["field"] == "repeat_minutes"
