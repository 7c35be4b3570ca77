"""Recordings over HTTP: the call as heard, its waveform, its legs' recordings with their proofs; finding them."""

from datetime import date, datetime
from typing import Any, BinaryIO

from aiohttp import web
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.engine import Row

from config import clock
from config.errors import NotFound
from crm_bridge import recording_search
from crm_bridge.people import scope
from crm_bridge.people.users import Role, User
from crm_bridge.recording_search import Search
from crm_bridge.web import keys, ranges
from crm_bridge.web.api import PEOPLE, Api, Media, PageQuery, Query
from crm_bridge.web.calls import CallNotFound
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing, page
from recordings import holds
from recordings.formats import CONTENT_TYPES, Format
from recordings.replay import NoAudio
from recordings.tables import recordings
from telephony.tables import calls

api = Api("recordings")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")


class AudioQuery(Query):
    """How the audio is wanted, and why: the journal keeps both."""

    format: Format = "flac"
    reason: str | None = Field(None, max_length=500, description="why it is heard; needed for a download")
    download: bool = False

    @model_validator(mode="after")
    def _says_why(self) -> "AudioQuery":
        if self.download and not self.reason:
            raise ValueError("a download needs a reason")
        return self


class RecordingsQuery(Search, PageQuery):
    """Which recordings."""


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


class RecordedCall(BaseModel):
    """A call as the replay desk lists it: what its recordings are like, taken together."""

    id: str
    created_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    agent: str
    client: str | None
    case_id: str | None
    party_id: str | None
    party_name: str | None
    number: str
    direction: str
    outcome: str | None
    end_reason: str | None
    purpose: str
    duration: float | None = Field(description="seconds, of the longest recording")
    playable: bool
    flags: list[str]
    doubts: list[str] = Field(description="kinds of open incidents")
    holds: list[str]
    comments: int
    delete_after: date | None
    recordings: list[dict[str, Any]]


class Region(BaseModel):
    """A stretch of the call: dead_air, hold or pause; seconds from its first sample."""

    kind: str
    start: float
    end: float


class Waveform(BaseModel):
    """The loudest sample of every 1/`per_second` s, 0..1; channel 0 our side, channel 1 the outside party."""

    per_second: int
    duration: float
    channels: list[list[float]]
    started_at: datetime
    regions: list[Region]


AUDIO = {200: Media("audio/flac"), 206: Media("audio/flac")}
RANGE = {"Range": "bytes=from-to; answered with 206"}


def _may_hear(user: User) -> ColumnElement[bool]:
    """Condition on `calls`: collectors hear their own calls only, others all those they may see."""
    return scope.own_calls(user) if user.role == "collector" else scope.calls_seen_by(user)


def of_no_call(user: User) -> ColumnElement[bool]:
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
    audio = await request.app[keys.REPLAY].call_audio(call_id, query.format)
    return await _play(request, audio, call_id, query, {"format": query.format})


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
        .where(or_(scope.calls_seen_by(user), of_no_call(user)))
        .order_by(recordings.c.id.desc())
        .limit(query.limit + 1)
    )
    zone = request.app[keys.SETTINGS].policy.zone
    # By the recording's own call: an emergency call's has no row.
    of_call = recording_search.of_call(query.model_copy(update={"call_id": None}), zone)
    statement = statement.where(*of_call, *recording_search.of_recording(query))
    if query.call_id:
        statement = statement.where(recordings.c.call_id == query.call_id)
    if query.cursor:
        statement = statement.where(recordings.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        found = _page(list(await connection.execute(statement)), query.limit)
        matters = await holds.of_recordings(connection, [item["id"] for item in found["items"]])
    return found | {"items": [item | {"holds": matters.get(item["id"], [])} for item in found["items"]]}


@api.operation(
    "GET",
    "/v1/recorded-calls",
    roles=OVERSEERS,
    query=RecordingsQuery,
    answers={200: Listing[RecordedCall]},
    summary="Calls that have recordings, as the replay desk lists them, newest first",
)
async def recorded_calls(request: web.Request, query: RecordingsQuery) -> dict[str, Any]:
    """One entry a call; what is asked of a recording holds for at least one of its legs."""
    zone = request.app[keys.SETTINGS].policy.zone
    mine = (scope.calls_seen_by(user_of(request)), recording_search.has_recording(query))
    statement = select(calls).where(*mine, *recording_search.of_call(query, zone))
    if query.cursor:
        statement = statement.where(calls.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(statement.order_by(calls.c.id.desc()).limit(query.limit + 1))).all()
        shown, following = page(rows, query.limit, "id")
        return {"items": await recording_search.recorded_calls(connection, shown), "next_cursor": following}


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
        .where(recordings.c.id == recording_id, or_(_may_hear(user), of_no_call(user)))
    )
    async with request.app[keys.DATABASE].read() as connection:
        call_id = await connection.scalar(statement)
    if call_id is None:
        raise NotFound(f"there is no recording {recording_id}")
    audio = await request.app[keys.REPLAY].leg_audio(recording_id, query.format)
    told = {"format": query.format, "recording_id": recording_id}
    return await _play(request, audio, call_id, query, told, name=recording_id)


def _page(rows: list[Row[Any]], limit: int) -> dict[str, Any]:
    shown = rows[:limit]
    return {
        "items": [dict(row._mapping) for row in shown],
        "next_cursor": shown[-1].id if len(rows) > limit else None,
    }


async def _play(
    request: web.Request,
    audio: BinaryIO,
    call_id: str,
    query: AudioQuery,
    told: dict[str, Any],
    name: str | None = None,
) -> web.StreamResponse:
    """Journal the play or the export, then send; `told` says what is played."""
    told = told | ({"reason": query.reason} if query.reason else {})
    kind = "recording.exported" if query.download else "recording.played"
    await request.app[keys.REPLAY].plays.note(clock.now(), user_of(request).name, call_id, told, kind)
    disposition = "attachment" if query.download else "inline"
    headers = {
        "Content-Type": CONTENT_TYPES[query.format],
        "Content-Disposition": f'{disposition}; filename="{name or call_id}.{query.format}"',
        "Cache-Control": "private, no-store",
    }
    return await ranges.send(request, audio, headers)
