"""A due row is claimed once, by whoever comes first; one whose claimer died is claimed again when its lease is over."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, update

from config.database import Database
from config.deadlines import claim_due
from config.schema import UtcDateTime

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
LEASE = timedelta(minutes=1)
own = MetaData()
jobs = Table(
    "test_jobs",
    own,
    Column("id", String(8), primary_key=True),
    Column("due_at", UtcDateTime),
    Column("attempts", Integer, nullable=False, default=0),
)


@pytest.fixture
async def with_jobs(database: Database) -> Database:
    """Sixty jobs due a second apart from NOW on, and one that has no due time."""
    due = [{"id": f"j{index:02}", "due_at": NOW + timedelta(seconds=index)} for index in range(60)]
    async with database.write() as transaction:
        await transaction.connection.run_sync(own.create_all)
        await transaction.execute(insert(jobs), [*due, {"id": "never", "due_at": None}])
    return database


async def _claim(database: Database, now: datetime, limit: int = 20) -> list[str]:
    async with database.write() as transaction:
        return sorted(row.id for row in await claim_due(transaction, jobs, now, lease=LEASE, limit=limit))


async def test_only_what_is_due_is_claimed_oldest_first(with_jobs: Database) -> None:
    assert await _claim(with_jobs, NOW - timedelta(microseconds=1)) == []
    assert await _claim(with_jobs, NOW) == ["j00"]
    assert await _claim(with_jobs, NOW + timedelta(seconds=10), limit=3) == ["j01", "j02", "j03"]


async def test_racing_claimers_get_each_row_once(with_jobs: Database) -> None:
    later = NOW + timedelta(hours=1)

    async def claimer() -> list[str]:
        mine: list[str] = []
        misses = 0
        while misses < 3:
            got = await _claim(with_jobs, later, limit=4)
            assert len(got) <= 4
            mine += got
            misses = 0 if got else misses + 1
        return mine

    async with asyncio.timeout(30):
        claimed = [name for mine in await asyncio.gather(*(claimer() for _ in range(6))) for name in mine]
    assert sorted(claimed) == [f"j{index:02}" for index in range(60)]


async def test_a_claim_that_was_rolled_back_is_free_at_once(with_jobs: Database) -> None:
    async def claim_and_fail() -> None:
        async with with_jobs.write() as transaction:
            assert len(await claim_due(transaction, jobs, NOW, lease=LEASE)) == 1
            raise RuntimeError("the claimer fails")

    with pytest.raises(RuntimeError, match="the claimer fails"):
        await claim_and_fail()
    assert await _claim(with_jobs, NOW) == ["j00"]


async def test_a_claimer_that_died_is_followed_after_its_lease(with_jobs: Database) -> None:
    assert await _claim(with_jobs, NOW) == ["j00"]
    reopened = Database(with_jobs.url)  # as after a restart
    try:
        assert "j00" not in await _claim(reopened, NOW + LEASE - timedelta(microseconds=1), limit=60)
        async with reopened.write() as transaction:
            (row,) = [r for r in await claim_due(transaction, jobs, NOW + LEASE, lease=LEASE) if r.id == "j00"]
        assert (row.attempts, row.due_at) == (2, NOW + 2 * LEASE)
    finally:
        await reopened.close()


async def test_a_finished_row_is_never_due_again(with_jobs: Database) -> None:
    async with with_jobs.write() as transaction:
        (row,) = await claim_due(transaction, jobs, NOW, lease=LEASE)
        await transaction.execute(update(jobs).where(jobs.c.id == row.id).values(due_at=None))
    assert row.id not in await _claim(with_jobs, NOW + timedelta(days=400), limit=100)
