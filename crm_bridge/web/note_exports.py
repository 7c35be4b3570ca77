"""The notes as a table in the client's own columns, and the templates that say which."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Invalid
from crm_bridge.notes import templates as note_templates
from crm_bridge.notes.templates import Period, Template
from crm_bridge.people import scope
from crm_bridge.spreadsheets import CONTENT_TYPES, Cell
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Media, NoContent, Reply
from crm_bridge.web.exports import FileQuery, send_table
from crm_bridge.web.import_mappings import IMPORTERS
from crm_bridge.web.reasons import ReasonQuery, WithReason
from crm_bridge.web.shown import redaction

api = Api("exports")
LONGEST = timedelta(days=366)


class NotesQuery(FileQuery):
    """Whose notes, of which days."""

    client: str = Field(min_length=1, max_length=128)
    since: date = Field(alias="from")
    until: date = Field(description="the last day")


class FieldName(BaseModel):
    """A field that a column may be."""

    field: str
    zh: str
    en: str


class TemplateIn(Template, WithReason):
    """The template as it shall be from now on."""


class TemplateOut(Template):
    """A client's template, and what else its columns may be."""

    client: str
    fields: list[FieldName]


@api.operation(
    "GET",
    "/v1/notes/export",
    roles=IMPORTERS,
    query=NotesQuery,
    answers={200: Media(CONTENT_TYPES["xlsx"])},
    summary="The notes of a client in its own columns",
)
async def export_notes(request: web.Request, query: NotesQuery) -> web.StreamResponse:
    """XLSX or CSV of the notes of these days, oldest first; no cell is ever executed."""
    user, settings = request[keys.USER], request.app[keys.SETTINGS]
    scope.require_client(user, query.client)
    if not query.since <= query.until <= query.since + LONGEST:
        raise Invalid("until: must follow from within a year", [{"field": "until", "message": "must follow from"}])
    zone = ZoneInfo(settings.policy.zone)
    first, after = (datetime.combine(day, time(), zone) for day in (query.since, query.until + timedelta(days=1)))
    async with request.app[keys.DATABASE].read() as connection:
        template = await note_templates.template_of(connection, query.client, user)
        hidden = await redaction(connection, user, settings.desk)
    rows = note_templates.rows(
        request.app[keys.DATABASE], query.client, template, Period(first, after), user=user,
        zone=settings.policy.zone, language=query.language,
    )  # fmt: skip
    name = f"notes-{query.client}-{query.since}-{query.until}"
    shown = _shown(rows, hidden.document)
    return await send_table(request, name, query.format, [("notes", shown)], encoding=template.encoding)


async def _shown(rows: AsyncIterator[list[Cell]], mask: Any) -> AsyncIterator[Sequence[Cell]]:
    """Numbers masked for those who do not see them whole."""
    async for row in rows:
        yield [mask(cell) if isinstance(cell, str) else cell for cell in row]


@api.operation(
    "GET",
    "/v1/note-templates/{client}",
    roles=IMPORTERS,
    answers={200: TemplateOut},
    summary="The columns in which a client's notes are exported",
)
async def get_template(request: web.Request) -> dict[str, Any]:
    """Its own, else the usual ones."""
    client = request.match_info["client"]
    scope.require_client(request[keys.USER], client)
    async with request.app[keys.DATABASE].read() as connection:
        found = await note_templates.template_of(connection, client, request[keys.USER])
    return {"client": client, **found.model_dump(), "fields": note_templates.headings()}


@api.operation(
    "PUT",
    "/v1/note-templates/{client}",
    roles=("supervisor", "admin"),
    body=TemplateIn,
    answers={200: TemplateOut, 201: TemplateOut},
    summary="Set the columns of a client's exports",
)
async def put_template(request: web.Request, body: TemplateIn) -> Reply:
    """A field of the client's own is `fields.<name>`."""
    client, given = request.match_info["client"], Template(columns=body.columns, encoding=body.encoding)
    async with request.app[keys.DATABASE].write() as transaction:
        is_new = await note_templates.put(
            transaction, client, given, reason=body.reason, user=request[keys.USER], now=clock.now()
        )
    shown = {"client": client, **given.model_dump(), "fields": note_templates.headings()}
    return Reply(shown, status=201 if is_new else 200)


@api.operation(
    "DELETE",
    "/v1/note-templates/{client}",
    roles=("supervisor", "admin"),
    query=ReasonQuery,
    answers={204: NoContent},
    summary="Have the usual columns hold again",
)
async def drop_template(request: web.Request, query: ReasonQuery) -> None:
    """For exports from now on."""
    async with request.app[keys.DATABASE].write() as transaction:
        await note_templates.drop(
            transaction, request.match_info["client"], reason=query.reason, user=request[keys.USER], now=clock.now()
        )
