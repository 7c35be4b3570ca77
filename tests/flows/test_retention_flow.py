"""A real call's recordings through the whole service: dated, held by a complaint, released, and listened to by QA."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config import clock
from tests.support.floor import PATIENCE, Floor

pytestmark = pytest.mark.flow
ANSWERS = "+8613800138002"


async def until(floor: Floor, path: str, wanted: Any, user: str = "supervisor") -> Any:
    """The document at `path` once `wanted(document)`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            document = await floor.expect(200, "GET", path, user=user)
            if wanted(document):
                return document
            await asyncio.sleep(0.1)


async def test_a_complaint_holds_a_real_calls_recordings_until_it_is_released(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await floor.hangup(call)
    await floor.archived(call)
    dated = await until(
        floor, f"/v1/recordings?call_id={call['id']}", lambda found: all(one["retention"] for one in found["items"])
    )
    assert {one["retention"]["decided_by"] for one in dated["items"]} == {"default"}
    body = {"case_id": call["case_id"], "severity": "general", "text": "calls too often"}
    complaint = await floor.expect(201, "POST", "/v1/complaints", user="supervisor", body=body)
    held = await until(floor, "/v1/holds", lambda found: found["items"])
    (hold,) = held["items"]
    assert (hold["kind"], hold["cases"], hold["count"]) == ("complaint", [call["case_id"]], 2)
    status, problem = await floor.request("DELETE", f"/v1/holds/{hold['id']}?reason=over", user="supervisor")
    assert (status, problem["type"]) == (409, "/problems/recording-on-hold")
    much_later = clock.now() + timedelta(days=800)
    deletion = floor.services.recording.deletion
    assert (await deletion.run(much_later)).kept == {"recording-on-hold": 2}
    path = f"/v1/complaints/{complaint['id']}/close"
    await floor.expect(200, "POST", path, user="supervisor", body={"ruling": "unjustified"})
    await until(floor, f"/v1/holds/{hold['id']}", lambda found: found["complaint_closed_at"])
    status, _ = await floor.request("DELETE", f"/v1/holds/{hold['id']}?reason=ruled", user="supervisor")
    assert status == 204
    listed = await floor.expect(200, "GET", "/v1/recorded-calls?outcome=conversation", user="qa")
    assert [(one["id"], one["holds"]) for one in listed["items"]] == [(call["id"], [])]
    assert (await deletion.run(much_later)).deleted == 2
    status, _ = await floor.request("GET", f"/v1/calls/{call['id']}/audio", user="qa")
    assert status == 404
    receipts = await floor.expect(200, "GET", f"/v1/deletion-receipts?call_id={call['id']}", user="qa")
    assert len(receipts["items"]) == 2
