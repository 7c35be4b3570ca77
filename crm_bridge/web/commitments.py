"""Promises to pay and call-backs, and marks of numbers."""

from datetime import date, datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict
from crm_bridge.cases import number_marks
from crm_bridge.cases.number_marks import Mark
from crm_bridge.notes import commitments
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, PEOPLE, Api, Body, PageQuery
from crm_bridge.web.paging import Listing
from crm_bridge.web.shown import number_of
from telephony.numbers import InvalidNumber

api = Api("commitments")


class PromisedOut(BaseModel):
    """What was promised, hidden like every detail of a debt until the debtor is on the line."""

    on: str
    amount: str | None
    currency: str | None


class CommitmentOut(BaseModel):
    """A promise to pay or a call-back; `overdue` while it is open and its time is past."""

    id: str
    kind: commitments.Kind
    state: commitments.State
    client: str
    case_id: str
    party_id: str | None
    number: str | None
    call_id: str | None
    collector: str | None
    day: str
    at: datetime | None
    promise: PromisedOut | None
    due_at: datetime
    overdue: bool
    made_at: datetime
    made_by: str
    closed_at: datetime | None
    closed_by: str | None
    reason: str | None


class CommitmentQuery(PageQuery):
    """Which ones."""

    case_id: str | None = Field(None, max_length=128)
    state: commitments.State | None = None
    kind: commitments.Kind | None = None
    until: date | None = Field(None, description="due on this day or before")
    mine: bool = Field(False, description="only on cases whose collector I am")


class ClosingIn(Body):
    """What came of it."""

    state: Literal["kept", "broken", "done", "withdrawn"]
    reason: str | None = Field(None, max_length=2000)


class MarkIn(Body):
    """What was found out about a number; `unknown` takes the mark away."""

    mark: Mark
    reason: str = Field(min_length=1, max_length=2000)


class MarkedNumber(BaseModel):
    """A number with its mark."""

    party_id: str
    e164: str
    status: str
    mark: dict[str, Any] | None


def _shown(request: web.Request, row: Any) -> dict[str, Any]:
    due = commitments.due_at(row, request.app[keys.SETTINGS].policy.zone)
    promise = {"on": row.day, "amount": row.amount, "currency": row.currency} if row.kind == "promise" else None
    overdue = row.state == "open" and due <= clock.now()
    return {**row._mapping, "promise": promise, "due_at": due, "overdue": overdue}


@api.operation(
    "GET",
    "/v1/commitments",
    roles=EVERYONE,
    query=CommitmentQuery,
    answers={200: Listing[CommitmentOut]},
    summary="Promises and call-backs, by the day they are due",
)
async def list_commitments(request: web.Request, query: CommitmentQuery) -> dict[str, Any]:
    """On the cases the user may see."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await commitments.list_commitments(
            connection,
            request[keys.USER],
            case_id=query.case_id,
            state=query.state,
            kind=query.kind,
            until=query.until,
            mine=query.mine,
            after=query.cursor or "",
            limit=query.limit + 1,
        )
    shown = rows[: query.limit]
    following = commitments.cursor_of(shown[-1]) if len(rows) > query.limit else None
    return {"items": [_shown(request, row) for row in shown], "next_cursor": following}


@api.operation(
    "POST",
    "/v1/commitments/{id}/close",
    roles=PEOPLE,
    body=ClosingIn,
    answers={200: CommitmentOut},
    problems=(Conflict,),
    summary="Say what came of a promise or a call-back",
)
async def close_commitment(request: web.Request, body: ClosingIn) -> dict[str, Any]:
    """A promise is kept, broken or withdrawn; a call-back is done or withdrawn. Its reminder stops."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await commitments.close(
            transaction,
            request.match_info["id"],
            body.state,
            body.reason,
            user=request[keys.USER],
            now=clock.now(),
        )
    return _shown(request, row)


@api.operation(
    "POST",
    "/v1/parties/{id}/numbers/{number}/mark",
    roles=PEOPLE,
    body=MarkIn,
    answers={200: MarkedNumber},
    problems=(InvalidNumber,),
    summary="Mark a party's number: valid, wrong person, not in service and so on",
)
async def mark_number(request: web.Request, body: MarkIn) -> Any:
    """From the next decision on; an upsert does not take it back. Only a supervisor makes an invalid number callable."""
    number = await number_of(request, request.match_info["number"], request.match_info["id"])
    async with request.app[keys.DATABASE].write() as transaction:
        return await number_marks.mark(
            transaction,
            request.match_info["id"],
            number,
            body.mark,
            body.reason,
            user=request[keys.USER],
            now=clock.now(),
        )
