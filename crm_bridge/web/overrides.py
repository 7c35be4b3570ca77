"""Overrides of house rules."""

from datetime import datetime

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from config import clock
from config.errors import NotFound
from crm_bridge import overrides
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body
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


@api.operation(
    "POST",
    "/v1/overrides",
    roles=("supervisor",),
    body=OverrideIn,
    answers={201: OverrideOut},
    problems=(NotFound, InvalidNumber),
    summary="Allow calling a number against house rules, for a while",
)
async def grant_override(request: web.Request, body: OverrideIn) -> object:
    """By a supervisor, with a reason and an end. It never lifts a hard prohibition, and shows on the call for ever."""
    number = normalise(body.number, request.app[keys.SETTINGS].policy.region)
    async with request.app[keys.DATABASE].write() as transaction:
        return await overrides.grant(
            transaction,
            body.case_id,
            number,
            body.reason,
            body.expires_at,
            user=request[keys.USER],
            now=clock.now(),
        )
