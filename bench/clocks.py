"""Deadlines at size: 100,000 open, 1,000 of them due within one minute, on both databases: lateness, queries a tick.

    ringfence bench clocks
    .venv/bin/python -m bench.clocks 20000 200

The clock of the service runs as it does there, once a second, while the deadlines come due spread over a minute: some are
warned of, some missed, some go up another step. Lateness is from the due time to the commit that told it. The baseline
beside it is what the mechanism replaces: one sleeping task a deadline, which a restart forgets. Then a backlog: the clock
stands still for that minute, and all of it is due at once.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import event, func, insert, select, text

from bench.policy import percentile
from config import clock
from config.database import Database
from config.identifiers import new_id
from config.journal import journal
from config.migrate import upgrade
from crm_bridge.clocks.deadline_clock import DeadlineClock
from crm_bridge.clocks.tables import deadlines
from crm_bridge.people.users import NewUser, add_user
from tests.support.postgres import fresh_database, running_server

OPEN, DUE = 100_000, 1_000
MINUTE, HOUR, LEAD = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=5)
TICK = 1.0
"""Seconds between ticks, as `crm_bridge/clocks/jobs.py` has it."""


def _row(index: int, due_at: datetime, warn_at: datetime | None, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(now), "key": f"bench:{index}", "kind": "note", "step": None, "text": "", "client": "bench",
        "case_id": f"case-{index % 5000}", "call_id": None, "complaint_id": None, "owner": f"agent-{index % 200}",
        "owner_role": "collector", "team": "north", "people": [], "opened_at": now, "due_at": due_at, "warn_at": warn_at,
        "unit": "minutes", "next_at": warn_at or due_at, "state": "open", "level": 0, "escalate": ["supervisor"],
        "every_minutes": 60, "mail": False, "told": [],
    }  # fmt: skip


async def furnish(database: Database, size: int, due: int) -> datetime:
    """`size` deadlines; `due` of them come within a minute, the start of which it returns: half warned of, half missed."""
    random, now = Random(7), clock.now()
    async with database.write() as transaction:
        people = [(f"agent-{index}", "collector") for index in range(200)]
        for name, role in people + [(f"chief-{index}", "supervisor") for index in range(20)]:
            new = NewUser.model_validate({"name": name, "role": role, "team": "north"})
            await add_user(transaction, new, actor="bench", now=now)
    for first in range(due, size, 5000):
        far = [now + timedelta(hours=2 + random.random() * 700) for _ in range(first, min(first + 5000, size))]
        rows = [_row(first + index, due_at, None, now) for index, due_at in enumerate(far)]
        async with database.write() as transaction:
            await transaction.execute(insert(deadlines), rows)
    start = clock.now() + LEAD
    soon = [start + MINUTE * random.random() for _ in range(due)]
    rows = [_row(index, at + HOUR * (index % 2), at if index % 2 else None, now) for index, at in enumerate(soon)]
    async with database.write() as transaction:
        await transaction.execute(insert(deadlines), rows)
        if database.is_postgres:
            await transaction.execute(text("ANALYZE deadlines"))
    return start


def count_statements(database: Database) -> Callable[[], int]:
    """How many statements were sent since."""
    counted = [0]
    for engine in {database.writer, database.reader}:

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def _count(*_: Any) -> None:
            counted[0] += 1

    return lambda: counted[0]


async def minute(database: Database, start: datetime) -> tuple[list[float], list[float], list[int], list[int]]:
    """Let the clock run for the minute: ms and statements of each tick that found something, and of each that did not."""
    ticking, statements = DeadlineClock(database, {}), count_statements(database)
    busy: list[float] = []
    busy_statements: list[int] = []
    idle_statements: list[int] = []
    await asyncio.sleep(max((start - clock.now()).total_seconds(), 0))
    while clock.now() < start + MINUTE + timedelta(seconds=3):
        before, began = statements(), time.perf_counter()
        fired = await ticking.tick(clock.now())
        took = (time.perf_counter() - began) * 1000
        (busy_statements if fired else idle_statements).append(statements() - before)
        if fired:
            busy.append(took)
        await asyncio.sleep(TICK)
    late = await lateness(database)
    return late, busy, busy_statements, idle_statements


async def lateness(database: Database) -> list[float]:
    """Seconds from when each was to be told to when it was."""
    warned, missed = deadlines.c.warned_at, deadlines.c.missed_at
    columns = select(deadlines.c.due_at, deadlines.c.warn_at, warned, missed)
    async with database.read() as connection:
        rows = (await connection.execute(columns.where(warned.is_not(None) | missed.is_not(None)))).all()
    return [
        (row.missed_at - row.due_at if row.missed_at else row.warned_at - row.warn_at).total_seconds() for row in rows
    ]


async def backlog(database: Database, due: int) -> tuple[float, int]:
    """All at once: seconds until every one of `due` was told, and how many were."""
    async with database.write() as transaction:
        again = deadlines.c.key.in_([f"bench:{index}" for index in range(due)])
        late = clock.now() - timedelta(seconds=1)
        values = {"state": "open", "missed_at": None, "warned_at": None, "level": 0, "due_at": late, "next_at": late}
        await transaction.execute(deadlines.update().where(again).values(**values))
    began = time.perf_counter()
    fired = await DeadlineClock(database, {}).tick(clock.now())
    return time.perf_counter() - began, fired


async def told(database: Database) -> int:
    """Entries in the journal: one for each, and not one more."""
    async with database.read() as connection:
        return await connection.scalar(select(func.count()).where(journal.c.kind.like("deadline.%"))) or 0


async def sleeping(due: int) -> list[float]:
    """The baseline: a task a deadline, each asleep until its time, in memory alone."""
    random, start = Random(7), time.perf_counter()
    late: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        late.append(time.perf_counter() - start - seconds)

    await asyncio.gather(*(wait(random.random() * 5) for _ in range(due)))
    return late


async def measure(name: str, database: Database, size: int, due: int) -> None:
    """Print one database's numbers."""
    await upgrade(database)
    start = await furnish(database, size, due)
    late, busy, busy_statements, idle_statements = await minute(database, start)
    entries = await told(database)
    assert len(late) == entries == due, f"{len(late)} fired, {entries} told, {due} due"
    seconds, fired = await backlog(database, due)
    print(
        f"  {name:<10} {size:>7,} open, {due:,} in a minute: late p50 {percentile(late, 0.5):.2f} s, "
        f"p99 {percentile(late, 0.99):.2f} s, most {max(late):.2f} s"
    )
    print(
        f"  {'':<10} a tick: {sum(busy_statements) / len(busy_statements):.1f} statements and p50 {percentile(busy, 0.5):.1f} ms "
        f"with something due, {sum(idle_statements) / max(len(idle_statements), 1):.1f} with nothing; each told once"
    )
    print(f"  {'':<10} all at once after a stand-still: {fired:,} told in {seconds:.2f} s")


@asynccontextmanager
async def databases(folder: Path) -> AsyncIterator[list[tuple[str, Database]]]:
    """A fresh SQLite file and a fresh PostgreSQL that writes to disk before it answers."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(running_server("fsync=on"))
        urls = fresh_database(server, "template1")
        postgres = Database(await anext(urls))
        sqlite = Database(f"sqlite+aiosqlite:///{folder / 'clocks.db'}")
        stack.push_async_callback(postgres.close)
        stack.push_async_callback(sqlite.close)
        yield [("SQLite", sqlite), ("PostgreSQL", postgres)]


async def main() -> None:
    """Both databases, one after the other, and the baseline."""
    size, due = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (OPEN, DUE)
    print("deadlines")
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        async with databases(Path(folder)) as found:
            for name, database in found:
                await measure(name, database, size, due)
    late = await sleeping(due)
    print(
        f"  {'asleep':<10} {due:,} tasks asleep in memory (baseline): late p99 {percentile(late, 0.99) * 1000:.1f} ms; "
        "a restart forgets them all"
    )


if __name__ == "__main__":
    asyncio.run(main())
