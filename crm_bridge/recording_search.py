"""Finding recordings: by person, number, agent, client, case, date, length, outcome and flags, within the asker's scope."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, String, cast, exists, func, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.retention_view import is_held
from crm_bridge.tables import parties
from recordings import holds
from recordings.retention_tables import comments
from recordings.tables import incidents, recordings
from telephony.tables import calls

Day = date | AwareDatetime


class Search(BaseModel):
    """What is looked for; what is given must all be so."""

    model_config = ConfigDict(extra="forbid")

    q: str | None = Field(None, max_length=100, description="a name, a number, a case, a call or an agent")
    call_id: str | None = Field(None, max_length=64)
    case_id: str | None = Field(None, max_length=128)
    party_id: str | None = Field(None, max_length=128)
    number: str | None = Field(None, max_length=20, description="E.164, or a part of it")
    agent: str | None = Field(None, max_length=128)
    client: str | None = Field(None, max_length=128)
    since: Day | None = Field(None, description="calls from this moment on, or from this day")
    until: Day | None = Field(None, description="calls before this moment, or up to the end of this day")
    min_seconds: float | None = Field(None, ge=0)
    max_seconds: float | None = Field(None, ge=0)
    outcome: str | None = Field(None, max_length=20)
    flag: str | None = Field(None, max_length=32, description="silent, clipped, … ; `any` for every doubt")
    held: bool | None = None
    state: Literal["expected", "archived", "missing", "none", "deleting", "deleted"] | None = None


def _moment(day: date | datetime, zone: str, *, end: bool = False) -> datetime:
    """A day stands for its beginning, or its end, in the zone of the agency."""
    if isinstance(day, datetime):
        return day
    return datetime.combine(day + timedelta(days=1) if end else day, time(), ZoneInfo(zone))


def of_call(query: Search, zone: str) -> list[ColumnElement[bool]]:
    """Conditions on `calls`."""
    wanted: list[ColumnElement[bool]] = []
    exact = (
        (calls.c.id, query.call_id), (calls.c.case_id, query.case_id), (calls.c.party_id, query.party_id),
        (calls.c.agent, query.agent), (calls.c.client, query.client), (calls.c.outcome, query.outcome),
    )  # fmt: skip
    wanted += [column == value for column, value in exact if value is not None]
    if query.number:
        wanted.append(calls.c.number.contains(query.number.replace(" ", ""), autoescape=True))
    if query.since:
        wanted.append(calls.c.created_at >= _moment(query.since, zone))
    if query.until:
        wanted.append(calls.c.created_at < _moment(query.until, zone, end=True))
    if query.q:
        wanted.append(_mentions(query.q.strip()))
    return wanted


def _mentions(text: str) -> ColumnElement[bool]:
    named = select(parties.c.id).where(func.lower(parties.c.name).contains(text.lower(), autoescape=True))
    found = [calls.c.party_id.in_(named), calls.c.id == text, func.lower(calls.c.agent) == text.lower()]
    found.append(func.lower(calls.c.case_id).contains(text.lower(), autoescape=True))
    digits = "".join(filter(str.isdigit, text))
    if len(digits) >= 3 and not any(map(str.isalpha, text)):
        found.append(calls.c.number.contains(digits))
    return or_(*found)


def of_recording(query: Search) -> list[ColumnElement[bool]]:
    """Conditions on `recordings` joined with `calls`."""
    wanted: list[ColumnElement[bool]] = []
    if query.min_seconds is not None:
        wanted.append(recordings.c.duration >= query.min_seconds)
    if query.max_seconds is not None:
        wanted.append(recordings.c.duration <= query.max_seconds)
    if query.flag == "any":
        wanted.append(exists().where(incidents.c.subject == recordings.c.id, incidents.c.closed_at.is_(None)))
    elif query.flag:
        # Flags are a short list of plain words: its text holds each in quotes, on both databases.
        wanted.append(cast(recordings.c.flags, String).contains(f'"{query.flag}"', autoescape=True))
    if query.held is not None:
        wanted.append(is_held() if query.held else ~is_held())
    if query.state:
        wanted.append(recordings.c.state == query.state)
    return wanted


async def recorded_calls(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """What the replay desk's list shows of these rows of `calls`, with five queries for the whole list."""
    found = {row.id: _brief(row) for row in rows}
    legs = await connection.execute(
        select(recordings).where(recordings.c.call_id.in_(found)).order_by(recordings.c.leg_started_at)
    )
    by_id: dict[str, dict[str, Any]] = {}
    for leg in legs:
        by_id[leg.id] = found[leg.call_id]
        _add_leg(found[leg.call_id], leg)
    people = {row.party_id for row in rows if row.party_id}
    named = dict((await connection.execute(select(parties.c.id, parties.c.name).where(parties.c.id.in_(people)))).all())
    counted = select(comments.c.call_id, func.count()).where(
        comments.c.call_id.in_(found), comments.c.deleted_at.is_(None)
    )
    for call_id, count in await connection.execute(counted.group_by(comments.c.call_id)):
        found[call_id]["comments"] = count
    doubts = select(incidents.c.subject, incidents.c.kind).where(
        incidents.c.call_id.in_(found), incidents.c.closed_at.is_(None)
    )
    for subject, kind in await connection.execute(doubts):
        if subject in by_id:
            by_id[subject]["doubts"] = sorted({*by_id[subject]["doubts"], kind})
    for recording_id, matters in (await holds.of_recordings(connection, list(by_id))).items():
        by_id[recording_id]["holds"] = sorted({*by_id[recording_id]["holds"], *matters})
    for row in rows:
        found[row.id]["party_name"] = named.get(row.party_id)
    return list(found.values())


def _brief(row: Row[Any]) -> dict[str, Any]:
    names = ("id", "created_at", "connected_at", "ended_at", "agent", "client", "case_id", "party_id", "number",
             "direction", "outcome", "end_reason", "purpose")  # fmt: skip
    empty: dict[str, Any] = {"duration": None, "playable": False, "flags": [], "doubts": [], "holds": [], "comments": 0}
    return {name: row._mapping[name] for name in names} | empty | {"delete_after": None, "recordings": []}


def _add_leg(call: dict[str, Any], leg: Row[Any]) -> None:
    call["recordings"].append({"id": leg.id, "leg": leg.leg, "state": leg.state, "duration": leg.duration})
    call["flags"] = sorted({*call["flags"], *(leg.flags or ())})
    if leg.state == "archived" and leg.duration:
        call["playable"] = True
        call["duration"] = max(call["duration"] or 0.0, leg.duration)
    if leg.delete_after:
        call["delete_after"] = max(filter(None, (call["delete_after"], leg.delete_after)))


def has_recording(query: Search) -> ColumnElement[bool]:
    """Condition on `calls`: one of its recordings is as wanted."""
    mine: Iterable[ColumnElement[bool]] = of_recording(query)
    return exists().where(recordings.c.call_id == calls.c.id, *mine)
