"""Who heard what, and why: `recording.played` and `recording.exported`, in the journal before the audio is sent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from config.database import Database
from config.journal import Entry
from telephony.tables import calls

ONE_PLAY = timedelta(minutes=10)
"""A player fetches one recording in many ranges: requests of one person for the same audio within this are one play."""


class Plays:
    """Journals plays. What is remembered only saves entries: after a restart the next request is journalled again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._last: dict[tuple[str, str], datetime] = {}

    async def note(
        self, now: datetime, actor: str, call_id: str, data: dict[str, Any], kind: str = "recording.played"
    ) -> None:
        """`data` says what (`format`, and `recording_id` for one leg alone) and, where it was given, the `reason`."""
        self._last = {key: at for key, at in self._last.items() if timedelta(0) <= now - at < ONE_PLAY}
        key = (actor, f"{kind} {call_id} {data}")
        if key in self._last:
            return
        async with self._database.write() as transaction:
            call = await transaction.first(
                select(calls.c.client, calls.c.agent, calls.c.case_id).where(calls.c.id == call_id)
            )
            entry = Entry(now, kind, actor, call_id=call_id, data=data)
            if call is not None:
                entry = replace(entry, client=call.client, agent=call.agent, case_id=call.case_id)
            transaction.journal(entry)
        self._last[key] = now
