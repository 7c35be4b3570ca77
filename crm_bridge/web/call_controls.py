"""What is done on a live call: hold, mute, digits, transfer, pause of the recording. Each answers with the call as it is then."""

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.engine import Row

from config import clock
from config.errors import Conflict, Fault, Forbidden, NotFound
from crm_bridge.click import denial_document
from crm_bridge.floor import transfer_targets
from crm_bridge.floor.transfer_choices import choices
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, Query
from crm_bridge.web.calls import CALLERS, Call, CallNotFound, PolicyDenied, document_of, visible_call
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.shown import number_of
from telephony.ami import AnswerUnknown, PbxUnavailable
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from telephony.live.transfers import Inside, Outside, TransferDenied
from telephony.trunking.no_trunk import NoTrunk

api = Api("calls")

PROBLEMS: tuple[type[Fault], ...] = (CallNotFound, Conflict, PbxUnavailable, AnswerUnknown)
Named = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Digits(Body):
    """Digits for the other end's menus; they are never written down."""

    digits: str = Field(pattern=r"^[0-9*#A-Da-d]{1,32}$")


class TransferIn(Body):
    """To whom, and whether the collector talks first."""

    to: Named | Annotated[list[Named], Field(min_length=1, max_length=50)] = Field(
        description="a colleague's name or extension, a group's name, a list of colleagues (first to answer), or an outside number"
    )
    kind: Literal["blind", "attended"] = "blind"
    party_id: str | None = Field(
        None, max_length=128, description="the party of the call's case that an outside number is of"
    )


class Pause(Query):
    """Why nothing is to be recorded."""

    reason: str | None = Field(None, max_length=255)


async def _mine(request: web.Request) -> tuple[Row[Any], User]:
    """The call, for who speaks on it now, or a supervisor who sees it. Raises CallNotFound, Forbidden."""
    user = user_of(request)
    row = await visible_call(request, user, request.match_info["id"])
    if row.current_agent != user.name and user.role != "supervisor":
        raise Forbidden("this is another collector's call")
    return row, user


async def _answer(request: web.Request) -> dict[str, Any]:
    """The call as it stands, also for who has just handed it on."""
    row, _ = await request.app[keys.CONTROLS].legs(request.match_info["id"])
    return await document_of(request, row)


@api.operation("POST", "/v1/calls/{id}/hold", roles=CALLERS, answers={200: Call}, problems=PROBLEMS, summary="Hold")
async def hold(request: web.Request) -> dict[str, Any]:
    """The other end hears a tone, or the PBX's music, and never the room. `held_at` says since when."""
    row, _ = await _mine(request)
    await request.app[keys.CONTROLS].hold(row)
    return await _answer(request)


@api.operation("POST", "/v1/calls/{id}/unhold", roles=CALLERS, answers={200: Call}, problems=PROBLEMS, summary="Resume")
async def unhold(request: web.Request) -> dict[str, Any]:
    """Both ends talk again."""
    row, _ = await _mine(request)
    await request.app[keys.CONTROLS].unhold(row)
    return await _answer(request)


@api.operation("POST", "/v1/calls/{id}/mute", roles=CALLERS, answers={200: Call}, problems=PROBLEMS, summary="Mute")
async def mute(request: web.Request) -> dict[str, Any]:
    """The other end does not hear the collector."""
    row, user = await _mine(request)
    await request.app[keys.CONTROLS].mute(row, user.name, on=True)
    return await _answer(request)


@api.operation("POST", "/v1/calls/{id}/unmute", roles=CALLERS, answers={200: Call}, problems=PROBLEMS, summary="Unmute")
async def unmute(request: web.Request) -> dict[str, Any]:
    """The other end hears the collector again."""
    row, user = await _mine(request)
    await request.app[keys.CONTROLS].mute(row, user.name, on=False)
    return await _answer(request)


@api.operation(
    "POST", "/v1/calls/{id}/dtmf", roles=CALLERS, body=Digits, answers={200: Call}, problems=PROBLEMS,
    summary="Send digits to the other end",
)  # fmt: skip
async def dtmf(request: web.Request, body: Digits) -> dict[str, Any]:
    """Only that digits were sent, and how many, is journalled."""
    row, user = await _mine(request)
    await request.app[keys.CONTROLS].digits(row, body.digits.upper(), user.name)
    return await _answer(request)


@api.operation(
    "POST",
    "/v1/calls/{id}/transfer",
    roles=CALLERS,
    body=TransferIn,
    answers={200: Call},
    problems=(*PROBLEMS, PolicyDenied, AgentBusy, AgentUnavailable, NoTrunk, NotFound),
    summary="Hand the call on",
)
async def transfer(request: web.Request, body: TransferIn) -> dict[str, Any]:
    """Blind: the other end rings the target, and comes back unless somebody takes it. Attended: talk with the target first, then
    `transfer/complete` or `transfer/cancel`. `transfer` in the answer says how it stands.

    An outside target is a call of its own (`transfer.call_id`): decided like a click, and refused with `policy-denied` while
    the other end stays on the line.
    """
    row, user = await _mine(request)
    target = await _target(request, body, row, user)
    try:
        await request.app[keys.TRANSFERS].start(row, target, body.kind, user.name)
    except TransferDenied as refused:
        document = denial_document(refused.decision)
        raise PolicyDenied(str(document["reason"]), **document) from refused
    return await _answer(request)


class TransferTargets(BaseModel):
    """Who is there to take a call, and which numbers of its case may be called now."""

    colleagues: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    numbers: list[dict[str, Any]]


@api.operation(
    "GET",
    "/v1/calls/{id}/transfer-targets",
    roles=CALLERS,
    answers={200: TransferTargets},
    problems=(CallNotFound,),
    summary="To whom a call may be handed on",
)
async def targets(request: web.Request) -> dict[str, Any]:
    """Colleagues and groups on the call's telephone system with who is free, and the numbers of the call's case."""
    row, user = await _mine(request)
    pbx, decider = request.app[keys.PBXS][row.pbx], request.app[keys.DECIDER]
    async with request.app[keys.DATABASE].read() as connection:
        return await choices(connection, decider, row, pbx, _first_pbx(request), user, clock.now())


def _first_pbx(request: web.Request) -> str:
    settings = request.app[keys.SETTINGS]
    return settings.pbx[0].name if settings.pbx else ""


async def _target(request: web.Request, body: TransferIn, row: Row[Any], user: User) -> Inside | Outside:
    settings = request.app[keys.SETTINGS]
    first = _first_pbx(request)
    async with request.app[keys.DATABASE].read() as connection:
        found = None
        if body.party_id is None:
            found = await transfer_targets.inside(connection, body.to, row, request.app[keys.PBXS][row.pbx], first)
    if found is not None or not isinstance(body.to, str):
        if found is None:
            raise NotFound("a list names colleagues only")
        return found
    number = await number_of(request, body.to, body.party_id) if "*" in body.to else body.to
    async with request.app[keys.DATABASE].read() as connection:
        return await transfer_targets.outside(connection, number, body.party_id, row, user, settings.policy.region)


@api.operation(
    "POST", "/v1/calls/{id}/transfer/complete", roles=CALLERS, answers={200: Call}, problems=PROBLEMS,
    summary="Join the other end with who was consulted",
)  # fmt: skip
async def complete(request: web.Request) -> dict[str, Any]:
    """The collector's leg is hung up, and the call goes on."""
    row, _ = await _mine(request)
    await request.app[keys.TRANSFERS].complete(row)
    return await _answer(request)


@api.operation(
    "POST", "/v1/calls/{id}/transfer/cancel", roles=CALLERS, answers={200: Call}, problems=PROBLEMS,
    summary="Take the other end back",
)  # fmt: skip
async def cancel(request: web.Request) -> dict[str, Any]:
    """The target rings no more, or is hung up."""
    row, _ = await _mine(request)
    await request.app[keys.TRANSFERS].cancel(row)
    return await _answer(request)


def _require_pauser(request: web.Request, user: User) -> None:
    roles = request.app[keys.SETTINGS].live_calls.pause_roles
    if user.role not in roles:
        raise Forbidden(f"role {user.role} may not pause recordings")


@api.operation(
    "POST", "/v1/calls/{id}/pause-recording", roles=CALLERS, query=Pause, answers={200: Call}, problems=PROBLEMS,
    summary="Record nothing for a while",
)  # fmt: skip
async def pause_recording(request: web.Request, query: Pause) -> dict[str, Any]:
    """For card data: a marked gap in the recording. It goes on by itself at `paused_until`, and when the call is handed on."""
    row, user = await _mine(request)
    _require_pauser(request, user)
    await request.app[keys.PAUSES].pause(row, user.name, query.reason)
    return await _answer(request)


@api.operation(
    "POST", "/v1/calls/{id}/resume-recording", roles=CALLERS, answers={200: Call}, problems=PROBLEMS,
    summary="Record again",
)  # fmt: skip
async def resume_recording(request: web.Request) -> dict[str, Any]:
    """Nothing happens where the recording runs."""
    row, user = await _mine(request)
    await request.app[keys.PAUSES].resume(row, user.name)
    return await _answer(request)
