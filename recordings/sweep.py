"""The sweep: every file in the spool belongs to a row, or somebody is asked about it. Nothing unknown is ever deleted.

A file of an archived row, left by a process that was killed before it cleared it, is cleared once its object is proven
again; a file of a known call without a row is adopted; a late file reopens its row; any other is an `orphan` incident.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Database
from recordings.adoption import adopt, adopt_emergency
from recordings.archive import Archive
from recordings.completeness import expect_overlooked
from recordings.incidents import close_incidents, open_incident
from recordings.spool import PROBE, Look, Named, Spool, parse
from recordings.tables import incidents, recordings
from telephony.tables import calls, legs

ORPHAN_AFTER = timedelta(seconds=60)
UNFINISHED_AFTER = timedelta(hours=1)
CHUNK = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """The recordings by uniqueid, the calls by id and the legs by uniqueid that some file names speak of."""

    rows: dict[str, Row[Any]]
    calls: dict[str, Row[Any]]
    legs: dict[str, Row[Any]]


class Sweep:
    """The worker. `spools` are by PBX name; `run` is called every half minute or so."""

    def __init__(self, *, database: Database, archive: Archive, spools: Mapping[str, Spool]) -> None:
        self._database = database
        self._archive = archive
        self._spools = spools
        self._strangers: dict[str, datetime] = {}
        self._told: dict[str, Look] = {}

    async def run(self, now: datetime) -> int:
        """Look for legs that expect nothing yet, through every spool, and remove what killed processes left
        unfinished; returns how many files were seen."""
        await expect_overlooked(self._database, now)
        count = 0
        for pbx, spool in self._spools.items():
            try:
                count += await self._sweep(pbx, spool, now)
            except OSError as error:  # an unreadable spool is `recordings.health`'s incident
                log.warning("sweep.spool_unreadable", pbx=pbx, error=str(error))
        await asyncio.to_thread(self._archive.discard_unfinished, now - UNFINISHED_AFTER)
        return count

    async def _sweep(self, pbx: str, spool: Spool, now: datetime) -> int:
        looks = await self._without_probes(pbx, spool, await asyncio.to_thread(lambda: list(spool.files())))
        strangers: dict[str, tuple[Look, str]] = {}
        for start in range(0, len(looks), CHUNK):
            strangers |= await self._sort(pbx, spool, looks[start : start + CHUNK], now)
        await self._ask_about(pbx, strangers, now)
        return len(looks)

    async def _without_probes(self, pbx: str, spool: Spool, looks: list[Look]) -> list[Look]:
        """The files that are recordings; a probe that has not changed since the last sweep is cleared."""
        probes = [look for look in looks if PROBE.fullmatch(look.name)]
        for look in probes:
            if self._told.get(_subject(pbx, look.name)) == look:
                await asyncio.to_thread(spool.clear, look)
            self._told[_subject(pbx, look.name)] = look
        return [look for look in looks if look not in probes]

    async def _sort(self, pbx: str, spool: Spool, looks: list[Look], now: datetime) -> dict[str, tuple[Look, str]]:
        """Treat the files that belong to something; returns the others, by subject, each with the reason."""
        named = [(look, parse(look.name)) for look in looks]
        known = await self._look_up(pbx, [name for _, name in named if name])
        strangers: dict[str, tuple[Look, str]] = {}
        for look, name in named:
            try:
                reason = await self._treat(pbx, spool, look, name, known, now)
            except OSError as error:
                reason = f"it cannot be read: {error.strerror or error}"
            if reason:
                strangers[_subject(pbx, look.name)] = (look, reason)
        return strangers

    async def _treat(self, pbx: str, spool: Spool, look: Look, name: Named | None, known: _Known, now: datetime) -> str:
        """Do what the file needs. Returns why it belongs to nothing, else an empty text."""
        if name is None:
            return "its name says of no call"
        if row := known.rows.get(name.uniqueid):
            return await self._of_row(pbx, spool, look, row, now)
        if name.call_id in known.calls:
            return await self._adopt(pbx, look, name, known, now)
        return (
            await self._adopt_emergency(pbx, spool, look, name, now) if name.is_emergency else "there is no such call"
        )

    async def _look_up(self, pbx: str, names: list[Named]) -> _Known:
        """What the names speak of."""
        uniqueids = {name.uniqueid for name in names}
        call_ids = {name.call_id for name in names}
        async with self._database.read() as connection:
            rows = await connection.execute(
                select(recordings).where(recordings.c.pbx == pbx, recordings.c.uniqueid.in_(uniqueids))
            )
            known_calls = await connection.execute(select(calls).where(calls.c.id.in_(call_ids)))
            known_legs = await connection.execute(
                select(legs).where(legs.c.pbx == pbx, legs.c.uniqueid.in_(uniqueids), legs.c.call_id.in_(call_ids))
            )
            return _Known(
                {row.uniqueid: row for row in rows},
                {row.id: row for row in known_calls},
                {row.uniqueid: row for row in known_legs},
            )

    async def _of_row(self, pbx: str, spool: Spool, look: Look, row: Row[Any], now: datetime) -> str:
        """A file whose leg has a row. Returns why it is a stranger all the same, else an empty text."""
        if row.state == "archived":
            return await self._clear_again(pbx, spool, look, row)
        if row.state in ("deleting", "deleted"):
            return "the recording of its leg was deleted when its retention was over"
        if row.due_at is None:  # given up as missing or empty, and here it is
            async with self._database.write() as transaction:
                await transaction.execute(
                    update(recordings)
                    .where(recordings.c.id == row.id, recordings.c.due_at.is_(None), recordings.c.state != "archived")
                    .values(due_at=now, attempts=0)
                )
        return ""

    async def _clear_again(self, pbx: str, spool: Spool, look: Look, row: Row[Any]) -> str:
        """Clear the file of an archived row if it is the very file and the archive still gives its object back."""
        reason = "it differs from what was archived for its leg"
        if self._told.get(_subject(pbx, look.name)) == look:
            return reason
        if await asyncio.to_thread(_sha256, await asyncio.to_thread(spool.here, look)) != row.sha256:
            return reason
        if not await asyncio.to_thread(self._archive.gives_back, row):
            return "the archive does not give back what was stored for its leg"
        if await asyncio.to_thread(spool.clear, look):
            log.info("sweep.cleared", recording=row.id, file=look.name)
        return ""

    async def _adopt(self, pbx: str, look: Look, name: Named, known: _Known, now: datetime) -> str:
        """A file of a known call without a row: it gets one once the call has ended."""
        call, leg = known.calls[name.call_id], known.legs.get(name.uniqueid)
        if call.ended_at is None or self._shares_its_folder(pbx, call.pbx):
            return ""
        if call.pbx != pbx or (leg is not None and (leg.call_id, leg.role) != (name.call_id, name.role)):
            return "its name and its leg disagree"
        await adopt(self._database, pbx, look, name, call, leg, now)
        return ""

    async def _adopt_emergency(self, pbx: str, spool: Spool, look: Look, name: Named, now: datetime) -> str:
        """Its end is known by the file alone: adopted when it is closed, or has not changed since the last sweep."""
        subject = _subject(pbx, look.name)
        if await asyncio.to_thread(spool.is_closed, look.name) or self._told.get(subject) == look:
            await adopt_emergency(self._database, pbx, look, name, now)
        self._told[subject] = look
        return ""

    def _shares_its_folder(self, pbx: str, other: str) -> bool:
        """Whether the file is that of another PBX that writes into the same folder; it is looked at there."""
        return pbx != other and other in self._spools and self._spools[other].folder == self._spools[pbx].folder

    async def _ask_about(self, pbx: str, strangers: dict[str, tuple[Look, str]], now: datetime) -> None:
        """Open an incident for each stranger that stays, close those of files that are gone or found a home."""
        mine = f"{pbx}:"
        self._strangers = {
            subject: since
            for subject, since in self._strangers.items()
            if subject in strangers or not subject.startswith(mine)
        }
        for subject, (look, reason) in strangers.items():
            since = self._strangers.setdefault(subject, now)
            if now - since >= ORPHAN_AFTER and self._told.get(subject) != look:
                detail = {"pbx": pbx, "file": subject.removeprefix(mine), "bytes": look.size, "reason": reason}
                async with self._database.write() as transaction:
                    await open_incident(transaction, now, "orphan", subject, detail)
                self._told[subject] = look
        await self._close_solved(mine, set(strangers), now)

    async def _close_solved(self, mine: str, strangers: set[str], now: datetime) -> None:
        async with self._database.read() as connection:
            still_open = await connection.scalars(
                select(incidents.c.subject).where(
                    incidents.c.kind == "orphan",
                    incidents.c.closed_at.is_(None),
                    incidents.c.subject.startswith(mine, autoescape=True),
                )
            )
            solved = [subject for subject in still_open if subject not in strangers]
        for subject in solved:
            self._told.pop(subject, None)
            async with self._database.write() as transaction:
                await close_incidents(transaction, now, subject, "the file is no longer a stranger there", ("orphan",))


def _subject(pbx: str, name: str) -> str:
    """A name from the disk may be any bytes; what is written down is text."""
    return f"{pbx}:{name.encode('utf-8', 'backslashreplace').decode()}"[:320]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
