"""A carrier's file after a real call: the call is found in it, and one that only the carrier has uses up the last attempt."""

from datetime import datetime

import pytest

from config import clock
from tests.support.floor import ALWAYS, Floor

pytestmark = pytest.mark.flow

ANSWERS, OTHER = "+8613800138002", "+8613800138005"
FORMAT = {"columns": {"start": ["start"], "called": "called", "duration": "duration"}, "tolerance_seconds": 10}


async def send(floor: Floor, *lines: str) -> dict[str, int]:
    headers = {"Authorization": f"Bearer {floor.tokens['admin']}", "Content-Type": "text/csv"}
    content = "\n".join(["start,called,duration", *lines])
    url = f"{floor.base}/v1/trunks/main/cdr?file=today.csv"
    async with floor.http.post(url, data=content.encode(), headers=headers) as answer:
        report: dict[str, int] = await answer.json()
        assert answer.status == 200, report
        return report


async def test_a_real_call_is_found_and_a_strangers_counts_as_the_last_attempt(either_floor: Floor) -> None:
    floor = either_floor
    await floor.expect(200, "PUT", "/v1/trunks/main/cdr-format", user="admin", body=FORMAT)
    await floor.expect(
        200, "PUT", "/v1/policies/anytime", user="admin", body=ALWAYS | {"house": {"caps": [{"limit": 1, "days": 1}]}}
    )
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await floor.hangup(call)
    left = (await floor.show(call))["calling_customer_at"]
    theirs = [f"{left},{ANSWERS.removeprefix('+86')},1", f"{clock.now().isoformat()},{OTHER.removeprefix('+')},30"]
    await floor.case(OTHER, case_id="watched")
    free = await floor.expect(200, "POST", "/v1/calls/check", body=_click("watched"))
    assert free["verdict"] == "allow"
    report = await send(floor, *theirs)
    assert (report["matched"], report["attempts_counted"], report["incidents_opened"]) == (1, 1, 1)
    status, problem = await floor.dial(OTHER)
    assert (status, problem["rule"]) == (403, "house/cap-1")
    again = await send(floor, *theirs)
    assert (again["matched"], again["seen_before"], again["attempts_counted"]) == (1, 2, 0)
    assert datetime.fromisoformat(left) <= clock.now()


def _click(case_id: str) -> dict[str, str]:
    return {"case_id": case_id, "party_id": f"party-{case_id}", "number": OTHER}
