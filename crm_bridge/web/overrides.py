"""Overrides of house rules."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from config import clock
from config.errors import NotFound
from crm_bridge.cases import overrides
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery
from crm_bridge.web.paging import Listing
from telephony.numbers import InvalidNumber, normalise

api = Api("overrides")


class OverrideIn(Body):
    """Leave to call a number of a case, why, and until when."""

    case_id: str = Field(max_length=128)
    number: str = Field(max_length=64)
    reason: str = Field(min_length=1, max_length=2000)
    expires_at: AwareDatetime


class OverrideOut(BaseModel):
    """An override."""

    id: str
    case_id: str
    number: str
    by: str
    reason: str
    created_at: datetime
    expires_at: datetime


class OverrideReport(OverrideOut):
    """An override, and what it was used for."""

    client: str
    calls: list[str] = Field(description="the calls that would not have been made without it")


class OverridesQuery(PageQuery):
    """Which overrides."""

    case_id: str | None = Field(None, max_length=128)
    active: bool = Field(False, description="only those that have not expired")


@api.operation(
    "GET",
    "/v1/overrides",
    roles=("supervisor", "admin", "qa"),
    query=OverridesQuery,
    answers={200: Listing[OverrideReport]},
    summary="Who allowed what, why, and which calls came of it",
)
async def list_overrides(request: web.Request, query: OverridesQuery) -> dict[str, Any]:
    """Newest first, on the cases that the asker may see."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await overrides.report(
            connection,
            request[keys.USER],
            case_id=query.case_id,
            active_at=clock.now() if query.active else None,
            before=query.cursor,
            limit=query.limit + 1,
        )
    following = rows[query.limit - 1]["id"] if len(rows) > query.limit else None
    return {"items": rows[: query.limit], "next_cursor": following}


@api.operation(
    "POST",
    "/v1/overrides",
    roles=("supervisor",),
    body=OverrideIn,
    answers={201: OverrideOut},
    problems=(NotFound, InvalidNumber, overrides.HardProhibition),
    summary="Allow calling a number against house rules, for a while",
)
async def grant_override(request: web.Request, body: OverrideIn) -> object:
    """By a supervisor, with a reason and an end. It never lifts a hard prohibition, and shows on the call for ever."""
    number = normalise(body.number, request.app[keys.SETTINGS].policy.region)
    async with request.app[keys.DATABASE].write() as transaction:
        return await overrides.grant(
            transaction,
            request.app[keys.DECIDER],
            body.case_id,
            number,
            body.reason,
            body.expires_at,
            user=request[keys.USER],
            now=clock.now(),
        )
