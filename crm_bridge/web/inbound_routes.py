"""Routes of inbound calls, and what would happen to a call."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import AliasChoices, AwareDatetime, BaseModel, Field

from config import clock
from config.errors import Conflict, Invalid
from crm_bridge.inbound import routes as inbound_routes
from crm_bridge.inbound.desk import Plan, Why
from crm_bridge.inbound.routes import NewRoute, RouteChange, Way
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, NoContent, PageQuery, Query, Reply, WhyQuery
from crm_bridge.web.paging import Listing, page

api = Api("inbound routes")
READERS: tuple[Role, ...] = ("admin", "supervisor")


class BandOut(BaseModel):
    """A band of the day."""

    days: list[str]
    from_: str = Field(validation_alias=AliasChoices("from", "from_"), serialization_alias="from")
    to: str


class RouteOut(BaseModel):
    """A route."""

    did: str
    to: str
    target: str | None
    hours: list[BandOut] | None
    zone: str
    overflow: list[Way]
    ring_seconds: int
    announcement: str | None
    closed_message: str | None
    client: str | None
    enabled: bool
    updated_at: datetime
    updated_by: str


class RoutePut(RouteChange):
    """A route as it should be; `did` may be repeated."""

    did: str | None = None


class PreviewQuery(Query):
    """A call to imagine."""

    did: str = Field(min_length=1, max_length=40)
    number: str = Field("", max_length=40, description="the caller's; absent: an anonymous one")
    at: AwareDatetime | None = Field(None, description="absent: now")
    pbx: str | None = Field(None, max_length=32, description="absent: the first of the settings")


class PersonOut(BaseModel):
    """Somebody whom the call could ring."""

    agent: str
    extension: str
    why: Why = Field(description="rings, or why not; as people and phones are now, whatever `at` is")


class StopOut(BaseModel):
    """One way of the route."""

    to: str
    target: str | None
    in_turn: bool
    people: list[PersonOut]


class PreviewOut(BaseModel):
    """What would happen."""

    what: str = Field(description="ring, closed, nobody or no-route")
    route: str | None
    caller: str | None = Field(description="the caller's number as it would be understood")
    matches: list[dict[str, Any]]
    stops: list[StopOut]
    rings: list[list[str]] = Field(description="extensions, together within a step, step after step")
    announcement: str | None
    message: str | None


def _did(request: web.Request, given: str | None = None) -> str:
    return inbound_routes.written(given or request.match_info["did"], request.app[keys.SETTINGS].policy.region)


@api.operation(
    "POST",
    "/v1/inbound-routes",
    roles=("admin",),
    body=NewRoute,
    answers={201: RouteOut},
    problems=(Conflict,),
    summary="Say where calls to a number go",
)
async def create_route(request: web.Request, body: NewRoute) -> Any:
    """From the next call on. The number is kept in E.164; `*` is every number without a route of its own."""
    return (await _put(request, _did(request, body.did), body, only_new=True))[0]


@api.operation(
    "PUT",
    "/v1/inbound-routes/{did}",
    roles=("admin",),
    body=RoutePut,
    answers={200: RouteOut, 201: RouteOut},
    problems=(Conflict,),
    summary="Change where calls to a number go",
)
async def put_route(request: web.Request, body: RoutePut) -> Reply:
    """The whole route: what is left out is set back."""
    did = _did(request)
    if body.did is not None and _did(request, body.did) != did:
        raise Invalid("did: is another number", [{"field": "did", "message": "must be the one in the address"}])
    row, is_new = await _put(request, did, body)
    return Reply(row, status=201 if is_new else 200)


async def _put(request: web.Request, did: str, given: RouteChange, *, only_new: bool = False) -> tuple[Any, bool]:
    zone, user = request.app[keys.SETTINGS].policy.zone, request[keys.USER]
    async with request.app[keys.DATABASE].write() as transaction:
        await inbound_routes.require_theirs(transaction.connection, did, given.client, user)
        return await inbound_routes.put(
            transaction, did, given, zone_key=zone, actor=user.name, now=clock.now(), only_new=only_new
        )


@api.operation(
    "GET",
    "/v1/inbound-routes",
    roles=READERS,
    query=PageQuery,
    answers={200: Listing[RouteOut]},
    summary="All routes of inbound calls",
)
async def list_routes(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By number."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await inbound_routes.listing(connection, query.cursor or "", query.limit + 1, request[keys.USER])
    shown, following = page(rows, query.limit, "did")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "GET",
    "/v1/inbound-routes/preview",
    roles=READERS,
    query=PreviewQuery,
    answers={200: PreviewOut},
    summary="What would happen to this call at that time?",
)
async def preview(request: web.Request, query: PreviewQuery) -> dict[str, Any]:
    """Hours are looked at as of `at`; who is ready and whose phone is free, as they are now. Nothing is rung.

    Of the cases that hold the number those count that the asker may see.
    """
    desk = request.app[keys.INBOUND_DESK]
    async with request.app[keys.DATABASE].read() as connection:
        plan = await desk.plan(
            connection,
            query.did,
            query.number,
            query.pbx or desk.first_pbx,
            clock.now(),
            hours_at=query.at,
            reader=request[keys.USER],
        )
    return _told(plan)


def _told(plan: Plan) -> dict[str, Any]:
    stops = [
        {
            "to": stop.to,
            "target": stop.target,
            "in_turn": stop.in_turn,
            "people": [{"agent": one.agent, "extension": one.endpoint, "why": one.why} for one in stop.people],
        }
        for stop in plan.stops
    ]
    return {
        "what": plan.what,
        "route": plan.route.did if plan.route is not None else None,
        "caller": plan.caller,
        "matches": [holder.document() for holder in plan.found],
        "stops": stops,
        "rings": plan.steps,
        "announcement": plan.route.announcement if plan.route is not None and plan.steps else None,
        "message": plan.message,
    }


@api.operation(
    "GET", "/v1/inbound-routes/{did}", roles=READERS, answers={200: RouteOut}, summary="The route of a number"
)
async def get_route(request: web.Request) -> Any:
    """Its own one; 404 where it takes that of every other number."""
    async with request.app[keys.DATABASE].read() as connection:
        return await inbound_routes.find(connection, _did(request), request[keys.USER])


@api.operation(
    "DELETE",
    "/v1/inbound-routes/{did}",
    roles=("admin",),
    query=WhyQuery,
    answers={204: NoContent},
    summary="Take a route away",
)
async def delete_route(request: web.Request, query: WhyQuery) -> None:
    """Calls to the number take the route `*` from then on, where there is one."""
    did, user = _did(request), request[keys.USER]
    async with request.app[keys.DATABASE].write() as transaction:
        await inbound_routes.require_theirs(transaction.connection, did, None, user)
        await inbound_routes.remove(transaction, did, query.reason, actor=user.name, now=clock.now())
