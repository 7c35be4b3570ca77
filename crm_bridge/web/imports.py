"""Imports: a file in, what is wrong with it, a dry run, the run itself, and the confirmation back."""

from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import select

from config import clock
from config.errors import Conflict, Forbidden, NotFound
from crm_bridge.clocks.deadline_rules import rule_of
from crm_bridge.imports import mappings, uploads
from crm_bridge.imports.mapping import Mapping
from crm_bridge.imports.tables import import_rows
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery, Query
from crm_bridge.web.import_mappings import IMPORTERS
from crm_bridge.web.paging import Listing, page
from crm_bridge.web.uploaded import pieces

api = Api("imports")
State = Literal["receiving", "uploaded", "checking", "checked", "trying", "running", "done", "failed", "canceled"]


class UploadQuery(Query):
    """Whose file it is."""

    client: str = Field(min_length=1, max_length=128, pattern=r"^[^/]+$")
    file_name: str = Field("file", max_length=500)
    mapping: str | None = Field(None, max_length=64, description="check it at once by this mapping of the client")


class Finding(BaseModel):
    """What is wrong with a row or a file, or worth knowing: where, what, and how to mend it."""

    code: str
    level: Literal["error", "warning"]
    column: str | None
    value: str | None
    what: str
    what_zh: str
    fix: str
    fix_zh: str


class ImportOut(BaseModel):
    """A file that came in, and how far it is. `counts` are of rows until it runs, of cases by outcome then."""

    id: str
    client: str
    file_name: str
    size: int
    sha256: str
    state: State
    mapping_name: str | None
    mapping: Mapping | None
    preview: dict[str, Any] = Field(description="kind, encoding, sheets, headings, the first rows, suggested columns")
    problems: list[Finding] = Field(description="of the whole file")
    position: int = Field(description="the last row dealt with")
    counts: dict[str, int] = Field(
        description="rows, ready, bad, warned, cases, known, last_row; created, updated, unchanged, refused"
    )
    tried: dict[str, Any] | None = Field(description="what the last dry run found: counts, and examples of changes")
    uploaded_at: datetime
    uploaded_by: str
    deadline_at: datetime = Field(description="by when it is to be confirmed to the client (S41, S42)")
    special: str | None
    started_at: datetime | None
    finished_at: datetime | None
    run_by: str | None
    confirmed_at: datetime | None
    confirmed_by: str | None
    confirmed_to: str | None
    emptied: bool = Field(description="the file and its rows' documents are gone again")


class ImportQuery(PageQuery):
    """Which imports."""

    client: str | None = Field(None, max_length=128)
    state: State | None = None


class RowQuery(PageQuery):
    """Which rows; `cursor` is a row's number."""

    cursor: str | None = Field(None, pattern=r"^[0-9]{1,9}$")
    outcome: Literal["bad", "ready", "created", "updated", "unchanged", "refused"] | None = None


class RowOut(BaseModel):
    """A row of the file and what became of it."""

    row: int = Field(description="as the spreadsheet counts, from 1")
    case_id: str | None
    first_row: int | None = Field(description="the row that named the case first, where it is another one")
    outcome: str
    problems: list[Finding]
    document: dict[str, Any] | None


class LookIn(Body):
    """How to read the first rows."""

    sheet: str | None = Field(None, max_length=64)
    encoding: Literal["auto", "utf-8", "gb18030", "big5", "utf-16"] = "auto"
    delimiter: Literal["auto", ",", ";", "\t", "|"] = "auto"
    header_row: int | None = Field(None, ge=1, le=100)


class CheckIn(Body):
    """By which mapping; one given here is kept under `name` with `keep`."""

    mapping: Mapping | None = Field(None, description="absent: the client's mapping called `name`")
    name: str | None = Field(None, min_length=1, max_length=64)
    keep: bool = False


class RunIn(Body):
    """What to do."""

    dry_run: bool = False
    despite_problems: bool = Field(False, description="import the good rows, and leave those with problems out")


class ReasonIn(Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=2000)


class ConfirmIn(Body):
    """To whom it was confirmed."""

    to: str = Field(min_length=1, max_length=255)


@api.operation(
    "POST",
    "/v1/imports",
    roles=IMPORTERS,
    query=UploadQuery,
    upload="application/octet-stream",
    answers={201: ImportOut},
    problems=(uploads.FileTooLarge, NotFound, Forbidden),
    summary="Send a file of cases: CSV, XLSX or XLS",
)
async def upload(request: web.Request, query: UploadQuery) -> Any:
    """The body is the file, or multipart/form-data with a part `file`. Nothing is imported yet.

    The clock starts: within the hour it is to be imported and confirmed to the client (S41).
    """
    database, user, now = request.app[keys.DATABASE], request[keys.USER], clock.now()
    async with database.read() as connection:
        rule = await rule_of(connection, "import", query.client)
        if query.mapping is not None:
            await mappings.find(connection, query.client, query.mapping, user)
    until = now + timedelta(minutes=rule.within)
    import_id = await uploads.take_in(
        database, query.client, query.file_name, pieces(request), deadline_at=until, user=user, now=now
    )
    if query.mapping is not None:
        return await _checked(request, import_id, CheckIn(name=query.mapping))
    return await _shown(request, import_id)


async def _shown(request: web.Request, import_id: str) -> Any:
    async with request.app[keys.DATABASE].read() as connection:
        return await uploads.find(connection, import_id, request[keys.USER])


@api.operation(
    "GET",
    "/v1/imports",
    roles=IMPORTERS,
    query=ImportQuery,
    answers={200: Listing[ImportOut]},
    summary="Imports, newest first",
)
async def list_imports(request: web.Request, query: ImportQuery) -> dict[str, Any]:
    """Of the user's clients."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await uploads.list_imports(
            connection,
            request[keys.USER],
            client=query.client,
            state=query.state,
            before=query.cursor,
            limit=query.limit + 1,
        )
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "GET", "/v1/imports/{id}", roles=IMPORTERS, answers={200: ImportOut}, summary="An import, and how far it is"
)
async def get_import(request: web.Request) -> Any:
    """Ask again while it is checking, trying or running."""
    return await _shown(request, request.match_info["id"])


@api.operation(
    "GET",
    "/v1/imports/{id}/rows",
    roles=IMPORTERS,
    query=RowQuery,
    answers={200: Listing[RowOut]},
    summary="The rows of an import with their problems",
)
async def list_rows(request: web.Request, query: RowQuery) -> dict[str, Any]:
    """In the order of the file."""
    wanted = [import_rows.c.import_id == request.match_info["id"], import_rows.c.row > int(query.cursor or 0)]
    if query.outcome is not None:
        wanted.append(import_rows.c.outcome == query.outcome)
    async with request.app[keys.DATABASE].read() as connection:
        await uploads.find(connection, request.match_info["id"], request[keys.USER])
        statement = select(import_rows).where(*wanted).order_by(import_rows.c.row).limit(query.limit + 1)
        rows = (await connection.execute(statement)).all()
    shown, following = page(rows, query.limit, "row")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "POST",
    "/v1/imports/{id}/look",
    roles=IMPORTERS,
    body=LookIn,
    answers={200: ImportOut},
    problems=(Conflict,),
    summary="Look at the first rows again, read another way",
)
async def look(request: web.Request, body: LookIn) -> Any:
    """Another encoding, sheet or row of headings; the suggested columns follow."""
    import_id = request.match_info["id"]
    row = await _shown(request, import_id)
    if row.state not in uploads.WAITING:
        raise Conflict(f"the import is {row.state}")
    await uploads.look(request.app[keys.DATABASE], import_id, body.model_dump())
    return await _shown(request, import_id)


@api.operation(
    "POST",
    "/v1/imports/{id}/check",
    roles=IMPORTERS,
    body=CheckIn,
    answers={200: ImportOut},
    problems=(Conflict,),
    summary="Check every row; nothing is written",
)
async def check(request: web.Request, body: CheckIn) -> Any:
    """By one of the client's mappings, or by the one given. It goes on in the background."""
    return await _checked(request, request.match_info["id"], body)


async def _checked(request: web.Request, import_id: str, body: CheckIn) -> Any:
    user, now = request[keys.USER], clock.now()
    async with request.app[keys.DATABASE].write() as transaction:
        row = await uploads.find(transaction.connection, import_id, user)
        if body.mapping is None:
            kept = await mappings.find(transaction.connection, row.client, body.name or "default", user)
            mapping = Mapping.model_validate(kept.mapping)
        else:
            mapping = body.mapping
            if body.keep and user.role != "crm":
                await mappings.put(transaction, row.client, body.name or "default", mapping, user=user, now=now)
        return await uploads.order_check(transaction, import_id, mapping, body.name, user=user, now=now)


@api.operation(
    "POST",
    "/v1/imports/{id}/run",
    roles=IMPORTERS,
    body=RunIn,
    answers={200: ImportOut},
    problems=(Conflict,),
    summary="Import the rows that are good, or try it",
)
async def run(request: web.Request, body: RunIn) -> Any:
    """A dry run does everything and takes it back. Rows with problems must be left out on purpose.

    It goes on in the background, also after a restart, in batches that are written whole or not at all.
    """
    async with request.app[keys.DATABASE].write() as transaction:
        return await uploads.order_run(
            transaction,
            request.match_info["id"],
            dry=body.dry_run,
            despite_problems=body.despite_problems,
            user=request[keys.USER],
            now=clock.now(),
        )


@api.operation(
    "POST",
    "/v1/imports/{id}/cancel",
    roles=IMPORTERS,
    body=ReasonIn,
    answers={200: ImportOut},
    problems=(Conflict,),
    summary="Stop an import",
)
async def cancel(request: web.Request, body: ReasonIn) -> Any:
    """Cases that were written stay written; the confirmation names them."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await uploads.cancel(
            transaction, request.match_info["id"], body.reason, user=request[keys.USER], now=clock.now()
        )


@api.operation(
    "POST",
    "/v1/imports/{id}/extend",
    roles=("supervisor", "admin"),
    body=ReasonIn,
    answers={200: ImportOut},
    problems=(Conflict,),
    summary="Give a special case three hours instead of one",
)
async def extend(request: web.Request, body: ReasonIn) -> Any:
    """Once, with the reason (S42)."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await uploads.take_longer(
            transaction, request.match_info["id"], body.reason, user=request[keys.USER], now=clock.now()
        )


@api.operation(
    "POST",
    "/v1/imports/{id}/confirm",
    roles=IMPORTERS,
    body=ConfirmIn,
    answers={200: ImportOut},
    problems=(Conflict,),
    summary="Say that it was confirmed to the client: the clock stops",
)
async def confirm(request: web.Request, body: ConfirmIn) -> Any:
    """Once it is over, and what came of it is known (S41)."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await uploads.confirm(
            transaction, request.match_info["id"], body.to, user=request[keys.USER], now=clock.now()
        )
