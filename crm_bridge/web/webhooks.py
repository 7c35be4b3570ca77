"""Webhooks: who is told what, their secrets, and a test message."""

import time
from datetime import datetime, timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import insert

from config import clock
from config.sections import Role
from crm_bridge.outbox import event_kinds, registry
from crm_bridge.outbox.destination import Delivered
from crm_bridge.outbox.outcomes import RESULTS
from crm_bridge.outbox.tables import tries
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery
from crm_bridge.web.paging import Listing, page
from crm_bridge.webhooks import webhooks

api = Api("webhooks")
ADMIN: tuple[Role, ...] = ("admin",)

Event = Annotated[str, Field(max_length=64), AfterValidator(event_kinds.require)]
Client = Annotated[str, Field(min_length=1, max_length=128)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]


class WebhookIn(Body):
    """Who wants to be told what."""

    url: Url = Field(description="https://…; http:// only inside outbox.allow_networks")
    name: str = Field("", max_length=128, description="absent: the URL's host")
    events: list[Event] = Field(
        ["note.written"], min_length=1, max_length=200, description="kinds (docs/events.md), families `call.*`, or `*`"
    )
    clients: list[Client] = Field([], max_length=500, description="only what is of these clients; empty: everything")
    shown_as: Role = Field("crm", description="the role by whose masks personal data is hidden")
    enabled: bool = True


class WebhookChange(Body):
    """What is to change; what is absent stays."""

    url: Url | None = None
    name: str | None = Field(None, min_length=1, max_length=128)
    events: list[Event] | None = Field(None, min_length=1, max_length=200)
    clients: list[Client] | None = Field(None, max_length=500)
    shown_as: Role | None = None
    enabled: bool | None = Field(None, description="true sends what waited; false stops, and keeps nothing meanwhile")
    reason: str | None = Field(None, max_length=500, description="why it is switched off")


class WebhookOut(BaseModel):
    """A webhook, without its secret."""

    id: str
    url: str
    name: str
    events: list[str]
    clients: list[str]
    shown_as: str
    enabled: bool
    state: str = Field(description="on, off, or disabled: by the service, after a 410 or days without an answer")
    reason: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    delivered_at: datetime | None = Field(description="when one arrived last")
    failing_since: datetime | None
    last_error: str | None
    old_secret_until: datetime | None = Field(description="while a secret is being replaced: both sign until then")


class NewWebhookOut(WebhookOut):
    """A webhook with its secret, which is shown this once."""

    secret: str


class Rotation(Body):
    """How the secret is replaced."""

    overlap_hours: float = Field(
        24, ge=0, le=168, description="how long the old one goes on signing beside the new one"
    )


class PingOut(BaseModel):
    """What the receiver said to a test message."""

    result: str = Field(description="delivered, later, refused or gone")
    status: int | None
    milliseconds: int
    reason: str | None
    answer: str = Field(description="the first 2 KB")


@api.operation(
    "POST", "/v1/webhooks", roles=ADMIN, body=WebhookIn, answers={201: NewWebhookOut}, summary="Be told what happens"
)
async def create_webhook(request: web.Request, body: WebhookIn) -> dict[str, Any]:
    """From now on. The secret is in this answer and never again."""
    now, actor = clock.now(), request[keys.USER].name
    service = request.app[keys.WEBHOOKS]
    given = body.model_dump(exclude={"enabled"})
    registry.require_clients(request[keys.USER], body.clients)
    async with request.app[keys.DATABASE].write() as transaction:
        identifier, secret = await service.create(transaction, given, actor=actor, now=now)
        if not body.enabled:
            await registry.switch(transaction, identifier, False, "made so", actor=actor, now=now)
        row = await webhooks.find(transaction.connection, identifier)
    return {**_shown(row, now), "secret": secret}


@api.operation(
    "GET",
    "/v1/webhooks",
    roles=ADMIN,
    query=PageQuery,
    answers={200: Listing[WebhookOut]},
    summary="All webhooks",
)
async def list_webhooks(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """Oldest first."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = [row for row in await webhooks.listing(connection, request[keys.USER]) if row.id > (query.cursor or "")]
    shown, following = page(rows, query.limit, "id")
    return {"items": [_shown(row, clock.now()) for row in shown], "next_cursor": following}


@api.operation("GET", "/v1/webhooks/{id}", roles=ADMIN, answers={200: WebhookOut}, summary="A webhook")
async def get_webhook(request: web.Request) -> dict[str, Any]:
    """As it is."""
    async with request.app[keys.DATABASE].read() as connection:
        return _shown(await webhooks.find(connection, request.match_info["id"], request[keys.USER]), clock.now())


@api.operation(
    "PATCH",
    "/v1/webhooks/{id}",
    roles=ADMIN,
    body=WebhookChange,
    answers={200: WebhookOut},
    summary="Change, switch on or off a webhook",
)
async def change_webhook(request: web.Request, body: WebhookChange) -> dict[str, Any]:
    """Counts for what happens from now on, and for what still waits."""
    return await _change(request, body)


@api.operation(
    "PUT",
    "/v1/webhooks/{id}",
    roles=ADMIN,
    body=WebhookIn,
    answers={200: WebhookOut},
    summary="Replace a webhook's settings",
)
async def put_webhook(request: web.Request, body: WebhookIn) -> dict[str, Any]:
    """The whole: what is left out is set back. Its secret stays."""
    return await _change(request, WebhookChange(**body.model_dump(exclude={"name"}), name=body.name or None))


async def _change(request: web.Request, body: WebhookChange) -> dict[str, Any]:
    now, actor, identifier = clock.now(), request[keys.USER].name, request.match_info["id"]
    given = body.model_dump(exclude={"enabled", "reason"}, exclude_none=True)
    async with request.app[keys.DATABASE].write() as transaction:
        row = await webhooks.find(transaction.connection, identifier, request[keys.USER])
        if "clients" in given:
            registry.require_clients(request[keys.USER], given["clients"])
        if given:
            await request.app[keys.WEBHOOKS].change(transaction, identifier, given, actor=actor, now=now)
        if body.enabled is not None and body.enabled != (row.state == "on"):
            await registry.switch(transaction, identifier, body.enabled, body.reason, actor=actor, now=now)
        return _shown(await webhooks.find(transaction.connection, identifier), now)


@api.operation("DELETE", "/v1/webhooks/{id}", roles=ADMIN, answers={204: NoContent}, summary="Be told nothing any more")
async def delete_webhook(request: web.Request) -> None:
    """What waited for it is dropped; the log of what was sent stays for a while."""
    identifier = request.match_info["id"]
    async with request.app[keys.DATABASE].write() as transaction:
        await webhooks.find(transaction.connection, identifier, request[keys.USER])
        await registry.remove(transaction, identifier, actor=request[keys.USER].name, now=clock.now())


@api.operation(
    "POST",
    "/v1/webhooks/{id}/rotate",
    roles=ADMIN,
    body=Rotation,
    answers={200: NewWebhookOut},
    summary="Replace a webhook's secret",
)
async def rotate_secret(request: web.Request, body: Rotation) -> dict[str, Any]:
    """The new secret is in this answer and never again; until `old_secret_until` each message has two valid signatures."""
    now, identifier = clock.now(), request.match_info["id"]
    overlap, actor = timedelta(hours=body.overlap_hours), request[keys.USER].name
    async with request.app[keys.DATABASE].write() as transaction:
        await webhooks.find(transaction.connection, identifier, request[keys.USER])
        secret = await request.app[keys.WEBHOOKS].rotate(transaction, identifier, overlap, actor=actor, now=now)
        row = await webhooks.find(transaction.connection, identifier)
    return {**_shown(row, now), "secret": secret}


@api.operation("POST", "/v1/webhooks/{id}/ping", roles=ADMIN, answers={200: PingOut}, summary="Send a test message now")
async def ping_webhook(request: web.Request) -> dict[str, Any]:
    """A signed `webhook.ping`, sent once and at once, also while the webhook is off; answers what the receiver said."""
    now = clock.now()
    async with request.app[keys.DATABASE].read() as connection:
        row = await webhooks.find(connection, request.match_info["id"], request[keys.USER])
    started = time.monotonic()
    answer = await request.app[keys.WEBHOOKS].ping(row, now)
    told = {
        "result": RESULTS[type(answer)],
        "status": answer.seen.status,
        "milliseconds": round((time.monotonic() - started) * 1000),
        "reason": None if isinstance(answer, Delivered) else answer.reason,
        "answer": answer.seen.answer,
    }
    async with request.app[keys.DATABASE].write() as transaction:
        logged = {"destination_id": row.id, "item_id": None, "attempt": 1, "at": now, **told}
        await transaction.execute(insert(tries).values(**logged))
    return told


def _shown(row: Any, now: datetime) -> dict[str, Any]:
    until = row.old_until if row.old_until is not None and row.old_until > now else None
    return {**row._mapping, "enabled": row.state == "on", "old_secret_until": until}
