"""Broken files and failing disks: a clear incident or a retry, the file kept, nothing lost."""

import asyncio
import hashlib
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from config import clock
from recordings.health import RecorderHealth, Room
from tests.support.spooled import PBX, Recorder, stereo, tone

CUSTOMER = stereo(tone(600, 8), tone(440, 8))


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size` bytes: a full disk, as far as a writer can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("ending", "data", "flags"),
    [
        ("raw", b"", ["tiny"]),
        ("raw", b"\1", ["odd-tail", "tiny"]),
        ("raw", CUSTOMER + b"\1\2\3", ["odd-tail"]),
        ("wav", b"", ["unreadable"]),
        ("wav", b"RIFF\0\0\0\0WAVEfmt " + bytes(28), ["unreadable"]),
        ("wav", bytes(44), ["header-repaired", "mono", "tiny"]),
        ("wav", b"\xff\xfb\x90\x64" * 4000, ["unreadable"]),
    ],
)
async def test_a_broken_file_is_kept_whole_or_mended_and_somebody_is_told(
    recorder: Recorder, ending: str, data: bytes, flags: list[str]
) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer").replace(".raw", f".{ending}"), data)
    await recorder.run()
    row = await recorder.row(call, "customer")
    assert (row.state, row.flags) == ("archived", flags)
    assert row.sha256 == hashlib.sha256(data).hexdigest()
    doubts = {"tiny", "unreadable"} & set(flags)
    assert await recorder.incidents() == [(kind, row.id) for kind in doubts]
    if not row.duration:
        with recorder.archive.open(row) as kept:
            assert kept.read() == data
    assert not list(recorder.folder.iterdir())


async def test_a_huge_file_of_holes_is_streamed(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    with (recorder.folder / call.file("customer")).open("wb") as writer:
        writer.truncate(200 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await recorder.run()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    row = await recorder.row(call, "customer")
    assert row.duration == (200 << 20) / 32_000
    assert set(row.flags) == {"wrong-length", "silent"}
    assert grown < 60 << 10


async def test_a_full_archive_keeps_the_file_and_the_row_until_there_is_room(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    noise = np.random.default_rng(1).normal(0, 8000, (8 * 8000 * 20, 2)).astype("<i2").tobytes()
    left = recorder.leave(call.file("customer"), noise)
    with files_limited_to(4 << 20):
        await recorder.run()
    row = await recorder.row(call, "customer")
    assert row.state == "expected"
    assert row.error
    assert row.due_at > call.ended_at
    assert left.read_bytes() == noise
    assert not list(recorder.archive.work.iterdir())
    await recorder.run(120)
    row = await recorder.row(call, "customer")
    assert (row.state, row.sha256, row.error) == ("archived", hashlib.sha256(noise).hexdigest(), None)


async def test_intake_that_keeps_failing_is_somebodys_business_after_four_minutes(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    recorder.store.root.write_bytes(b"a file where the archive should be")
    for after in (2, 10, 60, 200):
        await recorder.run(after)
        assert await recorder.incidents() == []
    await recorder.run(300)
    row = await recorder.row(call, "customer")
    assert await recorder.incidents() == [("intake-failing", row.id)]
    recorder.store.root.unlink()
    await recorder.run(400)
    assert (await recorder.row(call, "customer")).state == "archived"
    assert await recorder.incidents() == []


async def test_a_spool_that_is_not_there_makes_nothing_missing(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.folder.rename(recorder.folder.parent / "unmounted")
    for after in (2, 30, 61, 150):
        await recorder.run(after)
    row = await recorder.row(call, "customer")
    assert row.state == "expected"
    assert "No such file" in row.error
    (recorder.folder.parent / "unmounted").rename(recorder.folder)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run(300)
    assert (await recorder.row(call, "customer")).state == "archived"


async def test_a_link_in_the_spool_is_not_followed(recorder: Recorder, tmp_path: Path) -> None:
    call = await recorder.call(agent=None)
    secret = tmp_path / "secret"
    secret.write_bytes(CUSTOMER)
    (recorder.folder / call.file("customer")).symlink_to(secret)
    await recorder.run(61)
    assert (await recorder.row(call, "customer")).state == "missing"
    assert secret.exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_read_only_spool_is_archived_from_and_cleared_when_it_can_be(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    left = recorder.leave(call.file("customer"), CUSTOMER)
    now = (call.ended_at + timedelta(seconds=6)).isoformat()
    # Its own mount namespace, so that the mount ends with the process; the file's owner may differ there, hence 2
    # ticks.
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    process = await asyncio.create_subprocess_exec(
        "unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(recorder.folder), sys.executable, "-m",
        "tests.support.killed_intake", recorder.database.url, str(recorder.folder.parent), now,
    )  # fmt: skip
    assert await process.wait() == 0
    row = await recorder.row(call, "customer")
    assert (row.state, row.sha256) == ("archived", hashlib.sha256(CUSTOMER).hexdigest())
    assert left.exists()
    await recorder.sweep.run(call.ended_at + timedelta(seconds=30))
    assert not left.exists()


def health(recorder: Recorder, least: Room = Room(1, 0)) -> RecorderHealth:
    return RecorderHealth(
        database=recorder.database, archive=recorder.archive, spools=recorder.spools, least_free=least
    )


async def test_the_recorder_is_unhealthy_until_first_looked_at(recorder: Recorder) -> None:
    recorder_health = health(recorder)
    assert not recorder_health.is_healthy()
    await recorder_health.look(clock.now())
    assert recorder_health.is_healthy()
    assert recorder_health.latest.problems == {}


async def test_a_look_that_is_stale_counts_as_unhealthy(recorder: Recorder) -> None:
    recorder_health = health(recorder)
    await recorder_health.look(clock.now() - timedelta(minutes=2))
    assert not recorder_health.is_healthy()


async def test_a_missing_spool_is_an_incident_until_it_is_back(recorder: Recorder) -> None:
    recorder_health = health(recorder)
    aside = recorder.folder.rename(recorder.folder.parent / "unmounted")
    for seconds in (0, 10):
        await recorder_health.look(clock.now() + timedelta(seconds=seconds))
        assert not recorder_health.is_healthy()
        assert await recorder.incidents() == [("recorder-unhealthy", f"spool:{PBX}")]
    aside.rename(recorder.folder)
    await recorder_health.look(clock.now())
    assert recorder_health.is_healthy()
    assert await recorder.incidents() == []


async def test_too_little_room_is_unhealthy(recorder: Recorder) -> None:
    looked = await health(recorder, least=Room(1 << 60, 1.0)).look(clock.now())
    assert set(looked.problems) == {f"spool:{PBX}", "archive"}
    assert "MiB free" in looked.problems["archive"]


async def test_an_archive_that_cannot_be_written_is_unhealthy(recorder: Recorder) -> None:
    recorder.store.root.write_bytes(b"")
    assert set((await health(recorder).look(clock.now())).problems) == {"archive"}


async def test_a_recording_that_waits_for_five_minutes_is_unhealthy(recorder: Recorder) -> None:
    call, watched = await recorder.call(), health(recorder)
    for minutes, problems in ((0, set()), (4, set()), (6, {"intake"})):
        assert set((await watched.look(call.ended_at + timedelta(minutes=minutes))).problems) == problems


async def test_what_an_outage_left_to_take_in_is_no_ones_fault_for_five_minutes(recorder: Recorder) -> None:
    """Started an hour after the end of a call, the service is about to take its recording in."""
    call, watched = await recorder.call(), health(recorder)
    for minutes, problems in ((60, set()), (64, set()), (66, {"intake"})):
        assert set((await watched.look(call.ended_at + timedelta(minutes=minutes))).problems) == problems
