"""Retention classes and holds over HTTP: reasons, previews, roles and scope; a complaint holds by itself."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import insert, update

from config import clock
from config.settings import Settings
from crm_bridge.cases.holds import held_by_case
from crm_bridge.tables import cases
from crm_bridge.web import dispatch, keys, middleware
from crm_bridge.web import holds as hold_routes
from crm_bridge.web import retention as routes
from recordings.deletion import Deletion
from recordings.retention_classes import recompute
from recordings.tables import recordings
from tests.support.api import Service
from tests.support.spooled import START, Recorder, SpooledCall, recorder, silence, stereo, tone

__all__ = ["recorder"]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CLASS = {"kind": "recording", "years": 3, "clients": ["north"], "source": "contract § 7", "reason": "signed"}


@pytest.fixture
async def desk(recorder: Recorder, tmp_path: Path) -> AsyncIterator[Service]:
    app = web.Application()
    app[keys.DATABASE], app[keys.SETTINGS] = recorder.database, Settings()
    app[keys.DELETION] = Deletion(
        database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache", held_by_case=held_by_case
    )
    middleware.install(app)
    dispatch.register(app, [routes.api, hold_routes.api])
    async with recorder.database.write() as transaction:
        case = {
            "id": "case-1", "client": "north", "state": "open", "upserted_state": "open", "debts": [], "collector":
            "li", "debtor_reachable": True, "failed_contacts": 0, "dispute": False, "fraud_statement": False,
            "created_at": START, "updated_at": START,
        }  # fmt: skip
        await transaction.execute(insert(cases).values(**case))
    async with TestClient(TestServer(app)) as client:
        service = Service(recorder.database, client)
        for name, role, fields in (
            ("li", "collector", {"team": "a"}), ("qian", "qa", {}), ("zhou", "supervisor", {"team": "a"}),
            ("wu", "supervisor", {"team": "b"}), ("root", "admin", {}), ("south", "admin", {"clients": ["south"]}),
        ):  # fmt: skip
            await service.add(name, role, **fields)
        yield service


async def archived(recorder: Recorder, *, over: bool = False) -> SpooledCall:
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    async with recorder.database.write() as transaction:
        times = {"archived_at": LONG_AGO, "leg_ended_at": LONG_AGO} if over else {"archived_at": START}
        await transaction.execute(update(recordings).values(**times))
    while await recompute(recorder.database):
        pass
    return call


async def test_shipped_classes_are_listed_and_one_is_shown(desk: Service) -> None:
    listed = await desk.get("/v1/retention-classes", "qian")
    assert {"default", "cn-consumer-finance", "us-reg-f"} <= {item["id"] for item in listed["items"]}
    found = await desk.get("/v1/retention-classes/us-reg-f", "qian")
    assert (found["months"], found["anchor"], found["pack"], found["updated_by"]) == (36, "call", "us-reg-f", None)
    await desk.get("/v1/retention-classes/none", "qian", 404)
    assert (await desk.ask("GET", "/v1/retention-classes", "li")).status == 403


async def test_a_change_is_previewed_then_saved_with_its_reason(recorder: Recorder, desk: Service) -> None:
    await archived(recorder)
    path = "/v1/retention-classes/north-contract"
    tried = await desk.put(f"{path}?dry_run=true", "root", CLASS)
    assert (tried["saved"], tried["effect"]["extended"], tried["effect"]["latest"]) == (False, 2, "2029-06-01")
    await desk.get(path, "root", 404)
    saved = await desk.put(path, "root", CLASS)
    assert (saved["saved"], saved["months"], saved["updated_by"], saved["reason"]) == (True, 36, "root", "signed")
    assert (await desk.get(path, "qian"))["clients"] == ["north"]
    (entry,) = await desk.journal("retention_class.changed")
    assert (entry.actor, entry.data["reason"]) == ("root", "signed")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": ""}, "reason"), ({"years": 0}, ""), ({"pack": "no-such-pack"}, "pack"), ({"kind": "video"}, "kind"),
        ({"source": ""}, "source"), ({"years": -1}, "years"), ({"privacy_max_months": 0}, "privacy_max_months"),
    ],
)  # fmt: skip
async def test_a_bad_class_is_refused_by_field(desk: Service, change: dict[str, object], field: str) -> None:
    problem = await desk.put("/v1/retention-classes/x", "root", CLASS | change, 422)
    assert problem["errors"][0]["field"] == field


async def test_only_an_admin_changes_classes(desk: Service) -> None:
    await desk.put("/v1/retention-classes/x", "zhou", CLASS, 403)
    assert (await desk.put("/v1/retention-classes/X%20x", "root", CLASS, 422))["errors"][0]["field"] == "id"


async def test_a_hold_keeps_its_recordings_until_it_is_released_with_a_reason(
    recorder: Recorder, desk: Service
) -> None:
    call = await archived(recorder, over=True)
    row = await recorder.row(call, "agent")
    made = await desk.post("/v1/holds", "zhou", {"matter": "suit 7", "recordings": [row.id]})
    assert (made["kind"], made["recordings"], made["count"], made["opened_by"]) == ("litigation", [row.id], 1, "zhou")
    refused = await desk.ask("DELETE", f"/v1/recordings/{row.id}", "root")
    assert refused.status == 409
    assert (await refused.json())["type"] == "/problems/recording-on-hold"
    more = await desk.post(f"/v1/holds/{made['id']}/more", "zhou", {"case_id": "case-1", "reason": "all of it"}, 200)
    assert (more["cases"], more["count"]) == (["case-1"], 2)
    assert (await desk.ask("DELETE", f"/v1/holds/{made['id']}", "zhou")).status == 422
    assert (await desk.ask("DELETE", f"/v1/holds/{made['id']}?reason=settled", "qian")).status == 403
    assert (await desk.ask("DELETE", f"/v1/holds/{made['id']}?reason=settled", "zhou")).status == 204
    assert (await desk.ask("DELETE", f"/v1/holds/{made['id']}?reason=settled", "zhou")).status == 409
    (listed,) = (await desk.get("/v1/holds?state=released", "qian"))["items"]
    assert (listed["release_reason"], listed["released_by"]) == ("settled", "zhou")
    assert (await desk.get("/v1/holds", "qian"))["items"] == []
    assert (await desk.ask("DELETE", f"/v1/recordings/{row.id}", "root")).status == 204
    (receipt,) = (await desk.get(f"/v1/deletion-receipts?call_id={call.id}", "qian"))["items"]
    assert (receipt["recording_id"], receipt["deleted_by"], receipt["sha256"]) == (row.id, "root", row.sha256)
    late = await desk.post("/v1/holds", "zhou", {"matter": "suit 8", "recordings": [row.id]}, 409)
    assert late["type"] == "/problems/recording-deleted"


async def test_a_recording_before_its_date_is_not_deleted_by_anybody(recorder: Recorder, desk: Service) -> None:
    row = await recorder.row(await archived(recorder), "agent")
    answer = await desk.ask("DELETE", f"/v1/recordings/{row.id}", "root")
    assert (await answer.json())["because"] == "kept-until"
    assert answer.status == 409
    for user, status in (("zhou", 403), ("qian", 403), ("south", 404)):
        assert (await desk.ask("DELETE", f"/v1/recordings/{row.id}", user)).status == status


async def test_another_teams_supervisor_neither_sees_nor_holds(recorder: Recorder, desk: Service) -> None:
    row = await recorder.row(await archived(recorder), "agent")
    made = await desk.post("/v1/holds", "zhou", {"matter": "suit 7", "kind": "audit", "case_id": "case-1"})
    assert (await desk.get("/v1/holds", "wu"))["items"] == []
    await desk.get(f"/v1/holds/{made['id']}", "wu", 404)
    assert (await desk.ask("DELETE", f"/v1/holds/{made['id']}?reason=x", "wu")).status == 404
    for body in ({"recordings": [row.id]}, {"case_id": "case-1"}):
        await desk.post("/v1/holds", "wu", {"matter": "m", **body}, 404)
    await desk.post("/v1/holds", "zhou", {"matter": "nothing"}, 422)
    await desk.post("/v1/holds", "li", {"matter": "m", "case_id": "case-1"}, 403)


async def test_the_overview_says_what_goes_when_and_what_is_held(recorder: Recorder, desk: Service) -> None:
    await archived(recorder)
    await desk.post("/v1/holds", "zhou", {"matter": "suit 7", "case_id": "case-1"})
    await desk.put("/v1/retention-classes/short", "root", CLASS | {"years": 1, "privacy_max_months": 18})
    while await recompute(recorder.database):
        pass
    found = await desk.get("/v1/retention", "root")
    assert [(one["month"], one["recordings"], one["held"]) for one in found["months"]] == [("2028-06", 2, 2)]
    assert (found["held"], found["over"], found["to_be_dated"]) == (2, 0, 0)
    assert {"class": "short", "privacy_max_months": 18, "minimum": "default", "months": 24} in found["conflicts"]
    assert (await desk.get("/v1/retention", "south"))["months"] == []


async def test_a_run_over_http_deletes_and_a_dry_run_counts(recorder: Recorder, desk: Service) -> None:
    await archived(recorder, over=True)
    dry = await desk.post("/v1/retention/run?dry_run=true", "root", {}, 200)
    assert (dry["deleted"], dry["bytes"] > 0) == (2, True)
    async with recorder.database.write() as transaction:
        await transaction.execute(update(cases).values(dispute=True))
    assert (await desk.post("/v1/retention/run", "root", {}, 200))["kept"] == {"recording-on-hold": 2}
    async with recorder.database.write() as transaction:
        await transaction.execute(update(cases).values(dispute=False))
    assert (await desk.post("/v1/retention/run", "root", {}, 200))["deleted"] == 2
    run = (await desk.get("/v1/retention", "root"))["last_run"]
    assert (run["by"], run["deleted"]) == ("root", 2)
    assert clock.now() > datetime.fromisoformat(run["at"])
