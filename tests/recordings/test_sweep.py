"""The sweep: every file in the spool belongs to something, or somebody is asked; nothing unknown is deleted."""

import os
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from recordings.spool import Spool, file_name, parse
from recordings.sweep import Sweep
from recordings.tables import recordings
from tests.support.spooled import PBX, START, Recorder, stereo, tone

CUSTOMER = stereo(tone(600, 8), tone(440, 8))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def test_a_file_of_a_known_call_without_a_row_is_adopted(recorder: Recorder) -> None:
    call = await recorder.call(expect=False)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.sweep.run(at(20))
    await recorder.run(60)
    row = await recorder.row(call, "customer")
    assert (row.state, row.required, row.flags) == ("archived", 1, [])
    (entry,) = await recorder.journal("recording.adopted")
    assert (entry.call_id, entry.data["recording_id"]) == (call.id, row.id)
    assert not list(recorder.folder.iterdir())


async def test_a_file_of_a_leg_that_was_never_seen_is_adopted_too(recorder: Recorder) -> None:
    call = await recorder.call(customer=None)
    recorder.leave(file_name(call.id, "customer", "pbx-1718000000.99"), CUSTOMER)
    await recorder.sweep.run(at(60))
    await recorder.run(60)
    assert (await recorder.row(call, "customer")).state == "archived"


async def test_a_file_of_a_call_in_progress_is_left_alone(recorder: Recorder) -> None:
    call = await recorder.call(expect=False, ended_at=None, state="connected")
    left = recorder.leave(call.file("customer"), CUSTOMER)
    for seconds in (0, 61, 200):
        await recorder.sweep.run(at(seconds))
    assert left.exists()
    assert await recorder.incidents(still_open=None) == []


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "..raw",
        ".hidden.raw",
        "中文.raw",
        "a" * 250,
        "x\r\nAction: Originate.raw",
        f"{'0' * 32}.customer.pbx-1.2.raw",
        f"{'0' * 32}.customer..raw",
        f"{'0' * 32}.boss.pbx-1.2.raw",
    ],
)
async def test_an_unknown_file_opens_one_incident_and_is_kept(recorder: Recorder, name: str) -> None:
    left = recorder.leave(name, b"sound")
    await recorder.sweep.run(at(0))
    assert await recorder.incidents() == []
    for seconds in (61, 120, 3600):
        await recorder.sweep.run(at(seconds))
    ((kind, subject),) = await recorder.incidents(still_open=None)
    assert (kind, subject) == ("orphan", f"{PBX}:{name}")
    assert left.read_bytes() == b"sound"
    left.unlink()
    await recorder.sweep.run(at(4000))
    assert await recorder.incidents() == []


async def test_a_leg_that_became_known_late_is_expected_all_the_same(recorder: Recorder) -> None:
    call = await recorder.call(expect=False)
    await recorder.sweep.run(at(43))
    await recorder.sweep.run(at(44))
    await recorder.run(61)
    assert {(await recorder.row(call, role)).state for role in ("agent", "customer")} == {"missing"}


async def test_two_pbxs_may_share_a_folder(recorder: Recorder) -> None:
    call = await recorder.call(agent=None, expect=False)
    recorder.leave(call.file("customer"), CUSTOMER)
    spools = {"other": Spool(recorder.folder), PBX: Spool(recorder.folder)}
    sweep = Sweep(database=recorder.database, archive=recorder.archive, spools=spools)
    for seconds in (20, 90):
        await sweep.run(at(seconds))
    await recorder.run(90)
    assert (await recorder.row(call, "customer")).state == "archived"
    assert await recorder.incidents(still_open=None) == []


async def test_the_recordings_of_an_emergency_call_are_archived_too(recorder: Recorder) -> None:
    for role, uniqueid in (("agent", "pbx-1718000000.7"), ("customer", "pbx-1718000000.8")):
        recorder.leave(f"emergency17180000007.{role}.{uniqueid}.raw", CUSTOMER)
    await recorder.sweep.run(at(0))
    assert await recorder.run() == 2
    async with recorder.database.read() as connection:
        rows = list(await connection.execute(select(recordings)))
    assert {(row.leg, row.state, *row.flags) for row in rows} == {
        ("agent", "archived", "emergency"),
        ("customer", "archived", "emergency"),
    }
    assert all((row.leg_ended_at - row.leg_started_at).total_seconds() == pytest.approx(8) for row in rows)
    assert not list(recorder.folder.iterdir())
    assert await recorder.incidents(still_open=None) == []


async def test_an_emergency_call_in_progress_is_left_alone(recorder: Recorder) -> None:
    path = recorder.folder / "emergency17180000007.agent.pbx-1718000000.7.raw"
    with path.open("wb") as writer:
        for seconds in (0, 30, 60, 90):
            writer.write(CUSTOMER)
            writer.flush()
            await recorder.sweep.run(at(seconds))
            assert await recorder.run(seconds) == 0
    assert await recorder.incidents(still_open=None) == []


async def test_a_leftover_stays_when_the_archive_has_lost_its_object(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run()
    recorder.store.path((await recorder.row(call, "customer")).object).unlink()
    left = recorder.leave(call.file("customer"), CUSTOMER)
    for seconds in (60, 130):
        await recorder.sweep.run(at(seconds))
    assert left.exists()
    assert [kind for kind, _ in await recorder.incidents()] == ["orphan"]


async def test_a_probe_of_the_pbx_check_is_nobodys_business_and_goes_away(recorder: Recorder) -> None:
    left = recorder.leave("probe-3f2a.raw", b"sound")
    for seconds in (0, 61, 120):
        await recorder.sweep.run(at(seconds))
    assert not left.exists()
    assert await recorder.incidents(still_open=None) == []


async def test_a_name_that_is_no_text_is_told_all_the_same(recorder: Recorder) -> None:
    path = os.fsencode(recorder.folder) + b"/\xff\xfe.raw"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    for seconds in (0, 61):
        await recorder.sweep.run(at(seconds))
    assert await recorder.incidents() == [("orphan", f"{PBX}:\\udcff\\udcfe.raw")]


async def test_another_file_for_an_archived_leg_is_kept_and_asked_about(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run()
    left = recorder.leave(call.file("customer"), CUSTOMER[:-4])
    for seconds in (60, 130, 200):
        await recorder.sweep.run(at(seconds))
    assert left.exists()
    assert [kind for kind, _ in await recorder.incidents()] == ["orphan"]


async def test_an_archived_legs_file_stays_when_its_object_was_altered(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run()
    row = await recorder.row(call, "customer")
    recorder.store.path(row.object).write_bytes(b"other")
    left = recorder.leave(call.file("customer"), CUSTOMER)
    for seconds in (60, 130):
        await recorder.sweep.run(at(seconds))
    assert left.exists()
    assert [kind for kind, _ in await recorder.incidents()] == ["orphan"]


async def test_an_archived_legs_file_stays_when_its_key_is_gone(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run()
    recorder.keyring.destroy((await recorder.row(call, "customer")).key_id)
    left = recorder.leave(call.file("customer"), CUSTOMER)
    for seconds in (60, 130):
        await recorder.sweep.run(at(seconds))
    assert left.exists()
    assert [kind for kind, _ in await recorder.incidents()] == ["orphan"]


async def test_a_spool_that_is_not_there_stops_nothing(recorder: Recorder) -> None:
    recorder.folder.rmdir()
    assert await recorder.sweep.run(at(0)) == 0


@pytest.mark.parametrize(
    "name",
    [
        "../etc/passwd",
        f"{'a' * 32}.agent.../x.raw",
        f"{'a' * 32}.agent.x/../y.raw",
        f"{'a' * 32}.agent.x\n.raw",
        f"{'a' * 32}.agent.x.raw\n",
        f"{'A' * 32}.agent.x.raw",
        f"{'a' * 31}.agent.x.raw",
        f"{'a' * 32}.agent.{'x' * 65}.raw",
        f"{'a' * 32}.agent.x.mp3",
    ],
)
def test_a_name_that_is_not_of_the_pattern_is_nobodys(name: str) -> None:
    assert parse(name) is None


def test_a_name_is_taken_apart_as_it_was_put_together() -> None:
    named = parse(file_name("a" * 32, "customer", "pbx-1718000000.12"))
    assert named is not None
    assert (named.call_id, named.role, named.uniqueid) == ("a" * 32, "customer", "pbx-1718000000.12")
