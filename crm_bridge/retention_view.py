"""What the retention page shows: what will be deleted when, what is held, and where a law and a privacy maximum disagree."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from config.journal import journal
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases, complaints
from recordings.deletion import LAST_MIDNIGHT
from recordings.retention_classes import conflicts, in_force, revision
from recordings.retention_tables import hold_cases, hold_recordings, holds
from recordings.tables import recordings
from telephony.tables import calls


def is_held() -> ColumnElement[bool]:
    """Condition on `recordings` joined with `calls`: an open matter, a complaint or a dispute holds it."""
    open_holds = select(holds.c.id).where(holds.c.released_at.is_(None))
    by_name = and_(hold_recordings.c.recording_id == recordings.c.id, hold_recordings.c.hold_id.in_(open_holds))
    by_case = and_(hold_cases.c.case_id == calls.c.case_id, hold_cases.c.hold_id.in_(open_holds))
    complaint = and_(complaints.c.case_id == calls.c.case_id, complaints.c.state == "open")
    dispute = and_(cases.c.id == calls.c.case_id, or_(cases.c.dispute, cases.c.fraud_statement))
    return or_(*(exists().where(condition) for condition in (by_name, by_case, complaint, dispute)))


async def overview(connection: AsyncConnection, now: datetime, user: User) -> dict[str, Any]:
    """Months with how many recordings their dates fall into, and what stands in the way."""
    mine = scope.calls_seen_by(user) if user.clients else true()
    kept = and_(recordings.c.state == "archived", mine)
    linked = recordings.outerjoin(calls, calls.c.id == recordings.c.call_id)
    month = func.substr(cast(recordings.c.delete_after, String), 1, 7).label("month")
    totals = (func.count().label("recordings"), func.coalesce(func.sum(recordings.c.stored_bytes), 0).label("bytes"))
    by_month = select(month, *totals).select_from(linked).where(kept).group_by(month).order_by(month)
    held = select(month, func.count()).select_from(linked).where(kept, is_held()).group_by(month)
    held_in = {found: count for found, count in await connection.execute(held)}
    months = [
        {"month": row.month, "recordings": row.recordings, "bytes": row.bytes, "held": held_in.get(row.month, 0)}
        for row in await connection.execute(by_month)
    ]
    over = and_(kept, recordings.c.delete_after < (now - LAST_MIDNIGHT).date())
    newest = await revision(connection)
    behind = or_(recordings.c.retention_revision.is_(None), recordings.c.retention_revision < newest)

    async def count(condition: ColumnElement[bool]) -> int:
        return await connection.scalar(select(func.count()).select_from(linked).where(condition)) or 0

    return {
        "months": [found for found in months if found["month"]],
        "without_date": sum(found["recordings"] for found in months if not found["month"]),
        "over": await count(over),
        "over_but_held": await count(and_(over, is_held())),
        "held": sum(held_in.values()),
        "deleted": await count(and_(recordings.c.state == "deleted", mine)),
        "to_be_dated": await count(and_(kept, behind)),
        "conflicts": conflicts((await in_force(connection)).values()),
        "last_run": await _last_run(connection),
    }


async def _last_run(connection: AsyncConnection) -> dict[str, Any] | None:
    newest = select(journal.c.at, journal.c.actor, journal.c.data).where(journal.c.kind == "retention.run")
    row = (await connection.execute(newest.order_by(journal.c.id.desc()).limit(1))).first()
    return {"at": row.at, "by": row.actor, **row.data} if row else None
