"""Notes of a case, the disposition of a call, and the action codes it takes."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict
from crm_bridge import cases, notes
from crm_bridge.action_codes import ACTION_CODES
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, PEOPLE, Api, Body, PageQuery
from crm_bridge.web.calls import Call
from crm_bridge.web.paging import Listing, page
from telephony.call_records import call_document

api = Api("notes")


class NoteIn(Body):
    """A note by hand."""

    text: str = Field(min_length=1, max_length=notes.LONGEST_NOTE)
    party_id: str | None = Field(None, max_length=128)


class NoteOut(BaseModel):
    """A note; `details` holds what the call left: outcome, talk_seconds, promise."""

    id: str
    case_id: str
    call_id: str | None
    state: str = Field(description="draft until the collector says what came of the call, then final")
    author: str
    at: datetime
    party_id: str | None
    number: str | None
    relation: str | None
    action_code: str | None
    text: str
    details: dict[str, Any]
    updated_at: datetime


class ActionCodeOut(BaseModel):
    """An action code with its names; `outcome` is what it says of the call."""

    code: str
    label: dict[Literal["zh", "en"], str]
    outcome: str | None


@api.operation(
    "GET",
    "/v1/cases/{id}/notes",
    roles=EVERYONE,
    query=PageQuery,
    answers={200: Listing[NoteOut]},
    summary="A case's notes, newest first",
)
async def list_notes(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """Drafts of calls without a disposition are among them."""
    case_id = request.match_info["id"]
    async with request.app[keys.DATABASE].read() as connection:
        await cases.find(connection, case_id, request[keys.USER])
        rows = await notes.list_notes(connection, case_id, before=query.cursor, limit=query.limit + 1)
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "POST",
    "/v1/cases/{id}/notes",
    roles=EVERYONE,
    body=NoteIn,
    answers={201: NoteOut},
    summary="Write a note on a case",
)
async def add_note(request: web.Request, body: NoteIn) -> Any:
    """Final at once; the note of a call comes by itself."""
    async with request.app[keys.DATABASE].write() as transaction:
        return await notes.add_note(
            transaction,
            request.match_info["id"],
            body.text,
            party_id=body.party_id,
            user=request[keys.USER],
            now=clock.now(),
        )


@api.operation(
    "PUT",
    "/v1/calls/{id}/disposition",
    roles=PEOPLE,
    body=notes.Disposition,
    answers={200: Call},
    problems=(Conflict,),
    summary="Say what came of a call",
)
async def put_disposition(request: web.Request, body: notes.Disposition) -> Any:
    """Makes the call's note final. `outcome` corrects what the network could not tell, and the caps count by it."""
    async with request.app[keys.DATABASE].write() as transaction:
        call = await notes.record_disposition(
            transaction, request.match_info["id"], body, user=request[keys.USER], now=clock.now()
        )
    return call_document(call)


@api.operation(
    "GET", "/v1/action-codes", roles=EVERYONE, answers={200: Listing[ActionCodeOut]}, summary="The action codes"
)
async def list_action_codes(_request: web.Request) -> dict[str, Any]:
    """With their names in Chinese and English."""
    items = [{"code": c.code, "label": {"zh": c.zh, "en": c.en}, "outcome": c.outcome} for c in ACTION_CODES]
    return {"items": items, "next_cursor": None}
