"""Intake killed between any two steps: at the next start it goes on, and nothing is lost or doubled."""

import asyncio
import hashlib
import signal
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest

from recordings.archive import Kept
from recordings.intake import LEASE, Intake
from tests.support.spooled import Recorder, stereo, tone

CUSTOMER = stereo(tone(600, 8), tone(440, 8))

POINTS = (
    "before recordings.spool:Spool.find",
    "before recordings.proof:_stream",
    "after recordings.proof:_stream",
    "before recordings.archive:decoded_sha256",
    "after recordings.archive:_seal",
    "after recordings.keyring:Keyring._make",
    "before recordings.archive:Archive._place",
    "after recordings.archive:Archive._place",
    "before recordings.store:_copy_durably",
    "after recordings.store:_copy_durably",
    "after recordings.store:_sync_folder",
    "after recordings.store:LocalStore.put",
    "after recordings.store:LocalStore.read_back",
    "before recordings.intake:Intake._write_down",
    "after recordings.intake:_ready",
    "before config.journal:append",
    "after config.journal:append",
    "before recordings.spool:Spool.clear",
    "after recordings.spool:Spool.clear",
)


@pytest.mark.parametrize(
    ("database_url", "point"),
    [("sqlite", point) for point in POINTS] + [("postgresql", "after config.journal:append")],
    indirect=["database_url"],
)
async def test_intake_killed_at_any_step_goes_on(recorder: Recorder, point: str) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    ended = await _killed(recorder, call.ended_at + timedelta(seconds=2), point)
    assert ended == -signal.SIGKILL
    later = 3 + LEASE.total_seconds()
    await recorder.run(later)
    await recorder.sweep.run(call.ended_at + timedelta(seconds=later))
    row = await recorder.row(call, "customer")
    assert (row.state, row.sha256, row.due_at) == ("archived", hashlib.sha256(CUSTOMER).hexdigest(), None)
    assert recorder.store.read_back(row.object).sha256 == row.stored_sha256
    assert len(await recorder.journal("recording.ready")) == 1
    assert len([path for path in recorder.store.root.rglob("*.flac*") if ".work" not in path.parts]) == 1
    assert not list(recorder.folder.iterdir())


async def _killed(recorder: Recorder, now: object, point: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.killed_intake", recorder.database.url, str(recorder.folder.parent),
        str(now), point
    )  # fmt: skip
    return await process.wait()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_a_killed_process_left_unfinished_is_removed_after_an_hour(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    await _killed(recorder, call.ended_at + timedelta(seconds=2), "before recordings.archive:decoded_sha256")
    (left,) = recorder.archive.work.iterdir()
    made = left.stat().st_mtime
    recorder.archive.discard_unfinished(call.ended_at.fromtimestamp(made - 1, tz=call.ended_at.tzinfo))
    assert left.exists()
    recorder.archive.discard_unfinished(call.ended_at.fromtimestamp(made + 1, tz=call.ended_at.tzinfo))
    assert not left.exists()


async def test_an_intake_that_is_told_to_stop_leaves_its_work_to_the_next_at_once(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await recorder.call(agent=None), await recorder.call(agent=None)
    for call in (first, second):
        recorder.leave(call.file("customer"), CUSTOMER)
    begun, go_on, keep = asyncio.Event(), threading.Event(), recorder.archive.keep
    loop = asyncio.get_running_loop()

    def slow(*given: Any) -> Kept:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        return keep(*given)

    now = first.ended_at + timedelta(seconds=2)
    with monkeypatch.context() as slowed:
        slowed.setattr(recorder.archive, "keep", slow)
        working = asyncio.create_task(recorder.intake.run_due(now))
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert [(await recorder.row(call, "customer")).due_at for call in (first, second)] == [now, now]
    go_on.set()
    assert await recorder.run(2) == 2
    for call in (first, second):
        assert (await recorder.row(call, "customer")).state == "archived"
    assert len(await recorder.journal("recording.ready")) == 2


async def test_two_workers_on_one_file_write_it_down_once(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    other = Intake(database=recorder.database, archive=recorder.archive, spools=recorder.spools)
    now = call.ended_at + timedelta(seconds=2)
    worked = await asyncio.gather(recorder.intake.run_due(now), other.run_due(now))
    assert sorted(worked) == [0, 1]
    assert len(await recorder.journal("recording.ready")) == 1


async def test_a_lease_that_ran_out_while_its_holder_still_worked_changes_nothing(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    other = Intake(database=recorder.database, archive=recorder.archive, spools=recorder.spools)
    now = call.ended_at + timedelta(seconds=2)
    await asyncio.gather(recorder.intake.run_due(now), other.run_due(now + LEASE))
    await recorder.run(3 + 3 * LEASE.total_seconds())
    assert (await recorder.row(call, "customer")).state == "archived"
    assert len(await recorder.journal("recording.ready")) == 1
    assert not list(recorder.folder.iterdir())
