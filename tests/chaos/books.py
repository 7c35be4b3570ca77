"""What the service wrote down, read from its tables, and what the world, the spool and the archive show beside it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.engine import Row

from config.database import DatabaseUnavailable
from config.journal import journal
from crm_bridge.demo.world import SeenCall
from crm_bridge.tables import notes
from recordings.tables import incidents, recordings
from telephony.tables import calls, contacts, decisions, legs
from tests.chaos.calls import Click
from tests.chaos.stage import Stage

Rows = Mapping[str, Sequence[Row[Any]]]


@dataclass(frozen=True)
class Finding:
    """One violated invariant."""

    code: str
    expected: str
    call_id: str | None = None
    number: str | None = None

    def __str__(self) -> str:
        subject = " ".join(part for part in (self.call_id, self.number) if part)
        return f"{self.code} [{subject or '-'}]: {self.expected}"


@dataclass(frozen=True)
class Books:
    """Rows by call id (calls by number), and every INVITE that the world saw."""

    calls: Rows
    legs: Rows
    decisions: Rows
    contacts: Rows
    notes: Rows
    journal: Rows
    recordings: Rows
    incidents: Rows
    seen: Sequence[SeenCall]

    def carriers_saw(self, number: str) -> list[SeenCall]:
        """The INVITEs to a customer's number."""
        return [call for call in self.seen if call.at != "phones" and call.number.endswith(number.lstrip("+"))]

    def phone_saw(self, click: Click) -> list[SeenCall]:
        """The INVITEs to the collector's phone on behalf of a click: they show the customer's number."""
        return [call for call in self.seen if call.at == "phones" and call.caller_id.endswith(click.number.lstrip("+"))]


async def read_books(stage: Stage) -> Books:
    """Everything, as of now."""
    async with stage.database.read() as connection:

        async def by(table: Table, column: str, *conditions: Any) -> Rows:
            rows: dict[str, list[Row[Any]]] = defaultdict(list)
            for row in await connection.execute(select(table).where(*conditions)):
                rows[getattr(row, column) or ""].append(row)
            return rows

        return Books(
            calls=await by(calls, "number"),
            legs=await by(legs, "call_id"),
            decisions=await by(decisions, "call_id"),
            contacts=await by(contacts, "id"),
            notes=await by(notes, "call_id"),
            journal=await by(journal, "call_id"),
            recordings=await by(recordings, "call_id"),
            incidents=await by(incidents, "subject"),
            seen=await stage.lab.world.calls_seen(),
        )


async def open_calls(stage: Stage, clicks: Sequence[Click]) -> list[str]:
    """The ids of these clicks' calls that have not ended."""
    statement = select(calls.c.id).where(
        calls.c.ended_at.is_(None), calls.c.number.in_([click.number for click in clicks])
    )
    async with stage.database.read() as connection:
        return list(await connection.scalars(statement))


async def is_over(stage: Stage, click: Click) -> bool:
    """Whether nothing can come of a click any more: it was refused, or its call has ended."""
    if click.answers and click.answers[-1][0] not in (0, 201, 409):
        return True
    try:
        async with stage.database.read() as connection:
            ended = list(await connection.scalars(select(calls.c.ended_at).where(calls.c.number == click.number)))
    except DatabaseUnavailable:
        return False
    return bool(ended) and all(ended)
