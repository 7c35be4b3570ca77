"""Where a recording is put before its keeping is settled: under whose key, and locked until when."""

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.keyring import KeyGroup
from recordings.retention import Kind, Subject, delete_after
from recordings.retention_classes import in_force
from telephony.tables import calls

NOBODY = "-"
"""Stands for the client of calls that have none: emergency calls, calls of no case."""


async def shelf(connection: AsyncConnection, row: Row[Any]) -> tuple[KeyGroup, date | None]:
    """The key group of an expected recording and the last day of its object's first lock, None where no class covers it.

    What is known at intake: client, kind and the call's day. Laws that come in by a rule pack, activity on the debt and
    holds are settled after it, and only make both longer: a lock is extended, and a key outlives its month as long as
    anything is under it.
    """
    call = (
        await connection.execute(select(calls.c.client, calls.c.connected_at).where(calls.c.id == row.call_id))
    ).first()
    answered = call is None or (call.connected_at is not None and row.leg_answered_at is not None)
    kind: Kind = "recording" if answered else "unanswered"
    client = call.client if call is not None else None
    subject = Subject(kind=kind, ended_on=row.leg_ended_at.date(), client=client)
    due = delete_after(subject, (await in_force(connection)).values())
    month = f"{due.delete_after:%Y-%m}" if due else "9999-12"
    return KeyGroup(client or NOBODY, kind, month), due.delete_after if due else None
