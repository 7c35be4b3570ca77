"""Transactions: all or nothing, one writer of a SQLite file, locks that cannot deadlock, moments that carry an offset."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from config import journal
from config.database import Database, DatabaseUnavailable, is_duplicate
from config.journal import Entry
from config.schema import metadata
from telephony.tables import overrides

NOW = datetime(2026, 6, 1, 2, 0, 0, 123456, tzinfo=UTC)


def _override(name: str, at: datetime = NOW) -> dict[str, object]:
    columns = {"case_id": "c", "number": "+8613800138000", "by": "boss", "reason": "r"}
    return {"id": name, "created_at": at, "expires_at": at, **columns}


async def _names(database: Database) -> list[str]:
    async with database.read() as connection:
        return sorted(await connection.scalars(select(overrides.c.id)))


async def _kinds(database: Database) -> list[str]:
    async with database.read() as connection:
        return [entry.kind for entry in await journal.read_after(connection, 0)]


async def _write_and_crash(database: Database) -> None:
    async with database.write() as transaction:
        await transaction.execute(insert(overrides).values(_override("lost")))
        transaction.journal(Entry(NOW, "lost"))
        raise RuntimeError("crash")


async def test_a_naive_moment_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        async with database.write() as transaction:
            await transaction.execute(insert(overrides).values(_override("a", datetime(2026, 6, 1))))  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive datetime"):
        async with database.read() as connection:
            await connection.execute(select(overrides).where(overrides.c.created_at < datetime(2026, 6, 1)))  # noqa: DTZ001
    assert await _names(database) == []


async def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    async with database.write() as transaction:
        row = (await transaction.execute(insert(overrides).values(_override("a", shanghai)).returning(overrides))).one()
        assert row.created_at == NOW
    async with database.read() as connection:
        read = await connection.scalar(select(overrides.c.created_at).where(overrides.c.created_at == shanghai))
    assert read == NOW
    assert read.utcoffset() == timedelta(0)


async def test_entries_are_written_with_the_change_or_not_at_all(database: Database) -> None:
    async with database.write() as transaction:
        await transaction.execute(insert(overrides).values(_override("kept")))
        transaction.journal(Entry(NOW, "kept"))
    with pytest.raises(RuntimeError, match="crash"):
        await _write_and_crash(database)
    assert (await _names(database), await _kinds(database)) == (["kept"], ["kept"])


async def test_an_entry_that_cannot_be_written_takes_the_change_with_it(database: Database) -> None:
    async def write() -> None:
        async with database.write() as transaction:
            await transaction.execute(insert(overrides).values(_override("lost")))
            transaction.journal(Entry(NOW, "bad", data={"what": object()}))

    with pytest.raises(StatementError):
        await write()
    assert (await _names(database), await _kinds(database)) == ([], [])


async def test_a_cancelled_unit_of_work_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with database.write() as transaction:
            await transaction.lock(["person:p"])
            await transaction.execute(insert(overrides).values(_override("lost")))
            transaction.journal(Entry(NOW, "lost"))
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10), database.write() as transaction:
        await transaction.lock(["person:p"])
        await transaction.execute(insert(overrides).values(_override("kept")))
    assert (await _names(database), await _kinds(database)) == (["kept"], [])


async def test_a_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    async with database.write() as transaction:
        await transaction.execute(insert(overrides).values(_override("a")))
        assert await _names(database) == []
    assert await _names(database) == ["a"]


async def test_a_duplicate_is_recognised_on_either_database(database: Database) -> None:
    async def write(*rows: dict[str, object]) -> None:
        async with database.write() as transaction:
            for row in rows:
                await transaction.execute(insert(overrides).values(row))

    with pytest.raises(IntegrityError) as caught:
        await write(_override("a"), _override("a"))
    assert is_duplicate(caught.value)
    with pytest.raises(IntegrityError) as caught:
        await write({**_override("b"), "reason": None})
    assert not is_duplicate(caught.value)


async def test_locks_taken_in_any_order_never_deadlock_and_hold_to_the_end(database: Database) -> None:
    names = ["person:1", "number:2", "agent:3", "phone:4"]
    inside: list[int] = []
    worst = 0

    async def work(turn: int) -> None:
        nonlocal worst
        rotated = names[turn % 4 :] + names[: turn % 4]
        async with database.write() as transaction:
            await transaction.lock(reversed(rotated) if turn % 2 else rotated)
            inside.append(turn)
            worst = max(worst, len(inside))
            await transaction.first(select(overrides).limit(1))
            transaction.journal(Entry(NOW, "worked"))
            inside.remove(turn)

    async with asyncio.timeout(30):
        await asyncio.gather(*(work(turn) for turn in range(24)))
    assert worst == 1
    assert len(await _kinds(database)) == 24


async def test_waiting_for_entries_ends_with_a_commit_and_not_with_a_rollback(database: Database) -> None:
    waiting = asyncio.create_task(database.wait_for_entries(30))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="crash"):
        await _write_and_crash(database)
    async with database.write() as transaction:
        await transaction.first(select(overrides).limit(1))
    assert not waiting.done()
    async with database.write() as transaction:
        transaction.journal(Entry(NOW, "kept"))
    async with asyncio.timeout(10):
        await waiting


async def test_a_waiter_that_is_cancelled_at_the_very_moment_of_a_commit_is_cancelled(tmp_path: Path) -> None:
    """Else a worker that is told to stop while entries arrive would go on, and the service would never shut down."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/r.db")
    waiting = asyncio.create_task(database.wait_for_entries(30))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database._announce()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await database.close()


async def test_a_command_beside_the_service_does_not_act_on_what_it_read_before_the_other_wrote(tmp_path: Path) -> None:
    """`ringfence user add` opens the file a second time: its transactions, too, begin by taking the file for writing."""
    databases = [Database(f"sqlite+aiosqlite:///{tmp_path}/r.db") for _ in range(4)]
    async with databases[0].write() as transaction:
        await transaction.connection.run_sync(metadata.create_all)

    async def add(database: Database) -> None:
        async with database.write() as transaction:
            count = len(await transaction.all(select(overrides.c.id)))
            await asyncio.sleep(0)
            await transaction.execute(insert(overrides).values(_override(f"{count:02}")))

    async with asyncio.timeout(30):
        await asyncio.gather(*(add(database) for database in databases * 4))
    assert await _names(databases[0]) == [f"{count:02}" for count in range(16)]
    for database in databases:
        await database.close()


CLAIM = """
import sys
from config.database import Database, DatabaseUnavailable
try:
    Database(sys.argv[1]).claim_for_this_process()
except DatabaseUnavailable as fault:
    sys.exit(fault.detail)
print("mine", flush=True)
if len(sys.argv) > 2:
    sys.stdin.read()
"""


def _claim(url: str, *hold: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLAIM, url, *hold]
    root = Path(__file__).parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=root, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def test_a_second_process_on_one_sqlite_file_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/var/ringfence.db"
    first = _claim(url, "hold")
    assert first.stdout is not None
    assert first.stdout.readline() == "mine\n"
    _, told = _claim(url).communicate(timeout=30)
    assert f"another ringfence process is using {tmp_path}/var/ringfence.db" in told
    assert "PostgreSQL" in told
    assert "Traceback" not in told
    first.kill()  # also when it dies without a word
    first.communicate(timeout=30)
    third = _claim(url)
    assert third.communicate(timeout=30) == ("mine\n", "")


async def test_several_processes_may_share_postgresql(postgres_url: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)
    first.claim_for_this_process()
    second.claim_for_this_process()
    await first.close()
    await second.close()


async def test_a_closed_database_gives_its_file_up(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/r.db"
    first, second = Database(url), Database(url)
    first.claim_for_this_process()
    with pytest.raises(DatabaseUnavailable):
        second.claim_for_this_process()
    await first.close()
    second.claim_for_this_process()
    await second.close()
