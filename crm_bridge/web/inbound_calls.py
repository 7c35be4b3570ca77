"""Inbound calls on the desk: what rings now, and whose case a call turned out to be."""

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict, NotFound
from crm_bridge.inbound import calls as inbound_calls
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Body
from crm_bridge.web.calls import Call
from telephony.calls.call_records import call_document

api = Api("inbound calls")


class MatchOut(BaseModel):
    """A party of a case that has the caller's number: no debt, and no whole name, before it is known who calls."""

    case_id: str
    client: str
    collector: str | None
    state: str
    party_id: str
    relation: str
    name: str
    link: str | None = Field(None, description="the case in the client's CRM, where its address is set up")


class WaitingOut(BaseModel):
    """A call that rings my phone, or that I have answered."""

    call_id: str
    state: Literal["ringing", "answered"]
    number: str | None = Field(description="null: an anonymous caller")
    did: str
    case_id: str | None
    matches: list[MatchOut]


class WaitingList(BaseModel):
    """The oldest first."""

    items: list[WaitingOut]


class CaseOfCall(Body):
    """Whose call it is."""

    case_id: str = Field(min_length=1, max_length=128)
    party_id: str | None = Field(
        None, min_length=1, max_length=128, description="absent: who has the number, else the case's first party"
    )


@api.operation(
    "GET", "/v1/inbound-calls", roles=PEOPLE, answers={200: WaitingList}, summary="Inbound calls at my phone now"
)
async def waiting(request: web.Request) -> dict[str, Any]:
    """What `screen_pop` events said so far, for a page that is opened while the phone rings."""
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": await inbound_calls.waiting(connection, request[keys.USER])}


@api.operation(
    "PUT",
    "/v1/calls/{id}/case",
    roles=("collector", "supervisor", "admin"),
    body=CaseOfCall,
    answers={200: Call},
    problems=(NotFound, Conflict),
    summary="Say whose case an inbound call belongs to",
)
async def put_case(request: web.Request, body: CaseOfCall) -> dict[str, Any]:
    """By who answered it, or by a supervisor, until its note is written. The contact history follows."""
    async with request.app[keys.DATABASE].write() as transaction:
        row = await inbound_calls.assign_case(
            transaction,
            request.match_info["id"],
            body.case_id,
            body.party_id,
            user=request[keys.USER],
            now=clock.now(),
        )
    return call_document(row)
