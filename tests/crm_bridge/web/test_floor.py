"""The supervisor's floor over HTTP: states, calls, what is late, what was done today."""

from datetime import timedelta

from config import clock
from crm_bridge.clocks.deadline_rules import Due
from crm_bridge.clocks.deadlines import Deadline, open_deadline
from tests.support.api import Service
from tests.support.desk import case, finished_call

LIVE = {"state": "connected", "ended_at": None, "end_reason": None, "outcome": "live"}


async def test_the_floor_shows_calls_what_is_late_and_what_was_done_today(service: Service) -> None:
    now = clock.now()
    for name, role, more in (
        ("crm", "crm", {}), ("boss", "admin", {}), ("head", "supervisor", {"team": "A"}),
        ("li", "collector", {"team": "A", "extension": "1001"}), ("wang", "collector", {"team": "B", "extension": "1002"}),
    ):  # fmt: skip
        await service.add(name, role, **more)
    await service.put("/v1/cases/c1", "crm", case(collector="li"), 201)
    await finished_call(service.database, now, agent="li", case_id="c1", outcome="no_answer", connected_at=None)
    done = {"created_at": now, "connected_at": now - timedelta(seconds=60), "ended_at": now}
    await finished_call(service.database, now, agent="li", case_id="c1", outcome="conversation", **done)
    held = now - timedelta(seconds=5)
    talking = {"connected_at": now - timedelta(seconds=30), "held_at": held, "current_agent": "li"}
    open_call = await finished_call(service.database, now, agent="li", case_id="c1", **LIVE | talking)
    async with service.database.write() as transaction:
        for number in range(25):
            late = Due(now - timedelta(minutes=number + 1), None)
            await open_deadline(transaction, Deadline(f"n{number}", "note", late, owner="li", case_id="c1"), now)
        ahead = Due(now + timedelta(hours=1), None)
        await open_deadline(transaction, Deadline("later", "note", ahead, owner="li"), now)
    floor = {one["name"]: one for one in (await service.get("/v1/floor", "boss"))["items"]}
    assert set(floor) == {"li", "wang"}
    li = floor["li"]
    assert (li["state"], li["call"]["id"], li["call"]["held_at"] is not None) == ("busy", open_call, True)
    assert li["call"]["seconds"] >= 30
    assert (li["late_count"], len(li["late"])) == (25, 20)
    assert [one["due_at"] for one in li["late"]] == sorted(one["due_at"] for one in li["late"])
    assert {**li["today"], "talk_seconds": round(li["today"]["talk_seconds"])} == {
        "calls": 3, "attempts": 3, "conversations": 1, "inbound": 0, "talk_seconds": 60,
    }  # fmt: skip
    assert (floor["wang"]["call"], floor["wang"]["late_count"], floor["wang"]["today"]["calls"]) == (None, 0, 0)
    assert [one["name"] for one in (await service.get("/v1/floor", "head"))["items"]] == ["li"]
    first = await service.get("/v1/floor?limit=1", "boss")
    rest = await service.get(f"/v1/floor?limit=1&cursor={first['next_cursor']}", "boss")
    assert [first["items"][0]["name"], rest["items"][0]["name"], rest["next_cursor"]] == ["li", "wang", None]
    await service.get("/v1/floor", "li", status=403)
    await service.get("/v1/floor", "crm", status=403)
