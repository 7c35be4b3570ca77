"""A trunk that fails before the callee is alerted: another one carries the same attempt, and no other trunk is asked else."""

import pytest

from tests.support.floor import PBX, Floor

pytestmark = pytest.mark.flow

OURS = "+861055550000"


async def _trunks(floor: Floor, *endpoints: str) -> None:
    """In this order of preference, all before the floor's own `main` (carrier-a): their prefix is longer."""
    for priority, endpoint in enumerate(endpoints, start=1):
        body = {
            "name": f"t{priority}-{endpoint}",
            "pbx": PBX,
            "endpoint": endpoint,
            "caller_ids": [OURS],
            "prefixes": ["+8613"],
        }
        await floor.expect(201, "POST", "/v1/trunks", user="admin", body={**body, "priority": priority})


async def test_a_trunk_that_is_not_there_is_passed_over_and_the_call_is_one_attempt(floor: Floor) -> None:
    await _trunks(floor, "carrier-gone", "carrier-b")
    number = "+8613800131002"
    call = await floor.call(number)
    connected = await floor.until(call, "connected")
    assert connected["trunk"] == "t2-carrier-b"
    assert connected["trunks_tried"] == ["t1-carrier-gone"]
    ended = await floor.hangup(call)
    assert (ended["end_reason"], ended["outcome"], ended["attempts_counted"]) == ("completed", "conversation", 1)
    assert [seen.at for seen in await floor.lab.world.calls_seen(number)] == ["carrier-b"]


@pytest.mark.parametrize(
    ("ending", "end_reason", "outcome", "carriers"),
    [
        ("53", "failed", "failed", ["carrier-b", "carrier-a"]),  # congestion at once: each trunk is tried, once
        ("25", "failed", "no_answer", ["carrier-b"]),  # rang, then congestion: the callee was called
        ("86", "busy", "busy", ["carrier-b"]),
        ("63", "rejected", "rejected", ["carrier-b"]),
        ("04", "failed", "not_in_service", ["carrier-b"]),
        ("40", "no_answer", "no_answer", ["carrier-b"]),
    ],
)
async def test_only_a_way_that_failed_unheard_leads_to_another(
    floor: Floor, ending: str, end_reason: str, outcome: str, carriers: list[str]
) -> None:
    await _trunks(floor, "carrier-b")
    number = f"+86138001311{ending}"
    call = await floor.call(number)
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["outcome"], ended["attempts_counted"]) == (end_reason, outcome, 1)
    assert [seen.at for seen in await floor.lab.world.calls_seen(number)] == carriers
