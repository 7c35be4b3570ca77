"""The retention sweep over a million recordings: a day on which nothing is due, a day with some, and a changed class.

    .venv/bin/python -m bench.retention_sweep [RECORDINGS]        # default: 1000000

Baseline: the one SELECT that names what is past its date. Rows are written straight in SQL; nothing is stored or deleted.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

import config.journal
import recordings.retention_tables
import telephony.tables
from config.database import Database
from config.schema import metadata
from recordings.archive import Archive
from recordings.deletion import Deletion
from recordings.keyring import Keyring
from recordings.retention import SHIPPED
from recordings.retention_classes import recompute, save
from recordings.store import LocalStore
from recordings.tables import recordings as table

TABLES = (config.journal, telephony.tables, recordings.retention_tables)
START = datetime(2024, 6, 1, 3, tzinfo=UTC)
A_DAY = 1000
"""Recordings a day: so many are due on each."""
RECOMPUTED = 20


def fill(path: Path, count: int) -> date:
    """One call and one archived recording each, a thousand a day; the day on which the first are due."""
    connection = sqlite3.connect(path)
    call = (
        "id, direction, state, agent, role, extension, client, case_id, number, purpose, pbx, "
        "uniqueid, decision_id, created_at, connected_at, ended_at, violations"
    )
    leg = (
        "id, call_id, pbx, uniqueid, leg, state, required, file, leg_started_at, leg_answered_at, "
        "leg_ended_at, flags, attempts, stored_bytes, object, archived_at, delete_after, "
        "retention_revision"
    )
    known = {row[1] for row in connection.execute("PRAGMA table_info(calls)")}
    extra = {"origin": "click"} if "origin" in known else {}
    names = ", ".join([call, *extra])
    for first in range(0, count, 50_000):
        calls, legs = [], []
        for number in range(first, min(first + 50_000, count)):
            day = START + timedelta(days=number // A_DAY)
            at = day.replace(tzinfo=None).isoformat(" ") + ".000000"
            name, due = f"{number:032x}", (day + timedelta(days=731)).date().isoformat()
            case = f"case-{number % 5000}"
            calls.append(
                (name, "outbound", "ended", "li", "collector", "1001", "north", case, "+8613800000000", "collect",
                 "main", name, name, at, at, at, "[]", *extra.values())
            )  # fmt: skip
            legs.append(
                (
                    name,
                    name,
                    "main",
                    name,
                    "customer",
                    "archived",
                    1,
                    "f",
                    at,
                    at,
                    at,
                    "[]",
                    0,
                    400_000,
                    "o",
                    at,
                    due,
                    0,
                )
            )
        connection.executemany(f"INSERT INTO calls ({names}) VALUES ({','.join('?' * (17 + len(extra)))})", calls)
        connection.executemany(f"INSERT INTO recordings ({leg}) VALUES ({','.join('?' * 18)})", legs)
        connection.commit()
    connection.close()
    return START.date() + timedelta(days=731)


@contextmanager
def timed(what: str, each: int = 1) -> Iterator[None]:
    """Print how long it took, and a part of it."""
    began = time.perf_counter()
    yield
    took = (time.perf_counter() - began) * 1000
    print(f"{what}: {took:,.1f} ms" + (f", {took / each:.2f} ms each" if each > 1 else ""))


async def nothing_holds(connection: AsyncConnection, case_id: str) -> str | None:
    """No case has a complaint."""
    return None


async def measure(folder: Path, count: int) -> None:
    """Sweep, and print what each took."""
    path = folder / "bench.db"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    due = await asyncio.to_thread(fill, path, count)
    database = Database(f"sqlite+aiosqlite:///{path}")
    keyring = Keyring(master=folder / "master.key", folder=folder / "keys")
    archive = Archive(store=LocalStore(folder / "archive"), keyring=keyring)
    deletion = Deletion(database=database, archive=archive, cache=folder / "cache", held_by_case=nothing_holds)
    later = datetime.combine(due + timedelta(days=2), datetime.min.time(), UTC)
    past = select(func.count()).where(table.c.state == "archived", table.c.delete_after <= due)
    with timed("baseline, one SELECT of what is past its date"):
        async with database.read() as reading:
            found = (await reading.execute(past)).scalar_one()
    with timed(f"sweep of {count:,} recordings, none due"):
        await deletion.run(later - timedelta(days=5))
    with timed(f"dry run, {found:,} due", found):
        report = await deletion.run(later, dry_run=True)
    assert report.looked_at == found, report
    async with database.write() as transaction:
        await save(transaction, SHIPPED[0], reason="bench", actor="bench", now=later)
    with timed("dates written anew after a class changed, a batch of 500", RECOMPUTED):
        for _ in range(RECOMPUTED):
            await recompute(database)
    await database.close()


async def main() -> None:
    """Run at the size that was asked for."""
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        await measure(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)


if __name__ == "__main__":
    asyncio.run(main())
