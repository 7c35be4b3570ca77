"""The S3 store against a real server: proven writes, versions, locks that hold, and outages."""

import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import update

from config import clock
from recordings.archive import Archive
from recordings.health import RecorderHealth
from recordings.intake import Intake
from recordings.locks import extend_locks
from recordings.replay import Replay
from recordings.s3_store import BLOCK, S3Store, StoreDown
from recordings.store import Locked, ObjectDiffers
from recordings.tables import recordings
from tests.support.s3 import S3Server, running_s3
from tests.support.spooled import PBX, Recorder, stereo, tone

CUSTOMER = stereo(tone(600, 8), tone(440, 8))


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path) -> S3Store:
    return s3_server.store(tmp_path / "work")


def source(folder: Path, data: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(data)
    return path


def soon(hours: float = 24) -> datetime:
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0)


def test_what_is_stored_is_given_back_by_its_version(store: S3Store, tmp_path: Path) -> None:
    data = os.urandom(2 * BLOCK + 77)
    stored = store.put("2026/06/01/a.enc", source(tmp_path, data))
    assert (stored.sha256, stored.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert stored.version
    assert store.read_back("2026/06/01/a.enc", stored.version) == stored
    assert store.read_back("2026/06/01/a.enc") == stored
    with store.open("2026/06/01/a.enc", stored.version) as file:
        file.seek(BLOCK - 5)
        assert file.read(BLOCK) == data[BLOCK - 5 : 2 * BLOCK - 5]
        file.seek(-7, os.SEEK_END)
        assert file.read() == data[-7:]
        file.seek(0)
        assert file.read() == data


def test_the_same_bytes_are_stored_once_and_other_bytes_are_refused(store: S3Store, tmp_path: Path) -> None:
    first = store.put("a", source(tmp_path, b"one"))
    assert store.put("a", source(tmp_path, b"one")) == first
    with pytest.raises(ObjectDiffers):
        store.put("a", source(tmp_path, b"two"))
    assert store.read_back("a") == first


def test_what_is_not_there_is_not_there(store: S3Store) -> None:
    assert not store.exists("nothing")
    for ask in (store.read_back, store.open):
        with pytest.raises(FileNotFoundError):
            ask("nothing")
    assert store.remove("nothing") == 0


@pytest.mark.parametrize("key", ["", "../a", "a//b", "a/./b", "a\0b"])
def test_a_key_cannot_leave_the_prefix(store: S3Store, key: str) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        store.exists(key)


@pytest.mark.parametrize("lock", ["governance", "compliance"])
def test_a_locked_object_cannot_be_deleted_nor_its_lock_shortened(
    s3_server: S3Server, tmp_path: Path, lock: str
) -> None:
    store = s3_server.store(tmp_path / "work", lock=lock)  # type: ignore[arg-type]  # one of the literals above
    until = soon()
    stored = store.put("a", source(tmp_path, b"evidence"), until)
    assert store.locked_until("a") == until
    with pytest.raises(Locked):
        store.remove("a")
    client, name = s3_server.client(), {"Bucket": store.bucket, "Key": "calls/a", "VersionId": stored.version}
    with pytest.raises(ClientError):
        client.delete_object(**name)
    with pytest.raises(ClientError):
        client.put_object_retention(
            **name, Retention={"Mode": lock.upper(), "RetainUntilDate": until - timedelta(hours=1)}
        )
    store.lock_until("a", stored.version, until - timedelta(hours=1))
    assert store.locked_until("a") == until
    store.lock_until("a", stored.version, until + timedelta(hours=1))
    assert store.locked_until("a") == until + timedelta(hours=1)
    assert store.read_back("a", stored.version) == stored


def test_a_delete_marker_hides_nothing_from_who_reads_by_version(
    s3_server: S3Server, store: S3Store, tmp_path: Path
) -> None:
    stored = store.put("a", source(tmp_path, b"evidence"), soon())
    s3_server.client().delete_object(Bucket=store.bucket, Key="calls/a")
    assert not store.exists("a")
    assert store.read_back("a", stored.version) == stored


def test_every_version_and_marker_is_removed_and_no_neighbour(
    s3_server: S3Server, store: S3Store, tmp_path: Path
) -> None:
    store.put("a", source(tmp_path, b"one"))
    client = s3_server.client()
    client.put_object(Bucket=store.bucket, Key="calls/a", Body=b"two")
    client.delete_object(Bucket=store.bucket, Key="calls/a")
    store.put("ab", source(tmp_path, b"another"))
    assert store.remove("a") == 3
    left = client.list_object_versions(Bucket=store.bucket, Prefix="calls/a")
    assert [version["Key"] for version in left.get("Versions", [])] == ["calls/ab"]
    assert not left.get("DeleteMarkers")


def test_a_bucket_without_object_lock_is_told_before_anything_is_stored(s3_server: S3Server, tmp_path: Path) -> None:
    plain = s3_server.bucket(lock=False)
    with pytest.raises(StoreDown, match="no Object Lock"):
        s3_server.store(tmp_path / "work", bucket=plain).probe()
    s3_server.store(tmp_path / "work", bucket=plain, lock="none").probe()


def test_wrong_credentials_and_a_bucket_that_is_not_there_are_told(s3_server: S3Server, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"403|InvalidAccessKeyId|AccessDenied|SignatureDoesNotMatch"):
        s3_server.store(tmp_path, bucket=s3_server.bucket(), secret_key="another").probe()
    with pytest.raises(OSError, match="not in the store"):
        s3_server.store(tmp_path, bucket="no-such-bucket").probe()


@pytest.fixture
def in_s3(recorder: Recorder, store: S3Store) -> Recorder:
    """The recorder, archiving to S3."""
    _use(recorder, Archive(store=store, keyring=recorder.keyring))
    return recorder


def _use(recorder: Recorder, archive: Archive) -> None:
    recorder.archive = archive
    recorder.intake = Intake(database=recorder.database, archive=archive, spools=recorder.spools)


async def test_a_recording_is_kept_in_s3_encrypted_locked_and_plays(
    in_s3: Recorder, store: S3Store, tmp_path: Path
) -> None:
    call = await in_s3.call(agent=None)
    in_s3.leave(call.file("customer"), CUSTOMER)
    await in_s3.run()
    row = await in_s3.row(call, "customer")
    assert (row.state, row.error) == ("archived", None)
    assert store.read_back(row.object, row.object_version).sha256 == row.stored_sha256
    with store.open(row.object, row.object_version) as sealed:
        assert sealed.read(8) == b"RNGFENCE"
    assert store.locked_until(row.object) == datetime(2028, 6, 2, tzinfo=UTC)
    replay = Replay(database=in_s3.database, archive=in_s3.archive, cache=tmp_path / "cache")
    with await replay.leg_audio(row.id) as audio:
        assert audio.read(4) == b"fLaC"
    assert not list(in_s3.archive.work.iterdir())
    assert not list(in_s3.folder.iterdir())


async def test_a_lock_is_extended_when_the_recording_must_be_kept_for_longer(in_s3: Recorder, store: S3Store) -> None:
    call = await in_s3.call(agent=None)
    in_s3.leave(call.file("customer"), CUSTOMER)
    await in_s3.run()
    row = await in_s3.row(call, "customer")
    assert row.locked_through == date(2028, 6, 1)
    async with in_s3.database.write() as transaction:
        await transaction.execute(update(recordings).values(delete_after=date(2031, 6, 1)))
    assert await extend_locks(in_s3.database, in_s3.archive) == 1
    assert await extend_locks(in_s3.database, in_s3.archive) == 0
    assert store.locked_until(row.object) == datetime(2031, 6, 2, tzinfo=UTC)
    with pytest.raises(Locked):
        in_s3.archive.remove(row)


async def test_a_second_copy_is_proven_too_and_plays_when_the_first_store_has_lost_its_object(
    recorder: Recorder, store: S3Store, tmp_path: Path
) -> None:
    _use(recorder, Archive(store=recorder.store, keyring=recorder.keyring, copy=store))
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run()
    row = await recorder.row(call, "customer")
    copy = row.object_copy
    assert store.read_back(copy["key"], copy["version"]).sha256 == copy["sha256"] == row.stored_sha256
    (entry,) = await recorder.journal("recording.ready")
    assert entry.data["copy"] == copy
    recorder.store.path(row.object).unlink()
    with recorder.archive.open(row) as audio:
        assert audio.read(4) == b"fLaC"


async def test_while_the_store_is_down_intake_waits_the_spool_is_kept_and_health_says_so(
    recorder: Recorder, tmp_path: Path
) -> None:
    with running_s3() as server:
        store = server.store(tmp_path / "work")
        _use(recorder, Archive(store=store, keyring=recorder.keyring))
        health = RecorderHealth(database=recorder.database, archive=recorder.archive, spools=recorder.spools)
        assert (await health.look(clock.now())).healthy
        call = await recorder.call(agent=None)
        left = recorder.leave(call.file("customer"), CUSTOMER)
        server.stop()
        await recorder.run()
        row = await recorder.row(call, "customer")
        assert (row.state, left.read_bytes()) == ("expected", CUSTOMER)
        assert "store" in row.error
        assert "does not answer" in (await health.look(clock.now())).problems["archive"]
        server.start()
        await recorder.run(120)
        assert (await recorder.row(call, "customer")).state == "archived"
        assert not left.exists()
        assert (await health.look(clock.now())).healthy
        assert await recorder.incidents() == []
        assert PBX in recorder.spools
