"""Action codes: the default set, and the sets of clients that have their own."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import Field

from config import clock
from crm_bridge.notes import action_codes
from crm_bridge.notes.action_codes import CodeSet, NoteField
from crm_bridge.people import scope
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api, NoContent, Query, Reply
from crm_bridge.web.paging import Listing
from crm_bridge.web.reasons import ReasonQuery, WithReason

api = Api("action codes")


class CodesQuery(Query):
    """Whose codes."""

    client: str | None = Field(None, max_length=128, description="absent: the default set")


class CodesOut(Listing[action_codes.ActionCode]):
    """The codes in force, and the client's own fields that they ask for."""

    fields: list[NoteField] = Field([])


class CodesIn(CodeSet, WithReason):
    """A client's whole set, as it shall be from now on."""


class OwnSet(CodeSet):
    """A client's own codes."""

    client: str
    updated_at: datetime
    updated_by: str


@api.operation(
    "GET", "/v1/action-codes", roles=EVERYONE, query=CodesQuery, answers={200: CodesOut}, summary="The action codes"
)
async def list_action_codes(request: web.Request, query: CodesQuery) -> dict[str, Any]:
    """With their names in Chinese and English, what each requires and what it tells the policy."""
    if query.client is not None:
        scope.require_client(request[keys.USER], query.client)
    async with request.app[keys.DATABASE].read() as connection:
        found = await action_codes.codes_of(connection, query.client)
    return {"items": found.codes, "next_cursor": None, "fields": found.fields}


@api.operation(
    "GET",
    "/v1/action-codes/own",
    roles=("supervisor", "admin"),
    answers={200: Listing[OwnSet]},
    summary="The clients with action codes of their own",
)
async def list_own_sets(request: web.Request) -> dict[str, Any]:
    """Of the user's clients."""
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": await action_codes.own_sets(connection, request[keys.USER]), "next_cursor": None}


@api.operation(
    "PUT",
    "/v1/action-codes/{client}",
    roles=("admin",),
    body=CodesIn,
    answers={200: CodesOut, 201: CodesOut},
    summary="Set a client's action codes",
)
async def put_action_codes(request: web.Request, body: CodesIn) -> Reply:
    """The whole set, from the client's next note on; notes that are written keep their code."""
    given = CodeSet(codes=body.codes, fields=body.fields)
    async with request.app[keys.DATABASE].write() as transaction:
        is_new = await action_codes.put(
            transaction,
            request.match_info["client"],
            given,
            reason=body.reason,
            user=request[keys.USER],
            now=clock.now(),
        )
    shown = {"items": body.codes, "next_cursor": None, "fields": body.fields}
    return Reply(shown, status=201 if is_new else 200)


@api.operation(
    "DELETE",
    "/v1/action-codes/{client}",
    roles=("admin",),
    query=ReasonQuery,
    answers={204: NoContent},
    summary="Have the default action codes hold again for a client",
)
async def drop_action_codes(request: web.Request, query: ReasonQuery) -> None:
    """Notes that are written keep their code."""
    async with request.app[keys.DATABASE].write() as transaction:
        await action_codes.drop(
            transaction, request.match_info["client"], reason=query.reason, user=request[keys.USER], now=clock.now()
        )
