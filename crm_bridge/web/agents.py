"""What collectors are doing: ready, busy, in wrap-up, away, and since when."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict, NotFound
from crm_bridge.floor import agent_states
from crm_bridge.floor.agent_states import AgentState
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Body, PageQuery
from crm_bridge.web.paging import Listing

api = Api("agents")


class StateIn(Body):
    """What somebody does from now on; during a call: afterwards."""

    state: AgentState
    reason: str | None = Field(None, max_length=255)


class CurrentCall(BaseModel):
    """The open call of a collector."""

    id: str
    state: str
    direction: str
    case_id: str | None
    number: str


class AgentOut(BaseModel):
    """A collector's state. `since` is null for who has not said or done anything yet."""

    name: str
    extension: str | None
    team: str | None
    state: AgentState
    next: AgentState = Field(description="what follows the call and its wrap-up")
    reason: str | None
    since: datetime | None
    seconds: float | None = Field(description="time in this state")
    due_at: datetime | None = Field(description="when the wrap-up ends by itself")
    call: CurrentCall | None
    available: bool = Field(description="whether an inbound call may ring them")


@api.operation(
    "GET",
    "/v1/agents",
    roles=("supervisor", "admin", "qa"),
    query=PageQuery,
    answers={200: Listing[AgentOut]},
    summary="What every collector is doing",
)
async def list_agents(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By name; a supervisor with a team sees the team's."""
    async with request.app[keys.DATABASE].read() as connection:
        found = await agent_states.listing(
            connection, request[keys.USER], clock.now(), after=query.cursor or "", limit=query.limit + 1
        )
    shown = found[: query.limit]
    return {"items": shown, "next_cursor": shown[-1]["name"] if len(found) > query.limit else None}


@api.operation(
    "GET",
    "/v1/agents/{name}",
    roles=PEOPLE,
    answers={200: AgentOut},
    problems=(NotFound,),
    summary="What one collector is doing",
)
async def show_agent(request: web.Request) -> dict[str, Any]:
    """One's own state, or that of somebody one supervises."""
    async with request.app[keys.DATABASE].read() as connection:
        return await agent_states.show(connection, request.match_info["name"], request[keys.USER], clock.now())


@api.operation(
    "PUT",
    "/v1/agents/{name}/state",
    roles=("collector", "supervisor", "admin", "crm"),
    body=StateIn,
    answers={200: AgentOut},
    problems=(NotFound, Conflict),
    summary="Be ready, busy, in wrap-up or away",
)
async def put_state(request: web.Request, body: StateIn) -> dict[str, Any]:
    """For oneself; a supervisor for the team. During a call it says what follows the call and its wrap-up."""
    name, user, now = request.match_info["name"], request[keys.USER], clock.now()
    seconds = request.app[keys.SETTINGS].desk.wrap_up_seconds
    async with request.app[keys.DATABASE].write() as transaction:
        await agent_states.choose(
            transaction, name, body.state, body.reason, user=user, wrap_up_seconds=seconds, now=now
        )
        return await agent_states.show(transaction.connection, name, user, now)
