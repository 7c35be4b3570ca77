"""Complaints: open, list, close with a ruling, undo that, instruct."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict, NotFound
from crm_bridge import complaints
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api, Body, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("complaints")


class ComplaintIn(Body):
    """A complaint on a case, if known on one of its calls."""

    case_id: str = Field(max_length=128)
    call_id: str | None = Field(None, max_length=32)
    severity: complaints.Severity
    text: str = Field(min_length=1, max_length=10_000)


class Ruling(Body):
    """The written ruling: justified or not, and why."""

    ruling: str = Field(min_length=1, max_length=10_000)


class Reopening(Body):
    """Why the closing is undone."""

    reason: str = Field(min_length=1, max_length=2000)


class Instruction(Body):
    """Whether calling resumes, and with whom."""

    resume: bool
    assign_to: str | None = Field(None, max_length=128, description="the other collector")


class ComplaintQuery(PageQuery):
    """Which complaints."""

    state: Literal["open", "closed"] | None = None
    case_id: str | None = Field(None, max_length=128)


class ComplaintOut(BaseModel):
    """A complaint."""

    id: str
    case_id: str
    call_id: str | None
    client: str
    severity: str
    text: str
    state: str
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_by: str | None
    ruling: str | None
    instructed: bool
    resume: bool
    former_agent: str | None
    assigned_to: str | None


@api.operation(
    "POST",
    "/v1/complaints",
    roles=EVERYONE,
    body=ComplaintIn,
    answers={201: ComplaintOut},
    problems=(NotFound,),
    summary="Open a complaint: calling on the case stops at once",
)
async def open_complaint(request: web.Request, body: ComplaintIn) -> Any:
    """Anyone who hears one opens it (S60, S61)."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await complaints.open_complaint(
            transaction,
            body.case_id,
            call_id=body.call_id,
            severity=body.severity,
            text=body.text,
            user=request[keys.USER],
            now=clock.now(),
        )


@api.operation(
    "GET",
    "/v1/complaints",
    roles=EVERYONE,
    query=ComplaintQuery,
    answers={200: Listing[ComplaintOut]},
    summary="Complaints, newest first",
)
async def list_complaints(request: web.Request, query: ComplaintQuery) -> dict[str, Any]:
    """On the cases the user may see."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await complaints.list_complaints(
            connection,
            request[keys.USER],
            state=query.state,
            case_id=query.case_id,
            before=query.cursor,
            limit=query.limit + 1,
        )
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation("GET", "/v1/complaints/{id}", roles=EVERYONE, answers={200: ComplaintOut}, summary="A complaint")
async def get_complaint(request: web.Request) -> Any:
    """As it stands."""
    async with request.app[keys.DATABASE].read() as connection:
        return await complaints.find(connection, request.match_info["id"], request[keys.USER])


@api.operation(
    "POST",
    "/v1/complaints/{id}/close",
    roles=("supervisor", "admin"),
    body=Ruling,
    answers={200: ComplaintOut},
    problems=(Conflict,),
    summary="Close a complaint with a written ruling",
)
async def close_complaint(request: web.Request, body: Ruling) -> Any:
    """Calling stays suspended until it is instructed (S63, S64)."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await complaints.close(
            transaction, request.match_info["id"], body.ruling, user=request[keys.USER], now=clock.now()
        )


@api.operation(
    "POST",
    "/v1/complaints/{id}/reopen",
    roles=("supervisor", "admin"),
    body=Reopening,
    answers={200: ComplaintOut},
    problems=(Conflict,),
    summary="Undo the closing of a complaint",
)
async def reopen_complaint(request: web.Request, body: Reopening) -> Any:
    """It is open as before: its ruling and instruction are void, and stay in the journal. Calling stops at once."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await complaints.reopen(
            transaction, request.match_info["id"], body.reason, user=request[keys.USER], now=clock.now()
        )


@api.operation(
    "POST",
    "/v1/complaints/{id}/instruct",
    roles=("supervisor", "admin", "crm"),
    body=Instruction,
    answers={200: ComplaintOut},
    problems=(Conflict,),
    summary="Instruct whether calling resumes, and with which other collector",
)
async def instruct(request: web.Request, body: Instruction) -> Any:
    """Only after the ruling; the collector complained about does not get the case back (S64, S65)."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await complaints.instruct(
            transaction,
            request.match_info["id"],
            resume=body.resume,
            assign_to=body.assign_to,
            user=request[keys.USER],
            now=clock.now(),
        )
