"""Who answered a call, and the words for somebody who is not the debtor (S13)."""

from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import select

from config import clock
from config.errors import Conflict
from crm_bridge.cases import right_party, third_party_script
from crm_bridge.people import scope
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, PEOPLE, Api
from crm_bridge.web.calls import CALLERS, CallNotFound
from telephony.tables import calls

api = Api("right-party")


class ScriptOut(BaseModel):
    """What to say to a third party, in both languages; `own` where the client has its own words."""

    zh: str
    en: str
    own: bool
    updated_at: datetime | None
    updated_by: str | None


class AnsweredByOut(BaseModel):
    """Who answered; `answer` is null until somebody says so. `unlocked` while the debt's details may be shown."""

    call_id: str
    answer: Literal["debtor", "third_party", "unknown"] | None
    party_id: str | None = None
    relation: str | None = None
    wrong_number: bool = False
    note: str | None = None
    by: str | None = None
    at: datetime | None = None
    unlocked: bool = False
    script: ScriptOut | None = Field(None, description="the third-party script, unless the debtor answered")


async def _call(request: web.Request) -> Any:
    """The call, if it is the user's to see: also one that was handed on to them. Raises CallNotFound."""
    call_id, user = request.match_info["id"], request[keys.USER]
    async with request.app[keys.DATABASE].read() as connection:
        row = (await connection.execute(select(calls).where(calls.c.id == call_id, scope.calls_seen_by(user)))).first()
    if row is None:
        raise CallNotFound(f"there is no call {call_id}")
    return row


async def _document(request: web.Request, call: Any, row: Any) -> dict[str, Any]:
    after_call = timedelta(seconds=request.app[keys.SETTINGS].desk.unlocked_after_call_seconds)
    lately = call.ended_at is None or call.ended_at > clock.now() - after_call
    found: dict[str, Any] = dict(row._mapping) if row is not None else {"call_id": call.id, "answer": None}
    found["unlocked"] = found["answer"] == "debtor" and lately
    if found["answer"] != "debtor":
        async with request.app[keys.DATABASE].read() as connection:
            found["script"] = await third_party_script.script_of(connection, call.client)
    return found


@api.operation(
    "POST",
    "/v1/calls/{id}/right-party",
    roles=CALLERS,
    body=right_party.AnsweredBy,
    answers={200: AnsweredByOut},
    problems=(CallNotFound, Conflict),
    summary="Say who answered: the debtor unlocks the debt's details, anybody else the third-party script",
)
async def confirm(request: web.Request, body: right_party.AnsweredBy) -> dict[str, Any]:
    """By who is on the call, while it lives or shortly after; said again, the newest answer counts."""
    user = request[keys.USER]
    call = await _call(request)
    after_call = timedelta(seconds=request.app[keys.SETTINGS].desk.unlocked_after_call_seconds)
    async with request.app[keys.DATABASE].write() as transaction:
        row = await right_party.confirm(transaction, call, body, user=user, after_call=after_call, now=clock.now())
    return await _document(request, call, row)


@api.operation(
    "GET",
    "/v1/calls/{id}/right-party",
    roles=PEOPLE,
    answers={200: AnsweredByOut},
    problems=(CallNotFound,),
    summary="Who answered a call",
)
async def show(request: web.Request) -> dict[str, Any]:
    """With the script for a third party, unless the debtor answered."""
    call = await _call(request)
    async with request.app[keys.DATABASE].read() as connection:
        row = await right_party.find(connection, call.id)
    return await _document(request, call, row)


@api.operation(
    "GET",
    "/v1/policies/{client}/third-party-script",
    roles=EVERYONE,
    answers={200: ScriptOut},
    summary="What to say to a third party for this client",
)
async def get_script(request: web.Request) -> dict[str, Any]:
    """The default where the client has no words of its own."""
    scope.require_client(request[keys.USER], request.match_info["client"])
    async with request.app[keys.DATABASE].read() as connection:
        return await third_party_script.script_of(connection, request.match_info["client"])


@api.operation(
    "PUT",
    "/v1/policies/{client}/third-party-script",
    roles=("admin", "supervisor"),
    body=third_party_script.ScriptIn,
    answers={200: ScriptOut},
    summary="Set what to say to a third party for this client",
)
async def put_script(request: web.Request, body: third_party_script.ScriptIn) -> dict[str, Any]:
    """Shown from the next call on."""
    client = request.match_info["client"]
    async with request.app[keys.DATABASE].write() as transaction:
        await third_party_script.put(transaction, client, body, user=request[keys.USER], now=clock.now())
        return await third_party_script.script_of(transaction.connection, client)
