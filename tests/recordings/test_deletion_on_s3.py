"""Deletion against a real S3 server: every version goes, and what the store itself locks is kept and said to be."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from recordings.archive import Archive
from recordings.deletion import Deletion
from recordings.intake import Intake
from recordings.retention_classes import recompute
from recordings.retention_tables import receipts
from recordings.s3_store import Lock, S3Store
from recordings.tables import recordings
from tests.support.s3 import S3Server
from tests.support.spooled import START, Recorder, SpooledCall, stereo, tone

TWO_YEARS = datetime(2028, 6, 3, tzinfo=UTC)


async def _kept_in(recorder: Recorder, store: S3Store, folder: Path) -> tuple[SpooledCall, Deletion]:
    archive = Archive(store=store, keyring=recorder.keyring)
    recorder.intake = Intake(database=recorder.database, archive=archive, spools=recorder.spools)
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    async with recorder.database.write() as transaction:
        await transaction.execute(update(recordings).values(archived_at=START))
    while await recompute(recorder.database):
        pass

    async def nothing_holds(connection: object, case_id: str) -> str | None:
        return None

    return call, Deletion(
        database=recorder.database, archive=archive, cache=folder / "cache", held_by_case=nothing_holds
    )


async def test_every_version_and_marker_of_a_deleted_recording_is_gone(
    recorder: Recorder, s3_server: S3Server, tmp_path: Path
) -> None:
    store = s3_server.store(tmp_path / "work", lock="none")
    s3_server.client().put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})
    call, deletion = await _kept_in(recorder, store, tmp_path)
    row = await recorder.row(call, "customer")
    key = f"calls/{row.object}"
    s3_server.client().put_object(Bucket=store.bucket, Key=key, Body=b"written over it")
    s3_server.client().delete_object(Bucket=store.bucket, Key=key)
    report = await deletion.run(TWO_YEARS)
    assert (report.deleted, report.failed) == (1, {})
    left = s3_server.client().list_object_versions(Bucket=store.bucket)
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")
    async with recorder.database.read() as connection:
        receipt = (await connection.execute(select(receipts))).one()
    assert receipt.key_destroyed


@pytest.mark.parametrize("lock", ["governance", "compliance"])
async def test_what_the_store_locks_is_kept_and_nothing_of_it_is_lost(
    recorder: Recorder, s3_server: S3Server, tmp_path: Path, lock: Lock
) -> None:
    store = s3_server.store(tmp_path / "work", lock=lock)
    call, deletion = await _kept_in(recorder, store, tmp_path)
    async with recorder.database.write() as transaction:  # as if the date had been written too early
        await transaction.execute(update(recordings).values(delete_after=date(2026, 6, 2)))
    before_the_lock_ends = datetime(2028, 6, 1, 23, tzinfo=UTC)
    report = await deletion.run(before_the_lock_ends)
    assert (report.deleted, report.kept, report.failed) == (0, {"store-locked": 1}, {})
    row = await recorder.row(call, "customer")
    assert row.state == "archived"
    assert store.read_back(row.object, row.object_version).sha256 == row.stored_sha256
