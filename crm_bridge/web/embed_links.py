"""Where a popped case is in the CRM, over HTTP."""

import re
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, field_validator

from config import clock
from config.errors import Invalid
from crm_bridge.embed import screen_pop_links
from crm_bridge.embed.screen_pop_links import PLACES
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent

api = Api("embedding")

KEEPERS: tuple[Role, ...] = ("admin", "crm")
NAME = re.compile(r"\*|[^\s/]{1,128}")


class LinkIn(Body):
    """An address with places to fill in."""

    template: str = Field(
        max_length=1024,
        pattern=r"^https?://[^\s/@\\]+(/[^\s\\]*)?$",
        description="https://crm.example.com/cases/{case_id}; {party_id} and {client} may stand in it, too",
    )

    @field_validator("template")
    @classmethod
    def _known_places(cls, template: str) -> str:
        unknown = [place for place in re.findall(r"{([^}]*)}?", template) if place not in PLACES]
        if unknown:
            raise ValueError(f"may name {', '.join(f'{{{place}}}' for place in PLACES)}, not {{{unknown[0]}}}")
        if "{" in template.split("/")[2]:
            raise ValueError("must name its host")
        return template


class LinkOut(BaseModel):
    """A client's template; `*` is that of every client without one."""

    client: str
    template: str
    updated_at: datetime


class LinkList(BaseModel):
    """By client."""

    items: list[LinkOut]


def _client(request: web.Request) -> str:
    client = request.match_info["client"]
    if not NAME.fullmatch(client):
        raise Invalid("client is no client's name", [{"field": "client", "message": "must be a client's name or *"}])
    return client


@api.operation(
    "GET",
    "/v1/screen-pop-links",
    roles=(*KEEPERS, "supervisor"),
    answers={200: LinkList},
    summary="Where each client's cases are in its CRM",
)
async def list_links(request: web.Request) -> dict[str, Any]:
    """A popped call's matches carry these as `link`."""
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": await screen_pop_links.listing(connection, request[keys.USER])}


@api.operation(
    "PUT",
    "/v1/screen-pop-links/{client}",
    roles=KEEPERS,
    body=LinkIn,
    answers={200: LinkOut},
    summary="Say where a client's cases are in its CRM",
)
async def put_link(request: web.Request, body: LinkIn) -> dict[str, Any]:
    """From the next call on."""
    client, now = _client(request), clock.now()
    async with request.app[keys.DATABASE].write() as transaction:
        await screen_pop_links.put(transaction, client, body.template, user=request[keys.USER], now=now)
    return {"client": client, "template": body.template, "updated_at": now}


@api.operation(
    "DELETE",
    "/v1/screen-pop-links/{client}",
    roles=KEEPERS,
    answers={204: NoContent},
    summary="Take an address away",
)
async def remove_link(request: web.Request) -> None:
    """Later calls pop without a link."""
    async with request.app[keys.DATABASE].write() as transaction:
        await screen_pop_links.remove(transaction, _client(request), user=request[keys.USER], now=clock.now())
