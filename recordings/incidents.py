"""Incidents: what is in doubt, open until it is known; one open incident a (kind, subject), however often seen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from config.database import Transaction
from config.identifiers import new_id
from config.journal import Entry
from recordings.tables import incidents


async def open_incident(
    transaction: Transaction,
    now: datetime,
    kind: str,
    subject: str,
    detail: dict[str, Any],
    call: Entry | None = None,
) -> str | None:
    """Open it and journal `recording.incident`; None when it is open already.

    `call` lends the journal entry its call, case, client and agent.
    """
    await transaction.lock([f"incident:{kind}:{subject}"])
    if await transaction.first(select(incidents.c.id).where(*_open(kind, subject))):
        return None
    identifier = new_id(now)
    call_id = call.call_id if call else None
    await transaction.execute(
        insert(incidents).values(
            id=identifier, kind=kind, subject=subject, call_id=call_id, detail=detail, opened_at=now
        )
    )
    transaction.journal(_entry(now, identifier, kind, subject, {"state": "open", "detail": detail}, call))
    return identifier


async def open_first(transaction: Transaction, now: datetime, kind: str, details: Mapping[str, dict[str, Any]]) -> int:
    """Open an incident for each subject, of which there has been none before: the caller has seen to that."""
    rows: list[dict[str, Any]] = [
        {"id": new_id(now), "kind": kind, "subject": subject, "detail": detail, "opened_at": now}
        for subject, detail in details.items()
    ]
    if rows:
        await transaction.execute(insert(incidents), rows)
    for row in rows:
        data = {"state": "open", "detail": row["detail"]}
        transaction.journal(_entry(now, row["id"], kind, row["subject"], data, None))
    return len(rows)


async def close_incidents(
    transaction: Transaction,
    now: datetime,
    subject: str,
    reason: str,
    kinds: tuple[str, ...],
    call: Entry | None = None,
) -> int:
    """Close the open incidents of these kinds on `subject`, with the reason; returns how many were open."""
    closed = await transaction.execute(
        update(incidents)
        .where(incidents.c.subject == subject, incidents.c.kind.in_(kinds), incidents.c.closed_at.is_(None))
        .values(closed_at=now, closed_reason=reason)
        .returning(incidents.c.id, incidents.c.kind)
    )
    rows = closed.all()
    for row in rows:
        transaction.journal(_entry(now, row.id, row.kind, subject, {"state": "closed", "reason": reason}, call))
    return len(rows)


def _open(kind: str, subject: str) -> tuple[Any, ...]:
    return incidents.c.kind == kind, incidents.c.subject == subject, incidents.c.closed_at.is_(None)


def _entry(now: datetime, identifier: str, kind: str, subject: str, data: dict[str, Any], call: Entry | None) -> Entry:
    return Entry(
        at=now,
        kind="recording.incident",
        actor=call.actor if call else "system",
        client=call.client if call else None,
        agent=call.agent if call else None,
        case_id=call.case_id if call else None,
        call_id=call.call_id if call else None,
        data={"incident_id": identifier, "kind": kind, "subject": subject, **data},
    )
