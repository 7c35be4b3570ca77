"""Calls of ours as they stand after the fact, and a carrier's file about them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from config.database import Database
from config.identifiers import new_id
from telephony.tables import calls, legs

DAY = datetime(2026, 6, 1, tzinfo=UTC)
TRUNK = {"name": "main", "endpoint": "carrier-a", "caller_ids": ["+861055550000"]}


def at(clock: str) -> datetime:
    """That time of DAY in Shanghai."""
    hours, minutes, seconds = map(int, clock.split(":"))
    return DAY + timedelta(hours=hours - 8, minutes=minutes, seconds=seconds)


async def our_call(
    database: Database,
    number: str,
    clock: str,
    *,
    talked: float | None = 60.0,
    trunk: str | None = "main",
    leg: bool = True,
) -> str:
    """A call of ours that left over the trunk at that time in Shanghai; `talked` None: not answered. Its id."""
    started = at(clock)
    call_id = new_id(started)
    call = {
        "id": call_id, "direction": "outbound", "state": "ended", "agent": "li", "role": "collector", "extension": "1001",
        "number": number, "purpose": "collect", "pbx": "main", "uniqueid": call_id, "trunk": trunk, "decision_id": "",
        "created_at": started - timedelta(seconds=5), "calling_customer_at": started, "violations": [],
        "outcome": "no_answer" if talked is None else "conversation", "client": "bank", "case_id": "c1",
    }  # fmt: skip
    answered = None if talked is None else started + timedelta(seconds=4)
    ended = started + timedelta(seconds=30) if answered is None else answered + timedelta(seconds=talked or 0)
    row = {
        "pbx": "main", "uniqueid": f"{call_id[:20]}.1", "call_id": call_id, "role": "customer",
        "channel": "PJSIP/carrier-a-0000001a", "created_at": started, "answered_at": answered, "ended_at": ended,
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(calls).values(**call))
        if leg:
            await transaction.execute(insert(legs).values(**row))
    return call_id


def line(number: str, clock: str, duration: float = 60, cause: str = "16") -> str:
    """A line of a carrier's file in its plain form."""
    return f"2026-06-01 {clock},{number},861055550000,{duration:g},{cause}"


def file(*lines: str) -> str:
    """A carrier's file."""
    return "\n".join(["start,called,caller,duration,cause", *lines, ""])


FORMAT = {
    "columns": {"start": ["start"], "called": "called", "caller": "caller", "duration": "duration", "cause": "cause"}
}
"""How such a file is read."""
