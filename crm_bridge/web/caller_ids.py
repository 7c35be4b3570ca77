"""Caller-ID pools over HTTP, and how often each number was shown."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import select

from config import clock
from config.errors import Invalid, NotFound
from crm_bridge.people.scope import require_client
from crm_bridge.people.users import Role, User
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, Query, Reply
from crm_bridge.web.trunk_shapes import CallerId, Reason
from telephony.tables import trunks
from telephony.trunking import caller_ids

api = Api("caller IDs")
READERS: tuple[Role, ...] = ("admin", "supervisor")
PoolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Region = Annotated[
    str, Field(pattern=r"^\+?[1-9]?[0-9]{0,14}$"), AfterValidator(lambda prefix: f"+{prefix.removeprefix('+')}")
]


class PoolIn(Body):
    """Which numbers the calls of a client to a region show."""

    client: str | None = Field(None, min_length=1, max_length=128, description="absent: every client without its own")
    region: Region = Field("+", description="start of the numbers called, as +86371; absent: everywhere")
    numbers: list[CallerId] = Field(min_length=1, max_length=2000)
    daily_limit: int = Field(0, ge=0, le=100_000, description="calls that show a number, a day; 0: no limit")
    reason: Reason | None = Field(None, description="why, for the journal")


class PoolOut(BaseModel):
    """A pool."""

    name: str
    client: str | None
    region: str
    numbers: list[str]
    daily_limit: int
    shown_by: dict[str, list[str]] = Field(
        description="each number, and the trunks that may show it; none: never shown"
    )
    updated_at: datetime
    updated_by: str


class Pools(BaseModel):
    """Every pool."""

    items: list[PoolOut]


class Load(BaseModel):
    """How often a number was shown on one day, by trunk. A day is that of the number's own country."""

    day: str
    calls: int
    trunks: dict[str, int]


class NumberOut(BaseModel):
    """A number that calls may show."""

    number: str
    trunks: list[str] = Field(description="that may show it")
    pools: list[str]
    today: int
    daily_limit: int = Field(description="the lowest of its pools; 0: no limit")
    days: list[Load]


class Numbers(BaseModel):
    """Every number that a trunk may show, a pool names, or a call has shown lately."""

    items: list[NumberOut]


class DaysQuery(Query):
    """How far back."""

    days: int = Field(7, ge=1, le=92)


class WhyQuery(Query):
    """Why it goes."""

    reason: Reason | None = None


async def _may_show(request: web.Request) -> dict[str, list[str]]:
    """The trunks that may show a number, by its digits."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await connection.execute(select(trunks.c.name, trunks.c.caller_ids).order_by(trunks.c.name))
    may: dict[str, list[str]] = {}
    for row in rows:
        for number in row.caller_ids:
            may.setdefault(caller_ids.digits(number), []).append(row.name)
    return may


def _pool(row: Any, may: dict[str, list[str]]) -> dict[str, Any]:
    shown = {number: may.get(caller_ids.digits(number), []) for number in row.numbers}
    return {**row._mapping, "shown_by": shown}


@api.operation("GET", "/v1/caller-id-pools", roles=READERS, answers={200: Pools}, summary="All caller-ID pools")
async def list_pools(request: web.Request) -> dict[str, Any]:
    """By name."""
    may, user = await _may_show(request), request[keys.USER]
    async with request.app[keys.DATABASE].read() as connection:
        pools = await caller_ids.pools_of(connection)
    return {"items": [_pool(row, may) for row in pools if _is_seen(user, row)]}


def _is_seen(user: User, pool: Any) -> bool:
    """A pool of every client is everybody's to see, a client's only theirs who work for it."""
    return not user.clients or pool.client is None or pool.client in user.clients


async def _own(request: web.Request, name: str) -> Any:
    """The pool, if it is the reader's to see. Raises NotFound."""
    async with request.app[keys.DATABASE].read() as connection:
        row = await caller_ids.find_pool(connection, name)
    if not _is_seen(request[keys.USER], row):
        raise NotFound(f"there is no caller-ID pool {name}")
    return row


@api.operation(
    "PUT",
    "/v1/caller-id-pools/{name}",
    roles=("admin",),
    body=PoolIn,
    answers={200: PoolOut, 201: PoolOut},
    summary="Say which numbers the calls of a client to a region show",
)
async def put_pool(request: web.Request, body: PoolIn) -> Reply:
    """From the next call on. Of several pools the client's own goes first, then the longest region."""
    name = request.match_info["name"]
    if not _is_name(name):
        raise Invalid(
            "name: must be letters, digits, dot, hyphen or underscore", [{"field": "name", "message": "no name"}]
        )
    given = [caller_ids.digits(number) for number in body.numbers]
    if len(set(given)) != len(given):
        message = "must name each number once"
        raise Invalid(f"numbers: {message}", [{"field": "numbers", "message": message}])
    user, values = request[keys.USER], body.model_dump(exclude={"reason"})
    require_client(user, body.client or "(every one)")
    with suppress(NotFound):
        async with request.app[keys.DATABASE].read() as connection:
            require_client(user, (await caller_ids.find_pool(connection, name)).client or "(every one)")
    async with request.app[keys.DATABASE].write() as transaction:
        row, is_new = await caller_ids.put_pool(
            transaction, name, values, body.reason, actor=user.name, now=clock.now()
        )
    return Reply(_pool(row, await _may_show(request)), status=201 if is_new else 200)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 64 and all(one.isalnum() or one in "._-" for one in name)


@api.operation("GET", "/v1/caller-id-pools/{name}", roles=READERS, answers={200: PoolOut}, summary="A caller-ID pool")
async def get_pool(request: web.Request) -> dict[str, Any]:
    """With the trunks that may show each of its numbers."""
    return _pool(await _own(request, request.match_info["name"]), await _may_show(request))


@api.operation(
    "DELETE",
    "/v1/caller-id-pools/{name}",
    roles=("admin",),
    query=WhyQuery,
    answers={204: NoContent},
    summary="Take a caller-ID pool away",
)
async def delete_pool(request: web.Request, query: WhyQuery) -> None:
    """Its calls show what the next pool says, or else any number of their trunk."""
    name, user = request.match_info["name"], request[keys.USER]
    require_client(user, (await _own(request, name)).client or "(every one)")
    async with request.app[keys.DATABASE].write() as transaction:
        await caller_ids.remove_pool(transaction, name, query.reason, actor=user.name, now=clock.now())


@api.operation(
    "GET",
    "/v1/caller-ids",
    roles=READERS,
    query=DaysQuery,
    answers={200: Numbers},
    summary="Every number that calls may show, and how often each was shown a day",
)
async def list_numbers(request: web.Request, query: DaysQuery) -> dict[str, Any]:
    """By number. What a call showed counts from the moment the gate let it out, whether it was answered or not."""
    now, may = clock.now(), await _may_show(request)
    since = (now - timedelta(days=query.days)).date().isoformat()
    async with request.app[keys.DATABASE].read() as connection:
        pools = [pool for pool in await caller_ids.pools_of(connection) if _is_seen(request[keys.USER], pool)]
        rows = await caller_ids.loads(connection, since)
    loads: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        loads.setdefault(row.caller_id, {}).setdefault(row.day, {})[row.trunk] = row.calls
    named = {caller_ids.digits(number) for pool in pools for number in pool.numbers}
    return {"items": [_number(one, may, pools, loads.get(one, {}), now) for one in sorted({*may, *named, *loads})]}


def _number(
    digits: str, may: dict[str, list[str]], pools: list[Any], days: dict[str, dict[str, int]], now: datetime
) -> dict[str, Any]:
    mine = [pool for pool in pools if digits in {caller_ids.digits(number) for number in pool.numbers}]
    today = caller_ids.day_of(digits, now)
    told = [{"day": day, "calls": sum(trunks.values()), "trunks": trunks} for day, trunks in days.items()]
    limits = [pool.daily_limit for pool in mine if pool.daily_limit]
    return {
        "number": digits,
        "trunks": may.get(digits, []),
        "pools": [pool.name for pool in mine],
        "today": sum(days.get(today, {}).values()),
        "daily_limit": min(limits, default=0),
        "days": told,
    }
