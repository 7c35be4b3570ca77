"""The clients' mappings of import files."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Invalid
from crm_bridge.imports import mappings
from crm_bridge.imports.mapping import Mapping
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, NoContent, Query, Reply
from crm_bridge.web.paging import Listing

api = Api("imports")
IMPORTERS: tuple[Role, ...] = ("crm", "supervisor", "admin")


class MappingQuery(Query):
    """Whose."""

    client: str | None = Field(None, max_length=128)


class MappingOut(BaseModel):
    """A mapping under its name."""

    client: str
    name: str
    mapping: Mapping
    updated_at: datetime
    updated_by: str


@api.operation(
    "GET",
    "/v1/import-mappings",
    roles=IMPORTERS,
    query=MappingQuery,
    answers={200: Listing[MappingOut]},
    summary="How the files of the clients are read",
)
async def list_mappings(request: web.Request, query: MappingQuery) -> dict[str, Any]:
    """Of the user's clients."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await mappings.list_mappings(connection, request[keys.USER], query.client)
    return {"items": rows, "next_cursor": None}


@api.operation(
    "GET",
    "/v1/import-mappings/{client}/{name}",
    roles=IMPORTERS,
    answers={200: MappingOut},
    summary="One mapping of a client",
)
async def get_mapping(request: web.Request) -> Any:
    """Its columns and what it does with odd values."""
    async with request.app[keys.DATABASE].read() as connection:
        return await mappings.find(connection, *_named(request), request[keys.USER])


@api.operation(
    "PUT",
    "/v1/import-mappings/{client}/{name}",
    roles=("supervisor", "admin"),
    body=Mapping,
    answers={200: MappingOut, 201: MappingOut},
    summary="Set how a client's file is read",
)
async def put_mapping(request: web.Request, body: Mapping) -> Reply:
    """For files from now on; those that were checked keep the mapping they were checked by."""
    client, name = _named(request)
    if len(name) > 64:
        raise Invalid("name is too long", [{"field": "name", "message": "has at most 64 characters"}])
    async with request.app[keys.DATABASE].write() as transaction:
        row, is_new = await mappings.put(transaction, client, name, body, user=request[keys.USER], now=clock.now())
    return Reply(row, status=201 if is_new else 200)


@api.operation(
    "DELETE",
    "/v1/import-mappings/{client}/{name}",
    roles=("supervisor", "admin"),
    answers={204: NoContent},
    summary="Take a mapping away",
)
async def drop_mapping(request: web.Request) -> None:
    """Imports that were made by it keep theirs."""
    async with request.app[keys.DATABASE].write() as transaction:
        await mappings.drop(transaction, *_named(request), user=request[keys.USER], now=clock.now())


def _named(request: web.Request) -> tuple[str, str]:
    return request.match_info["client"], request.match_info["name"]
