"""Calls and decisions over HTTP: click, check, follow, hang up; why a call was allowed or not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.errors import Conflict, Fault, Forbidden, NotFound
from crm_bridge import idempotency
from crm_bridge.cases import cases
from crm_bridge.click import Click, Clicked, click, denial_document
from crm_bridge.drain import Draining
from crm_bridge.people import scope
from crm_bridge.people.users import Role, User
from crm_bridge.system_state import RecorderUntried
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Body, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.problems import problem_response
from crm_bridge.web.shown import number_of
from recordings.tables import recordings
from telephony.ami import PbxUnavailable
from telephony.calls.call_records import call_document
from telephony.dialling import decisions
from telephony.dialling.gathering import Subject
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from telephony.numbers import InvalidNumber
from telephony.policy.engine import evaluate
from telephony.policy.facts import read_facts
from telephony.tables import calls
from telephony.trunking.no_trunk import NoTrunk

api = Api("calls")

CALLERS: tuple[Role, ...] = ("collector", "supervisor")
SHORT_RECORDING = ("id", "leg", "state", "duration", "sha256", "pcm_sha256", "flags")


class PolicyDenied(Fault):
    """The rules do not allow this call now; `denials` lists every rule, `retry_at` when it may next be made."""

    code = "policy-denied"
    status = 403
    title = "This call is not allowed now"


class CallNotFound(NotFound):
    """There is no such call, or it is not yours to see."""

    code = "call-not-found"


class Dial(Body):
    """Whom to call: one number of one party of one case."""

    case_id: str = Field(min_length=1, max_length=128)
    party_id: str = Field(min_length=1, max_length=128)
    number: str = Field(min_length=3, max_length=40)
    purpose: Literal["collect", "complaint", "location", "message"] = "collect"


class CallsQuery(PageQuery):
    """Which calls."""

    case_id: str | None = None
    agent: str | None = None
    mine: bool = False
    open: bool = False


class Call(BaseModel):
    """A call; moments are null until they come."""

    model_config = ConfigDict(extra="allow")

    id: str
    state: str
    end_reason: str | None
    outcome: str | None
    agent: str | None = Field(description="null: an inbound call that nobody has answered")
    case_id: str | None
    party_id: str | None
    number: str | None = Field(description="null: an anonymous caller")
    direction: str
    trunk: str | None
    decision_id: str | None = Field(
        description="null where none was made: the number is on the list of allowed ones, or nobody asked"
    )
    origin: str = Field(description="click, typed, transfer, inbound or stray")
    transferred_from: str | None = Field(description="the call whose other party was sent here")
    candidates: list[dict[str, str]] | None = Field(description="typed: every case and party that holds the number")
    created_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    hangup_cause: int | None
    attempts_counted: int
    violations: list[Any]


class CallPage(BaseModel):
    """A page of calls, newest first."""

    items: list[Call]
    next_cursor: str | None


class DecisionOut(BaseModel):
    """A decision with everything needed to run it again."""

    id: str
    at: datetime
    kind: str
    call_id: str | None
    case_id: str | None
    agent: str
    verdict: str
    facts: dict[str, Any]
    result: dict[str, Any]
    rerun: dict[str, Any]
    same: bool


async def _subject(request: web.Request, body: Dial, user: User) -> Subject:
    number = await number_of(request, body.number, body.party_id)
    return Subject(body.case_id, body.party_id, number, user.name, user.role, purpose=body.purpose)


async def _seen_case(request: web.Request, user: User, case_id: str) -> None:
    async with request.app[keys.DATABASE].read() as connection:
        await cases.find(connection, case_id, user)


DIAL_PROBLEMS = (
    *(PolicyDenied, AgentBusy, AgentUnavailable, PbxUnavailable, NoTrunk, NotFound, InvalidNumber),
    *(idempotency.KeyRequired, idempotency.KeyInFlight, Draining, RecorderUntried),
)
"""What may become of a click, beside a call."""


@api.operation(
    "POST",
    "/v1/calls",
    roles=CALLERS,
    body=Dial,
    headers={"!Idempotency-Key": "a new value for each intended call; the same value repeats the same answer"},
    answers={201: Call},
    problems=DIAL_PROBLEMS,
    summary="Call a customer: your phone rings first",
)
async def place(request: web.Request, body: Dial) -> Any:
    """201 once the PBX has taken the call, or with state `unknown` if it said nothing in 5 s; 503 only if nothing was sent."""
    user = user_of(request)
    key = idempotency.require_key(request.headers.get("Idempotency-Key"))
    subject = await _subject(request, body, user)
    clicked = await dial(request, user, subject, key)
    return clicked.document if clicked.status == 201 else refusal(clicked)


async def dial(
    request: web.Request, user: User, subject: Subject, key: str, others: tuple[Subject, ...] = ()
) -> Clicked:
    """Place a call for a user of this request; see `crm_bridge.click.click`."""
    request.app[keys.DRAIN].refuse_if_begun()
    phone = request.app[keys.DIALER].phone_of(user.extension, user.pbx)
    request.app[keys.STATE].require_recorder_tried(phone.pbx, clock.now())
    auto_answer = user.auto_answer or request.app[keys.SETTINGS].desk.auto_answer
    dialled = Click(subject, user.extension, user.pbx, key, auto_answer, others)
    return await click(request.app[keys.DATABASE], request.app[keys.DIALER], dialled, user)


def refusal(clicked: Clicked) -> web.Response:
    """The problem that a refused click is."""
    if clicked.status == PolicyDenied.status:
        detail = str(clicked.document["reason"])
        return problem_response(PolicyDenied.code, PolicyDenied.title, PolicyDenied.status, detail, clicked.document)
    code, detail = clicked.document["code"], clicked.document["detail"]
    return problem_response(code, PbxUnavailable.title, clicked.status, detail)


@api.operation(
    "POST",
    "/v1/calls/check",
    roles=(*CALLERS, "admin", "crm"),
    body=Dial,
    answers={200: dict[str, Any]},
    problems=(NotFound, InvalidNumber),
    summary="Would this call be allowed now? Dials nothing",
)
async def check(request: web.Request, body: Dial) -> dict[str, Any]:
    """The decision that a click would get."""
    user = user_of(request)
    await _seen_case(request, user, body.case_id)
    decision = await request.app[keys.DIALER].check(await _subject(request, body, user), clock.now())
    return {**decision.verdict.document(), "decision_id": decision.id, **_competing(denial_document(decision))}


def _competing(document: dict[str, Any]) -> dict[str, Any]:
    return {"competing": document["competing"]} if "competing" in document else {}


@api.operation(
    "GET", "/v1/calls", roles=PEOPLE, query=CallsQuery, answers={200: CallPage}, summary="Calls, newest first"
)
async def index(request: web.Request, query: CallsQuery) -> dict[str, Any]:
    """Only calls that the asker may see."""
    user = user_of(request)
    statement = select(calls).where(scope.calls_seen_by(user)).order_by(calls.c.id.desc()).limit(query.limit + 1)
    if query.case_id:
        statement = statement.where(calls.c.case_id == query.case_id)
    if query.agent or query.mine:
        statement = statement.where(_of(query.agent or user.name, only_now=query.open))
    if query.open:
        statement = statement.where(calls.c.ended_at.is_(None))
    if query.cursor:
        statement = statement.where(calls.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = list((await connection.execute(statement)).all())
        shown = rows[: query.limit]
        kept = await _recordings(connection, [row.id for row in shown])
        items = [{**call_document(row), "recordings": kept[row.id]} for row in shown]
    return {"items": items, "next_cursor": shown[-1].id if len(rows) > query.limit else None}


def _of(agent: str, *, only_now: bool) -> ColumnElement[bool]:
    """Calls of a collector: those started, and those taken over; of open ones, those that are the collector's now."""
    has_it = calls.c.current_agent == agent
    return has_it if only_now else or_(calls.c.agent == agent, has_it)


async def _recordings(connection: AsyncConnection, call_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Those of each of the calls, by its id."""
    columns = [recordings.c.call_id, *(recordings.c[name] for name in SHORT_RECORDING)]
    rows = await connection.execute(
        select(*columns).where(recordings.c.call_id.in_(call_ids)).order_by(recordings.c.leg)
    )
    found: dict[str, list[dict[str, Any]]] = {call_id: [] for call_id in call_ids}
    for call_id, *values in rows:
        found[call_id].append(dict(zip(SHORT_RECORDING, values, strict=True)))
    return found


async def visible_call(request: web.Request, user: User, call_id: str) -> Any:
    """The row of a call that `user` may see; raises CallNotFound."""
    async with request.app[keys.DATABASE].read() as connection:
        statement = select(calls).where(calls.c.id == call_id, scope.calls_seen_by(user))
        row = (await connection.execute(statement)).first()
    if row is None:
        raise CallNotFound(f"there is no call {call_id}")
    return row


@api.operation("GET", "/v1/calls/{id}", roles=PEOPLE, answers={200: Call}, problems=(CallNotFound,), summary="One call")
async def show(request: web.Request) -> dict[str, Any]:
    """States with their times, cause, decision, recordings."""
    row = await visible_call(request, user_of(request), request.match_info["id"])
    return await document_of(request, row)


async def document_of(request: web.Request, row: Any) -> dict[str, Any]:
    """A call with its recordings."""
    async with request.app[keys.DATABASE].read() as connection:
        return {**call_document(row), "recordings": (await _recordings(connection, [row.id]))[row.id]}


@api.operation(
    "POST",
    "/v1/calls/{id}/hangup",
    roles=CALLERS,
    answers={200: Call},
    problems=(CallNotFound, Conflict, PbxUnavailable),
    summary="Hang up",
)
async def hangup(request: web.Request) -> dict[str, Any]:
    """Ends both legs, at any moment of the call; a call that has ended already is simply returned."""
    user = user_of(request)
    row = await visible_call(request, user, request.match_info["id"])
    if row.ended_at is None:
        if user.role != "supervisor" and user.name not in (row.agent, row.current_agent):
            raise Forbidden("this is another collector's call")
        await request.app[keys.DIALER].hangup(row, user.name)
    return await show(request)


@api.operation(
    "GET",
    "/v1/decisions/{id}",
    roles=(*PEOPLE, "crm"),
    answers={200: DecisionOut},
    problems=(NotFound,),
    summary="A decision, and what it gives when run again",
)
async def decision(request: web.Request) -> dict[str, Any]:
    """Facts, packs with versions, verdict; `same` says whether it re-runs to the same verdict today."""
    user = user_of(request)
    async with request.app[keys.DATABASE].read() as connection:
        row = await decisions.read(connection, request.match_info["id"])
        await cases.find(connection, row.case_id, user)
    rerun = evaluate(read_facts(decisions.pinned(row.facts, row.result))).document()
    return {
        **row._mapping,
        "rerun": rerun,
        "same": rerun["verdict"] == row.verdict and rerun["rule"] == row.result["rule"],
    }
