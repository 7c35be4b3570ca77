"""The work list: which cases are due a call today."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from crm_bridge import due_work
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Query

api = Api("work")


class DueQuery(Query):
    """Whose cases, how many."""

    mine: bool = Field(False, description="only those whose collector I am")
    limit: int = Field(50, ge=1, le=200)


class TargetOut(BaseModel):
    """A target of the work plan that is not met yet: `made` of `wanted` calls, the next one due at `due_at`."""

    source: str = Field(description="the rule of the work plan: S2, S3, S4, S43 or S44")
    wanted: int
    made: int
    due_at: datetime
    overdue: bool


class DueOut(BaseModel):
    """A case due a call today, and a number that may be called: now, or today from `retry_at` on."""

    case_id: str
    client: str
    collector: str | None
    due_at: datetime
    overdue: bool
    targets: list[TargetOut]
    party_id: str
    name: str
    number: str
    allowed_now: bool
    retry_at: datetime | None


class DueList(BaseModel):
    """The most urgent first."""

    items: list[DueOut]


@api.operation(
    "GET", "/v1/work/due", roles=PEOPLE, query=DueQuery, answers={200: DueList}, summary="Cases due a call today"
)
async def due(request: web.Request, query: DueQuery) -> dict[str, Any]:
    """Floors and deadlines of the work plan, never against a rule: who may not be called today is not in the list."""
    async with request.app[keys.DATABASE].read() as connection:
        items = await due_work.due_today(
            connection,
            request.app[keys.DECIDER],
            zone=request.app[keys.SETTINGS].policy.zone,
            mine=query.mine,
            limit=query.limit,
            user=request[keys.USER],
            now=clock.now(),
        )
    return {"items": items}
