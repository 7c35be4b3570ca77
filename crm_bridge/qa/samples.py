"""Samples of calls to audit: ten cases of each group a day (S54), and spot checks (S33).

Nobody can steer a draw. The daily sample is of a day that is over, so nothing can be done about its calls any more; its seed is
random, drawn together with the calls and written into the journal in the same transaction, and there is one draw a day. Whoever
knows seed and calls draws the same again: within each group cases are taken by the least SHA-256 of `seed|case`, and of a case
that call whose `seed|call` is least.
"""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, and_, func, insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.qa.tables import qa_reviews, qa_sample_calls, qa_samples
from crm_bridge.tables import users
from telephony.policy.zones import local_date, start_of_day
from telephony.tables import calls

By = Literal["team", "agent", "client"]
DAY = timedelta(days=1)
SETTLES = timedelta(minutes=30)
"""After midnight: calls that began the day before have ended."""
DAILY = 10
PAGE = 5_000
"""Calls read at a time."""


class SampleRule(BaseModel):
    """What is drawn: so many cases of each group, among the calls in which somebody answered."""

    model_config = ConfigDict(extra="forbid")

    by: By = "team"
    per_group: int = Field(DAILY, ge=1, le=200)
    client: str | None = Field(None, max_length=128)
    agents: Annotated[list[str], Field(max_length=200)] = []
    seconds_at_least: int = Field(0, ge=0, le=86_400, description="of talk")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be drawn."""

    id: str
    case: str  # of a call without a case its own id
    group: str
    agent: str
    team: str | None


def draw(candidates: Iterable[Call], per_group: int, seed: str) -> list[tuple[int, Call]]:
    """What this seed draws: of each group so many cases, of each case one call; with the place in the group, from 1."""
    groups: dict[str, dict[str, Call]] = defaultdict(dict)
    for call in candidates:
        of_case = groups[call.group].get(call.case)
        if of_case is None or _lot(seed, call.id) < _lot(seed, of_case.id):
            groups[call.group][call.case] = call
    drawn = []
    for name in sorted(groups):
        chosen = sorted(groups[name].values(), key=lambda call: (_lot(seed, call.case), call.case))[:per_group]
        drawn += list(enumerate(chosen, 1))
    return drawn


def _lot(seed: str, name: str) -> str:
    return hashlib.sha256(f"{seed}|{name}".encode()).hexdigest()


async def make_daily(database: Database, zone: str, now: datetime) -> int:
    """Draw yesterday's sample unless it was; how many samples were made. Two processes at once make one."""
    today = local_date(now, zone)
    start, end = start_of_day(zone, today - DAY), start_of_day(zone, today)
    key = f"daily:{today - DAY}"
    if now < end + SETTLES:
        return 0
    async with database.read() as connection:
        if (await connection.execute(select(qa_samples.c.id).where(qa_samples.c.key == key))).first() is not None:
            return 0
    async with database.write() as transaction:
        made = await _make(transaction, key, "daily", SampleRule(), start, end, None, None, now)
    return int(made is not None)


async def make_spot(
    transaction: Transaction,
    rule: SampleRule,
    start: datetime,
    end: datetime,
    reason: str,
    *,
    user: User,
    now: datetime,
) -> Row[Any]:
    """A spot check (S33) among the calls the user may see, kept with its reason. Raises Forbidden, Invalid."""
    if rule.client is not None:
        scope.require_client(user, rule.client)
    if not start < end <= start + 93 * DAY:
        raise Invalid("to: must be after `from`, by at most 93 days", [{"field": "to", "message": "within 93 days"}])
    made = await _make(transaction, new_id(now), "spot", rule, start, end, reason, user, now)
    if made is None:
        raise Invalid("there is no such call in this period", [{"field": "rule", "message": "draws nothing"}])
    return await find(transaction.connection, made)


async def _make(
    transaction: Transaction, key: str, kind: str, rule: SampleRule, start: datetime, end: datetime, reason: str | None,
    user: User | None, now: datetime,
) -> str | None:  # fmt: skip
    counted = Counted()
    candidates = await _candidates(transaction, _wanted(rule, start, end, user), rule, counted)
    if not candidates and kind == "spot":
        return None
    identifier, seed, maker = new_id(now), secrets.token_hex(32), user.name if user is not None else "system"
    inserted = await transaction.insert_once(
        qa_samples, id=identifier, key=key, kind=kind, rule=rule.model_dump(mode="json"), from_at=start, until_at=end,
        seed=seed, reason=reason, made_at=now, made_by=maker,
    )  # fmt: skip
    if not inserted:
        return None
    drawn = draw(candidates, rule.per_group, seed)
    rows = [
        {"sample_id": identifier, "call_id": call.id, "group": call.group, "position": position, "agent": call.agent,
         "team": call.team}
        for position, call in drawn
    ]  # fmt: skip
    if rows:
        await transaction.execute(insert(qa_sample_calls), rows)
    data = {
        "sample_id": identifier, "sample": kind, "rule": rule.model_dump(mode="json"), "from": start.isoformat(),
        "until": end.isoformat(), "seed": seed, "among": counted.among, "among_sha256": counted.digest.hexdigest(),
        "reason": reason, "calls": [call.id for _, call in drawn],
    }  # fmt: skip
    transaction.journal(Entry(now, "qa.sampled", maker, rule.client, data=data))
    return identifier


@dataclass(slots=True)
class Counted:
    """How many calls could have been drawn, and the SHA-256 of their ids, one a line, in order."""

    among: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def note(self, call_id: str) -> None:
        """One more; they come in the order of their ids."""
        self.digest.update(call_id.encode() if not self.among else b"\n" + call_id.encode())
        self.among += 1


async def _candidates(transaction: Transaction, wanted: Select[Any], rule: SampleRule, counted: Counted) -> list[Call]:
    """All that may be drawn, a page at a time: as many calls as there are, and in memory only what decides."""
    least = timedelta(seconds=rule.seconds_at_least)
    groups = {"team": lambda row: row.team, "agent": lambda row: row.agent, "client": lambda row: row.client}
    found: list[Call] = []
    last = ""
    while rows := await transaction.all(wanted.where(calls.c.id > last).limit(PAGE)):
        last = rows[-1].id
        for row in rows:
            if row.ended_at - row.connected_at >= least:
                counted.note(row.id)
                found.append(Call(row.id, row.case_id or row.id, groups[rule.by](row) or "", row.agent, row.team))
    return found


def _wanted(rule: SampleRule, start: datetime, end: datetime, user: User | None) -> Select[Any]:
    """The ended calls of the period in which somebody answered, by their ids."""
    wanted: list[ColumnElement[bool]] = [
        calls.c.created_at >= start, calls.c.created_at < end, calls.c.connected_at.is_not(None),
        calls.c.ended_at.is_not(None), calls.c.agent != "",
    ]  # fmt: skip
    if rule.client is not None:
        wanted.append(calls.c.client == rule.client)
    if rule.agents:
        wanted.append(calls.c.agent.in_(rule.agents))
    if user is not None:
        wanted.append(scope.calls_seen_by(user))
    shown = ("id", "case_id", "agent", "client", "connected_at", "ended_at")
    joined = calls.outerjoin(users, users.c.name == calls.c.agent)
    columns = (*(calls.c[name] for name in shown), users.c.team)
    return select(*columns).select_from(joined).where(*wanted).order_by(calls.c.id)


# ---- for people


async def find(connection: AsyncConnection, sample_id: str) -> Row[Any]:
    """The sample. Raises NotFound."""
    row = (await connection.execute(select(qa_samples).where(qa_samples.c.id == sample_id))).first()
    if row is None:
        raise NotFound(f"there is no sample {sample_id}")
    return row


async def calls_of(
    connection: AsyncConnection, sample_ids: Sequence[str], user: User
) -> dict[str, list[dict[str, Any]]]:
    """The calls of each sample that the user may see, by group and place, with the newest review of each."""
    newest = select(func.max(qa_reviews.c.id)).where(qa_reviews.c.call_id == qa_sample_calls.c.call_id)
    joined = (
        qa_sample_calls.join(calls, calls.c.id == qa_sample_calls.c.call_id)
        .outerjoin(qa_reviews, qa_reviews.c.id == newest.correlate(qa_sample_calls).scalar_subquery())
    )  # fmt: skip
    columns = (
        *(qa_sample_calls.c[name] for name in ("sample_id", "call_id", "group", "position", "agent", "team")),
        *(calls.c[name] for name in ("case_id", "client", "direction", "created_at", "connected_at", "ended_at", "outcome")),
        *(qa_reviews.c[name].label(f"review_{name}") for name in ("id", "score", "finding", "reviewer")),
    )  # fmt: skip
    wanted = and_(qa_sample_calls.c.sample_id.in_(sample_ids), scope.calls_seen_by(user))
    order = (qa_sample_calls.c.group, qa_sample_calls.c.position)
    rows = await connection.execute(select(*columns).select_from(joined).where(wanted).order_by(*order))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        shown = {name: value for name, value in row._mapping.items() if not name.startswith("review_")}
        shown["seconds"] = (row.ended_at - row.connected_at).total_seconds()
        review = {name: row._mapping[f"review_{name}"] for name in ("id", "score", "finding", "reviewer")}
        found[row.sample_id].append(shown | {"review": review if review["id"] else None})
    return found


async def listed(
    connection: AsyncConnection, user: User, *, kind: str | None, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Samples, newest first: the daily ones, of spot checks one's own or, to those bound to nothing, everybody's."""
    wanted = [qa_samples.c.kind == kind] if kind else []
    if user.clients or (user.team and user.role == "supervisor"):
        wanted.append((qa_samples.c.kind == "daily") | (qa_samples.c.made_by == user.name))
    if after:
        wanted.append(qa_samples.c.id < after)
    return (
        await connection.execute(select(qa_samples).where(*wanted).order_by(qa_samples.c.id.desc()).limit(limit))
    ).all()
