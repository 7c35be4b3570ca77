"""Numbers that desk phones may call although no case holds them."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement

from config import clock
from config.errors import Conflict, Invalid, NotFound
from crm_bridge.people import scope
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery
from crm_bridge.web.paging import Listing, page
from telephony.gate import allowed_numbers
from telephony.numbers import InvalidNumber, is_emergency, is_short, normalise
from telephony.tables import allowed_numbers as table

api = Api("allowed-numbers")


class AllowedNumberIn(Body):
    """A number to let out, why, and for whom."""

    number: str = Field(min_length=3, max_length=40, description="any spelling, or a short number such as 95588")
    reason: str = Field(min_length=1, max_length=2000)
    pbx: str | None = Field(None, max_length=32, description="absent: on every PBX")
    client: str | None = Field(
        None, max_length=128, description="absent: for everybody, else for who works for that client"
    )


class AllowedNumberOut(BaseModel):
    """An allowed number."""

    id: str
    number: str
    reason: str
    pbx: str | None
    client: str | None
    created_at: datetime
    created_by: str


def _seen(request: web.Request) -> ColumnElement[bool]:
    """Condition on the list: what holds for everybody, and for the user's clients."""
    return scope.shared_seen_by(request[keys.USER], table.c.client)


@api.operation(
    "GET",
    "/v1/allowed-numbers",
    roles=("admin", "supervisor"),
    query=PageQuery,
    answers={200: Listing[AllowedNumberOut]},
    summary="Numbers that phones may call without a case",
)
async def list_allowed_numbers(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """In the order in which they were entered."""
    async with request.app[keys.DATABASE].read() as connection:
        seen = _seen(request)
        rows = await allowed_numbers.page(connection, query.cursor or "", query.limit + 1, seen)
    shown, _ = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": shown[-1].id if len(rows) > query.limit else None}


@api.operation(
    "POST",
    "/v1/allowed-numbers",
    roles=("admin",),
    body=AllowedNumberIn,
    answers={201: AllowedNumberOut},
    problems=(Conflict, InvalidNumber, Invalid),
    summary="Let a number out that no case holds",
)
async def add_allowed_number(request: web.Request, body: AllowedNumberIn) -> Any:
    """As soon as a case holds the number, the rules decide about it, not this list. Such calls are recorded like all others."""
    settings = request.app[keys.SETTINGS]
    if body.client is not None:
        scope.require_client(request[keys.USER], body.client)
    if body.pbx is not None and body.pbx not in {pbx.name for pbx in settings.pbx}:
        message = f"there is no PBX {body.pbx}"
        raise Invalid(message, [{"field": "pbx", "message": message}])
    async with request.app[keys.DATABASE].write() as transaction:
        return await allowed_numbers.add(
            transaction,
            _read(body.number, settings.policy.region),
            pbx=body.pbx,
            client=body.client,
            reason=body.reason,
            actor=request[keys.USER].name,
            now=clock.now(),
        )


def _read(number: str, region: str) -> str:
    digits = number.strip()
    if is_short(digits, region) and not is_emergency(digits, region):
        return digits
    return normalise(number, region)


@api.operation(
    "DELETE",
    "/v1/allowed-numbers/{id}",
    roles=("admin",),
    answers={204: NoContent},
    problems=(NotFound,),
    summary="Let a number out no more",
)
async def remove_allowed_number(request: web.Request) -> None:
    """Calls that were made with its leave keep it on them."""
    async with request.app[keys.DATABASE].write() as transaction:
        await allowed_numbers.remove(
            transaction, request.match_info["id"], seen=_seen(request), actor=request[keys.USER].name, now=clock.now()
        )
