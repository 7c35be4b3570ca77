"""Notes of a case, and the disposition of a call."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict
from crm_bridge.cases import cases
from crm_bridge.notes import dispositions, notes
from crm_bridge.outbox.desk import sent_of_case
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, PEOPLE, Api, Body, PageQuery
from crm_bridge.web.calls import Call
from crm_bridge.web.paging import Listing, page
from telephony.calls.call_records import call_document

api = Api("notes")


class NoteIn(Body):
    """A note by hand."""

    text: str = Field(min_length=1, max_length=notes.LONGEST_NOTE)
    party_id: str | None = Field(None, max_length=128)


class Sent(BaseModel):
    """Where a note was told."""

    destination: str
    state: str = Field(description="waiting, delivered, dead (given up) or dropped")
    at: datetime | None = Field(description="when it ended, or is tried next")
    reason: str | None = Field(description="what the last try ran into")


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
    sent: list[Sent] = Field([], description="at which CRMs and webhooks it is, in a case's list")


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
        sent = await sent_of_case(connection, case_id)
    shown, following = page(rows, query.limit, "id")
    items = [{**row._mapping, "sent": sent.get(row.id, [])} for row in shown]
    return {"items": items, "next_cursor": following}


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
    body=dispositions.Disposition,
    answers={200: Call},
    problems=(Conflict,),
    summary="Say what came of a call",
)
async def put_disposition(request: web.Request, body: dispositions.Disposition) -> Any:
    """Makes the call's note final. `outcome` corrects what the network could not tell, and the caps count by it.

    A promise and a call-back are kept as commitments; what the code says of the person, the number or the case, and a time
    that was agreed, holds from the next decision on.
    """
    async with request.app[keys.DATABASE].write() as transaction:
        call = await dispositions.record(
            transaction,
            request.match_info["id"],
            body,
            zone=request.app[keys.SETTINGS].policy.zone,
            user=request[keys.USER],
            now=clock.now(),
        )
    return call_document(call)
