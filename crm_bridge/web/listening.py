"""Listening in on a live call, and speaking to its collector alone, over HTTP."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy.engine import Row

from config.errors import Conflict
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, Reply
from crm_bridge.web.calls import CallNotFound, visible_call
from crm_bridge.web.dispatch import user_of
from telephony.ami import AnswerUnknown, PbxUnavailable
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from telephony.live import listening
from telephony.live.listening import Listener, Mode

api = Api("calls")

LISTENERS: tuple[Role, ...] = ("supervisor", "admin")


class ListenIn(Body):
    """How, and why."""

    mode: Mode = Field("listen", description="`whisper`: the collector hears you too, the other end never does")
    reason: str | None = Field(None, max_length=2000)


class ListeningOut(BaseModel):
    """Somebody's listening."""

    id: str
    call_id: str
    listener: str
    extension: str
    mode: Mode
    state: Literal["calling", "listening", "ended"]
    reason: str | None
    asked_at: datetime
    began_at: datetime | None
    ended_at: datetime | None


class Listenings(BaseModel):
    """From first to last."""

    items: list[ListeningOut]


def document(row: Row[Any]) -> dict[str, Any]:
    """A listening as it is answered."""
    state = "ended" if row.ended_at else "listening" if row.began_at else "calling"
    return {name: value for name, value in row._mapping.items() if name != "pbx"} | {"state": state}


@api.operation(
    "POST",
    "/v1/calls/{id}/listen",
    roles=LISTENERS,
    body=ListenIn,
    answers={201: ListeningOut, 200: ListeningOut},
    problems=(CallNotFound, Conflict, AgentBusy, AgentUnavailable, PbxUnavailable, AnswerUnknown),
    summary="Listen in: your own phone rings",
)
async def listen(request: web.Request, body: ListenIn) -> Reply:
    """Once your phone is answered you hear both ends; it hangs up when the collector's leg ends. Asking again changes the mode.
    No collector is told; the journal has all of it, before your phone rings."""
    user = user_of(request)
    call = await visible_call(request, user, request.match_info["id"])
    phone = request.app[keys.DIALER].phone_of(user.extension, user.pbx)
    auto_answer = user.auto_answer or request.app[keys.SETTINGS].desk.auto_answer
    who = Listener(user.name, phone.pbx, phone.extension, auto_answer)
    row, new = await request.app[keys.LISTENING].start(call.id, who, body.mode, body.reason)
    return Reply(document(row), status=201 if new else 200)


@api.operation(
    "GET",
    "/v1/calls/{id}/listen",
    roles=LISTENERS,
    answers={200: Listenings},
    problems=(CallNotFound,),
    summary="Who listened in on a call",
)
async def listeners(request: web.Request) -> dict[str, Any]:
    """Now and before."""
    call = await visible_call(request, user_of(request), request.match_info["id"])
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": [document(row) for row in await listening.listenings_of(connection, call.id)]}


@api.operation(
    "DELETE",
    "/v1/calls/{id}/listen",
    roles=LISTENERS,
    answers={204: NoContent},
    problems=(CallNotFound, PbxUnavailable, AnswerUnknown),
    summary="Listen no more",
)
async def leave(request: web.Request) -> None:
    """Your phone is hung up. Nothing happens where you do not listen."""
    user = user_of(request)
    call = await visible_call(request, user, request.match_info["id"])
    await request.app[keys.LISTENING].stop(call.id, user.name)
