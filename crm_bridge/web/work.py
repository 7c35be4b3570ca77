"""The work list: which cases are due a call today."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from crm_bridge.clocks import deadlines, due_work
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Query
from crm_bridge.web.dispatch import user_of

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


class ClockDue(BaseModel):
    """Something else that is due today or overdue: a step of a complaint, a note, a finding, records to hand over."""

    id: str
    kind: str
    step: str | None
    text: str
    case_id: str | None
    call_id: str | None
    complaint_id: str | None
    owner: str | None
    due_at: datetime
    overdue: bool


class DueList(BaseModel):
    """The most urgent first: cases to call, and whatever else is due."""

    items: list[DueOut]
    deadlines: list[ClockDue]


@api.operation(
    "GET",
    "/v1/work/due",
    roles=PEOPLE,
    query=DueQuery,
    answers={200: DueList},
    summary="What is due today",
)
async def due(request: web.Request, query: DueQuery) -> dict[str, Any]:
    """Cases to call, never against a rule: who may not be called today is not in the list. And all else with a clock."""
    zone, now = request.app[keys.SETTINGS].policy.zone, clock.now()
    async with request.app[keys.DATABASE].read() as connection:
        items = await due_work.due_today(
            connection,
            request.app[keys.DECIDER],
            zone=zone,
            mine=query.mine,
            limit=query.limit,
            user=request[keys.USER],
            now=now,
        )
        clocks = await deadlines.due_before(
            connection, user_of(request), before=due_work.end_of_today(zone, now), mine=query.mine, limit=query.limit
        )
    shown = [{**row._mapping, "overdue": row.due_at <= now} for row in clocks]
    return {"items": items, "deadlines": shown}
