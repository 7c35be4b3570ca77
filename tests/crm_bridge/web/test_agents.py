"""What collectors are doing: what they say, what calls do to it, and who may be rung."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from config import clock
from config.journal import Entry
from crm_bridge.floor import agent_states
from crm_bridge.people.users import UserChange, change_user
from crm_bridge.workers import JournalReader
from telephony.tables import calls
from tests.support.api import PASSWORD, Service
from tests.support.desk import case, finished_call

LIVE = {"state": "connected", "ended_at": None, "end_reason": None, "outcome": "live"}
WRAP_UP = 60


class Floor:
    """The states, and the readers and ticks that move them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.reader = JournalReader("agent states", service.database, agent_states.reactions(WRAP_UP, clock.now))

    async def state(self, name: str = "li", user: str = "boss") -> dict[str, Any]:
        document: dict[str, Any] = await self.service.get(f"/v1/agents/{name}", user)
        return document

    async def put(self, state: str, name: str = "li", user: str = "li", status: int = 200, **body: Any) -> Any:
        return await self.service.put(f"/v1/agents/{name}/state", user, {"state": state, **body}, status)

    async def tell(self, kind: str, call: str, agent: str = "li") -> None:
        """Journal what happened to a call, and let the reader follow."""
        async with self.service.database.write() as transaction:
            transaction.journal(Entry(clock.now(), kind, agent=agent, case_id="c1", call_id=call))
        while await self.reader.read_on():
            pass

    async def begin(self, agent: str = "li") -> str:
        call = await finished_call(self.service.database, clock.now(), agent=agent, **LIVE)
        await self.tell("call.created", call, agent)
        return call

    async def end(self, call: str, agent: str = "li", **columns: Any) -> None:
        now = clock.now()
        values = {"state": "ended", "ended_at": now, "end_reason": "completed", "outcome": "conversation", **columns}
        async with self.service.database.write() as transaction:
            await transaction.execute(update(calls).where(calls.c.id == call).values(**values))
        await self.tell("call.ended", call, agent)

    async def available(self, *names: str) -> list[str]:
        async with self.service.database.read() as connection:
            return await agent_states.available_agents(connection, names, clock.now())


@pytest.fixture
async def floor(service: Service) -> Floor:
    """Two collectors with phones, one without, and a supervisor."""
    await service.add("li", "collector", extension="1001", team="north", password=PASSWORD)
    await service.add("wang", "collector", extension="1002", team="south")
    await service.add("no.phone", "collector", team="north")
    await service.add("boss", "supervisor", team="north")
    await service.add("crm", "crm")
    await service.add("crm_admin", "admin")
    await service.put("/v1/cases/c1", "crm", case(), 201)
    return Floor(service)


async def test_who_is_logged_in_and_has_said_nothing_is_ready(floor: Floor) -> None:
    shown = await floor.state()
    assert (shown["state"], shown["since"], shown["available"]) == ("ready", None, True)


async def test_a_collector_goes_away_with_a_reason_and_comes_back(floor: Floor) -> None:
    away = await floor.put("away", reason="lunch")
    assert (away["state"], away["reason"], away["next"], away["available"]) == ("away", "lunch", "away", False)
    assert away["seconds"] >= 0
    assert (await floor.put("ready"))["reason"] is None
    told = await floor.service.journal("agent.state")
    assert [(entry.agent, entry.data["from"], entry.data["state"]) for entry in told] == [
        ("li", None, "away"),
        ("li", "away", "ready"),
    ]


async def test_a_call_makes_busy_and_its_end_begins_the_wrap_up(floor: Floor) -> None:
    call = await floor.begin()
    busy = await floor.state()
    assert (busy["state"], busy["call"]["id"], busy["available"]) == ("busy", call, False)
    await floor.end(call)
    wrapping = await floor.state()
    assert (wrapping["state"], wrapping["call"], wrapping["next"]) == ("wrap_up", None, "ready")
    assert wrapping["due_at"] is not None


async def test_the_wrap_up_ends_by_itself_once(floor: Floor) -> None:
    await floor.end(await floor.begin())
    database = floor.service.database
    assert await agent_states.end_wrap_ups(database, clock.now()) == 0
    due = clock.now() + timedelta(seconds=WRAP_UP + 1)
    assert await agent_states.end_wrap_ups(database, due) == 1
    assert await agent_states.end_wrap_ups(database, due) == 0
    assert (await floor.state())["state"] == "ready"


async def test_a_saved_disposition_ends_the_wrap_up(floor: Floor) -> None:
    call = await floor.begin()
    await floor.end(call)
    await floor.service.put(f"/v1/calls/{call}/disposition", "li", {"action_code": "PTP", "note": "will pay"})
    await floor.tell("call.violation", call)
    assert (await floor.state())["state"] == "ready"


async def test_a_call_that_never_left_needs_no_wrap_up(floor: Floor) -> None:
    call = await floor.begin()
    await floor.end(call, outcome="not_placed", end_reason="agent_no_answer")
    assert (await floor.state())["state"] == "ready"


async def test_what_is_said_during_a_call_follows_it(floor: Floor) -> None:
    call = await floor.begin()
    shown = await floor.put("away", reason="training")
    assert (shown["state"], shown["next"]) == ("busy", "away")
    await floor.put("wrap_up", status=409)
    await floor.end(call)
    assert (await floor.state())["state"] == "wrap_up"
    await agent_states.end_wrap_ups(floor.service.database, clock.now() + timedelta(seconds=WRAP_UP + 1))
    shown = await floor.state()
    assert (shown["state"], shown["reason"]) == ("away", "training")


async def test_who_clicks_while_away_is_away_again_afterwards(floor: Floor) -> None:
    await floor.put("away")
    call = await floor.begin()
    assert (await floor.state())["state"] == "busy"
    await floor.end(call, outcome="not_placed")
    assert (await floor.state())["state"] == "away"


async def test_a_call_handed_on_frees_who_had_it(floor: Floor) -> None:
    call = await floor.begin()
    async with floor.service.database.write() as transaction:
        await transaction.execute(update(calls).where(calls.c.id == call).values(current_agent="wang"))
    await floor.tell("call.state", call, "wang")
    assert (await floor.state())["state"] == "wrap_up"  # to write down what was said so far
    await floor.end(call, "wang")
    assert (await floor.state("wang", "crm_admin"))["state"] == "wrap_up"


async def test_only_those_who_are_ready_with_a_phone_may_be_rung(floor: Floor) -> None:
    assert await floor.available("wang", "no.phone", "li", "nobody") == ["wang", "li"]
    await floor.put("away")
    assert await floor.available("wang", "li") == ["wang"]
    call = await finished_call(floor.service.database, clock.now(), agent="wang", **LIVE)  # not yet told to the reader
    assert await floor.available("wang", "li") == []
    await floor.end(call, "wang")
    await change(floor, "wang", active=False)
    assert await floor.available("wang") == []


async def change(floor: Floor, name: str, **fields: Any) -> None:
    async with floor.service.database.write() as transaction:
        await change_user(transaction, name, UserChange(**fields), actor="tests", now=clock.now())


async def test_who_logs_out_is_away_until_the_next_log_in(floor: Floor) -> None:
    service = floor.service
    body = {"name": "li", "password": PASSWORD}
    assert (await service.client.post("/v1/session", json=body)).status == 200
    assert (await service.client.delete("/v1/session")).status == 204
    shown = await floor.state()
    assert (shown["state"], shown["reason"]) == ("away", "logged_out")
    assert (await service.client.post("/v1/session", json=body)).status == 200
    assert (await floor.state())["state"] == "ready"


async def test_a_supervisor_sees_the_team_and_sets_it_and_nobody_else(floor: Floor) -> None:
    listed = await floor.service.get("/v1/agents", "boss")
    assert [agent["name"] for agent in listed["items"]] == ["li", "no.phone"]
    assert (await floor.put("away", user="boss"))["state"] == "away"
    await floor.put("away", name="wang", user="boss", status=404)
    await floor.put("away", name="wang", status=403)
    await floor.service.get("/v1/agents", "li", 403)
    await floor.service.get("/v1/agents/wang", "li", 404)


@pytest.mark.parametrize(
    "body", [{}, {"state": "asleep"}, {"state": "away", "reason": "x" * 300}, {"state": "away", "why": 1}]
)
async def test_a_bad_state_is_refused(floor: Floor, body: dict[str, Any]) -> None:
    await floor.service.put("/v1/agents/li/state", "li", body, 422)
    assert (await floor.state())["state"] == "ready"


async def test_an_old_journal_read_for_the_first_time_changes_nothing(floor: Floor) -> None:
    call = await finished_call(floor.service.database, clock.now() - timedelta(days=2))
    await floor.tell("call.created", call)
    await floor.tell("call.ended", call)
    await floor.tell("call.created", await finished_call(floor.service.database, clock.now(), agent="ghost"), "ghost")
    assert await floor.service.journal("agent.state") == []
