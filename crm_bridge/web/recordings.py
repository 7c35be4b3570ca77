"""Recordings over HTTP: the call as heard, its waveform, its legs' recordings with their proofs, and open incidents."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.engine import Row

from config import clock
from config.errors import NotFound
from crm_bridge import scope
from crm_bridge.users import Role, User
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Media, PageQuery, Query
from crm_bridge.web.calls import CallNotFound
from crm_bridge.web.dispatch import user_of
from recordings.formats import CONTENT_TYPES, Format
from recordings.replay import NoAudio
from recordings.tables import incidents, recordings
from telephony.tables import calls

api = Api("recordings")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")


class AudioQuery(Query):
    """How the audio is wanted."""

    format: Format = "flac"


class RecordingsQuery(PageQuery):
    """Whose recordings."""

    call_id: str | None = Field(None, max_length=32)


class IncidentsQuery(PageQuery):
    """Which incidents."""

    state: Literal["open", "closed", "all"] = "open"
    call_id: str | None = Field(None, max_length=32)


class Recording(BaseModel):
    """One leg's recording. `sha256` is of the file the PBX left, `pcm_sha256` of its samples; `duration` in seconds."""

    id: str
    call_id: str
    leg: str
    uniqueid: str
    state: str = Field(description="expected | archived | missing | none")
    started_at: datetime | None
    duration: float | None
    sha256: str | None
    pcm_sha256: str | None
    flags: list[str]
    retention: dict[str, Any] | None
    holds: list[str] = Field(default_factory=list)
    archived_at: datetime | None


class RecordingPage(BaseModel):
    """A page of recordings, newest first."""

    items: list[Recording]
    next_cursor: str | None


class Incident(BaseModel):
    """Something in doubt about a recording, a file or the recorder."""

    id: str
    kind: str
    subject: str
    call_id: str | None
    detail: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None
    closed_reason: str | None


class IncidentPage(BaseModel):
    """A page of incidents, newest first."""

    items: list[Incident]
    next_cursor: str | None


class Waveform(BaseModel):
    """The loudest sample of every 1/`per_second` s, 0..1; channel 0 our side, channel 1 the outside party."""

    per_second: int
    duration: float
    channels: list[list[float]]


AUDIO = {200: Media("audio/flac"), 206: Media("audio/flac")}
RANGE = {"Range": "bytes=from-to; answered with 206"}


def _may_hear(user: User) -> ColumnElement[bool]:
    """Condition on `calls`: collectors hear their own calls only, others all those they may see."""
    return calls.c.agent == user.name if user.role == "collector" else scope.calls_seen_by(user)


def _of_no_call(user: User) -> ColumnElement[bool]:
    """Recordings without a call, an emergency call's: for overseers who are bound to no client."""
    return calls.c.id.is_(None) if user.role in OVERSEERS and not user.clients else false()


async def _require_hearable(request: web.Request, call_id: str) -> None:
    async with request.app[keys.DATABASE].read() as connection:
        seen = select(calls.c.id).where(calls.c.id == call_id, _may_hear(user_of(request)))
        if await connection.scalar(seen) is None:
            raise CallNotFound(f"there is no call {call_id}")


@api.operation(
    "GET",
    "/v1/calls/{id}/audio",
    roles=PEOPLE,
    query=AudioQuery,
    headers=RANGE,
    answers=AUDIO,
    problems=(CallNotFound, NoAudio),
    summary="The call as heard: channel 0 our side, channel 1 the outside party",
)
async def call_audio(request: web.Request, query: AudioQuery) -> web.StreamResponse:
    """Composed from the archived legs. Every play is journalled with who it was."""
    call_id = request.match_info["id"]
    await _require_hearable(request, call_id)
    path = await request.app[keys.REPLAY].call_audio(call_id, query.format)
    await _note_play(request, call_id, {"format": query.format})
    return _file(path, call_id, query.format)


@api.operation(
    "GET",
    "/v1/calls/{id}/peaks",
    roles=PEOPLE,
    answers={200: Waveform},
    problems=(CallNotFound, NoAudio),
    summary="The call's two-channel waveform",
)
async def peaks(request: web.Request) -> dict[str, Any]:
    """From the peaks stored with each leg; no audio is decoded."""
    await _require_hearable(request, request.match_info["id"])
    return await request.app[keys.REPLAY].peaks(request.match_info["id"])


@api.operation(
    "GET",
    "/v1/recordings",
    roles=PEOPLE,
    query=RecordingsQuery,
    answers={200: RecordingPage},
    summary="Recordings, one a leg, newest first",
)
async def index(request: web.Request, query: RecordingsQuery) -> dict[str, Any]:
    """Of the calls the asker may see; `call_id` for those of one call."""
    user = user_of(request)
    statement = (
        select(recordings)
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .where(or_(scope.calls_seen_by(user), _of_no_call(user)))
        .order_by(recordings.c.id.desc())
        .limit(query.limit + 1)
    )
    if query.call_id:
        statement = statement.where(recordings.c.call_id == query.call_id)
    if query.cursor:
        statement = statement.where(recordings.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        return _page(list(await connection.execute(statement)), query.limit)


@api.operation(
    "GET",
    "/v1/recordings/{id}/audio",
    roles=PEOPLE,
    query=AudioQuery,
    headers=RANGE,
    answers=AUDIO,
    problems=(NotFound, NoAudio),
    summary="One leg's recording: channel 0 what it said, channel 1 what it heard",
)
async def leg_audio(request: web.Request, query: AudioQuery) -> web.StreamResponse:
    """As archived, sample for sample. Every play is journalled with who it was."""
    recording_id, user = request.match_info["id"], user_of(request)
    statement = (
        select(recordings.c.call_id)
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .where(recordings.c.id == recording_id, or_(_may_hear(user), _of_no_call(user)))
    )
    async with request.app[keys.DATABASE].read() as connection:
        call_id = await connection.scalar(statement)
    if call_id is None:
        raise NotFound(f"there is no recording {recording_id}")
    path = await request.app[keys.REPLAY].leg_audio(recording_id, query.format)
    await _note_play(request, call_id, {"format": query.format, "recording_id": recording_id})
    return _file(path, recording_id, query.format)


@api.operation(
    "GET",
    "/v1/incidents",
    roles=OVERSEERS,
    query=IncidentsQuery,
    answers={200: IncidentPage},
    summary="What is in doubt about recordings, newest first",
)
async def list_incidents(request: web.Request, query: IncidentsQuery) -> dict[str, Any]:
    """Those of calls the asker may see, and those of no call (unknown files, the recorder itself)."""
    seen = select(calls.c.id).where(calls.c.id == incidents.c.call_id, scope.calls_seen_by(user_of(request)))
    statement = (
        select(incidents)
        .where(or_(incidents.c.call_id.is_(None), seen.exists()))
        .order_by(incidents.c.id.desc())
        .limit(query.limit + 1)
    )
    if query.state != "all":
        is_open = incidents.c.closed_at.is_(None)
        statement = statement.where(is_open if query.state == "open" else ~is_open)
    if query.call_id:
        statement = statement.where(incidents.c.call_id == query.call_id)
    if query.cursor:
        statement = statement.where(incidents.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        return _page(list(await connection.execute(statement)), query.limit)


def _page(rows: list[Row[Any]], limit: int) -> dict[str, Any]:
    shown = rows[:limit]
    return {
        "items": [dict(row._mapping) for row in shown],
        "next_cursor": shown[-1].id if len(rows) > limit else None,
    }


async def _note_play(request: web.Request, call_id: str, data: dict[str, Any]) -> None:
    await request.app[keys.REPLAY].plays.note(clock.now(), user_of(request).name, call_id, data)


def _file(path: Path, name: str, form: str) -> web.FileResponse:
    headers = {
        "Content-Type": CONTENT_TYPES[form],
        "Content-Disposition": f'inline; filename="{name}.{form}"',
        "Cache-Control": "private, no-store",
    }
    return web.FileResponse(path, headers=headers)
