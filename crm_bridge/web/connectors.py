"""Connectors: which CRMs are asked for cases and told of notes, whether they would work, and pulls."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict, Invalid
from config.sealing import SealBroken
from crm_bridge.connectors import conflict_book, registry, trying
from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery, Query
from crm_bridge.web.paging import Listing, page

api = Api("connectors")
ADMIN: tuple[Role, ...] = ("admin",)

Name = Annotated[str, Field(min_length=1, max_length=128)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]
DatabaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Token = Annotated[str, Field(pattern=r"^[\x21-\x7e]{8,512}$")]
Minutes = Annotated[int, Field(ge=1, le=10_080)]


class ConnectorIn(Body):
    """A CRM."""

    name: Name
    kind: Literal["tryton"] = "tryton"
    url: Url = Field(description="where the CRM answers: https://…; http:// only inside outbox.allow_networks")
    database: DatabaseName
    token: Token = Field(description="a user's key of the application REST API; kept sealed, never shown again")
    client: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/]+$")] = Field(
        description="whose cases it brings, and whose notes it is told; it stays so"
    )
    mapping: TrytonMapping = TrytonMapping()
    minutes: Minutes | None = Field(10, description="from one pull to the next; null: only when asked")
    enabled: bool = True


class ConnectorWhole(ConnectorIn):
    """All settings of a connector that there is. Another URL needs the token again."""

    token: Token | None = None  # type: ignore[assignment]  # alone of all may be left out


class ConnectorChange(Body):
    """What is to change; what is absent stays. Another URL needs the token again."""

    name: Name | None = None
    url: Url | None = None
    database: DatabaseName | None = None
    token: Token | None = None
    mapping: TrytonMapping | None = None
    minutes: Minutes | None = None
    enabled: bool | None = Field(None, description="true sends what waited; false stops notes and pulls")


class ConnectorOut(BaseModel):
    """A connector, without its token."""

    id: str
    name: str
    kind: str
    url: str
    database: str
    client: str
    mapping: TrytonMapping
    minutes: int | None
    enabled: bool
    state: str = Field(description="on, off, or disabled: by the service, when the token is not accepted any more")
    reason: str | None
    pulling: bool = Field(description="whether a pull is under way, or asked for")
    next_pull_at: datetime | None
    pulled_at: datetime | None = Field(description="when a pull was seen through last")
    pulled: dict[str, int] | None = Field(
        description="its counts: read, created, updated, left_out, removed, conflicts"
    )
    pull_error: str | None = Field(description="why the last pull was not seen through; it goes on by itself")
    failing_since: datetime | None
    open_conflicts: int
    delivered_at: datetime | None = Field(description="when a note arrived last")
    last_error: str | None = Field(description="what the CRM said to a note last")
    created_at: datetime
    updated_at: datetime


class StepOut(BaseModel):
    """Something that was looked at."""

    name: str
    ok: bool
    what: str
    what_zh: str


class TrialOut(BaseModel):
    """Whether it would work; `sample` is the first record as the case that it would become."""

    ok: bool
    steps: list[StepOut]
    sample: dict[str, Any] | None


class PullQuery(Query):
    """How much."""

    full: bool = Field(False, description="read everything again, whatever its date")
    accept_removed: bool = Field(False, description="believe that most cases are gone, and mark them")


@api.operation(
    "POST", "/v1/connectors", roles=ADMIN, body=ConnectorIn, answers={201: ConnectorOut}, summary="Connect a CRM"
)
async def create_connector(request: web.Request, body: ConnectorIn) -> dict[str, Any]:
    """Its notes are written from now on; with a schedule the first pull begins at once."""
    user, now = request[keys.USER], clock.now()
    given = body.model_dump(mode="json")
    async with request.app[keys.DATABASE].write() as transaction:
        identifier = await request.app[keys.CONNECTORS].create(transaction, given, user=user, now=now)
        row = await registry.find(transaction.connection, identifier, user)
    return _shown(row, {})


@api.operation(
    "GET",
    "/v1/connectors",
    roles=ADMIN,
    query=PageQuery,
    answers={200: Listing[ConnectorOut]},
    summary="All connectors",
)
async def list_connectors(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """Oldest first."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await registry.listing(connection, request[keys.USER], query.cursor or "", query.limit + 1)
        counts = await conflict_book.counts(connection)
    shown, following = page(rows, query.limit, "id")
    return {"items": [_shown(row, counts) for row in shown], "next_cursor": following}


@api.operation("GET", "/v1/connectors/{id}", roles=ADMIN, answers={200: ConnectorOut}, summary="A connector")
async def get_connector(request: web.Request) -> dict[str, Any]:
    """With how its last pull went."""
    return await _now(request)


@api.operation(
    "PATCH",
    "/v1/connectors/{id}",
    roles=ADMIN,
    body=ConnectorChange,
    answers={200: ConnectorOut},
    summary="Change, switch on or off a connector",
)
async def change_connector(request: web.Request, body: ConnectorChange) -> dict[str, Any]:
    """Another mapping, database or URL has everything read again at the next pull."""
    return await _change(request, body)


@api.operation(
    "PUT",
    "/v1/connectors/{id}",
    roles=ADMIN,
    body=ConnectorWhole,
    answers={200: ConnectorOut},
    summary="Replace a connector's settings",
)
async def put_connector(request: web.Request, body: ConnectorWhole) -> dict[str, Any]:
    """The whole: what is left out is set back. Its token stays unless it is given."""
    known = await _now(request)
    if known["client"] != body.client:
        message = f"stays {known['client']}: make another connector for another client"
        raise Invalid(f"client: {message}", [{"field": "client", "message": message}])
    given = body.model_dump(mode="json", exclude={"kind", "client"})
    return await _change(request, ConnectorChange.model_validate(given))


async def _change(request: web.Request, body: ConnectorChange) -> dict[str, Any]:
    given = body.model_dump(mode="json", exclude_unset=True)
    given = {name: value for name, value in given.items() if value is not None or name == "minutes"}
    async with request.app[keys.DATABASE].write() as transaction:
        await request.app[keys.CONNECTORS].change(
            transaction, request.match_info["id"], given, user=request[keys.USER], now=clock.now()
        )
    return await _now(request)


@api.operation("DELETE", "/v1/connectors/{id}", roles=ADMIN, answers={204: NoContent}, summary="Disconnect a CRM")
async def remove_connector(request: web.Request) -> None:
    """Its cases and notes stay; what waited is not sent any more, and the token is forgotten."""
    async with request.app[keys.DATABASE].write() as transaction:
        await request.app[keys.CONNECTORS].remove(
            transaction, request.match_info["id"], user=request[keys.USER], now=clock.now()
        )


@api.operation(
    "POST",
    "/v1/connectors/{id}/test",
    roles=ADMIN,
    answers={200: TrialOut},
    summary="Try a connector: what is wrong, step by step",
)
async def test_connector(request: web.Request) -> trying.Trial:
    """Reads a few records and writes nothing."""
    service = request.app[keys.CONNECTORS]
    async with request.app[keys.DATABASE].read() as connection:
        row = await registry.find(connection, request.match_info["id"], request[keys.USER])
    mapping = TrytonMapping.model_validate(row.mapping)
    try:
        crm = service.crm(row)
    except SealBroken as fault:
        return trying.without_token(fault.detail)
    return await trying.tried(crm, mapping, row.client, service.region)


@api.operation(
    "POST",
    "/v1/connectors/{id}/pull",
    roles=ADMIN,
    query=PullQuery,
    answers={202: ConnectorOut},
    problems=(Conflict,),
    summary="Pull cases now",
)
async def pull_connector(request: web.Request, query: PullQuery) -> dict[str, Any]:
    """In place of one that is under way. `pulled_at` says when it is done; 409 while the connector is switched off."""
    async with request.app[keys.DATABASE].write() as transaction:
        await request.app[keys.CONNECTORS].ask_pull(
            transaction, request.match_info["id"], **query.model_dump(), user=request[keys.USER], now=clock.now()
        )
    return await _now(request)


async def _now(request: web.Request) -> dict[str, Any]:
    async with request.app[keys.DATABASE].read() as connection:
        row = await registry.find(connection, request.match_info["id"], request[keys.USER])
        return _shown(row, await conflict_book.counts(connection))


def _shown(row: Any, counts: Any) -> dict[str, Any]:
    about = {
        "enabled": row.state == "on",
        "pulling": row.run is not None,
        "next_pull_at": row.due_at if row.state == "on" else None,
        "open_conflicts": counts.get(row.id, 0),
    }
    return {**{name: value for name, value in row._mapping.items() if name != "token"}, **about}
