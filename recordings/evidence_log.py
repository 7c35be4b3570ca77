"""The evidence log: every journal entry is a leaf of one Merkle log, sealed in batches, each with a signed checkpoint.

A reader of the journal like others, with a cursor of its own: each entry once, in order, whichever process is first. What
is kept are the leaves' hashes and the roots of every 256 (65,536, …) of them, so that any proof takes a few hundred rows.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config import journal
from config.database import Database
from config.journal import Entry
from recordings.checkpoints import Checkpoint, CheckpointFolder, Signer
from recordings.incidents import close_incidents, open_incident
from recordings.merkle import (
    Frontier,
    Node,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    perfect_root,
    roots_of,
    subtrees,
)
from recordings.tables import checkpoints, log_leaves, log_tiles

READER = "evidence-log"
BATCH = 1000
TILE_LEVELS = 8
RANGES_A_QUERY = 100
FAILING = "checkpoints-failing"

log = structlog.get_logger(__name__)


def leaf_bytes(entry: Entry, of_call: int | None) -> bytes:
    """The one way to write an entry down: JSON with sorted keys, no spaces, UTC to the microsecond, in UTF-8.

    `of_call` numbers the entries of a call, from 1: who is shown some of them sees when one is left out.
    """
    document = {
        "id": entry.id,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "kind": entry.kind,
        "actor": entry.actor,
        "client": entry.client,
        "agent": entry.agent,
        "case_id": entry.case_id,
        "call_id": entry.call_id,
        "of_call": of_call,
        "data": entry.data,
    }
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class _Batch:
    leaves: list[dict[str, Any]]
    tiles: list[dict[str, Any]]
    checkpoint: Checkpoint
    note: str


@dataclass(frozen=True, slots=True)
class Included:
    """A leaf, where it is, and the way from it to the root of `size` leaves."""

    index: int
    leaf: bytes
    proof: list[bytes]


class EvidenceLog:
    """Seals the journal; proves what is sealed. `folder` is where checkpoints are written for others to copy."""

    def __init__(self, *, database: Database, signer: Signer, folder: Path | None = None) -> None:
        self._database = database
        self.signer = signer
        self._folder = CheckpointFolder(folder) if folder else None
        self._exported = -1

    async def seal(self, now: datetime) -> int:
        """Seal all that is not sealed yet; how many entries that was. Call it every second or more often."""
        sealed = 0
        while count := await self._seal_batch(now):
            sealed += count
        if self._folder is not None:
            await self._export(self._folder, now)
        return sealed

    async def _seal_batch(self, now: datetime) -> int:
        async with self._database.read() as connection:
            position = await journal.position_of(connection, READER)
            entries = await journal.read_after(connection, position, BATCH)
            if not entries:
                return 0
            frontier = await _frontier(connection)
            counts = await _counts(connection, {entry.call_id for entry in entries if entry.call_id})
        batch = await asyncio.to_thread(self._build, frontier, entries, counts, now)
        async with self._database.write() as transaction:
            if not await journal.advance(transaction.connection, READER, position, batch.checkpoint.journal_id):
                return len(entries)  # another process sealed them; there may be more
            await transaction.execute(insert(log_leaves), batch.leaves)
            if batch.tiles:
                await transaction.execute(insert(log_tiles), batch.tiles)
            found = batch.checkpoint
            await transaction.execute(
                insert(checkpoints).values(
                    size=found.size, root=found.root, at=found.at, journal_id=found.journal_id, note=batch.note
                )
            )
        return len(entries)

    def _build(self, frontier: Frontier, entries: Sequence[Entry], counts: dict[str, int], now: datetime) -> _Batch:
        leaves, tiles = [], []
        for entry in entries:
            of_call = None
            if entry.call_id:
                of_call = counts[entry.call_id] = counts.get(entry.call_id, 0) + 1
            hashed = leaf_hash(leaf_bytes(entry, of_call))
            leaf = {"idx": frontier.size, "journal_id": entry.id, "hash": hashed, "call_id": entry.call_id}
            leaves.append(leaf | {"of_call": of_call})
            for (level, index), root in frontier.add(hashed):
                if level and level % TILE_LEVELS == 0:
                    tiles.append({"level": level, "idx": index, "hash": root})
        made = Checkpoint(frontier.size, frontier.root(), now, entries[-1].id or 0)
        return _Batch(leaves, tiles, made, self.signer.sign(made))

    async def _export(self, folder: CheckpointFolder, now: datetime) -> None:
        """Write what is not in the folder yet. A folder that cannot be written is an incident, and stops nothing else."""
        try:
            if self._exported < 0:
                self._exported = await asyncio.to_thread(folder.last_size)
            async with self._database.read() as connection:
                newer = select(checkpoints).where(checkpoints.c.size > self._exported).order_by(checkpoints.c.size)
                rows = list(await connection.execute(newer.limit(BATCH)))
            if not rows:
                return
            notes = [(row.size, row.at, row.note) for row in rows]
            self._exported = await asyncio.to_thread(folder.append, notes, self.signer.public_key())
            async with self._database.write() as transaction:
                await close_incidents(transaction, now, "checkpoints", "they are written again", (FAILING,))
        except OSError as error:
            log.warning("checkpoints.failed", error=str(error))
            self._exported = -1
            async with self._database.write() as transaction:
                await open_incident(transaction, now, FAILING, "checkpoints", {"error": str(error)[:1000]})

    async def latest(self, connection: AsyncConnection) -> Row[Any] | None:
        """The newest checkpoint."""
        newest = select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
        return (await connection.execute(newest)).first()

    async def prove(self, connection: AsyncConnection, entries: Iterable[Entry], size: int) -> list[Included]:
        """The leaves of these entries with their proofs in the log of `size`, in the log's order.

        Raises LookupError for an entry that is not sealed in it.
        """
        wanted = {entry.id: entry for entry in entries}
        rows = list(
            await connection.execute(
                select(log_leaves)
                .where(log_leaves.c.journal_id.in_(list(wanted)), log_leaves.c.idx < size)
                .order_by(log_leaves.c.idx)
            )
        )
        if len(rows) < len(wanted):
            raise LookupError(f"{len(wanted) - len(rows)} entries are not sealed in the log of {size}")
        ranges = [inclusion_ranges(row.idx, size) for row in rows]
        roots = await subtree_roots(connection, {node for found in ranges for node in nodes_of(found)})
        return [
            Included(row.idx, leaf_bytes(wanted[row.journal_id], row.of_call), roots_of(found, roots))
            for row, found in zip(rows, ranges, strict=True)
        ]

    async def prove_growth(self, connection: AsyncConnection, old: int, new: int) -> list[bytes]:
        """That the log of `old` is the beginning of the log of `new`."""
        ranges = consistency_ranges(old, new)
        return roots_of(ranges, await subtree_roots(connection, set(nodes_of(ranges))))


async def _frontier(connection: AsyncConnection) -> Frontier:
    size = await connection.scalar(select(func.max(log_leaves.c.idx)))
    size = 0 if size is None else size + 1
    nodes = subtrees(0, size)
    roots = await subtree_roots(connection, set(nodes))
    return Frontier(size, [roots[node] for node in nodes])


async def _counts(connection: AsyncConnection, calls: set[str]) -> dict[str, int]:
    """How many entries of each call are sealed."""
    counted = (
        select(log_leaves.c.call_id, func.max(log_leaves.c.of_call))
        .where(log_leaves.c.call_id.in_(calls))
        .group_by(log_leaves.c.call_id)
    )
    return {call_id: count for call_id, count in await connection.execute(counted)}


async def subtree_roots(connection: AsyncConnection, nodes: set[Node]) -> Mapping[Node, bytes]:
    """The roots of perfect subtrees, from the nearest level below them that is kept."""
    found: dict[Node, bytes] = {}
    for kept in {level // TILE_LEVELS * TILE_LEVELS for level, _ in nodes}:
        here = sorted(node for node in nodes if kept <= node[0] < kept + TILE_LEVELS)
        for start in range(0, len(here), RANGES_A_QUERY):
            found |= await _roots_at(connection, kept, here[start : start + RANGES_A_QUERY])
    return found


async def _roots_at(connection: AsyncConnection, kept: int, nodes: list[Node]) -> dict[Node, bytes]:
    spans = {node: (node[1] << (node[0] - kept), (node[1] + 1) << (node[0] - kept)) for node in nodes}
    table = log_tiles if kept else log_leaves
    within = or_(*(and_(table.c.idx >= begin, table.c.idx < end) for begin, end in spans.values()))
    of_level = (log_tiles.c.level == kept,) if kept else ()
    rows = await connection.execute(select(table.c.idx, table.c.hash).where(within, *of_level))
    hashes = {row.idx: row.hash for row in rows}
    try:
        return {node: perfect_root([hashes[at] for at in range(*span)]) for node, span in spans.items()}
    except KeyError as error:
        raise LookupError(f"the log has lost its hash {error} of level {kept}") from error
