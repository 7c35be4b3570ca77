"""Region and carrier of the numbers on the desk, looked up in the background and kept: off the loop, out of the process."""

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

import crm_bridge
from config.database import Database, Transaction
from config.journal import Entry
from crm_bridge.notes.tables import number_places
from crm_bridge.tables import numbers
from crm_bridge.workers import Reaction

BATCH = 5_000
WRITTEN = 200
"""Rows a transaction: nobody else writes to SQLite meanwhile."""
PATIENCE = 300.0
ROOT = str(Path(crm_bridge.__file__).parent.parent)


async def of(connection: AsyncConnection, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """{number: {region, carrier}} of those that are known, each {en, zh}."""
    rows = await connection.execute(select(number_places).where(number_places.c.e164.in_(list(wanted))))
    return {row.e164: {"region": row.region, "carrier": row.carrier} for row in rows}


class NumberPlaces:
    """Looks up what is missing, at the start and whenever a case was written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due = True

    @property
    def subscribers(self) -> Mapping[str, Sequence[Reaction]]:
        """What is followed."""
        return {"case.created": (self._heard,), "case.updated": (self._heard,)}

    async def _heard(self, _transaction: Transaction, _entry: Entry) -> None:
        self._due = True

    async def tick(self, now: datetime) -> int:
        """Look up every number that has no place yet; how many there were."""
        if not self._due:
            return 0
        self._due, total = False, 0
        while missing := await self._missing():
            found = await looked_up(missing)
            rows = [{"e164": number, **found[number], "looked_up_at": now} for number in missing]
            for start in range(0, len(rows), WRITTEN):
                async with self._database.write() as transaction:
                    for row in rows[start : start + WRITTEN]:
                        await transaction.insert_once(number_places, **row)
            total += len(missing)
        return total

    async def _missing(self) -> list[str]:
        known = select(number_places.c.e164).where(number_places.c.e164 == numbers.c.e164).exists()
        wanted = select(numbers.c.e164).where(~known).distinct().limit(BATCH)
        async with self._database.read() as connection:
            return [str(one) for one in await connection.scalars(wanted)]


async def looked_up(wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Ask the process that knows. Raises OSError where it cannot be started or dies, TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telephony.number_places",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": ROOT}, cwd="/",
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            answer, _ = await process.communicate(to_json(list(wanted)))
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise OSError(f"the process that knows places ended with {process.returncode}")
    found: dict[str, dict[str, Any]] = from_json(answer)
    return found
