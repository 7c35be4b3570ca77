"""Importing cases: rows a second of the check and of the run, the memory of the service and of the reader, SQLite and PostgreSQL.

    ringfence bench imports                       # 100,000 rows, CSV (GBK) and XLSX, both databases
    .venv/bin/python -m bench.imports 20000 sqlite

The file has ten columns: three numbers, an identity number and another person a row. The baseline is the same cases over
the API's own upsert, one transaction each, on the first thousand. While the run goes on somebody else writes a journal entry
every 20 ms: how long that waits is what a click would wait.
"""

import asyncio
import csv
import io
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]  # ships no types

from config import clock
from config.database import Database
from config.journal import Entry
from config.migrate import upgrade
from crm_bridge.cases import cases
from crm_bridge.cases.documents import CaseIn
from crm_bridge.imports import uploads
from crm_bridge.imports.mapping import Mapping
from crm_bridge.imports.rows import RowReader
from crm_bridge.imports.sheets import Row
from crm_bridge.imports.work import ImportWork
from crm_bridge.people.users import NewUser, User, add_user
from tests.support.imports import HEADINGS, mapping
from tests.support.postgres import fresh_database, running_server

ROWS = 100_000
BASELINE = 1_000
PAUSE = 0.02
BOSS = User("boss", "supervisor")


def lines(count: int) -> list[list[str]]:
    """Rows as a bank sends them."""
    return [
        [f"HX-{one:07d}", "王小明", f"4101011990{one:08d}", f"138{one:08d}", "0371-6555 1234 转 802",
         f"62258802{one:08d}", "2027-03-31", "李静", "配偶", f"139{one:08d}"]
        for one in range(count)
    ]  # fmt: skip


def as_csv(rows: list[list[str]]) -> bytes:
    """The rows as a CSV in GBK."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([HEADINGS, *rows])
    return text.getvalue().encode("gb18030")


def as_xlsx(path: Path, rows: list[list[str]]) -> bytes:
    """The rows as a workbook."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet()
    for index, row in enumerate([list(HEADINGS), *rows]):
        sheet.write_row(index, 0, row)
    book.close()
    return path.read_bytes()


def memory() -> float:
    """The memory of this process now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def memory_of_children() -> float:
    """The memory of the processes it started, in MB."""
    children = [pid for one in Path("/proc/self/task").glob("*/children") for pid in one.read_text().split()]
    total = 0
    for pid in children:
        with suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * resource.getpagesize() / 1e6


async def _watched(peaks: list[float], readers: list[float]) -> None:
    while True:
        peaks.append(memory())
        readers.append(memory_of_children())
        await asyncio.sleep(PAUSE)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


async def imported(database: Database, name: str, content: bytes, rows: int) -> None:
    """Send, check, try and run one file, and print what each took."""
    work, peaks, readers = ImportWork(database=database, region="CN", clock=clock.now), [memory()], [0.0]
    children = memory_of_children()
    watching = asyncio.create_task(_watched(peaks, readers))
    began = time.perf_counter()
    import_id = await uploads.take_in(
        database, "bench", name, _pieces(content), deadline_at=clock.now(), user=BOSS, now=clock.now()
    )
    sent, began = time.perf_counter() - began, time.perf_counter()
    async with database.write() as transaction:
        given = Mapping.model_validate(mapping())
        await uploads.order_check(transaction, import_id, given, None, user=BOSS, now=clock.now())
    await work.tick()
    checked, began = time.perf_counter() - began, time.perf_counter()
    async with database.write() as transaction:
        await uploads.order_run(transaction, import_id, dry=False, despite_problems=False, user=BOSS, now=clock.now())
    waits: list[float] = []
    beside = asyncio.create_task(_click(database, waits))
    await work.tick()
    ran = time.perf_counter() - began
    beside.cancel()
    watching.cancel()
    async with database.read() as connection:
        row = await uploads.find(connection, import_id, BOSS)
    if row.counts.get("created") != rows:
        raise SystemExit(f"{row.state}: {row.counts} {row.problems}")
    waits.sort()
    print(
        f"  {name:9} {len(content) / 1e6:5.1f} MB: sent {sent:4.1f} s, checked {rows / checked:6,.0f} rows/s, "
        f"imported {rows / ran:6,.0f} rows/s; a write beside it waits p50 {statistics.median(waits) * 1000:.0f} ms, "
        f"p99 {waits[int(len(waits) * 0.99)] * 1000:.0f} ms; memory of the service +{max(peaks) - peaks[0]:.0f} MB, "
        f"of the reader {max(readers) - children:.0f} MB"
    )


async def _click(database: Database, waits: list[float]) -> None:
    while True:
        began = time.perf_counter()
        async with database.write() as transaction:
            transaction.journal(Entry(clock.now(), "bench.click"))
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE)


async def one_by_one(database: Database) -> None:
    """The baseline: the API's upsert, a transaction each."""
    reader = RowReader(Mapping.model_validate(mapping()), HEADINGS, "baseline", "CN")
    rows = lines(BASELINE)
    began = time.perf_counter()
    for number, row in enumerate(rows):
        found = reader.read(Row(number + 2, list(row)))
        case_id = f"b-{found.case_id}"
        async with database.write() as transaction:
            given = CaseIn.model_validate(found.document)
            await cases.upsert(transaction, case_id, given, user=BOSS, region="CN", now=clock.now())
    print(f"  one by one, a transaction each: {BASELINE / (time.perf_counter() - began):6,.0f} rows/s")


async def measure(name: str, url: str, rows: int, folder: Path) -> None:
    """Both kinds of file into two fresh sets of cases of one database."""
    database = Database(url)
    await upgrade(database)
    async with database.write() as transaction:
        await add_user(transaction, NewUser(name="boss", role="supervisor"), actor="bench", now=clock.now())
    print(f"{name}, {rows:,} rows")
    given = lines(rows)
    await imported(database, "gbk.csv", as_csv(given), rows)
    others = [[f"X{row[0]}", row[1], "", *row[3:]] for row in given]
    await imported(database, "file.xlsx", as_xlsx(folder / "file.xlsx", others), rows)
    await one_by_one(database)
    await database.close()


async def main() -> None:
    """Run on the databases and at the size that were asked for."""
    rows = next((int(word) for word in sys.argv[1:] if word.isdigit()), ROWS)
    wanted = [word for word in sys.argv[1:] if not word.isdigit()] or ["sqlite", "postgresql"]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringfence-bench-")))
        if "sqlite" in wanted:
            await measure("SQLite", f"sqlite+aiosqlite:///{folder / 'bench.db'}", rows, folder)
        if "postgresql" in wanted:
            server = stack.enter_context(running_server())
            async for url in fresh_database(server, "template1"):
                await measure("PostgreSQL", url, rows, folder)


if __name__ == "__main__":
    asyncio.run(main())
