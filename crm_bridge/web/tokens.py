"""Bearer tokens, for admins."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from config import clock
from config.errors import Invalid
from crm_bridge import credentials
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("tokens")


class TokenIn(Body):
    """For whom, what for, until when."""

    user: str = Field(max_length=128)
    label: str = Field("", max_length=128)
    expires_at: AwareDatetime | None = None


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    user: str
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewToken(BaseModel):
    """A new token; nobody can show it again."""

    id: str
    token: str


@api.operation(
    "POST", "/v1/tokens", roles=("admin",), body=TokenIn, answers={201: NewToken}, summary="Create a bearer token"
)
async def create_token(request: web.Request, body: TokenIn) -> NewToken:
    """Its holder may do what the user may do."""
    now = clock.now()
    if body.expires_at is not None and body.expires_at <= now:
        raise Invalid("expires_at has passed", [{"field": "expires_at", "message": "must lie after now"}])
    async with request.app[keys.DATABASE].write() as transaction:
        identifier, secret = await credentials.create_token(
            transaction,
            body.user,
            label=body.label,
            expires_at=body.expires_at,
            actor=request[keys.USER].name,
            now=now,
        )
    return NewToken(id=identifier, token=secret)


@api.operation(
    "GET", "/v1/tokens", roles=("admin",), query=PageQuery, answers={200: Listing[TokenOut]}, summary="All tokens"
)
async def list_tokens(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By id, oldest first, revoked ones too."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await credentials.list_tokens(connection, query.cursor or "", query.limit + 1)
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation("DELETE", "/v1/tokens/{id}", roles=("admin",), answers={204: NoContent}, summary="Revoke a token")
async def revoke_token(request: web.Request) -> None:
    """At once."""
    async with request.app[keys.DATABASE].write() as transaction:
        await credentials.revoke(transaction, request.match_info["id"], actor=request[keys.USER].name, now=clock.now())
