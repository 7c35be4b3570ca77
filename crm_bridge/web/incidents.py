"""The incident desk over HTTP: what is in doubt about recordings, files and the recorder, and closing it with a reason."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, or_, select

from config import clock
from config.errors import Conflict, NotFound
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.users import Role, User
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing, page
from recordings.incidents import close_incidents
from recordings.tables import incidents
from telephony.tables import calls

api = Api("incidents")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")
BY_ITSELF = ("recorder-unhealthy",)
"""Kinds that end when what they tell of ends, and not before: nobody closes these by hand."""


class IncidentsQuery(PageQuery):
    """Which incidents."""

    state: Literal["open", "closed", "all"] = "open"
    kind: str | None = Field(None, max_length=32)
    call_id: str | None = Field(None, max_length=32)


class Closing(Body):
    """Why it is closed: what was found out."""

    reason: str = Field(min_length=1, max_length=255)


class Incident(BaseModel):
    """Something in doubt about a recording, a file or the recorder."""

    id: str
    kind: str
    subject: str
    call_id: str | None
    detail: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None
    closed_reason: str | None


@api.operation(
    "GET",
    "/v1/incidents",
    roles=OVERSEERS,
    query=IncidentsQuery,
    answers={200: Listing[Incident]},
    summary="What is in doubt about recordings, newest first",
)
async def list_incidents(request: web.Request, query: IncidentsQuery) -> dict[str, Any]:
    """Those of calls the asker may see, and those of no call (unknown files, the recorder itself)."""
    statement = select(incidents).where(_seen(user_of(request))).order_by(incidents.c.id.desc()).limit(query.limit + 1)
    if query.state != "all":
        is_open = incidents.c.closed_at.is_(None)
        statement = statement.where(is_open if query.state == "open" else ~is_open)
    if query.kind:
        statement = statement.where(incidents.c.kind == query.kind)
    if query.call_id:
        statement = statement.where(incidents.c.call_id == query.call_id)
    if query.cursor:
        statement = statement.where(incidents.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(statement)).all()
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "POST",
    "/v1/incidents/{id}/close",
    roles=OVERSEERS,
    body=Closing,
    answers={200: Incident},
    problems=(Conflict,),
    summary="Close an incident with what was found out",
)
async def close(request: web.Request, body: Closing) -> Any:
    """The recorder's own troubles end by themselves; they are not closed by hand."""
    incident_id, user, now = request.match_info["id"], user_of(request), clock.now()
    async with request.app[keys.DATABASE].write() as transaction:
        mine = select(incidents).where(incidents.c.id == incident_id, _seen(user))
        known = await transaction.first(mine)
        if known is None:
            raise NotFound(f"there is no incident {incident_id}")
        if known.kind in BY_ITSELF:
            raise Conflict("it closes by itself when the recorder works again")
        call = await transaction.first(select(calls).where(calls.c.id == known.call_id))
        about = Entry(now, "recording.incident", user.name, call_id=known.call_id)
        if call is not None:
            about = Entry(now, about.kind, user.name, call.client, call.agent, call.case_id, call.id)
        reason = body.reason
        if not await close_incidents(transaction, now, known.subject, reason, (known.kind,), about):
            raise Conflict("the incident is closed already")
        return await transaction.first(mine)


def _seen(user: User) -> ColumnElement[bool]:
    seen = select(calls.c.id).where(calls.c.id == incidents.c.call_id, scope.calls_seen_by(user))
    return or_(incidents.c.call_id.is_(None), seen.exists())
