"""Retrieval requests: bundles of cases and calls within two working days, and a clock that tells when it is late."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from crm_bridge.clocks.jobs import deadline_clock
from crm_bridge.clocks.working_time import WorkingTime
from crm_bridge.web import dispatch, keys, middleware
from crm_bridge.web import retrievals as routes
from recordings.bundle import Bundles
from recordings.checkpoints import Signer
from recordings.evidence_log import EvidenceLog
from recordings.replay import Replay
from tests.support.api import Service
from tests.support.spooled import Recorder, recorder, silence, stereo, tone

__all__ = ["recorder"]
ZONE = "Asia/Shanghai"


@pytest.fixture
async def desk(recorder: Recorder, tmp_path: Path) -> AsyncIterator[Service]:
    app, database = web.Application(), recorder.database
    app[keys.DATABASE], app[keys.SETTINGS] = database, Settings()
    evidence = EvidenceLog(database=database, signer=Signer(tmp_path / "keys" / "signing.key"), folder=None)
    app[keys.BUNDLES] = Bundles(
        database=database, archive=recorder.archive, evidence=evidence, work=tmp_path / "bundles",
        replay=Replay(database=database, archive=recorder.archive, cache=tmp_path / "cache"),
    )  # fmt: skip
    middleware.install(app)
    dispatch.register(app, [routes.api])
    async with TestClient(TestServer(app)) as client:
        service = Service(database, client)
        for name, role, fields in (
            ("qian", "qa", {}), ("sun", "qa", {"clients": ["south"]}), ("li", "collector", {}),
        ):  # fmt: skip
            await service.add(name, role, **fields)
        yield service


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ("2026-06-01T09:00", "2026-06-04"),  # Monday: Tuesday, Wednesday
        ("2026-06-05T23:30", "2026-06-10"),  # Friday: Monday, Tuesday
        ("2026-06-06T09:00", "2026-06-10"),  # Saturday
        ("2026-09-30T09:00", "2026-10-10"),  # the National Day week: 8 and 9 October
    ],
)
def test_the_clock_counts_working_days(asked: str, until: str) -> None:
    due = WorkingTime(ZONE).due(datetime.fromisoformat(f"{asked}:00+08:00"), 2, "working_days")
    assert due == datetime.fromisoformat(f"{until}T00:00+08:00")


async def test_a_case_and_a_call_come_as_bundles_and_the_clock_stops(recorder: Recorder, desk: Service) -> None:
    made = [await recorder.call(), await recorder.call(case_id="case-2")]
    for call in made:
        recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    await recorder.run()
    body = {"cases": ["case-1"], "calls": [made[1].id], "reason": "asked by the bank"}
    asked = await desk.post("/v1/retrievals", "qian", body)
    assert (asked["state"], asked["requested_by"]) == ("open", "qian")
    await desk.post("/v1/retrievals", "sun", body, 404)
    await desk.post("/v1/retrievals", "qian", {"reason": "nothing"}, 422)
    await desk.post("/v1/retrievals", "li", body, 403)
    path = f"/v1/retrievals/{asked['id']}"
    assert (await desk.ask("GET", f"{path}/bundles", "sun")).status == 404
    answer = await desk.ask("GET", f"{path}/bundles", "qian")
    assert answer.status == 200, await answer.text()
    with zipfile.ZipFile(io.BytesIO(await answer.read())) as bundles:
        assert sorted(bundles.namelist()) == sorted(f"{call.id}.zip" for call in made)
        with zipfile.ZipFile(io.BytesIO(bundles.read(f"{made[0].id}.zip"))) as one:
            assert "call.json" in one.namelist()
    (listed,) = (await desk.get("/v1/retrievals", "qian"))["items"]
    assert (listed["state"], listed["done_by"]) == ("done", "qian")
    assert (await desk.ask("POST", f"{path}/done", "qian")).status == 409
    await deadline_clock(recorder.database, ZONE).tick(datetime.fromisoformat(asked["deadline_at"]) + timedelta(days=9))
    assert await recorder.journal("deadline.missed") == []


async def test_what_is_late_is_an_incident_told_once_and_closed_by_the_hand_over(
    recorder: Recorder, desk: Service
) -> None:
    call = await recorder.call()
    asked = await desk.post("/v1/retrievals", "qian", {"calls": [call.id], "reason": "asked by the bank"})
    due = datetime.fromisoformat(asked["deadline_at"])
    clock = deadline_clock(recorder.database, ZONE)
    await clock.tick(due - timedelta(seconds=1))
    assert await recorder.incidents() == []
    for minutes in (0, 10):
        await clock.tick(due + timedelta(minutes=minutes))
    assert await recorder.incidents() == [("retrieval-overdue", asked["id"])]
    assert len(await recorder.journal("deadline.missed")) == 1
    await desk.post(f"/v1/retrievals/{asked['id']}/done", "qian", None, 200)
    assert await recorder.incidents() == []
