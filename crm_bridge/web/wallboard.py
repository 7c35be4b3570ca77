"""The wallboard's figures over HTTP."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from crm_bridge.floor.wallboard import wallboard
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api
from crm_bridge.web.dispatch import user_of

api = Api("supervisor")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")


class LiveCalls(BaseModel):
    """Calls that have not ended."""

    live: int
    talking: int = Field(description="connected or held")
    held: int
    ringing: int
    waiting: int = Field(description="from outside, not answered yet")


class Agents(BaseModel):
    """People by what they do."""

    on_call: int
    ready: int
    busy: int
    wrap_up: int
    away: int


class Figures(BaseModel):
    """Since the day began in the service's zone."""

    calls: int
    attempts: int
    conversations: int
    inbound: int
    denials: int = Field(description="calls that the rules refused, at the click or at the gate")


class ComplaintFigures(BaseModel):
    """Complaints and clocks."""

    open: int
    overdue: int = Field(description="clocks of complaints that have run out")
    everything_late: int


class WallboardOut(BaseModel):
    """The figures: no name, no number, no case."""

    at: datetime
    calls: LiveCalls
    agents: Agents
    today: Figures
    incidents: int
    complaints: ComplaintFigures


@api.operation(
    "GET", "/v1/wallboard", roles=OVERSEERS, answers={200: WallboardOut}, summary="Figures for a screen on the wall"
)
async def figures(request: web.Request) -> dict[str, Any]:
    """Of what the asker oversees."""
    zone = request.app[keys.SETTINGS].policy.zone
    async with request.app[keys.DATABASE].read() as connection:
        return await wallboard(connection, user_of(request), zone=zone, now=clock.now())
