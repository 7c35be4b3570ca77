"""The carriers' own records beside ours: a call that only they have is a violation and an attempt, one that only we have in doubt.

Importing the same rows again, in this file or another, changes nothing. docs/carrier-records.md has the whole.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Invalid
from config.identifiers import new_id
from config.journal import Entry
from config.settings import Settings
from crm_bridge.carrier.bench import Bench, Counts, OurLeg
from crm_bridge.carrier.effects import Import, take_paired, take_strangers, tell_lacking
from crm_bridge.carrier.formats import CdrFormat, read_records
from crm_bridge.carrier.tables import carrier_formats, carrier_imports, carrier_records
from crm_bridge.people.users import User
from telephony.tables import calls, legs
from telephony.trunking import trunks

CLOCKS_DIFFER = timedelta(minutes=5)
LONGEST_RING = timedelta(minutes=10)
DOUBTFUL = 20
"""Records from which on a bad match speaks of a wrong format rather than of calls past the gate."""
PAGE = 2000
BATCH = 100
"""Rows written in one transaction: few enough that a click need not wait long."""
SHOWN = 500
"""How many of each kind a report lists; their number is always told. Bad rows are listed all."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What to import: the carrier's file, and the time it is said to cover (absent: from its first call to its last)."""

    path: Path
    name: str
    since: datetime | None = None
    until: datetime | None = None
    dry_run: bool = False


@dataclass
class CarrierRecords:
    """Imports of carriers' files. `emergency`: numbers that pass without the gate, and so are no violation."""

    database: Database
    emergency: Collection[str]
    region: str

    async def run(self, trunk_name: str, ask: Ask, *, user: User, now: datetime) -> dict[str, Any]:
        """Read, compare, and unless it is a dry run write what follows; the report.

        Raises NotFound (no such trunk), Invalid (the file cannot be read at all).
        """
        async with self.database.read() as connection:
            trunk = await trunks.find(connection, trunk_name)
            how = await format_of(connection, trunk_name)
        with (
            tempfile.TemporaryDirectory(prefix="ringfence-cdr-") as folder,
            closing(Bench(Path(folder) / "bench.db", trunk_name)) as bench,
        ):
            return await self._on_bench(bench, trunk, how, ask, user, now)

    async def _on_bench(
        self, bench: Bench, trunk: Row[Any], how: CdrFormat, ask: Ask, user: User, now: datetime
    ) -> dict[str, Any]:
        digest, counts = await asyncio.to_thread(_lay, bench, ask.path, how, now + CLOCKS_DIFFER)
        span = bench.span()
        covers = (ask.since or span[0], ask.until or span[1]) if span else None
        if covers:
            await self._lay_ours(bench, trunk, covers, timedelta(seconds=how.tolerance_seconds))
            await asyncio.to_thread(bench.pair, how.tolerance_seconds)
        import_ = Import(new_id(now), trunk.name, trunk.pbx, user, self.region, now, frozenset(self.emergency))
        known, told = bench.known(), Told()
        if not ask.dry_run:
            told = await self._write(bench, import_, how, covers)
        report = await asyncio.to_thread(_report, bench, how, ask, counts, covers, digest)
        report |= {"trunk": trunk.name, "seen_before": known}
        report |= {"attempts_counted": told.attempts, "incidents_opened": told.incidents}
        if not ask.dry_run:
            report["import_id"] = await self._keep(import_, ask, report)
        return report

    async def _lay_ours(
        self, bench: Bench, trunk: Row[Any], covers: tuple[datetime, datetime], tolerance: timedelta
    ) -> None:
        since, until = covers[0] - tolerance, covers[1] + tolerance
        async with self.database.read() as connection:
            async for page in _our_legs(connection, trunk, since, until):
                await asyncio.to_thread(bench.lay_ours, page)
            async for known in _imported(connection, trunk.name, since, until):
                await asyncio.to_thread(bench.know, known)

    async def _write(
        self, bench: Bench, import_: Import, how: CdrFormat, covers: tuple[datetime, datetime] | None
    ) -> "Told":
        told = Told()
        for batch in bench.new(paired=True, size=BATCH):
            async with self.database.write() as transaction:
                await take_paired(transaction, import_, batch)
        for batch in bench.new(paired=False, size=BATCH):
            async with self.database.write() as transaction:
                opened, attempts = await take_strangers(transaction, import_, batch)
            told.incidents, told.attempts = told.incidents + opened, told.attempts + attempts
        if covers:
            for batch in bench.ours_only(*covers, answered_only=how.answered_only, size=BATCH):
                async with self.database.write() as transaction:
                    told.incidents += await tell_lacking(transaction, import_, batch)
        return told

    async def _keep(self, import_: Import, ask: Ask, report: dict[str, Any]) -> str:
        """Write the import down, once: the same file again, with nothing new in it, leaves no trace."""
        counts = {
            name: report[name] for name in ("rows", "matched", "seen_before", "attempts_counted", "incidents_opened")
        }
        counts |= {name: report[name]["count"] for name in ("carrier_only", "ours_only", "durations")}
        async with self.database.write() as transaction:
            same = select(carrier_imports.c.id).where(
                carrier_imports.c.trunk == import_.trunk, carrier_imports.c.sha256 == report["file"]["sha256"]
            )
            before = await transaction.first(same.limit(1))
            if (
                before is not None
                and not report["incidents_opened"]
                and report["seen_before"] == report["rows"]["used"]
            ):
                return str(before.id)
            row = {"id": import_.id, "trunk": import_.trunk, "sha256": report["file"]["sha256"], "file": ask.name[:255]}
            row |= {"at": import_.now, "by": import_.user.name, "counts": counts}
            await transaction.execute(carrier_imports.insert().values(**row))
            data = {"trunk": import_.trunk, "import_id": import_.id, "file": report["file"], **counts}
            transaction.journal(Entry(import_.now, "carrier.imported", import_.user.name, data=data))
        return import_.id


def of(database: Database, settings: Settings) -> "CarrierRecords":
    """Those of this service."""
    return CarrierRecords(database=database, emergency=settings.gate.emergency, region=settings.policy.region)


@dataclass
class Told:
    """What an import brought: incidents opened, attempts that count now."""

    incidents: int = 0
    attempts: int = 0


async def format_of(connection: AsyncConnection, trunk: str) -> CdrFormat:
    """How that trunk's files are read; the plain format where none is set."""
    stored = await connection.scalar(select(carrier_formats.c.format).where(carrier_formats.c.trunk == trunk))
    return CdrFormat.model_validate(stored) if stored else CdrFormat()


async def put_format(transaction: Transaction, trunk: str, how: CdrFormat, *, actor: str, now: datetime) -> None:
    """Set it, journalled. Raises NotFound for an unknown trunk."""
    await trunks.find(transaction.connection, trunk)
    before = await transaction.connection.scalar(
        select(carrier_formats.c.format).where(carrier_formats.c.trunk == trunk)
    )
    values = {"format": how.model_dump(), "updated_at": now, "updated_by": actor}
    if before is None:
        await transaction.execute(carrier_formats.insert().values(trunk=trunk, **values))
    else:
        await transaction.execute(carrier_formats.update().where(carrier_formats.c.trunk == trunk).values(**values))
    data = {"trunk": trunk, "format": values["format"], "before": before}
    transaction.journal(Entry(now, "carrier.format_changed", actor, data=data))


def _lay(bench: Bench, path: Path, how: CdrFormat, latest: datetime) -> tuple[str, Counts]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        counts = bench.lay(read_records(file, how, latest))
    if not counts.records and counts.bad == 1 and (header := bench.bad()[0])["reason"].startswith("the first line"):
        raise Invalid(f"line {header['line']}: {header['reason']}", [{"field": "columns", "message": header["reason"]}])
    return digest, counts


async def _our_legs(
    connection: AsyncConnection, trunk: Row[Any], since: datetime, until: datetime
) -> AsyncIterator[list[OurLeg]]:
    """Legs to the outside over the trunk, and calls that were let out of which no leg was seen, by page of calls."""
    # A call is made up to minutes before its leg leaves: the collector's phone rings first.
    at, after = since - LONGEST_RING, ""
    while True:
        place = or_(calls.c.created_at > at, and_(calls.c.created_at == at, calls.c.id > after))
        wanted = select(calls).where(place, calls.c.created_at <= until, calls.c.direction == "outbound")
        found = (await connection.execute(wanted.order_by(calls.c.created_at, calls.c.id).limit(PAGE))).all()
        by_call: dict[str, list[Row[Any]]] = {}
        theirs = select(legs).where(legs.c.call_id.in_([call.id for call in found]), legs.c.role != "agent")
        for leg in (await connection.execute(theirs)).all():
            by_call.setdefault(leg.call_id, []).append(leg)
        over = [ours for call in found for ours in _legs_over(call, by_call.get(call.id, []), trunk)]
        yield [ours for ours in over if since <= ours.at <= until]
        if len(found) < PAGE:
            return
        at, after = found[-1].created_at, found[-1].id


def _legs_over(call: Row[Any], its_legs: list[Row[Any]], trunk: Row[Any]) -> Iterator[OurLeg]:
    for leg in its_legs:
        if _over(leg, call, trunk, several=len(its_legs) > 1):
            answered = leg.answered_at is not None
            talked = (leg.ended_at - leg.answered_at).total_seconds() if answered and leg.ended_at else None
            yield OurLeg(f"{leg.pbx}/{leg.uniqueid}", call.id, leg.created_at, call.number, talked, answered)
    if not its_legs and call.trunk == trunk.name and call.calling_customer_at is not None:
        yield OurLeg(f"{call.pbx}/{call.id}", call.id, call.calling_customer_at, call.number, None, False)


def _over(leg: Row[Any], call: Row[Any], trunk: Row[Any], *, several: bool) -> bool:
    """By the leg's own trunk, else by its channel: a call past the gate names no trunk, one of several legs its last."""
    if leg.trunk:
        return bool(leg.trunk == trunk.name)
    if leg.pbx != trunk.pbx or leg.channel.rpartition("-")[0] != f"PJSIP/{trunk.endpoint}":
        return False
    return several or call.trunk in (None, trunk.name)


async def _imported(
    connection: AsyncConnection, trunk: str, since: datetime, until: datetime
) -> AsyncIterator[list[tuple[str, str | None]]]:
    """(id, leg) of the records that earlier imports have of that time."""
    record, after = carrier_records.c, ""
    window = (record.trunk == trunk, record.started_at >= since, record.started_at <= until)
    while True:
        wanted = select(record.id, record.leg).where(*window, record.id > after).order_by(record.id).limit(PAGE)
        found = (await connection.execute(wanted)).all()
        yield [(row.id, row.leg) for row in found]
        if len(found) < PAGE:
            return
        after = found[-1].id


def _report(
    bench: Bench, how: CdrFormat, ask: Ask, counts: Counts, covers: tuple[datetime, datetime] | None, digest: str
) -> dict[str, Any]:
    strangers, first = bench.theirs_only(SHOWN)
    differing, durations = bench.longer_or_shorter(how.duration_tolerance_seconds, SHOWN)
    lacking = list(bench.ours_only(*covers, answered_only=how.answered_only, size=SHOWN)) if covers else []
    matched = bench.paired()
    return {
        "file": {"name": ask.name, "sha256": digest, "bytes": ask.path.stat().st_size},
        "dry_run": ask.dry_run,
        "covers": {"from": covers[0], "until": covers[1]} if covers else None,
        "rows": {"used": counts.records, "bad": counts.bad, "left_out": counts.left_out},
        "matched": matched,
        "carrier_only": {"count": strangers, "items": first},
        "ours_only": {"count": sum(map(len, lacking)), "items": lacking[0] if lacking else []},
        "durations": {"count": differing, "items": durations},
        "bad_rows": bench.bad(),
        "warnings": _warnings(counts, matched, strangers, bool(lacking)),
    }


def _warnings(counts: Counts, matched: int, strangers: int, lacking: bool) -> list[str]:
    found = []
    if counts.records >= DOUBTFUL and lacking and matched < strangers:
        found.append(
            "Most records match no call of ours although we have calls in that time: "
            "see that zone, region and columns of the trunk's format are right."
        )
    if counts.bad > counts.records:
        found.append(
            "Most rows cannot be read: see that encoding, delimiter and columns of the trunk's format are right."
        )
    return found
