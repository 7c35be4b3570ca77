"""Bearer tokens, for admins."""

from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from config import clock
from config.errors import Invalid
from crm_bridge.people import credentials
from crm_bridge.web import admission, keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("tokens")


class TokenIn(Body):
    """For whom, what for, until when."""

    user: str = Field(max_length=128)
    label: str = Field("", max_length=128)
    expires_at: AwareDatetime | None = None
    scopes: list[str] | None = Field(
        None,
        max_length=100,
        description="what it is good for, as `calls` or `cases:read`; absent: all that the user may do",
    )
    only: Literal["url-click"] | None = Field(
        None, description="url-click: good for GET /compat/abcti and nothing else, since it stands in an address"
    )


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    kind: Literal["token", "click"] = Field(description="click: only for GET /compat/abcti")
    user: str
    label: str
    scopes: list[str] | None = Field(description="null: all that the user may do")
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
    """Its holder may do what the user may do, and of that only what `scopes` name: a tag of this API, or `TAG:read`."""
    now = clock.now()
    expires_at = _expiry(body.expires_at, request.app[keys.SETTINGS].people.token_days, now)
    if body.scopes is not None:
        admission.require_known(body.scopes, request)
    async with request.app[keys.DATABASE].write() as transaction:
        identifier, secret = await credentials.create_token(
            transaction,
            body.user,
            label=body.label,
            expires_at=expires_at,
            scopes=body.scopes,
            actor=request[keys.USER].name,
            now=now,
            kind="token" if body.only is None else "click",
        )
    return NewToken(id=identifier, token=secret)


def _expiry(given: datetime | None, days: int, now: datetime) -> datetime | None:
    """When it ends: as asked, within the longest life that the settings allow."""
    latest = now + timedelta(days=days) if days else None
    if given is not None and (given <= now or (latest is not None and given > latest)):
        message = f"must lie within {days} days from now" if days else "must lie after now"
        raise Invalid(f"expires_at {message}", [{"field": "expires_at", "message": message}])
    return given or latest


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
