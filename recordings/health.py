"""Whether calls can be recorded and kept right now: for `/readyz`, and the policy's fact `recorder_healthy`."""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from config import clock
from config.database import Database
from recordings.archive import Archive, Store
from recordings.incidents import close_incidents, open_incident
from recordings.spool import Spool
from recordings.tables import incidents, recordings

KIND = "recorder-unhealthy"
STALE = timedelta(minutes=1)
PROBE_SECONDS = 5.0
OVERDUE = timedelta(minutes=5)
"""How long a recording may wait for its intake, while there is one: what an outage left has as long from the start on."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much must be free: so many bytes, or on a small file system this share of it."""

    size: int
    share: float


ENOUGH = Room(256 << 20, 0.1)
"""Two hours of one leg as the PBX writes it: with less, calls being made now may not fit."""


@dataclass(frozen=True, slots=True)
class Health:
    """`healthy` when `problems` is empty; each problem is `{component: sentence}`."""

    problems: Mapping[str, str]

    @property
    def healthy(self) -> bool:
        """Whether a call placed now would be recorded and kept."""
        return not self.problems


class RecorderHealth:
    """Looks at spools, archive and overdue intake; `latest` is what the last look found, unhealthy before the first."""

    def __init__(
        self,
        *,
        database: Database,
        archive: Archive,
        spools: Mapping[str, Spool],
        least_free: Room = ENOUGH,
    ) -> None:
        self._database = database
        self._stores = archive.stores
        self._spools = spools
        self._least_free = least_free
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._looked_at: datetime | None = None
        self._first_look: datetime | None = None
        self.latest = Health({"recorder": "not looked at yet"})

    def is_healthy(self) -> bool:
        """The policy's fact: whether a call placed now would be recorded and kept, as of a look that is not stale."""
        return self.latest.healthy and not self.is_stale(clock.now())

    def is_stale(self, now: datetime) -> bool:
        """Whether nobody has looked for so long that nothing is known."""
        return self._looked_at is None or now - self._looked_at >= STALE

    async def look(self, now: datetime) -> Health:
        """Look, and keep the answer; call it every 10 s or so. A problem opens an incident, its end closes it."""
        self._first_look = min(self._first_look or now, now)
        self.latest, self._looked_at = await self.health(now), now
        await self._follow(now)
        return self.latest

    async def health(self, now: datetime) -> Health:
        """Look now, change nothing."""
        problems: dict[str, str] = {}
        for name, spool in self._spools.items():
            problems[f"spool:{name}"] = await self._probe(f"spool:{name}", _probe_spool, spool)
        for name, store in self._stores.items():
            problems[name] = await self._probe(name, _probe_archive, store)
        problems["intake"] = await self._overdue(now)
        return Health({component: problem for component, problem in problems.items() if problem})

    async def _probe(self, component: str, probe: Callable[[Any, Room], None], subject: Any) -> str:
        """Run a blocking probe; a disk that does not answer is a problem too, and is not asked twice at a time."""
        task = self._probes.get(component)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(probe, subject, self._least_free))
            self._probes[component] = task
        await asyncio.wait({task}, timeout=PROBE_SECONDS)
        if not task.done():
            return f"the file system does not answer within {PROBE_SECONDS:.0f} s"
        del self._probes[component]
        error = task.exception()
        if isinstance(error, OSError):
            return f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)
        return str(error) if error else ""

    async def _overdue(self, now: datetime) -> str:
        if now - (self._first_look or now) < OVERDUE:
            return ""
        async with self._database.read() as connection:
            oldest = await connection.scalar(
                select(func.min(recordings.c.leg_ended_at)).where(
                    recordings.c.due_at.is_not(None),
                    recordings.c.state == "expected",
                    recordings.c.leg_ended_at < now - OVERDUE,
                )
            )
        return f"a recording waits for its intake since {oldest.isoformat(timespec='seconds')}" if oldest else ""

    async def _follow(self, now: datetime) -> None:
        """Open and close the incidents, also those that an earlier process left open."""
        async with self._database.read() as connection:
            known = set(
                await connection.scalars(
                    select(incidents.c.subject).where(incidents.c.kind == KIND, incidents.c.closed_at.is_(None))
                )
            )
        for component in known - self.latest.problems.keys():
            async with self._database.write() as transaction:
                await close_incidents(transaction, now, component, "it works again", (KIND,))
        for component in self.latest.problems.keys() - known:
            detail = {"problem": self.latest.problems[component]}
            async with self._database.write() as transaction:
                await open_incident(transaction, now, KIND, component, detail)


def _probe_spool(spool: Spool, least_free: Room) -> None:
    spool.probe()
    _require_room(spool.folder, least_free)


def _probe_archive(store: Store, least_free: Room) -> None:
    store.probe()
    _require_room(store.disk, least_free)


def _require_room(folder: Path, least_free: Room) -> None:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    least = min(least_free.size, int(status.f_blocks * status.f_frsize * least_free.share))
    if free < least:
        raise OSError(errno.ENOSPC, f"only {free >> 20} MiB free, {least >> 20} MiB needed", str(folder))
