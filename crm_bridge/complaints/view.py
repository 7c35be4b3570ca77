"""A complaint as people see it: who has it until when, and for one of them who heard the call, who rang, and the whole trail."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.journal import journal
from crm_bridge.clocks.tables import deadlines
from crm_bridge.complaints import reach as complaint_reach
from crm_bridge.complaints import steps as complaint_steps
from telephony.tables import calls

SHOWN = (
    "id", "kind", "step", "state", "due_at", "warn_at", "warned_at", "missed_at", "level", "unit", "owner", "owner_role",
    "people", "told", "ended_at", "ended_by", "ended_reason",
)  # fmt: skip


async def documents(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """The complaints with their clocks, in two statements however many they are."""
    wanted = select(deadlines).where(deadlines.c.complaint_id.in_([row.id for row in rows]))
    clocks: dict[str, list[dict[str, Any]]] = {}
    for clock in await connection.execute(wanted.order_by(deadlines.c.due_at, deadlines.c.id)):
        shown = {name: clock._mapping[name] for name in SHOWN}
        clocks.setdefault(clock.complaint_id, []).append(shown)
    return [_document(row, clocks.get(row.id, [])) for row in rows]


def _document(row: Row[Any], clocks: list[dict[str, Any]]) -> dict[str, Any]:
    running = [clock["due_at"] for clock in clocks if clock["ended_at"] is None and clock["state"] == "open"]
    answer = next((clock for clock in clocks if clock["step"] == "answer"), None)
    steps = complaint_steps.ladder(row)
    return {
        **row._mapping,
        "stage": _stage(row),
        "steps": [step.model_dump(mode="json") for step in steps.steps] if steps is not None else [],
        "deadlines": clocks,
        "next_due_at": min(running, default=None),
        "answer_due_at": answer["due_at"] if answer is not None else None,
    }


def _stage(row: Row[Any]) -> str:
    """Where it stands: a step of its ladder, `ruling` when all are done, `instruction` when closed, `settled` when resumed."""
    if row.state == "closed":
        return "settled" if row.instructed else "instruction"
    return row.step or "ruling"


async def document(connection: AsyncConnection, row: Row[Any]) -> dict[str, Any]:
    """One complaint with everything on it."""
    (found,) = await documents(connection, [row])
    stopped = await complaint_reach.stopped_cases(connection, row)
    trail = await complaint_steps.trail(connection, row.id)
    return found | {
        "cases_stopped": len(stopped),
        "trail": [dict(line._mapping) for line in trail],
        "heard": await _heard(connection, row),
        "called": await _called(connection, row),
    }


async def _heard(connection: AsyncConnection, row: Row[Any]) -> list[dict[str, Any]]:
    """Who listened to the call since the complaint was opened (S62), from the journal."""
    if row.call_id is None:
        return []
    played = select(journal.c.actor, journal.c.at).where(
        journal.c.call_id == row.call_id, journal.c.kind == "recording.played", journal.c.at >= row.opened_at
    )
    return [{"by": play.actor, "at": play.at} for play in await connection.execute(played.order_by(journal.c.id))]


async def _called(connection: AsyncConnection, row: Row[Any]) -> list[dict[str, Any]]:
    """The calls to the complainant about it (S62): of purpose complaint, on its case, since it was opened."""
    placed = select(calls.c.id, calls.c.agent, calls.c.created_at, calls.c.outcome).where(
        calls.c.case_id == row.case_id, calls.c.purpose == "complaint", calls.c.created_at >= row.opened_at
    )
    return [
        {"call_id": call.id, "by": call.agent, "at": call.created_at, "outcome": call.outcome}
        for call in await connection.execute(placed.order_by(calls.c.created_at))
    ]
