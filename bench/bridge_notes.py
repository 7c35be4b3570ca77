"""Notes to a CRM: how many a second, and a backlog of 100,000 after an outage, on both databases.

    ringfence bench bridge_notes
    .venv/bin/python -m bench.bridge_notes 20000

The CRM was away while so many notes were finished on 5,000 cases; now it is there, a process of its own that answers at once.
Measured: the journal read into the outbox with the whole documents, then the signed deliveries, each written down with its log
entry and `note.synced`, and the memory that it took. Every note must have arrived exactly once, and each case's in order. Then
single notes, one after the other, from the commit to the CRM. The baseline beside it posts as many bodies of the same size and
writes down nothing.
"""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy import func, insert, select, text

from bench.policy import percentile
from config import clock
from config.database import Database
from config.identifiers import new_id
from config.journal import Entry, journal
from config.migrate import upgrade
from config.settings import Keys, Outbox, Settings
from crm_bridge.outbox.services import OutboxServices
from crm_bridge.outbox.tables import items
from crm_bridge.tables import cases, notes
from tests.support.postgres import fresh_database, running_server

BACKLOG, CASES, SINGLE, AT_ONCE = 100_000, 5_000, 50, 16
TEXT = "客户承诺周五还款五百元，语气平和；已说明逾期影响，并约定届时回访确认。" * 3


class Crm:
    """The receiver: which note came for which case, and how often. It runs in a process of its own."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = defaultdict(int)
        self.order: dict[str, list[str]] = defaultdict(list)
        self.last = 0.0

    async def take(self, request: web.Request) -> web.Response:
        """A delivery."""
        document = await request.json()
        self.ids[request.headers.get("webhook-id", "")] += 1
        if document.get("type") == "note.written":
            self.order[document["data"]["case_id"]].append(document["data"]["text"][:6])
            self.last = time.time()
        return web.Response()

    async def tell(self, _request: web.Request) -> web.Response:
        """What came: how many, how many twice, how many cases out of order, and when the last one did."""
        disorder = sum(told != sorted(told) for told in self.order.values())
        twice = sum(count > 1 for count in self.ids.values())
        return web.json_response({"notes": len(self.ids), "twice": twice, "disorder": disorder, "last": self.last})

    async def forget(self, _request: web.Request) -> web.Response:
        """Begin anew."""
        self.ids.clear()
        self.order.clear()
        return web.Response()


async def receive() -> None:
    """Serve until killed; the port is the first line of output."""
    crm, app = Crm(), web.Application()
    app.add_routes([web.post("/", crm.take), web.get("/", crm.tell), web.delete("/", crm.forget)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def crm_process() -> AsyncIterator[str]:
    """The receiver's URL."""
    arguments = (sys.executable, "-m", "bench.bridge_notes", "receive")
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/"
    finally:
        process.terminate()
        await process.wait()


async def furnish(database: Database, services: OutboxServices, url: str) -> None:
    """Cases, and the webhook that is told of their notes."""
    now = clock.now()
    case = {
        "client": "bank", "state": "open", "upserted_state": "open", "debts": [], "debtor_reachable": True,
        "failed_contacts": 0, "dispute": False, "fraud_statement": False, "created_at": now, "updated_at": now,
    }  # fmt: skip
    given = {"url": url, "name": "CRM", "events": ["note.written"], "clients": [], "shown_as": "crm"}
    async with database.write() as transaction:
        await transaction.execute(insert(cases), [{"id": f"case-{index}", **case} for index in range(CASES)])
        await services.webhooks.create(transaction, given, actor="bench", now=now)


async def finish_notes(database: Database, first: int, last: int) -> None:
    """Notes `first` to `last`, as the desk finishes them: row and journal entry in one transaction."""
    for start in range(first, last, 1000):
        rows, now = [], clock.now()
        async with database.write() as transaction:
            for index in range(start, min(start + 1000, last)):
                row: dict[str, Any] = {
                    "id": new_id(now), "case_id": f"case-{index % CASES}", "state": "final", "author": "li", "at": now,
                    "text": f"{index:06} {TEXT}", "details": {"outcome": "conversation"}, "updated_at": now,
                }  # fmt: skip
                rows.append(row)
                data = {"note_id": row["id"]}
                transaction.journal(Entry(now, "note.final", "li", "bank", "li", row["case_id"], data=data))
            await transaction.execute(insert(notes), rows)


async def deliver(database: Database, services: OutboxServices) -> tuple[float, float]:
    """Read everything in, then deliver everything: seconds of each."""
    began = time.perf_counter()
    while await services.reader.read_on():
        pass
    if database.is_postgres:
        async with database.write() as transaction:
            await transaction.execute(text("ANALYZE outbox_items"))
    read = time.perf_counter() - began
    began = time.perf_counter()
    while await services.worker.step(clock.now()) or services.worker.busy:
        await services.worker.something_ended()
    return read, time.perf_counter() - began


async def single(
    database: Database, services: OutboxServices, http: aiohttp.ClientSession, url: str, first: int
) -> list[float]:
    """Seconds from the commit of a note to its arrival, one after the other, with reader and worker as the service runs them."""
    jobs = [asyncio.create_task(job.run()) for job in services.jobs[:2]]
    late = []
    for index in range(SINGLE):
        await finish_notes(database, first + index, first + index + 1)
        began, wanted = time.time(), first + index + 1
        while (told := await (await http.get(url)).json())["notes"] < wanted:
            if time.time() > began + 60:
                raise TimeoutError("a note never arrived")
        late.append(max(told["last"] - began, 0))
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    return late


def memory() -> float:
    """This process's resident memory now, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def measure(name: str, database: Database, folder: Path, url: str, size: int) -> None:
    """Print one database's numbers."""
    await upgrade(database)
    told = Outbox(allow_networks=["127.0.0.0/8"], at_once=AT_ONCE)
    services = OutboxServices.made(Settings(outbox=told, keys=Keys(master=folder / "master.key")), database)
    await furnish(database, services, url)
    await finish_notes(database, 0, size)
    before = memory()
    read, sent = await deliver(database, services)
    grown = memory() - before
    async with aiohttp.ClientSession() as http:
        arrived = await (await http.get(url)).json()
        assert arrived["notes"] == size, arrived
        assert not arrived["twice"], arrived
        assert not arrived["disorder"], arrived
        late = await single(database, services, http, url, size)
        await http.delete(url)
    await services.close()
    async with database.read() as connection:
        synced = await connection.scalar(select(func.count()).where(journal.c.kind == "note.synced"))
        left = await connection.scalar(select(func.count()).where(items.c.state != "delivered"))
    assert (synced, left) == (size + SINGLE, 0), (synced, left)
    print(
        f"  {name:<10} {size:>7,} waiting: into the outbox in {read:.1f} s ({size / read:,.0f}/s), delivered in {sent:.1f} s "
        f"({size / sent:,.0f} notes/s), memory +{grown:.0f} MB; each once, every case in order"
    )
    print(
        f"  {'':<10} a single note, from commit to CRM: p50 {percentile(late, 0.5) * 1000:.0f} ms, "
        f"p99 {percentile(late, 0.99) * 1000:.0f} ms"
    )


async def bare(url: str, size: int) -> float:
    """The baseline: the same bodies, as many at once, with nothing written down. Posts a second."""
    body = {"type": "bare", "data": {"text": TEXT, "case_id": "case-1", "note_id": new_id(clock.now())}}
    async with aiohttp.ClientSession() as http:
        left = iter(range(size))

        async def post() -> None:
            for index in left:
                async with http.post(url, json=body, headers={"webhook-id": str(index)}) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - began
        await http.delete(url)
    return size / seconds


async def main() -> None:
    """Both databases, one after the other, and the baseline."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else BACKLOG
    print("notes to a CRM")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringfence-bench-")))
        url = await stack.enter_async_context(crm_process())
        server = stack.enter_context(running_server("fsync=on"))
        urls = fresh_database(server, "template1")
        postgres, sqlite = Database(await anext(urls)), Database(f"sqlite+aiosqlite:///{folder / 'notes.db'}")
        stack.push_async_callback(postgres.close)
        stack.push_async_callback(sqlite.close)
        for name, database in (("SQLite", sqlite), ("PostgreSQL", postgres)):
            await measure(name, database, folder, url, size)
        print(
            f"  {'bare':<10} aiohttp alone, {AT_ONCE} at once (baseline): {await bare(url, min(size, 10_000)):,.0f} posts/s"
        )


if __name__ == "__main__":
    asyncio.run(receive() if sys.argv[1:] == ["receive"] else main())
