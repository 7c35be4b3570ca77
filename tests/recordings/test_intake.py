"""Intake: from the spool to a proven object, whatever happens on the way."""

import hashlib
from datetime import timedelta

import soundfile
from sqlalchemy import select

from config.journal import Entry
from recordings.completeness import expect_recordings
from recordings.tables import incidents
from tests.support.spooled import Recorder, silence, stereo, tone

AGENT = stereo(tone(440, 12), tone(600, 12))
CUSTOMER = stereo(tone(600, 8), tone(440, 8))


async def test_both_legs_of_a_call_are_archived_bit_for_bit_and_the_spool_is_cleared(recorder: Recorder) -> None:
    call = await recorder.call()
    recorder.leave(call.file("agent"), AGENT)
    recorder.leave(call.file("customer"), CUSTOMER)
    assert await recorder.run() == 2
    for role, original in (("agent", AGENT), ("customer", CUSTOMER)):
        row = await recorder.row(call, role)
        assert (row.state, row.flags, row.due_at, row.error) == ("archived", [], None, None)
        assert row.sha256 == row.pcm_sha256 == hashlib.sha256(original).hexdigest()
        assert row.duration == len(original) / 4 / 8000
        with recorder.archive.open(row) as stored:
            samples, rate = soundfile.read(stored, dtype="int16")
        assert (rate, samples.astype("<i2").tobytes()) == (8000, original)
    assert not list(recorder.folder.iterdir())
    assert not list(recorder.archive.work.iterdir())
    assert not list(recorder.store.incoming.iterdir())
    assert await recorder.incidents(still_open=None) == []


async def test_an_archived_recording_is_journalled_with_its_call_and_hashes(recorder: Recorder) -> None:
    call = await recorder.call(customer=None)
    recorder.leave(call.file("agent"), AGENT)
    await recorder.run()
    row = await recorder.row(call, "agent")
    (entry,) = await recorder.journal("recording.ready")
    assert (entry.call_id, entry.agent, entry.client, entry.case_id) == (call.id, "li", "north", "case-1")
    assert entry.data["recording_id"] == row.id
    assert entry.data["pcm_sha256"] == row.pcm_sha256
    assert entry.data["object"] == row.object


async def test_the_same_end_of_a_call_seen_twice_expects_each_leg_once(recorder: Recorder) -> None:
    call = await recorder.call()
    async with recorder.database.write() as transaction:
        await expect_recordings(transaction, Entry(call.ended_at, "call.ended", call_id=call.id))
    recorder.leave(call.file("agent"), AGENT)
    recorder.leave(call.file("customer"), CUSTOMER)
    assert await recorder.run() == 2
    assert await recorder.run() == 0


async def test_a_required_file_that_never_comes_is_missing_after_a_minute(recorder: Recorder) -> None:
    call = await recorder.call()
    recorder.leave(call.file("agent"), AGENT)
    for after in (1, 3, 8, 18, 35, 59):
        await recorder.run(after)
        assert (await recorder.row(call, "customer")).state == "expected"
    await recorder.run(61)
    row = await recorder.row(call, "customer")
    assert (row.state, row.due_at) == ("missing", None)
    assert await recorder.incidents() == [("missing", row.id)]


async def test_a_file_that_comes_late_is_archived_and_its_incident_closed(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    await recorder.run(61)
    row = await recorder.row(call, "customer")
    assert row.state == "missing"
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.sweep.run(call.ended_at + timedelta(minutes=3))
    await recorder.run(181)
    assert (await recorder.row(call, "customer")).state == "archived"
    assert await recorder.incidents(still_open=False) == [("missing", row.id)]
    async with recorder.database.read() as connection:
        assert await connection.scalar(select(incidents.c.closed_reason)) == "the recording is archived"
    opened, closed = await recorder.journal("recording.incident")
    assert (opened.data["state"], closed.data["state"]) == ("open", "closed")


async def test_a_leg_that_was_never_answered_needs_no_file(recorder: Recorder) -> None:
    call = await recorder.call(customer=(2, None, 13))
    recorder.leave(call.file("agent"), AGENT)
    await recorder.run()
    assert (await recorder.row(call, "customer")).state == "none"
    assert (await recorder.row(call, "agent")).flags == ["unanswered"]
    assert await recorder.incidents(still_open=None) == []


async def test_an_empty_file_of_an_unanswered_leg_is_closed_quietly(recorder: Recorder) -> None:
    call = await recorder.call(agent=None, customer=(2, None, 13))
    recorder.leave(call.file("customer"), b"")
    await recorder.run()
    assert (await recorder.row(call, "customer")).state == "none"
    assert not list(recorder.folder.iterdir())
    assert await recorder.incidents(still_open=None) == []


async def test_an_announcement_on_an_unanswered_leg_is_kept_in_a_class_of_its_own(recorder: Recorder) -> None:
    call = await recorder.call(agent=None, customer=(2, None, 13))
    recorder.leave(call.file("customer"), CUSTOMER)
    await recorder.run()
    row = await recorder.row(call, "customer")
    assert (row.state, row.flags) == ("archived", ["unanswered"])
    assert await recorder.incidents(still_open=None) == []


async def test_the_agents_leg_of_a_call_that_the_gate_refused_is_required_too(recorder: Recorder) -> None:
    refused, lost = await recorder.call(customer=None), await recorder.call(customer=None)
    recorder.leave(refused.file("agent"), AGENT)
    await recorder.run()
    await recorder.run(61)
    assert (await recorder.row(refused, "agent")).flags == ["unanswered"]
    assert await recorder.incidents() == [("missing", (await recorder.row(lost, "agent")).id)]


async def test_a_leg_hung_up_as_it_was_answered_needs_no_file(recorder: Recorder) -> None:
    call = await recorder.call(agent=(0, 12.9, 13), customer=None)
    await recorder.run()
    assert (await recorder.row(call, "agent")).state == "none"
    assert await recorder.incidents(still_open=None) == []


async def test_doubtful_recordings_are_archived_and_open_an_incident(recorder: Recorder) -> None:
    doubtful = {
        "tiny": stereo(tone(600, 0.1), tone(440, 0.1)),
        "silent": stereo(silence(8), tone(440, 8)),
        "one-sided": stereo(tone(600, 8), silence(8)),
        "truncated": stereo(tone(600, 3), tone(440, 3)),
        "wrong-length": stereo(tone(600, 30), tone(440, 30)),
    }
    for kind, data in doubtful.items():
        call = await recorder.call(agent=None)
        recorder.leave(call.file("customer"), data)
        await recorder.run()
        row = await recorder.row(call, "customer")
        assert (row.state, row.flags) == ("archived", [kind])
        assert (kind, row.id) in await recorder.incidents()
    assert not list(recorder.folder.iterdir())


async def test_a_file_that_is_still_open_is_left_until_it_is_closed(recorder: Recorder) -> None:
    call = await recorder.call(agent=None)
    path = recorder.folder / call.file("customer")
    with path.open("wb") as writer:
        writer.write(CUSTOMER[:16000])
        writer.flush()
        for after in (1, 2, 3, 4, 5):
            await recorder.run(after)
            assert (await recorder.row(call, "customer")).state == "expected"
        writer.write(CUSTOMER[16000:])
    await recorder.run(6)
    row = await recorder.row(call, "customer")
    assert (row.state, row.sha256) == ("archived", hashlib.sha256(CUSTOMER).hexdigest())
