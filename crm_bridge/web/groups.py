"""Groups of people with phones."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from config import clock
from config.errors import Conflict
from crm_bridge.people import groups
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, NoContent, PageQuery, WhyQuery
from crm_bridge.web.paging import Listing, page

api = Api("groups")


class GroupOut(BaseModel):
    """A group."""

    name: str
    members: list[str]
    ring: Literal["together", "in_turn"]
    updated_at: datetime
    updated_by: str


@api.operation(
    "POST",
    "/v1/groups",
    roles=("admin",),
    body=groups.NewGroup,
    answers={201: GroupOut},
    problems=(Conflict,),
    summary="Create a group",
)
async def create_group(request: web.Request, body: groups.NewGroup) -> Any:
    """Whom inbound routes ring and calls are transferred to."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await groups.create(transaction, body, actor=request[keys.USER].name, now=clock.now())


@api.operation(
    "GET", "/v1/groups", roles=PEOPLE, query=PageQuery, answers={200: Listing[GroupOut]}, summary="All groups"
)
async def list_groups(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By name."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await groups.listing(connection, query.cursor or "", query.limit + 1)
    shown, following = page(rows, query.limit, "name")
    return {"items": shown, "next_cursor": following}


@api.operation("GET", "/v1/groups/{name}", roles=PEOPLE, answers={200: GroupOut}, summary="A group")
async def get_group(request: web.Request) -> Any:
    """Its members in the order in which they are rung."""
    async with request.app[keys.DATABASE].read() as connection:
        return await groups.find(connection, request.match_info["name"])


@api.operation(
    "PUT", "/v1/groups/{name}", roles=("admin",), body=groups.GroupIn, answers={200: GroupOut}, summary="Change a group"
)
async def put_group(request: web.Request, body: groups.GroupIn) -> Any:
    """From the next call on."""
    name, actor = request.match_info["name"], request[keys.USER].name
    async with request.app[keys.DATABASE].write() as transaction:
        return await groups.change(transaction, name, body, actor=actor, now=clock.now())


@api.operation(
    "DELETE",
    "/v1/groups/{name}",
    roles=("admin",),
    query=WhyQuery,
    answers={204: NoContent},
    problems=(Conflict,),
    summary="Take a group away",
)
async def delete_group(request: web.Request, query: WhyQuery) -> None:
    """Not while an inbound route leads to it."""
    name, actor = request.match_info["name"], request[keys.USER].name
    async with request.app[keys.DATABASE].write() as transaction:
        await groups.remove(transaction, name, query.reason, actor=actor, now=clock.now())
