"""Carriers' records over HTTP: how a trunk's file is read, importing one, and what was imported."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, hdrs, web
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select

from config import clock
from config.errors import Fault, Invalid, NotFound
from crm_bridge.carrier import records as carrier_records
from crm_bridge.carrier.formats import CdrFormat
from crm_bridge.carrier.records import Ask
from crm_bridge.carrier.tables import carrier_imports
from crm_bridge.web import keys
from crm_bridge.web.api import Api, PageQuery, Query
from crm_bridge.web.paging import Listing, page
from telephony.trunking import trunks

api = Api("carrier-records")

LARGEST = 512 * 1024 * 1024
_BLOCK = 256 * 1024


class FileTooLarge(Fault):
    """More than is taken in one file."""

    code = "too-large"
    status = 413
    title = "The file is too large"


class ImportQuery(Query):
    """What the file is, and whether it is only tried."""

    dry_run: bool = Field(False, description="tell what would follow, write nothing")
    since: AwareDatetime | None = Field(None, description="the file has all calls from here on; absent: from its first")
    until: AwareDatetime | None = Field(None, description="and up to here; absent: to its last")
    file: str = Field("upload", max_length=255, description="its name, where the body is the file itself")


class FileOut(BaseModel):
    """Which file it was."""

    name: str
    sha256: str
    bytes: int


class Covers(BaseModel):
    """The time in which a call of ours without a record is missed."""

    since: datetime = Field(alias="from")
    until: datetime


class Rows(BaseModel):
    """Lines by what became of them. Empty lines and the one that names the columns are none."""

    used: int
    bad: int
    left_out: int = Field(description="by `only` of the trunk's format")


class Theirs(BaseModel):
    """A record of the carrier's that no call of ours is about."""

    line: int
    at: datetime
    number: str
    caller_id: str | None
    duration: float | None
    answered: bool
    cause: str | None
    known: bool = Field(description="an earlier import has it")


class Ours(BaseModel):
    """A leg of ours that the carrier has no record of."""

    leg: str
    call_id: str
    at: datetime
    number: str
    duration: float | None
    answered: bool


class Difference(BaseModel):
    """A call whose length the carrier tells otherwise: seconds by them and by us."""

    line: int
    call_id: str
    number: str
    at: datetime
    theirs: float
    ours: float | None


class TheirsListed(BaseModel):
    """How many, and the first 500."""

    count: int
    items: list[Theirs]


class OursListed(BaseModel):
    """How many, and the first 500."""

    count: int
    items: list[Ours]


class DifferencesListed(BaseModel):
    """How many, and the first 500."""

    count: int
    items: list[Difference]


class BadRow(BaseModel):
    """A line that cannot be used."""

    line: int
    reason: str


class Report(BaseModel):
    """What a file said beside our books, and what followed."""

    import_id: str | None = Field(None, description="absent in a dry run")
    trunk: str
    file: FileOut
    dry_run: bool
    covers: Covers | None
    rows: Rows
    seen_before: int = Field(description="records that an earlier import has: nothing follows from them again")
    matched: int
    carrier_only: TheirsListed
    ours_only: OursListed
    durations: DifferencesListed
    bad_rows: list[BadRow]
    attempts_counted: int
    incidents_opened: int
    warnings: list[str]


class ImportOut(BaseModel):
    """An import as it was."""

    id: str
    trunk: str
    sha256: str
    file: str
    at: datetime
    by: str
    counts: dict[str, Any]


@api.operation(
    "POST",
    "/v1/trunks/{name}/cdr",
    roles=("admin",),
    query=ImportQuery,
    upload="text/csv",
    answers={200: Report},
    problems=(NotFound, Invalid, FileTooLarge),
    summary="Import the carrier's call records of a trunk, and compare them with ours",
)
async def import_records(request: web.Request, query: ImportQuery) -> dict[str, Any]:
    """The body is the file, or multipart/form-data with a part `file`.

    A call that the carrier has and we have not is a violation, an incident and an attempt of ours; the reverse is an
    incident. The same rows again change nothing.
    """
    async with _received(request, query.file) as (path, name):
        ask = Ask(path=path, name=name, since=query.since, until=query.until, dry_run=query.dry_run)
        books = carrier_records.of(request.app[keys.DATABASE], request.app[keys.SETTINGS])
        return await books.run(request.match_info["name"], ask, user=request[keys.USER], now=clock.now())


@asynccontextmanager
async def _received(request: web.Request, name: str) -> AsyncIterator[tuple[Path, str]]:
    """The file that came, on disk, and its name."""
    with tempfile.NamedTemporaryFile(prefix="ringfence-cdr-") as kept:
        async for block in _blocks(request):
            if isinstance(block, str):
                name = block
                continue
            if kept.tell() + len(block) > LARGEST:
                raise FileTooLarge(f"a file may have {LARGEST // 1024 // 1024} MiB; part it by day")
            kept.write(block)
        if not kept.tell():
            raise Invalid("the file is empty", [{"field": "file", "message": "must not be empty"}])
        kept.flush()
        yield Path(kept.name), name


async def _blocks(request: web.Request) -> AsyncIterator[bytes | str]:
    """The file's name where it comes with one, then its bytes."""
    if not request.content_type.startswith("multipart/"):
        async for block in request.content.iter_chunked(_BLOCK):
            yield block
        return
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                yield (part.filename or "upload")[:255]
                while block := await part.read_chunk(_BLOCK):
                    yield block
                return
    except ValueError as error:
        raise Invalid(
            f"{hdrs.CONTENT_TYPE}: {error}", [{"field": "", "message": "is no multipart/form-data"}]
        ) from error
    raise Invalid("there is no part named file", [{"field": "file", "message": "is required"}])


@api.operation(
    "PUT",
    "/v1/trunks/{name}/cdr-format",
    roles=("admin",),
    body=CdrFormat,
    answers={200: CdrFormat},
    summary="Set how the files of a trunk's carrier are read",
)
async def put_format(request: web.Request, body: CdrFormat) -> CdrFormat:
    """Columns, times with their zone, encoding, and how much they may differ from ours. Used by the next import."""
    async with request.app[keys.DATABASE].write() as transaction:
        await carrier_records.put_format(
            transaction, request.match_info["name"], body, actor=request[keys.USER].name, now=clock.now()
        )
    return body


@api.operation(
    "GET",
    "/v1/trunks/{name}/cdr-format",
    roles=("admin", "supervisor"),
    answers={200: CdrFormat},
    summary="How the files of a trunk's carrier are read",
)
async def get_format(request: web.Request) -> CdrFormat:
    """The plain format (start, called, duration) where none was set."""
    async with request.app[keys.DATABASE].read() as connection:
        await trunks.find(connection, request.match_info["name"])
        return await carrier_records.format_of(connection, request.match_info["name"])


@api.operation(
    "GET",
    "/v1/trunks/{name}/cdr",
    roles=("admin", "supervisor"),
    query=PageQuery,
    answers={200: Listing[ImportOut]},
    summary="The files that were imported for a trunk, newest first",
)
async def list_imports(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """With their counts."""
    async with request.app[keys.DATABASE].read() as connection:
        await trunks.find(connection, request.match_info["name"])
        wanted = select(carrier_imports).where(carrier_imports.c.trunk == request.match_info["name"])
        if query.cursor:
            wanted = wanted.where(carrier_imports.c.id < query.cursor)
        rows = (await connection.execute(wanted.order_by(carrier_imports.c.id.desc()).limit(query.limit + 1))).all()
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}
