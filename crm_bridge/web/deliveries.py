"""What leaves the house: destinations with their backlog, each delivery with its tries, dead letters sent again."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.errors import Conflict
from config.sections import Role
from crm_bridge.outbox import desk, registry
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("deliveries")
ADMIN: tuple[Role, ...] = ("admin",)
State = Literal["waiting", "delivered", "dead", "dropped"]
CURSOR = r"^[0-9]{1,18}$"
NOTHING = {"waiting": 0, "dead": 0, "oldest_waiting": None}


class DestinationOut(BaseModel):
    """A webhook or a connector, and how it fares."""

    id: str
    kind: str
    name: str
    events: list[str]
    clients: list[str]
    state: str = Field(description="on, off, or disabled by the service")
    reason: str | None
    waiting: int = Field(description="to be told")
    oldest_waiting: datetime | None = Field(description="when the oldest of them happened")
    dead: int = Field(description="given up, until somebody sends them again")
    failures: int = Field(description="in a row")
    failing_since: datetime | None
    paused_until: datetime | None = Field(description="nobody is there: tried again then")
    delivered_at: datetime | None
    last_error: str | None
    created_at: datetime


class DeliveryOut(BaseModel):
    """One thing to tell one destination."""

    id: str = Field(description="the receiver's idempotency key, `webhook-id`: the same for every try")
    destination_id: str
    destination: str
    kind: str
    client: str | None
    case_id: str | None
    call_id: str | None
    occurred_at: datetime
    state: str = Field(description="waiting, delivered, dead (given up) or dropped (by somebody)")
    due_at: datetime | None = Field(description="when it is tried next")
    attempts: int
    reason: str | None
    remote_id: str | None = Field(description="what the receiver calls it")
    ended_at: datetime | None


class TryOut(BaseModel):
    """One try."""

    id: int
    item_id: str | None = Field(description="null: a test message")
    attempt: int
    at: datetime
    milliseconds: int
    result: str = Field(description="delivered, later, refused or gone")
    status: int | None
    reason: str | None
    answer: str = Field(description="the first 2 KB")


class WholeDelivery(DeliveryOut):
    """A delivery with what is told and every try."""

    payload: dict[str, Any]
    tries: list[TryOut]


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    cursor: str | None = Field(None, pattern=CURSOR, description="`next_cursor` of the page before")
    destination_id: str | None = Field(None, max_length=32)
    state: State | None = None
    kind: str | None = Field(None, max_length=64)
    case_id: str | None = Field(None, max_length=128)
    call_id: str | None = Field(None, max_length=32)


class TryQuery(PageQuery):
    """Which page."""

    cursor: str | None = Field(None, pattern=CURSOR, description="`next_cursor` of the page before")


class Reason(Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=500)


class ReplayAll(Reason):
    """Which dead letters, and why."""

    since: AwareDatetime | None = Field(None, description="only what happened from then on")


class Replayed(BaseModel):
    """How many are sent again."""

    replayed: int


@api.operation(
    "GET",
    "/v1/destinations",
    roles=ADMIN,
    answers={200: Listing[DestinationOut]},
    summary="Who is told what, and how much waits",
)
async def list_destinations(request: web.Request) -> dict[str, Any]:
    """Webhooks and connectors."""
    async with request.app[keys.DATABASE].read() as connection:
        waiting = await desk.backlog(connection)
        rows = await registry.listing(connection, request[keys.USER])
    return {"items": [{**row._mapping, **waiting.get(row.id, NOTHING)} for row in rows], "next_cursor": None}


@api.operation(
    "GET",
    "/v1/destinations/{id}/tries",
    roles=ADMIN,
    query=TryQuery,
    answers={200: Listing[TryOut]},
    summary="A destination's log, newest first",
)
async def list_tries(request: web.Request, query: TryQuery) -> dict[str, Any]:
    """Every try and test message: status, time and the start of the answer."""
    async with request.app[keys.DATABASE].read() as connection:
        row = await registry.find(connection, request.match_info["id"], user=request[keys.USER])
        before = int(query.cursor) if query.cursor else None
        rows = await desk.log(connection, row.id, before=before, limit=query.limit + 1)
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "POST",
    "/v1/destinations/{id}/replay",
    roles=ADMIN,
    body=ReplayAll,
    answers={200: Replayed},
    summary="Send a destination's dead letters again",
)
async def replay_all(request: web.Request, body: ReplayAll) -> dict[str, int]:
    """All of them, or those since a moment; each under the id that it had."""
    async with request.app[keys.DATABASE].write() as transaction:
        count = await desk.replay_all(
            transaction,
            request.match_info["id"],
            body.reason,
            since=body.since,
            user=request[keys.USER],
            now=clock.now(),
        )
    return {"replayed": count}


@api.operation(
    "POST",
    "/v1/destinations/{id}/enable",
    roles=ADMIN,
    body=Reason,
    answers={200: DestinationOut},
    summary="Switch a destination on, and try what waits at once",
)
async def enable_destination(request: web.Request, body: Reason) -> dict[str, Any]:
    """Also one that is on and is left alone for a while because nobody was there."""
    return await _switch(request, True, body.reason)


@api.operation(
    "POST",
    "/v1/destinations/{id}/disable",
    roles=ADMIN,
    body=Reason,
    answers={200: DestinationOut},
    summary="Switch a destination off",
)
async def disable_destination(request: web.Request, body: Reason) -> dict[str, Any]:
    """What waits goes on waiting; what happens from now on is not kept for it."""
    return await _switch(request, False, body.reason)


async def _switch(request: web.Request, on: bool, reason: str) -> dict[str, Any]:
    identifier, actor = request.match_info["id"], request[keys.USER].name
    async with request.app[keys.DATABASE].write() as transaction:
        await registry.find(transaction.connection, identifier, user=request[keys.USER])
        await registry.switch(transaction, identifier, on, reason, actor=actor, now=clock.now())
        row = await registry.find(transaction.connection, identifier)
        waiting = await desk.backlog(transaction.connection)
    return {**row._mapping, **waiting.get(row.id, NOTHING)}


@api.operation(
    "GET",
    "/v1/deliveries",
    roles=ADMIN,
    query=DeliveryQuery,
    answers={200: Listing[DeliveryOut]},
    summary="What was told, waits or was given up, newest first",
)
async def list_deliveries(request: web.Request, query: DeliveryQuery) -> dict[str, Any]:
    """`state=dead` are the dead letters."""
    wanted = query.model_dump(include={"destination_id", "state", "kind", "case_id", "call_id"})
    before = int(query.cursor) if query.cursor else None
    async with request.app[keys.DATABASE].read() as connection:
        rows = await desk.listing(connection, wanted, user=request[keys.USER], before=before, limit=query.limit + 1)
    shown, following = page(rows, query.limit, "seq")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "GET", "/v1/deliveries/{id}", roles=ADMIN, answers={200: WholeDelivery}, summary="A delivery with its tries"
)
async def get_delivery(request: web.Request) -> dict[str, Any]:
    """What is told, as it is kept; a webhook is sent it with the masks of its role."""
    async with request.app[keys.DATABASE].read() as connection:
        return await _whole(connection, request.match_info["id"], request[keys.USER])


@api.operation(
    "POST",
    "/v1/deliveries/{id}/replay",
    roles=ADMIN,
    body=Reason,
    answers={200: WholeDelivery},
    problems=(Conflict,),
    summary="Send one again",
)
async def replay_delivery(request: web.Request, body: Reason) -> dict[str, Any]:
    """Under the same id, so a receiver that has it knows it; with a new schedule."""
    identifier, user = request.match_info["id"], request[keys.USER]
    async with request.app[keys.DATABASE].write() as transaction:
        await desk.replay(transaction, identifier, body.reason, user=user, now=clock.now())
        return await _whole(transaction.connection, identifier, user)


@api.operation(
    "POST",
    "/v1/deliveries/{id}/drop",
    roles=ADMIN,
    body=Reason,
    answers={200: WholeDelivery},
    problems=(Conflict,),
    summary="Give one up",
)
async def drop_delivery(request: web.Request, body: Reason) -> dict[str, Any]:
    """It is not sent any more, unless it is replayed; what waited behind it goes on."""
    identifier, user = request.match_info["id"], request[keys.USER]
    async with request.app[keys.DATABASE].write() as transaction:
        await desk.drop(transaction, identifier, body.reason, user=user, now=clock.now())
        return await _whole(transaction.connection, identifier, user)


async def _whole(connection: AsyncConnection, item_id: str, user: User) -> dict[str, Any]:
    row = await desk.find(connection, item_id, user)
    return {**row._mapping, "tries": await desk.tries_of(connection, item_id)}
