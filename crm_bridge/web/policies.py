"""Policies of the clients."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from config import clock
from crm_bridge import policies
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api, PageQuery, Reply
from crm_bridge.web.paging import Listing, page

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
