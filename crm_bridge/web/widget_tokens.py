"""Short-lived tokens for a call bar in a CRM's page, asked for by the CRM's server."""

from datetime import datetime, timedelta

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import select

from config import clock
from config.errors import Invalid, NotFound
from crm_bridge.embed import widget_tokens
from crm_bridge.people import credentials as kept
from crm_bridge.tables import credentials
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent

api = Api("embedding")


class WidgetTokenIn(Body):
    """For whom, and on which page."""

    agent: str = Field(min_length=1, max_length=128, description="the collector who is logged in at the CRM")
    origin: str = Field(max_length=255, description="the CRM's page: https://crm.example.com; one of [embed] origins")
    seconds: int | None = Field(None, ge=1, le=3600, description="how long it is good; absent: [embed] token_seconds")


class WidgetTokenOut(BaseModel):
    """Nobody can show the token again."""

    id: str
    token: str
    expires_at: datetime


@api.operation(
    "POST",
    "/v1/widget-tokens",
    roles=("crm",),
    body=WidgetTokenIn,
    answers={201: WidgetTokenOut},
    summary="A token for a call bar in the CRM's page",
)
async def mint(request: web.Request, body: WidgetTokenIn) -> WidgetTokenOut:
    """Good for calling alone, for this collector, on this origin, until `expires_at`."""
    embed, now = request.app[keys.SETTINGS].embed, clock.now()
    if body.origin not in embed.origins:
        message = "is not among the origins that this service is set up for ([embed] origins)"
        raise Invalid(f"origin {message}", [{"field": "origin", "message": message}])
    expires_at = now + timedelta(seconds=body.seconds or embed.token_seconds)
    async with request.app[keys.DATABASE].write() as transaction:
        identifier, secret = await widget_tokens.mint(
            transaction, body.agent, body.origin, expires_at, by=request[keys.USER], now=now
        )
    return WidgetTokenOut(id=identifier, token=secret, expires_at=expires_at)


@api.operation(
    "DELETE",
    "/v1/widget-tokens/{id}",
    roles=("crm", "admin"),
    answers={204: NoContent},
    problems=(NotFound,),
    summary="Revoke a call bar's token",
)
async def revoke(request: web.Request) -> None:
    """At once: when somebody logs out of the CRM. A server revokes its own, an admin any."""
    user, identifier = request[keys.USER], request.match_info["id"]
    mine = select(credentials.c.minted_by).where(credentials.c.id == identifier, credentials.c.kind == "widget")
    async with request.app[keys.DATABASE].write() as transaction:
        row = await transaction.first(mine)
        if row is None or (user.role == "crm" and row.minted_by != user.name):
            raise NotFound("there is no such widget token")
        await kept.revoke(transaction, identifier, actor=user.name, now=clock.now())
