"""The supervisor's floor over HTTP."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from crm_bridge.floor.view import floor
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.agents import AgentOut, CurrentCall
from crm_bridge.web.api import Api, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing
from telephony.live.listening import Mode

api = Api("supervisor")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")


class FloorListener(BaseModel):
    """Who listens in on a call; `hears`: the phone was answered."""

    listener: str
    mode: Mode
    hears: bool


class FloorCall(CurrentCall):
    """The open call of a collector: with whom, and how long."""

    party: str | None = None
    client: str | None = None
    connected_at: datetime | None = None
    held_at: datetime | None = Field(None, description="since when the outside party waits; null while it does not")
    listeners: list[FloorListener] = Field(default_factory=list)
    seconds: float = Field(0.0, description="since the outside party answered, before that since the call began")


class Late(BaseModel):
    """Something past its due time and still to be done."""

    id: str
    kind: str
    text: str
    case_id: str | None
    complaint_id: str | None
    due_at: datetime


class Today(BaseModel):
    """What somebody did since the day began in the service's zone."""

    calls: int = Field(description="outbound calls")
    attempts: int
    conversations: int
    inbound: int
    talk_seconds: float


class FloorAgent(AgentOut):
    """A collector on the floor. `late` names the oldest few, `late_count` counts all."""

    call: FloorCall | None
    late: list[Late]
    late_count: int
    today: Today


@api.operation(
    "GET",
    "/v1/floor",
    roles=OVERSEERS,
    query=PageQuery,
    answers={200: Listing[FloorAgent]},
    summary="The floor: states, calls, what is late, what was done today",
)
async def show(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By name; a supervisor with a team sees the team's."""
    zone = request.app[keys.SETTINGS].policy.zone
    async with request.app[keys.DATABASE].read() as connection:
        found = await floor(
            connection, user_of(request), zone=zone, after=query.cursor or "", limit=query.limit + 1, now=clock.now()
        )
    shown = found[: query.limit]
    return {"items": shown, "next_cursor": shown[-1]["name"] if len(found) > query.limit else None}
