"""What a monitor asks beyond "is it up": do calls get through, what stops them, what is late, is somebody guessing."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.journal import journal
from crm_bridge.clocks.tables import deadlines
from crm_bridge.tables import complaints, users
from recordings.tables import recordings
from telephony.tables import calls, decisions

RECENT = timedelta(hours=1)
NEWEST_ENTRIES = 1_000
"""Of a kind in the journal: guesses beyond that need no exact number."""


async def add_figures(into: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    """Figures of the last hour and of this moment, without anybody's name or number."""
    await _calls(into, connection, now)
    await _denials(into, connection, now)
    await _late(into, connection, now)
    await _recordings(into, connection, now)
    await _log_ins(into, connection, now)


def _gauge(into: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"ringfence_{name}", text, labels, registry=into)


async def _counted(connection: AsyncConnection, gauge: Gauge, statement: Select[Any]) -> None:
    for *labels, number in (await connection.execute(statement)).all():
        gauge.labels(*(str(label) for label in labels)).set(number)


async def _calls(into: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    ended = _gauge(into, "calls_recent", "Calls begun in the last hour and ended", "direction", "outcome")
    by = (calls.c.direction, calls.c.outcome)
    recent = and_(calls.c.created_at >= now - RECENT, calls.c.ended_at.is_not(None), calls.c.outcome.is_not(None))
    await _counted(connection, ended, select(*by, func.count()).where(recent).group_by(*by))


async def _denials(into: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    """Which rules stop how many calls: a rule that suddenly stops all of them is a slip in a client's settings."""
    judged = _gauge(into, "decisions_recent", "Clicks judged in the last hour", "verdict")
    denied = _gauge(into, "denials_recent", "Clicks refused in the last hour, by the weightiest rule", "rule")
    wanted = and_(decisions.c.at >= now - RECENT, decisions.c.kind == "click")
    await _counted(
        connection, judged, select(decisions.c.verdict, func.count()).where(wanted).group_by(decisions.c.verdict)
    )
    rule = decisions.c.result["rule"].as_string()
    refused = select(rule.label("rule"), func.count()).where(wanted, decisions.c.verdict == "deny")
    await _counted(connection, denied, refused.group_by(rule))


async def _late(into: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    late = _gauge(into, "deadlines_overdue", "Clocks that have run out and are not done", "kind")
    opened = _gauge(into, "complaints_open", "Complaints without a ruling", "severity")
    over = and_(deadlines.c.ended_at.is_(None), deadlines.c.due_at <= now)
    await _counted(connection, late, select(deadlines.c.kind, func.count()).where(over).group_by(deadlines.c.kind))
    by = complaints.c.severity
    await _counted(connection, opened, select(by, func.count()).where(complaints.c.state == "open").group_by(by))


async def _recordings(into: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    oldest = _gauge(into, "recordings_oldest_waiting_seconds", "Age of the oldest recording not yet archived")
    since = select(func.min(calls.c.created_at)).join(recordings, recordings.c.call_id == calls.c.id)
    found = await connection.scalar(since.where(recordings.c.due_at.is_not(None)))
    oldest.set(max((now - found).total_seconds(), 0) if found is not None else 0)


async def _log_ins(into: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    wrong = _gauge(into, "log_ins_failed_recent", "Wrong passwords in the last hour")
    locked = _gauge(into, "users_locked", "Names that are locked for a while after wrong passwords")
    newest = select(journal.c.at).where(journal.c.kind == "user.login_failed").order_by(journal.c.id.desc())
    moments = await connection.scalars(newest.limit(NEWEST_ENTRIES))
    wrong.set(Counter(at >= now - RECENT for at in moments)[True])
    locked.set(await connection.scalar(select(func.count()).select_from(users).where(users.c.locked_until > now)) or 0)
