"""Cases in: what changed at the CRM since the last pull, page by page; then whether what is known is still there.

A pull is a due row, claimed by one process at a time. Each page is one transaction that also writes down how far the pull is, so
another process, or this one after a crash, goes on from there; a page that is read twice changes nothing the second time.
The cursor is the CRM's own time, less an overlap: a change that was committed late, with an earlier date, is not missed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Database, DatabaseUnavailable, Transaction
from config.deadlines import claim_due
from config.journal import Entry
from crm_bridge.connectors import conflict_book, faults
from crm_bridge.connectors.case_writing import CaseWriting
from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.connectors.reading import Reading, digest, parts_digest, read
from crm_bridge.connectors.tables import connectors, records
from crm_bridge.connectors.tryton import Tryton, moment
from crm_bridge.outbox.tables import destinations

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)
OVERLAP = timedelta(minutes=10)
FULL_EVERY = timedelta(days=1)
PAGE = 100
AT_ONCE = 8
MOST_LOOKED_FOR = 5_000
"""With more cases than this, whether all are still there is asked once a day, with everything else."""
RETRY = timedelta(minutes=1)
MANY, SHARE = 20, 0.5
"""More than so many cases, and more than this share of all, gone at once: a right that was lost, rather than work done."""


class Lost(Exception):
    """Somebody else took the pull over, or the connector was changed: nothing more is to be written."""


class TooManyGone(Exception):
    """What would have to be marked as removed is too much to believe."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """What `tick` does every second. `opened` makes the CRM of a connector's row."""

    database: Database
    opened: Callable[[Row[Any]], Tryton]
    region: str
    clock: Callable[[], datetime]

    async def tick(self) -> bool:
        """See the pulls through that are due, side by side: a slow CRM holds up no other. Whether there were any."""
        async with self.database.write() as transaction:
            rows = await claim_due(transaction, connectors, self.clock(), lease=LEASE, limit=AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._see_through(row))
        return bool(rows)

    async def _see_through(self, row: Row[Any]) -> None:
        try:
            await self._pull(row)
        except Lost:
            log.info("pull.left", connector=row.id)
        except DatabaseUnavailable:
            raise
        except (faults.CrmFault, TooManyGone) as fault:
            await self._failed(row, fault.reason if isinstance(fault, faults.CrmFault) else str(fault))
        except Exception as error:
            log.exception("pull.broken", connector=row.id)
            await self._failed(row, f"{type(error).__name__}: {error}"[:300])

    async def _pull(self, row: Row[Any]) -> None:
        async with self.database.read() as connection:
            state = await connection.scalar(select(destinations.c.state).where(destinations.c.id == row.id))
        if state != "on":
            await self._rest(row)
            return
        pull = _Pull(self, row, self.opened(row), TrytonMapping.model_validate(row.mapping))
        run = row.run or {}
        if "until" not in run:
            run = await pull.begin(run)
        if run["phase"] == "changed":
            run = await pull.read_changes(run)
        await pull.look_for_removed(run)

    async def _rest(self, row: Row[Any]) -> None:
        """It is switched off: looked at again when it would be due."""
        async with self.database.write() as transaction:
            following = self.clock() + timedelta(minutes=row.minutes) if row.minutes else None
            await hold(transaction, row, due_at=following, run=None)

    async def _failed(self, row: Row[Any], why: str) -> None:
        """It goes on from where it stood, a little later; that it fails is told once."""
        now = self.clock()
        log.warning("pull.failed", connector=row.id, why=why)
        since = row.failing_since or now
        wait = min(max(RETRY, (now - since) / 4), timedelta(minutes=max(row.minutes or 0, 15)))
        values = {"pull_error": why[:500], "failing_since": since, "due_at": now + wait}
        try:
            async with self.database.write() as transaction:
                await hold(transaction, row, **values)
                if row.failing_since is None:
                    data = {"connector_id": row.id, "why": why[:500]}
                    transaction.journal(Entry(now, "connector.failing", "system", row.client, data=data))
        except Lost:
            log.info("pull.left", connector=row.id)


async def hold(transaction: Transaction, row: Row[Any], **values: Any) -> None:
    """Write to the connector's row while the pull is ours. Raises Lost."""
    mine = (connectors.c.id == row.id) & (connectors.c.attempts == row.attempts)
    if not (await transaction.execute(update(connectors).where(mine).values(**values))).rowcount:
        raise Lost(row.id)


@dataclass(frozen=True, slots=True)
class _Pull:
    """One pull of one connector. Its `run` is {phase, since, until, after, full, accept_removed, counts, seen}."""

    of: Pulls
    row: Row[Any]
    tryton: Tryton
    mapping: TrytonMapping

    async def begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A new pull: everything that changed since the cursor, or everything."""
        now = self.of.clock()
        until = await self.tryton.time(self.mapping.model) or now
        due = self.row.full_at is None or self.row.full_at <= now or self.row.cursor is None
        full = bool(asked.get("full")) or due
        since = None if full else (datetime.fromisoformat(self.row.cursor) - OVERLAP).isoformat()
        told = {"full": full, "accept_removed": bool(asked.get("accept_removed")), "asked": bool(asked)}
        return {"phase": "changed", "since": since, "until": until.isoformat(), "after": 0, "counts": {}, **told}

    async def read_changes(self, run: dict[str, Any]) -> dict[str, Any]:
        """All pages of what changed, each in a transaction of its own."""
        while True:
            page = await self._page(run)
            if page:
                run = {**run, "after": max(int(one["id"]) for one in page)}
                run = await self._write(page, run)
            if len(page) < PAGE:
                return {**run, "phase": "present", "after": ""}

    async def _page(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        domain = [self.mapping.domain, ["id", ">", run["after"]]]
        if run["since"] is not None:
            domain.append(_changed_since(datetime.fromisoformat(run["since"]), self.mapping))
        return await self.tryton.search(self.mapping.model, domain, self.mapping.fields(), limit=PAGE)

    async def _write(self, page: Sequence[dict[str, Any]], run: dict[str, Any]) -> dict[str, Any]:
        """Write what of the page is new, and how far the pull is."""
        now = self.of.clock()
        async with self.of.database.write() as transaction:
            fresh = await self._fresh(transaction, page)
            counts = dict(run["counts"])
            writing = CaseWriting(self.row, self.mapping, self.of.region, now)
            parts = {str(one["id"]): parts_digest(one, self.mapping) for one in page}
            for name, count in (await writing.write(transaction, fresh, parts)).items():
                counts[name] = counts.get(name, 0) + count
            counts["read"] = counts.get("read", 0) + len(page)
            run = {**run, "counts": counts}
            await hold(transaction, self.row, due_at=now + LEASE, run=run)
        return run

    async def _fresh(self, transaction: Transaction, page: Sequence[dict[str, Any]]) -> list[Reading]:
        """The records of which something is not known yet, or is in conflict."""
        names = [str(one["id"]) for one in page]
        mine = (records.c.connector_id == self.row.id) & records.c.record.in_(names) & records.c.removed_at.is_(None)
        known = {row.record: row.digest for row in await transaction.all(select(records).where(mine))}
        open_ones = await conflict_book.records_with(transaction.connection, self.row.id, names)
        fresh = [
            one for one in page if known.get(str(one["id"])) != digest(one, self.mapping) or str(one["id"]) in open_ones
        ]
        return [read(one, self.mapping, self.row.client, self.of.region) for one in fresh]

    async def look_for_removed(self, run: dict[str, Any]) -> None:
        """Whether every record that is known is still there, with all its numbers; then the pull is over."""
        async with self.of.database.read() as connection:
            mine = (records.c.connector_id == self.row.id) & records.c.removed_at.is_(None)
            wanted = select(records).where(mine).order_by(records.c.record)
            known = (await connection.execute(wanted if run["full"] else wanted.limit(MOST_LOOKED_FOR + 1))).all()
        if len(known) > MOST_LOOKED_FOR and not run["full"]:
            known = []
        missing: list[Row[Any]] = []
        for start in range(0, len(known), PAGE):
            chunk = known[start : start + PAGE]
            there = await self._there(chunk)
            missing += [row for row in chunk if row.record not in there]
            changed = [int(row.record) for row in chunk if row.record in there and there[row.record] != row.parts]
            if changed:
                fields = self.mapping.fields()
                page = await self.tryton.search(self.mapping.model, [["id", "in", changed]], fields)
                run = await self._write(page, run)
            else:
                await self._keep()
        if len(missing) > MANY and len(missing) > SHARE * len(known) and not run.get("accept_removed"):
            raise TooManyGone(
                f"{len(missing)} of {len(known)} cases are not to be seen in the CRM any more. Has the token's user lost a "
                "right, or was the domain changed? Nothing was marked; to take it as it is, pull with accept_removed"
            )
        await self._finish(run, missing)

    async def _there(self, chunk: Sequence[Row[Any]]) -> dict[str, str]:
        """Which of them are there, each with the digest of its numbers' ids."""
        domain = [self.mapping.domain, ["id", "in", [int(row.record) for row in chunk]]]
        fields = sorted({f"{party.path}.{party.numbers}" for party in self.mapping.parties})
        found = await self.tryton.search(self.mapping.model, domain, fields)
        return {str(one["id"]): parts_digest(one, self.mapping) for one in found}

    async def _keep(self) -> None:
        async with self.of.database.write() as transaction:
            await hold(transaction, self.row, due_at=self.of.clock() + LEASE)

    async def _finish(self, run: dict[str, Any], missing: Sequence[Row[Any]]) -> None:
        now = self.of.clock()
        async with self.of.database.write() as transaction:
            writing = CaseWriting(self.row, self.mapping, self.of.region, now)
            removed = await writing.mark_removed(transaction, missing)
            counts = {**run["counts"], **({"removed": removed} if removed else {})}
            following = now + timedelta(minutes=self.row.minutes) if self.row.minutes else None
            values: dict[str, Any] = {"due_at": following, "run": None, "cursor": run["until"], "pulled_at": now}
            values |= {"pulled": counts, "pull_error": None, "failing_since": None}
            if run["full"]:
                values["full_at"] = now + FULL_EVERY
            await hold(transaction, self.row, **values)
            if run.get("asked") or self.row.failing_since or counts.keys() - {"read", "unchanged"}:
                data = {"connector_id": self.row.id, "full": run["full"], **counts}
                transaction.journal(Entry(now, "connector.pulled", "system", self.row.client, data=data))


def _changed_since(since: datetime, mapping: TrytonMapping) -> list[Any]:
    """Records that changed, or of whose persons or numbers something did. A new record has no `write_date`."""
    places = ["", *(f"{party.path}." for party in mapping.parties)]
    places += [f"{party.path}.{party.numbers}." for party in mapping.parties]
    at = moment(since)
    return ["OR", *([f"{place}{date}", ">=", at] for place in places for date in ("write_date", "create_date"))]
