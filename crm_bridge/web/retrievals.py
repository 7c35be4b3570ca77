"""Retrieval requests over HTTP: ask for cases or calls, get them as bundles in one zip, with a clock."""

import asyncio
import shutil
import tempfile
import zipfile
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Literal, cast

from aiohttp import web
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import select

from config import clock
from config.errors import Conflict, NotFound
from crm_bridge import retrievals
from crm_bridge.people.users import Role
from crm_bridge.web import keys, ranges
from crm_bridge.web.api import Api, Body, Media, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.evidence import call_documents
from crm_bridge.web.paging import Listing, page
from recordings.bundle import BundleTooLarge
from recordings.encryption import Damaged
from recordings.retention_tables import retrievals as table

api = Api("retrievals")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")
Id = Annotated[str, Field(min_length=1, max_length=128)]


class RetrievalIn(Body):
    """What is wanted, and for whom or what."""

    cases: list[Id] = Field([], max_length=200)
    calls: list[Id] = Field([], max_length=retrievals.MOST_CALLS)
    reason: str = Field(min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _names_something(self) -> "RetrievalIn":
        if not self.cases and not self.calls:
            raise ValueError("cases or calls must be given")
        return self


class RetrievalOut(BaseModel):
    """A request; `deadline_at` is the end of the second working day after it."""

    id: str
    cases: list[str]
    calls: list[str]
    reason: str
    state: Literal["open", "done"]
    requested_at: datetime
    requested_by: str
    deadline_at: datetime
    missed_at: datetime | None
    done_at: datetime | None
    done_by: str | None


@api.operation(
    "POST",
    "/v1/retrievals",
    roles=OVERSEERS,
    body=RetrievalIn,
    answers={201: RetrievalOut},
    problems=(NotFound,),
    summary="Ask for cases or calls as bundles; two working days",
)
async def create(request: web.Request, body: RetrievalIn) -> Any:
    """The clock runs at once; overdue, it is an incident."""
    zone = request.app[keys.SETTINGS].policy.zone
    async with request.app[keys.DATABASE].write() as transaction:
        return await retrievals.request(
            transaction, body.cases, body.calls, body.reason, user=user_of(request), zone=zone, now=clock.now()
        )


@api.operation(
    "GET",
    "/v1/retrievals",
    roles=OVERSEERS,
    query=PageQuery,
    answers={200: Listing[RetrievalOut]},
    summary="Retrieval requests, newest first",
)
async def index(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """Everybody's, to those bound to no client; otherwise one's own."""
    user = user_of(request)
    statement = select(table).order_by(table.c.id.desc()).limit(query.limit + 1)
    if user.clients or user.team:
        statement = statement.where(table.c.requested_by == user.name)
    if query.cursor:
        statement = statement.where(table.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(statement)).all()
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "GET",
    "/v1/retrievals/{id}/bundles",
    roles=OVERSEERS,
    answers={200: Media("application/zip")},
    problems=(BundleTooLarge, Damaged),
    summary="Everything asked for: one zip, a bundle a call in it",
)
async def bundles(request: web.Request) -> web.StreamResponse:
    """Of the calls that the asker may see; each bundle's export is journalled. The first hand-over stops the clock."""
    user, retrieval_id = user_of(request), request.match_info["id"]
    async with request.app[keys.DATABASE].read() as connection:
        row = await retrievals.find(connection, retrieval_id)
        call_ids = await retrievals.call_ids_of(connection, row, user)
    if not call_ids:
        raise NotFound(f"there is no retrieval request {retrieval_id}")
    target = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # closed by who sends it
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for call_id in call_ids:
            async with request.app[keys.DATABASE].read() as connection:
                documents = await call_documents(connection, call_id)
            made = await request.app[keys.BUNDLES].make(
                call_id, documents, actor=user.name, reason=f"retrieval {retrieval_id}: {row.reason}", now=clock.now()
            )
            await asyncio.to_thread(_add, archive, f"{call_id}.zip", made)
    if row.state == "open":
        async with request.app[keys.DATABASE].write() as transaction:
            await retrievals.finish(transaction, retrieval_id, user=user, now=clock.now())
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f'attachment; filename="retrieval-{retrieval_id}.zip"',
        "Cache-Control": "private, no-store",
    }
    target.seek(0)
    return await ranges.send(request, target, headers)


def _add(archive: zipfile.ZipFile, name: str, made: BinaryIO) -> None:
    made.seek(0)
    with made, archive.open(name, "w", force_zip64=True) as into:
        shutil.copyfileobj(made, into)


@api.operation(
    "POST",
    "/v1/retrievals/{id}/done",
    roles=OVERSEERS,
    answers={200: RetrievalOut},
    problems=(Conflict,),
    summary="It was handed over by other means",
)
async def done(request: web.Request) -> Any:
    """Stops the clock, under the asker's name."""
    async with request.app[keys.DATABASE].write() as transaction:
        await retrievals.finish(transaction, request.match_info["id"], user=user_of(request), now=clock.now())
        return await retrievals.find(transaction.connection, request.match_info["id"])
