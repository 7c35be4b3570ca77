"""Whom to call back."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict
from crm_bridge.inbound import call_backs
from crm_bridge.inbound.call_backs import CallBackState
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Body, PageQuery
from crm_bridge.web.inbound_calls import MatchOut
from crm_bridge.web.paging import Listing, page

api = Api("call-backs")


class CallBackQuery(PageQuery):
    """Which tasks."""

    limit: int = Field(50, ge=1, le=200)
    state: CallBackState | None = Field("due", description="due, done or dropped")
    mine: bool = Field(False, description="only mine, and those that are nobody's")


class CallBackOut(BaseModel):
    """A missed call, whom it may have been from, and whether the number may be called now."""

    id: str
    call_id: str = Field(description="the newest missed call")
    number: str
    case_id: str | None
    party_id: str | None
    client: str | None
    agent: str | None = Field(description="whose task it is; null: anybody's")
    missed: int = Field(description="how often the number called in vain")
    missed_at: datetime
    due_at: datetime
    state: str
    done_at: datetime | None
    done_by: str | None
    done_call: str | None
    reason: str | None
    matches: list[MatchOut]
    allowed_now: bool
    rule: str | None = None
    why_not: str | None = None
    retry_at: datetime | None


class Dropped(Body):
    """Why nobody needs to be called any more."""

    state: Literal["done", "dropped"] = "dropped"
    reason: str = Field(min_length=1, max_length=255)


@api.operation(
    "GET",
    "/v1/call-backs",
    roles=PEOPLE,
    query=CallBackQuery,
    answers={200: Listing[CallBackOut]},
    summary="Missed calls to answer, and whether one may call now",
)
async def list_call_backs(request: web.Request, query: CallBackQuery) -> dict[str, Any]:
    """The one that has waited longest first. The policy is asked anew for each, and again by the call itself."""
    user, now = request[keys.USER], clock.now()
    async with request.app[keys.DATABASE].read() as connection:
        rows = await call_backs.listing(
            connection,
            user=user,
            state=query.state,
            mine=query.mine,
            after=query.cursor or "",
            limit=query.limit + 1,
        )
        shown, following = page(rows, query.limit, "id")
        decider = request.app[keys.DECIDER]
        items = [await call_backs.judged(connection, decider, row, user=user, now=now) for row in shown]
    return {"items": items, "next_cursor": following}


@api.operation(
    "GET", "/v1/call-backs/{id}", roles=PEOPLE, answers={200: CallBackOut}, summary="A missed call to answer"
)
async def get_call_back(request: web.Request) -> dict[str, Any]:
    """With whether the number may be called now."""
    user = request[keys.USER]
    async with request.app[keys.DATABASE].read() as connection:
        row = await call_backs.find(connection, request.match_info["id"], user)
        return await call_backs.judged(connection, request.app[keys.DECIDER], row, user=user, now=clock.now())


@api.operation(
    "POST",
    "/v1/call-backs/{id}/close",
    roles=("collector", "supervisor", "admin"),
    body=Dropped,
    answers={200: CallBackOut},
    problems=(Conflict,),
    summary="Tick a missed call off by hand",
)
async def close_call_back(request: web.Request, body: Dropped) -> dict[str, Any]:
    """With a reason, which is journalled. A conversation with the number ticks it off by itself."""
    user, now = request[keys.USER], clock.now()
    async with request.app[keys.DATABASE].write() as transaction:
        row = await call_backs.drop(transaction, request.match_info["id"], body.state, body.reason, user=user, now=now)
        return await call_backs.judged(transaction.connection, request.app[keys.DECIDER], row, user=user, now=now)
