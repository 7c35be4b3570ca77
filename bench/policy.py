"""The calling policy: the verdict alone, then check-and-reserve with few and with many past calls, and fifty clicks at once.

    ringfence bench policy            # 10 thousand and 1 million past calls, SQLite and PostgreSQL
    .venv/bin/python -m bench.policy sqlite 10000 10000000

Check-and-reserve is one transaction, committed: locks, facts, verdict, decision, reservation and call row. The sizes run in
turns on databases that stand side by side, so that what else the machine does weighs on both alike. The PostgreSQL is
started here and writes to disk before it answers, as SQLite does.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from bench.past_calls import fill, fill_postgres
from config import clock
from config.database import Database
from config.identifiers import new_id
from config.journal import Entry
from config.migrate import upgrade
from config.settings import Policy
from crm_bridge.cases.facts import case_facts
from crm_bridge.tables import case_parties, cases, numbers, parties
from telephony.calls import call_records
from telephony.calls.call_states import EndReason
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.dialling.decisions import Decider
from telephony.dialling.dialer import Dialer, Phone
from telephony.dialling.gathering import Gathering, Subject
from telephony.policy.engine import evaluate
from telephony.policy.facts import Facts, read_facts
from telephony.tables import policies, trunks
from tests.support.postgres import Server, fresh_database, running_server

SIZES = (10_000, 1_000_000)
PERSONS = 200
ROUNDS = 600
PACKS = ["cn-outsourcing", "cn-gbt-45251", "cn-cba-2026"]
HOUSE = {"caps": [{"limit": 1000, "days": 30, "per": ["person"]}, {"limit": 1000, "days": 7, "per": ["number"]}]}


@dataclass(frozen=True)
class Desk:
    """A furnished database with so many past calls, and what decides and reserves on it."""

    size: int
    database: Database
    dialer: Dialer

    def subject(self, index: int, agent: str) -> Subject:
        """One of the persons with past calls, who is on a case."""
        person = index % PERSONS
        return Subject(f"case-{person}", f"person-{person}", _number(person), agent, "supervisor", "complaint")


def _number(person: int) -> str:
    return f"+86138{person:08d}"


async def furnished(database: Database, size: int) -> Desk:
    """Cases for some of the persons that the past calls are of."""
    now = clock.now()
    person: dict[str, Any] = {
        "name": "bench",
        "locations": [{"source": "address", "zone": "Asia/Shanghai"}],
        "agreements": [],
    }
    person |= {"inconvenient": [], "attorney": False, "deceased": False, "minor": False, "flags": {}}
    case = {
        "client": "bench",
        "state": "open",
        "upserted_state": "open",
        "debts": ["d"],
        "account": "a",
        "created_at": now,
    }
    case |= {
        "updated_at": now,
        "debtor_reachable": True,
        "failed_contacts": 0,
        "dispute": False,
        "fraud_statement": False,
    }
    number = {"kind": "mobile", "status": "valid", "do_not_call": False, "position": 0}
    policy = {"packs": PACKS, "house": HOUSE, "zone": "Asia/Shanghai", "updated_at": now, "updated_by": "bench"}
    agreed = [{"kind": "hours", "received": "2020-01-01T00:00:00+00:00"}]
    people = range(PERSONS)
    rows: dict[Any, list[dict[str, Any]]] = {
        cases: [case | {"id": f"case-{one}", "account": f"person-{one}"} for one in people],
        parties: [person | {"id": f"person-{one}", "agreements": agreed} for one in people],
        case_parties: [
            {"case_id": f"case-{one}", "party_id": f"person-{one}", "relation": "debtor", "position": 0} for one in people
        ],
        numbers: [number | {"party_id": f"person-{one}", "e164": _number(one)} for one in people],
        policies: [policy | {"client": "bench"}],
        trunks: [
            {"name": "main", "pbx": "lab", "endpoint": "carrier-a", "dial_format": "e164", "prefixes": [], "priority": 1,
             "weight": 1, "capacity": 1000, "caller_ids": [], "enabled": True, "created_at": now}
        ],
    }  # fmt: skip
    async with database.write() as transaction:
        for table, values in rows.items():
            await transaction.execute(insert(table), values)
    gathering = Gathering(case_facts=case_facts, defaults=Policy(), recorder_healthy=lambda: True)
    return Desk(size, database, Dialer(database, Decider(gathering), {}, 20))


async def reserve(desk: Desk, index: int) -> tuple[float, str, bool]:
    """One check-and-reserve: ms until it was committed, the call's id, whether it was allowed."""
    agent = f"bench-agent-{index}"
    now = clock.now()
    call_id = new_id(now)
    began = time.perf_counter()
    async with desk.database.write() as transaction:
        phone = Phone("lab", str(10_000 + index))
        decision, _ = await desk.dialer.reserve(transaction, desk.subject(index, agent), phone, call_id, now)
    return (time.perf_counter() - began) * 1000, call_id, decision.allowed


async def bare(desk: Desk) -> float:
    """The floor: ms of a transaction that writes one journal entry and nothing else."""
    began = time.perf_counter()
    async with desk.database.write() as transaction:
        transaction.journal(Entry(clock.now(), "bench"))
    return (time.perf_counter() - began) * 1000


async def give_back(desk: Desk, call_id: str) -> None:
    """End the reserved call, so that the next round meets the same history."""
    async with desk.database.write() as transaction:
        await call_records.end(transaction, call_id, clock.now(), Ending(EndReason.FAILED, NOT_PLACED))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def verdict_alone() -> None:
    """A Chinese and an American call with 20 past contacts each, and one with 1,000."""
    for name, packs, entries in (
        ("CN, 20", PACKS, 20),
        ("US, 20", ["us-reg-f", "us-ma"], 20),
        ("US, 1000", ["us-reg-f"], 1000),
    ):
        facts = _facts(packs, entries)
        times = []
        for _ in range(400):
            began = time.perf_counter()
            evaluate(facts)
            times.append((time.perf_counter() - began) * 1000)
        print(f"  verdict alone ({name} past contacts)  {_spread(times)}")


def _facts(packs: list[str], entries: int) -> Facts:
    at = datetime.fromisoformat("2026-06-10T11:00:00+08:00")
    history = [
        {
            "at": f"2026-06-0{1 + index % 9}T0{index % 10}:{index % 60:02d}:00+08:00",
            "party": "p",
            "outcome": "busy",
            "debts": ["d"],
        }
        for index in range(entries)
    ]
    zone = "Asia/Shanghai" if packs == PACKS else "America/New_York"
    return read_facts(
        {
            "at": at.isoformat(), "packs": packs, "purpose": "collect", "agent": {"role": "collector", "id": "a"},
            "party": {"id": "p", "relation": "debtor", "locations": [{"source": "address", "zone": zone}]},
            "number": {"e164": "+8613800138000"}, "debts": ["d"], "case": {"state": "open"}, "history": history,
        }
    )  # fmt: skip


async def in_turns(desks: Sequence[Desk], rounds: int) -> None:
    """Check-and-reserve on each database in turn."""
    times: dict[int, list[float]] = {desk.size: [] for desk in desks}
    floor = []
    for index in range(rounds + 20):
        for desk in desks:
            taken, call_id, allowed = await reserve(desk, index)
            if not allowed:
                raise SystemExit("the benchmark's calls should be allowed")
            await give_back(desk, call_id)
            floor.append(await bare(desk))
            if index >= 20:
                times[desk.size].append(taken)
    print(f"  the floor: a commit of one journal entry    {_spread(floor)}")
    for size, values in times.items():
        print(f"  check and reserve, {size:>10,} past calls  {_spread(values)}")
    if len(times) > 1:
        medians = [statistics.median(values) for values in times.values()]
        print(f"  ratio of the medians, most to fewest past calls: {medians[-1] / medians[0]:.2f}x")


async def fifty(desk: Desk) -> None:
    """Fifty clicks on fifty persons by fifty agents at one moment."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(reserve(desk, 1000 + index) for index in range(50)))
    total = (time.perf_counter() - began) * 1000
    waits = [answer[0] for answer in answers]
    for _, call_id, _ in answers:
        await give_back(desk, call_id)
    told = f"all in {total:6.0f} ms, one waits p50 {statistics.median(waits):6.0f}, longest {max(waits):6.0f} ms"
    print(f"  fifty at once,     {desk.size:>10,} past calls  {told}")


def _spread(values: Sequence[float]) -> str:
    return f"p50 {statistics.median(values):6.2f}  p99 {percentile(values, 0.99):6.2f} ms"


@asynccontextmanager
async def sqlite_desk(folder: Path, size: int) -> AsyncIterator[Desk]:
    """A SQLite file with `size` past calls."""
    path = folder / f"{size}.db"
    database = Database(f"sqlite+aiosqlite:///{path}")
    await upgrade(database)
    await asyncio.to_thread(fill, path, size)
    try:
        yield await furnished(database, size)
    finally:
        await database.close()


@asynccontextmanager
async def postgres_desk(server: Server, size: int) -> AsyncIterator[Desk]:
    """A PostgreSQL database with `size` past calls."""
    async for url in fresh_database(server, "template1"):
        database = Database(url)
        await upgrade(database)
        async with database.write() as transaction:
            await fill_postgres(transaction.connection, size)
        await server.execute("VACUUM ANALYZE", database=url.partition("@/")[2].partition("?")[0])
        try:
            yield await furnished(database, size)
        finally:
            await database.close()


async def compare(desks: Sequence[Desk]) -> None:
    """All measurements on databases of several sizes, and whether the history is read by its indices."""
    await in_turns(desks, ROUNDS)
    for desk in desks:
        await fifty(desk)
    if not desks[-1].database.is_postgres:
        await explain(desks[-1].database)


async def explain(database: Database) -> None:
    """How SQLite finds the history."""
    query = "SELECT id FROM contacts WHERE at >= '2026-01-01' AND (party_id = 'person-1' OR number = '+8613800000001') ORDER BY at"
    async with database.read() as connection:
        plan = [row.detail for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    print("  how the history is found:", "; ".join(plan))


async def main() -> None:
    """Run what the arguments say: databases and numbers of past calls."""
    given = sys.argv[1:]
    kinds = [one for one in given if not one.isdigit()] or ["sqlite", "postgresql"]
    sizes = [int(one) for one in given if one.isdigit()] or SIZES
    verdict_alone()
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        if "sqlite" in kinds:
            print("\nSQLite")
            async with _several([sqlite_desk(Path(folder), size) for size in sizes]) as desks:
                await compare(desks)
        if "postgresql" in kinds:
            print("\nPostgreSQL")
            with running_server("fsync=on") as server:
                async with _several([postgres_desk(server, size) for size in sizes]) as desks:
                    await compare(desks)


@asynccontextmanager
async def _several(opening: Sequence[Any]) -> AsyncIterator[list[Desk]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(one) for one in opening]


if __name__ == "__main__":
    asyncio.run(main())
