"""`ringfence verify`: whether everything still is what it was sealed as. What is found wrong is a sentence each.

The log is built anew from the journal and held against its leaves, tiles, checkpoints and the copies of checkpoints; each
recording's row is held against the log (`recordings.custody`), and its object against its row, down to the samples.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from config.journal import Entry, journal
from recordings.checkpoints import BadCheckpoint, CheckpointFolder, Signer, read_note
from recordings.evidence_log import leaf_bytes
from recordings.merkle import Frontier, leaf_hash
from recordings.tables import checkpoints, log_leaves, log_tiles

PAGE = 2000
SEALED_WITHIN = timedelta(minutes=1)
MOST_PROBLEMS = 1000

Progress = Callable[[str, int, int], None]
"""Told what is being checked, how much of it is done, and how much there is."""


@dataclass(slots=True)
class Report:
    """What was checked, counted, and what is wrong, in sentences."""

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return not self.problems

    def wrong(self, problem: str) -> None:
        """Note it; past a thousand only their number grows, so that a ruined store does not fill the memory."""
        self.checked["problems"] += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


class LogVerification:
    """One pass over journal and log, in the log's order."""

    def __init__(
        self, *, database: Database, signer: Signer, folder: CheckpointFolder | None, report: Report, progress: Progress
    ) -> None:
        self._database = database
        self._key = signer.public_key()
        self._folder = folder
        self._report = report
        self._progress = progress
        self._frontier = Frontier()
        self._of_call: Counter[str] = Counter()
        self._roots: dict[int, list[tuple[str, bytes]]] = {}

    async def run(self, now: datetime) -> None:
        """Check everything that is sealed, and that what is not is young."""
        newest = await self._read_checkpoints()
        position, total = 0, await self._count()
        while rows := await self._page(position, newest):
            tiles = await asyncio.to_thread(self._check, rows)
            async with self._database.read() as connection:
                await self._check_tiles(connection, tiles)
            position = rows[-1].id
            self._progress("log", self._frontier.size, total)
        await self._check_ends(newest, now)

    async def _read_checkpoints(self) -> int:
        """Collect what each says of the log; the newest sealed journal id."""
        newest = 0
        async with self._database.read() as connection:
            rows = list(await connection.execute(select(checkpoints).order_by(checkpoints.c.size)))
        for row in rows:
            self._read(row.note, f"checkpoint {row.size}", (row.size, row.root, row.journal_id))
            newest = max(newest, row.journal_id)
        if self._folder is not None:
            try:
                for note in await asyncio.to_thread(lambda: list(_notes(self._folder))):
                    self._read(note, "a checkpoint in the folder", None)
            except (BadCheckpoint, OSError, UnicodeDecodeError) as error:
                self._report.wrong(f"the folder of checkpoints: {error}")
        return newest

    def _read(self, note: str, name: str, row: tuple[int, bytes, int] | None) -> None:
        self._report.checked["checkpoints"] += 1
        try:
            found = read_note(note, self._key)
        except BadCheckpoint as error:
            self._report.wrong(f"{name}: {error.detail}")
            return
        if row is not None and row != (found.size, found.root, found.journal_id):
            self._report.wrong(f"{name}: its row is not what is signed")
        self._roots.setdefault(found.size, []).append((name, found.root))

    async def _count(self) -> int:
        async with self._database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(log_leaves)) or 0

    async def _page(self, position: int, newest: int) -> Sequence[Row[Any]]:
        page = (
            select(journal, log_leaves.c.idx, log_leaves.c.hash, log_leaves.c.of_call)
            .outerjoin(log_leaves, log_leaves.c.journal_id == journal.c.id)
            .where(journal.c.id > position, journal.c.id <= newest)
            .order_by(journal.c.id)
            .limit(PAGE)
        )
        async with self._database.read() as connection:
            return (await connection.execute(page)).all()

    def _check(self, rows: Sequence[Row[Any]]) -> dict[tuple[int, int], bytes]:
        """Build the log on from these entries; the tiles that they complete."""
        made: dict[tuple[int, int], bytes] = {}
        for row in rows:
            self._report.checked["entries"] += 1
            if row.idx is None:
                self._report.wrong(f"journal entry {row.id} is older than the newest checkpoint and not in the log")
                continue
            if row.idx != self._frontier.size:
                self._report.wrong(f"journal entry {row.id} is leaf {row.idx}, where {self._frontier.size} is expected")
            if row.call_id is not None:
                self._of_call[row.call_id] += 1
            number = self._of_call[row.call_id] if row.call_id is not None else None
            hashed = leaf_hash(leaf_bytes(_entry(row), number))
            if hashed != row.hash or number != row.of_call:
                self._report.wrong(f"journal entry {row.id} is not what was sealed as leaf {row.idx}")
            made |= {node: root for node, root in self._frontier.add(hashed) if node[0] and node[0] % 8 == 0}
            self._compare_root()
        return made

    def _compare_root(self) -> None:
        told = self._roots.pop(self._frontier.size, [])
        if told and (root := self._frontier.root()):
            for name in sorted({name for name, said in told if said != root}):
                self._report.wrong(f"{name}: the journal's first {self._frontier.size} entries have another root")

    async def _check_tiles(self, connection: AsyncConnection, made: dict[tuple[int, int], bytes]) -> None:
        for level in {level for level, _ in made}:
            of_level = [index for found, index in made if found == level]
            rows = await connection.execute(
                select(log_tiles).where(log_tiles.c.level == level, log_tiles.c.idx.in_(of_level))
            )
            kept = {row.idx: row.hash for row in rows}
            for index in of_level:
                if kept.get(index) != made[level, index]:
                    self._report.wrong(f"tile {index} of level {level} is missing or wrong")

    async def _check_ends(self, newest: int, now: datetime) -> None:
        for size, told in self._roots.items():
            for name in {name for name, _ in told if size}:
                self._report.wrong(f"{name}: the log had {size} entries then and has {self._frontier.size} now")
        async with self._database.read() as connection:
            leaves = await connection.scalar(select(func.count()).select_from(log_leaves)) or 0
            oldest = await connection.scalar(select(func.min(journal.c.at)).where(journal.c.id > newest))
        if leaves > self._frontier.size and newest:
            sealed_since = await self._sealed_after(newest)
            if missing := leaves - self._frontier.size - sealed_since:
                self._report.wrong(f"{missing} journal entries that were sealed are gone")
        if oldest is not None and now - oldest > SEALED_WITHIN:
            self._report.wrong(f"what happened since {oldest.isoformat(timespec='seconds')} is not sealed")

    async def _sealed_after(self, newest: int) -> int:
        """Leaves sealed while this ran."""
        async with self._database.read() as connection:
            newer = select(func.count()).select_from(log_leaves).where(log_leaves.c.journal_id > newest)
            return await connection.scalar(newer) or 0


def _notes(folder: CheckpointFolder | None) -> Iterator[str]:
    if folder is not None:
        yield from folder.notes()


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.at, row.kind, row.actor, row.client, row.agent, row.case_id, row.call_id, data=row.data, id=row.id)
