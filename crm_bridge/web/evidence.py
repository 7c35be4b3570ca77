"""Evidence over HTTP: a call's bundle, and what the log says of one recording."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.errors import NotFound
from crm_bridge.people import scope
from crm_bridge.people.users import Role
from crm_bridge.tables import notes
from crm_bridge.web import keys, ranges
from crm_bridge.web.api import Api, Media, Query
from crm_bridge.web.calls import CallNotFound
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.recordings import of_no_call
from recordings.bundle import BundleTooLarge
from recordings.encryption import Damaged
from recordings.tables import recordings
from telephony.calls.call_records import call_document
from telephony.tables import calls, decisions

api = Api("evidence")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")


class BundleQuery(Query):
    """Why it is wanted."""

    reason: str | None = Field(None, max_length=500, description="kept in the journal and shown in the bundle")


class ProvenEntry(BaseModel):
    """A journal entry as it was sealed, its place in the log, and the way to the checkpoint's root, in hexadecimal."""

    index: int
    leaf: str
    proof: list[str]


class ProofOut(BaseModel):
    """What the log says of a recording. `checkpoint` is a signed note, `public_key` PEM."""

    recording_id: str
    entries: list[ProvenEntry]
    checkpoint: str
    public_key: str


@api.operation(
    "GET",
    "/v1/calls/{id}/bundle",
    roles=OVERSEERS,
    query=BundleQuery,
    answers={200: Media("application/zip")},
    problems=(CallNotFound, BundleTooLarge, Damaged),
    summary="All that is kept of a call, with its proof, as a zip",
)
async def bundle(request: web.Request, query: BundleQuery) -> web.StreamResponse:
    """For `tools/verify_bundle.py`, which checks it offline. The export is journalled with who and why, and in it."""
    call_id, user = request.match_info["id"], user_of(request)
    async with request.app[keys.DATABASE].read() as connection:
        seen = select(calls.c.id).where(calls.c.id == call_id, scope.calls_seen_by(user))
        if await connection.scalar(seen) is None:
            raise CallNotFound(f"there is no call {call_id}")
        documents = await call_documents(connection, call_id)
    made = await request.app[keys.BUNDLES].make(
        call_id, documents, actor=user.name, reason=query.reason, now=clock.now()
    )
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f'attachment; filename="{call_id}.zip"',
        "Cache-Control": "private, no-store",
    }
    return await ranges.send(request, made, headers)


async def call_documents(connection: AsyncConnection, call_id: str) -> dict[str, Any]:
    """What the desk and telephony keep of a call."""
    call = (await connection.execute(select(calls).where(calls.c.id == call_id))).one()
    decided = select(decisions).where(or_(decisions.c.call_id == call_id, decisions.c.id == call.decision_id))
    verdicts = await connection.execute(decided.order_by(decisions.c.at, decisions.c.id))
    written = await connection.execute(select(notes).where(notes.c.call_id == call_id).order_by(notes.c.id))
    return {
        "call.json": call_document(call),
        "decisions.json": [dict(row._mapping) for row in verdicts],
        "notes.json": [dict(row._mapping) for row in written],
    }


@api.operation(
    "GET",
    "/v1/recordings/{id}/proof",
    roles=OVERSEERS,
    answers={200: ProofOut},
    problems=(NotFound,),
    summary="What the tamper-evident log says of a recording",
)
async def proof(request: web.Request) -> dict[str, Any]:
    """Every entry about it (archived, played, deleted), proven in the newest checkpoint."""
    recording_id, user = request.match_info["id"], user_of(request)
    statement = (
        select(recordings.c.id)
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .where(recordings.c.id == recording_id, or_(scope.calls_seen_by(user), of_no_call(user)))
    )
    async with request.app[keys.DATABASE].read() as connection:
        if await connection.scalar(statement) is None:
            raise NotFound(f"there is no recording {recording_id}")
    return await request.app[keys.BUNDLES].prove(recording_id, clock.now())
