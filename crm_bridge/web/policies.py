"""Policies of the clients."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import NotFound
from crm_bridge import policies, policy_preview
from crm_bridge.policy_preview import PolicyChange
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api, Body, PageQuery, Reply
from crm_bridge.web.paging import Listing, page
from telephony.dialling.gathering import Subject
from telephony.numbers import InvalidNumber, normalise
from telephony.policy import packs
from telephony.policy.fields import NearMoment, Purpose

api = Api("policies")


class PolicyOut(BaseModel):
    """A client's policy."""

    client: str
    packs: list[str]
    house: dict[str, Any]
    zone: str
    announcement: str | None
    updated_at: datetime
    updated_by: str


@api.operation(
    "PUT",
    "/v1/policies/{client}",
    roles=("admin", "supervisor"),
    body=policies.PolicyIn,
    answers={200: PolicyOut, 201: PolicyOut},
    summary="Set which rule packs apply to a client's calls, and its own stricter values",
)
async def put_policy(request: web.Request, body: policies.PolicyIn) -> Reply:
    """In force from the next decision on, also for a call that is ringing the collector."""
    async with request.app[keys.DATABASE].write() as transaction:
        row, is_new = await policies.put(
            transaction, request.match_info["client"], body, user=request[keys.USER], now=clock.now()
        )
    return Reply(row, status=201 if is_new else 200)


class WhatIf(Body):
    """A call to imagine: whom, when, by whom, and under which rules if not the client's own."""

    case_id: str = Field(min_length=1, max_length=128)
    party_id: str = Field(min_length=1, max_length=128)
    number: str = Field(min_length=3, max_length=40)
    at: NearMoment
    purpose: Purpose = "collect"
    role: Literal["collector", "supervisor"] = "collector"
    change: PolicyChange | None = Field(None, description="packs and values to try; absent: those in force")


class RuleCount(BaseModel):
    """How many calls a rule would have denied."""

    rule: str
    calls: int


class PreviewOut(BaseModel):
    """What a change would have done to the clicks of the last month."""

    since: datetime
    judged: int
    truncated: bool = Field(description="there were more clicks; only the newest were judged")
    denied: int = Field(description="were allowed, and would have been denied")
    allowed: int = Field(description="were denied, and would have been allowed")
    by_rule: list[RuleCount]
    examples: list[dict[str, Any]]


@api.operation(
    "POST",
    "/v1/policies/what-if",
    roles=("admin", "supervisor"),
    body=WhatIf,
    answers={200: dict[str, Any]},
    problems=(NotFound, InvalidNumber),
    summary="Would this call be allowed on that date?",
)
async def what_if(request: web.Request, body: WhatIf) -> dict[str, Any]:
    """The verdict at any moment, by what is known today and the pack versions of that day. Nothing is dialled or kept."""
    number = normalise(body.number, request.app[keys.SETTINGS].policy.region)
    user = request[keys.USER]
    subject = Subject(body.case_id, body.party_id, number, user.name, body.role, body.purpose)
    async with request.app[keys.DATABASE].read() as connection:
        verdict = await policy_preview.what_if(
            connection, request.app[keys.DECIDER], subject, body.at, body.change, user=user
        )
    return verdict.document()


@api.operation(
    "POST",
    "/v1/policies/{client}/preview",
    roles=("admin", "supervisor"),
    body=PolicyChange,
    answers={200: PreviewOut},
    summary="What a change of policy would have denied in the last month",
)
async def preview_policy(request: web.Request, body: PolicyChange) -> dict[str, Any]:
    """Each click of the last 30 days is judged again under the packs and values given. Nothing is changed."""
    return await policy_preview.preview(
        request.app[keys.DATABASE],
        request.match_info["client"],
        body,
        guard_seconds=request.app[keys.SETTINGS].policy.guard_seconds,
        user=request[keys.USER],
        now=clock.now(),
    )


@api.operation(
    "GET", "/v1/rule-packs", roles=EVERYONE, answers={200: list[dict[str, Any]]}, summary="Every rule of every pack"
)
async def rule_packs(_request: web.Request) -> list[dict[str, Any]]:
    """Versions with their dates and status; rules with text and who can lift them in both languages, source, confidence."""
    return packs.listing(clock.now())


@api.operation("GET", "/v1/policies/{client}", roles=EVERYONE, answers={200: PolicyOut}, summary="A client's policy")
async def get_policy(request: web.Request) -> Any:
    """404 where the client has none of its own: then the default of the settings applies."""
    async with request.app[keys.DATABASE].read() as connection:
        return await policies.find(connection, request.match_info["client"], request[keys.USER])


@api.operation(
    "GET", "/v1/policies", roles=EVERYONE, query=PageQuery, answers={200: Listing[PolicyOut]}, summary="All policies"
)
async def list_policies(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """Of the user's clients."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await policies.list_policies(connection, request[keys.USER], query.cursor or "", query.limit + 1)
    shown, following = page(rows, query.limit, "client")
    return {"items": shown, "next_cursor": following}
