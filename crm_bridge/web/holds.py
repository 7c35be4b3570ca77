"""Holds over HTTP: matters that keep recordings from being deleted."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import ColumnElement, func, or_, select

from config import clock
from config.database import Transaction
from config.errors import Conflict, NotFound
from crm_bridge.cases import cases
from crm_bridge.people import scope
from crm_bridge.people.users import Role, User
from crm_bridge.tables import cases as cases_table
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery, Query
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing, page
from recordings import holds
from recordings.holds import ComplaintOpen, HoldKind, TooLate
from recordings.retention_tables import hold_cases, hold_recordings
from recordings.retention_tables import holds as holds_table
from recordings.tables import recordings
from telephony.tables import calls

api = Api("holds")

KEEPERS: tuple[Role, ...] = ("supervisor", "admin")
Id = Annotated[str, Field(min_length=1, max_length=128)]


class Named(Body):
    """What a matter holds: recordings by id, or a case with all its recordings, also those still to come."""

    recordings: list[Id] = Field([], max_length=1000)
    case_id: Id | None = None

    @model_validator(mode="after")
    def _names_something(self) -> "Named":
        if not self.recordings and self.case_id is None:
            raise ValueError("recordings or case_id must be given")
        return self


class HoldIn(Named):
    """A matter."""

    matter: str = Field(min_length=1, max_length=255, description="its name or reference")
    kind: HoldKind = "litigation"
    reason: str = Field("", max_length=2000)


class HoldMore(Named):
    """More for an open matter, and why."""

    reason: str = Field(min_length=1, max_length=2000)


class Release(Query):
    """Why a hold ends."""

    reason: str = Field(min_length=1, max_length=2000)


class HoldsQuery(PageQuery):
    """Which holds."""

    state: Literal["open", "released", "all"] = "open"
    kind: HoldKind | None = None
    case_id: str | None = Field(None, max_length=128)


class HoldOut(BaseModel):
    """A matter and what it names; `count` is how many recordings it keeps now."""

    id: str
    matter: str
    kind: HoldKind
    reason: str
    opened_at: datetime
    opened_by: str
    complaint_id: str | None
    complaint_closed_at: datetime | None
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None
    recordings: list[str]
    cases: list[str]
    count: int


@api.operation(
    "POST",
    "/v1/holds",
    roles=KEEPERS,
    body=HoldIn,
    answers={201: HoldOut},
    problems=(NotFound, TooLate),
    summary="Hold recordings, or a case's, for a matter",
)
async def open_hold(request: web.Request, body: HoldIn) -> dict[str, Any]:
    """From now until it is released nothing of it is deleted, whatever its retention says."""
    user, now = user_of(request), clock.now()
    async with request.app[keys.DATABASE].write() as transaction:
        await _require_seen(transaction, body, user)
        hold_id = await holds.open_hold(
            transaction, matter=body.matter, kind=body.kind, reason=body.reason or body.matter,
            recording_ids=body.recordings, case_ids=[body.case_id] if body.case_id else [], actor=user.name, now=now,
        )  # fmt: skip
        return await _document(transaction, hold_id)


@api.operation(
    "POST",
    "/v1/holds/{id}/more",
    roles=KEEPERS,
    body=HoldMore,
    answers={200: HoldOut},
    problems=(Conflict, TooLate),
    summary="Have an open matter hold more",
)
async def hold_more(request: web.Request, body: HoldMore) -> dict[str, Any]:
    """Further recordings or a further case, with the reason."""
    user, hold_id = user_of(request), request.match_info["id"]
    async with request.app[keys.DATABASE].write() as transaction:
        await _find(transaction, hold_id, user)
        await _require_seen(transaction, body, user)
        await holds.extend(
            transaction, hold_id, recording_ids=body.recordings, case_ids=[body.case_id] if body.case_id else [],
            reason=body.reason, actor=user.name, now=clock.now(),
        )  # fmt: skip
        return await _document(transaction, hold_id)


@api.operation(
    "DELETE",
    "/v1/holds/{id}",
    roles=KEEPERS,
    query=Release,
    answers={204: NoContent},
    problems=(Conflict, ComplaintOpen),
    summary="Release a matter's hold, with the reason",
)
async def release(request: web.Request, query: Release) -> None:
    """What other matters hold stays held. A complaint's hold only after the complaint is closed."""
    user = user_of(request)
    async with request.app[keys.DATABASE].write() as transaction:
        await _find(transaction, request.match_info["id"], user)
        await holds.release(
            transaction, request.match_info["id"], reason=query.reason, actor=user.name, now=clock.now()
        )


@api.operation("GET", "/v1/holds/{id}", roles=("qa", *KEEPERS), answers={200: HoldOut}, summary="A matter")
async def get_hold(request: web.Request) -> dict[str, Any]:
    """With what it names."""
    async with request.app[keys.DATABASE].write() as transaction:
        await _find(transaction, request.match_info["id"], user_of(request))
        return await _document(transaction, request.match_info["id"])


@api.operation(
    "GET",
    "/v1/holds",
    roles=("qa", *KEEPERS),
    query=HoldsQuery,
    answers={200: Listing[HoldOut]},
    summary="Matters, newest first",
)
async def list_holds(request: web.Request, query: HoldsQuery) -> dict[str, Any]:
    """Those that name a case or recording the asker may see."""
    statement = select(holds_table).where(_seen(user_of(request))).order_by(holds_table.c.id.desc())
    if query.state != "all":
        is_open = holds_table.c.released_at.is_(None)
        statement = statement.where(is_open if query.state == "open" else ~is_open)
    if query.kind:
        statement = statement.where(holds_table.c.kind == query.kind)
    if query.case_id:
        named = select(hold_cases.c.hold_id).where(hold_cases.c.case_id == query.case_id)
        statement = statement.where(holds_table.c.id.in_(named))
    if query.cursor:
        statement = statement.where(holds_table.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(statement.limit(query.limit + 1))).all()
        shown, following = page(rows, query.limit, "id")
        return {"items": await _documents(connection, shown), "next_cursor": following}


def _seen(user: User) -> ColumnElement[bool]:
    """Condition on holds: whoever is bound to no client and no team sees all."""
    if not user.clients and (user.role != "supervisor" or user.team is None):
        return holds_table.c.id.is_not(None)
    my_cases = select(cases_table.c.id).where(scope.cases_seen_by(user))
    my_recordings = select(recordings.c.id).join(calls, calls.c.id == recordings.c.call_id)
    my_recordings = my_recordings.where(scope.calls_seen_by(user))
    by_case = select(hold_cases.c.hold_id).where(hold_cases.c.case_id.in_(my_cases))
    by_name = select(hold_recordings.c.hold_id).where(hold_recordings.c.recording_id.in_(my_recordings))
    return or_(holds_table.c.id.in_(by_case), holds_table.c.id.in_(by_name))


async def _find(transaction: Transaction, hold_id: str, user: User) -> None:
    if await transaction.first(select(holds_table.c.id).where(holds_table.c.id == hold_id, _seen(user))) is None:
        raise NotFound(f"there is no hold {hold_id}")


async def _require_seen(transaction: Transaction, body: Named, user: User) -> None:
    if body.case_id is not None:
        await cases.find(transaction.connection, body.case_id, user)
    linked = select(recordings.c.id).outerjoin(calls, calls.c.id == recordings.c.call_id)
    if user.clients or (user.role == "supervisor" and user.team is not None):
        linked = linked.where(scope.calls_seen_by(user))
    seen = {row.id for row in await transaction.all(linked.where(recordings.c.id.in_(body.recordings)))}
    unseen = [found for found in body.recordings if found not in seen]
    if unseen:
        raise NotFound(f"there is no recording {unseen[0]}")


async def _document(transaction: Transaction, hold_id: str) -> dict[str, Any]:
    rows = await transaction.all(select(holds_table).where(holds_table.c.id == hold_id))
    return (await _documents(transaction.connection, rows))[0]


async def _documents(connection: Any, rows: Any) -> list[dict[str, Any]]:
    named = await holds.contents(connection, [row.id for row in rows])
    return [
        {
            **row._mapping,
            **named[row.id],
            "count": await _count(connection, named[row.id]) if not row.released_at else 0,
        }
        for row in rows
    ]


async def _count(connection: Any, named: dict[str, list[str]]) -> int:
    linked = recordings.outerjoin(calls, calls.c.id == recordings.c.call_id)
    mine = or_(recordings.c.id.in_(named["recordings"]), calls.c.case_id.in_(named["cases"]))
    counted = select(func.count()).select_from(linked).where(recordings.c.state == "archived", mine)
    return await connection.scalar(counted) or 0
