"""Complaints: open, list, act on a step, close with a ruling, instruct, and undo each of these."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, false

from config import clock
from config.errors import Conflict, NotFound
from crm_bridge.complaints import complaints
from crm_bridge.complaints import rulings as complaint_rulings
from crm_bridge.complaints import view as complaint_view
from crm_bridge.complaints.ladders import Severity, Step
from crm_bridge.tables import cases as cases_table
from crm_bridge.tables import complaints as table
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api, Body, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing, page

api = Api("complaints")


class ComplaintIn(Body):
    """A complaint on a case, if known on one of its calls and at a second of it."""

    case_id: str = Field(max_length=128)
    call_id: str | None = Field(None, max_length=32)
    severity: Severity
    text: str = Field(min_length=1, max_length=10_000)
    party_id: str | None = Field(None, max_length=128, description="who complains")
    at_second: float | None = Field(
        None, ge=0, le=86_400, allow_inf_nan=False, description="of the call, where to listen"
    )
    category: complaints.Category = "other"


class Decision(Body):
    """A decision; `revision` is that of the complaint it was made on: it is refused when somebody was quicker."""

    revision: int | None = Field(None, ge=0)


class Action(Decision):
    """What was done: at a step, which completes it, or with step `note` without completing anything."""

    step: str = Field(min_length=1, max_length=32)
    text: str = Field(min_length=1, max_length=10_000)


class Ruling(Decision):
    """The written ruling: justified or not, and why."""

    ruling: str = Field(min_length=1, max_length=10_000)
    justified: bool | None = None


class Reopening(Decision):
    """Why it is undone."""

    reason: str = Field(min_length=1, max_length=2000)


class Instruction(Decision):
    """Whether calling resumes, and with whom."""

    resume: bool
    assign_to: str | None = Field(None, max_length=128, description="the other collector")
    reason: str = Field("", max_length=2000)


class ComplaintQuery(PageQuery):
    """Which complaints. `waiting`: open, or closed without the instruction to resume."""

    state: Literal["open", "closed"] | None = None
    waiting: bool = False
    case_id: str | None = Field(None, max_length=128)
    client: str | None = Field(None, max_length=128)
    severity: Severity | None = None


class ClockOut(BaseModel):
    """A deadline of the complaint: of a step, of the whole answer, or of the report to the company."""

    id: str
    kind: str
    step: str | None
    state: Literal["open", "met", "missed", "cancelled"]
    due_at: datetime
    warn_at: datetime | None
    warned_at: datetime | None
    missed_at: datetime | None
    level: int
    unit: str
    owner: str | None
    owner_role: str
    people: list[str]
    told: list[str]
    ended_at: datetime | None
    ended_by: str | None
    ended_reason: str | None


class ComplaintOut(BaseModel):
    """A complaint. `stage` is a step of its ladder, `ruling`, `instruction` or `settled`."""

    id: str
    case_id: str
    call_id: str | None
    party_id: str | None
    at_second: float | None
    category: str | None
    client: str
    collector: str | None
    severity: str
    text: str
    state: str
    stage: str
    step: str | None
    steps: list[Step]
    deadlines: list[ClockOut]
    next_due_at: datetime | None
    answer_due_at: datetime | None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_by: str | None
    ruling: str | None
    justified: bool | None
    instructed: bool
    resume: bool
    former_agent: str | None
    assigned_to: str | None
    revision: int


class TrailOut(BaseModel):
    """One line of the trail."""

    id: int
    at: datetime
    by: str
    what: str
    step: str | None
    text: str
    details: dict[str, Any]
    undone_at: datetime | None


class HeardOut(BaseModel):
    """Somebody listened to the call."""

    by: str
    at: datetime


class CalledOut(BaseModel):
    """A call to the complainant."""

    call_id: str
    by: str
    at: datetime
    outcome: str | None


class ComplaintWhole(ComplaintOut):
    """A complaint with everything that was done: the trail, who heard the call, who rang the complainant."""

    cases_stopped: int
    trail: list[TrailOut]
    heard: list[HeardOut]
    called: list[CalledOut]


@api.operation(
    "POST",
    "/v1/complaints",
    roles=EVERYONE,
    body=ComplaintIn,
    answers={201: ComplaintWhole},
    problems=(NotFound,),
    summary="Open a complaint: calling the person stops at once, the clocks run",
)
async def open_complaint(request: web.Request, body: ComplaintIn) -> Any:
    """Anyone who hears one opens it (S60, S61)."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await complaints.open_complaint(
            transaction,
            complaints.Opening(**body.model_dump()),
            zone=_zone(request),
            user=user_of(request),
            now=clock.now(),
        )
        return await complaint_view.document(transaction.connection, row)


def _zone(request: web.Request) -> str:
    return request.app[keys.SETTINGS].policy.zone


@api.operation(
    "GET",
    "/v1/complaints",
    roles=EVERYONE,
    query=ComplaintQuery,
    answers={200: Listing[ComplaintOut]},
    summary="Complaints with their clocks, newest first",
)
async def list_complaints(request: web.Request, query: ComplaintQuery) -> dict[str, Any]:
    """On the cases the user may see."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await complaints.list_complaints(
            connection, user_of(request), _wanted(query), before=query.cursor, limit=query.limit + 1
        )
        shown, following = page(rows, query.limit, "id")
        return {"items": await complaint_view.documents(connection, shown), "next_cursor": following}


def _wanted(query: ComplaintQuery) -> list[ColumnElement[bool]]:
    equal = (
        (table.c.state, query.state), (table.c.case_id, query.case_id), (table.c.severity, query.severity),
        (cases_table.c.client, query.client),
    )  # fmt: skip
    wanted: list[ColumnElement[bool]] = [column == value for column, value in equal if value is not None]
    if query.waiting:
        wanted.append((table.c.state == "open") | (table.c.instructed == false()))
    return wanted


@api.operation("GET", "/v1/complaints/{id}", roles=EVERYONE, answers={200: ComplaintWhole}, summary="A complaint")
async def get_complaint(request: web.Request) -> Any:
    """As it stands, with its whole trail."""
    async with request.app[keys.DATABASE].read() as connection:
        row = await complaints.find(connection, request.match_info["id"], user_of(request))
        return await complaint_view.document(connection, row)


@api.operation(
    "POST",
    "/v1/complaints/{id}/act",
    roles=("collector", "supervisor", "admin"),
    body=Action,
    answers={200: ComplaintWhole},
    problems=(Conflict,),
    summary="Say what was done at a step of the ladder",
)
async def act(request: web.Request, body: Action) -> Any:
    """It completes the step, and the next one has it (S62, S63, S66). A collector only calms."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await complaints.act(
            transaction, request.match_info["id"], body.step, body.text, revision=body.revision, zone=_zone(request),
            user=user_of(request), now=clock.now(),
        )  # fmt: skip
        return await complaint_view.document(transaction.connection, row)


@api.operation(
    "POST",
    "/v1/complaints/{id}/close",
    roles=("supervisor", "admin"),
    body=Ruling,
    answers={200: ComplaintWhole},
    problems=(Conflict,),
    summary="Close a complaint with a written ruling",
)
async def close_complaint(request: web.Request, body: Ruling) -> Any:
    """Calling stays suspended until it is instructed (S63, S64)."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await complaint_rulings.close(
            transaction, request.match_info["id"], body.ruling, justified=body.justified, revision=body.revision,
            user=user_of(request), now=clock.now(),
        )  # fmt: skip
        return await complaint_view.document(transaction.connection, row)


@api.operation(
    "POST",
    "/v1/complaints/{id}/reopen",
    roles=("supervisor", "admin"),
    body=Reopening,
    answers={200: ComplaintWhole},
    problems=(Conflict,),
    summary="Undo the closing of a complaint",
)
async def reopen_complaint(request: web.Request, body: Reopening) -> Any:
    """It is open as before: its ruling and instruction are void, and stay in the trail. Calling stops at once."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await complaint_rulings.reopen(
            transaction, request.match_info["id"], body.reason, revision=body.revision, user=user_of(request),
            now=clock.now(),
        )  # fmt: skip
        return await complaint_view.document(transaction.connection, row)


@api.operation(
    "POST",
    "/v1/complaints/{id}/instruct",
    roles=("supervisor", "admin", "crm"),
    body=Instruction,
    answers={200: ComplaintWhole},
    problems=(Conflict,),
    summary="Instruct whether calling resumes, and with which other collector",
)
async def instruct(request: web.Request, body: Instruction) -> Any:
    """Only after the ruling; the collector complained about does not get the case back (S64, S65)."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await complaint_rulings.instruct(
            transaction, request.match_info["id"], resume=body.resume, assign_to=body.assign_to, reason=body.reason,
            revision=body.revision, user=user_of(request), now=clock.now(),
        )  # fmt: skip
        return await complaint_view.document(transaction.connection, row)


@api.operation(
    "POST",
    "/v1/complaints/{id}/undo",
    roles=("supervisor", "admin"),
    body=Reopening,
    answers={200: ComplaintWhole},
    problems=(Conflict,),
    summary="Undo the last decision: the instruction, else the closing, else the last step",
)
async def undo(request: web.Request, body: Reopening) -> Any:
    """What was undone stays in the trail, marked so."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await complaint_rulings.undo(
            transaction, request.match_info["id"], body.reason, revision=body.revision, user=user_of(request),
            now=clock.now(),
        )  # fmt: skip
        return await complaint_view.document(transaction.connection, row)
