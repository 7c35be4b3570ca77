"""Deletion: only what is over and not held, all of it, with a receipt; and a race with a hold has one winner."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from config.journal import Entry
from recordings import holds
from recordings.deletion import Deletion, Kept, is_over
from recordings.replay import NoAudio, Replay
from recordings.retention import RetentionClass
from recordings.retention_classes import classify, in_force, preview, recompute, save
from recordings.retention_tables import receipts
from recordings.tables import recordings
from telephony.tables import contacts
from tests.support.spooled import START, Recorder, SpooledCall, silence, stereo, tone

TWO_YEARS = datetime(2028, 6, 3, tzinfo=UTC)


async def nothing_holds(connection: AsyncConnection, case_id: str) -> str | None:
    return None


@pytest.fixture
def deletion(recorder: Recorder, tmp_path: Path) -> Deletion:
    return Deletion(
        database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache", held_by_case=nothing_holds
    )


async def kept_call(recorder: Recorder, **fields: object) -> SpooledCall:
    """A call whose recordings are archived and dated."""
    call = await recorder.call(**fields)
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    async with recorder.database.write() as transaction:
        # Archived when it was made, whatever today is.
        await transaction.execute(update(recordings).values(archived_at=START))
    while await recompute(recorder.database):
        pass
    return call


async def hold(recorder: Recorder, *recording_ids: str, case_id: str | None = None) -> str:
    async with recorder.database.write() as transaction:
        return await holds.open_hold(
            transaction, matter="suit 7", kind="litigation", reason="filed", recording_ids=recording_ids,
            case_ids=[case_id] if case_id else [], actor="zhou", now=START,
        )  # fmt: skip


async def test_an_archived_recording_gets_its_date_from_the_journal(recorder: Recorder) -> None:
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    await recorder.run()
    (entry,) = await recorder.journal("recording.ready")
    async with recorder.database.write() as transaction:
        await transaction.execute(update(recordings).values(archived_at=START))
        await classify(transaction, entry)
    row = await recorder.row(call, "agent")
    assert row.delete_after == date(2028, 6, 1)
    assert row.retention["decided_by"] == "default"


async def test_nothing_is_deleted_before_its_day_is_over_everywhere(recorder: Recorder, deletion: Deletion) -> None:
    call = await kept_call(recorder)
    row = await recorder.row(call, "agent")
    assert not is_over(date(2028, 6, 1), datetime(2028, 6, 2, 11, 59, tzinfo=UTC))
    assert is_over(date(2028, 6, 1), datetime(2028, 6, 2, 12, 0, tzinfo=UTC))
    kept = await deletion.delete(row.id, datetime(2028, 6, 2, 11, 59, tzinfo=UTC), actor="root")
    assert kept == Kept("kept-until", "default keeps it until 2028-06-01", date(2028, 6, 1))
    report = await deletion.run(datetime(2028, 6, 2, 11, 59, tzinfo=UTC))
    assert (report.looked_at, report.deleted) == (0, 0)


async def test_a_deletion_removes_everything_and_leaves_a_receipt(
    recorder: Recorder, deletion: Deletion, replay: Replay, tmp_path: Path
) -> None:
    call = await kept_call(recorder)
    row = await recorder.row(call, "agent")
    await replay.call_audio(call.id)
    dry = await deletion.run(TWO_YEARS, dry_run=True)
    assert (dry.looked_at, dry.deleted) == (2, 2)
    assert (await recorder.row(call, "agent")).state == "archived"
    report = await deletion.run(TWO_YEARS, actor="root")
    assert (report.deleted, report.bytes, report.failed) == (2, dry.bytes, {})
    assert not recorder.store.exists(row.object)
    assert [file for file in (tmp_path / "cache").iterdir() if file.suffix] == []
    with pytest.raises(NoAudio):
        await replay.call_audio(call.id)
    gone = await recorder.row(call, "agent")
    assert (gone.state, gone.peaks, gone.object) == ("deleted", None, None)
    async with recorder.database.read() as connection:
        receipt = (await connection.execute(select(receipts).where(receipts.c.recording_id == row.id))).one()
    assert (receipt.sha256, receipt.object, receipt.copies, receipt.deleted_by) == (row.sha256, row.object, 1, "root")
    assert receipt.retention["delete_after"] == "2028-06-01"
    assert receipt.key_destroyed
    entries = await recorder.journal("recording.deleted")
    assert {(entry.call_id, entry.actor, entry.client) for entry in entries} == {(call.id, "root", "north")}
    assert len(await recorder.journal("key.destroyed")) == 1
    assert (await deletion.run(TWO_YEARS)).looked_at == 0


async def test_a_late_file_of_a_deleted_recording_is_asked_about_and_not_taken_in_again(
    recorder: Recorder, deletion: Deletion
) -> None:
    call = await kept_call(recorder)
    await deletion.run(TWO_YEARS)
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    for seconds in (0, 61, 62):
        await recorder.sweep.run(TWO_YEARS + timedelta(seconds=seconds))
    await recorder.intake.run_due(TWO_YEARS + timedelta(minutes=2))
    assert (await recorder.row(call, "agent")).state == "deleted"
    assert ("orphan", f"main:{call.file('agent')}") in await recorder.incidents()
    assert (recorder.folder / call.file("agent")).exists()


async def test_a_hold_by_name_and_one_by_case_keep_it_until_both_are_released(
    recorder: Recorder, deletion: Deletion
) -> None:
    call = await kept_call(recorder)
    row = await recorder.row(call, "agent")
    first, second = await hold(recorder, row.id), await hold(recorder, case_id="case-1")
    for hold_id, left in ((first, 2), (second, 0)):
        report = await deletion.run(TWO_YEARS)
        assert report.deleted == 0
        assert report.kept == {"recording-on-hold": 2}
        async with recorder.database.write() as transaction:
            await holds.release(transaction, hold_id, reason="settled", actor="zhou", now=START)
        async with recorder.database.read() as connection:
            assert len(await holds.of_recordings(connection, [row.id])) == (1 if left else 0)
    assert (await deletion.run(TWO_YEARS)).deleted == 2


async def test_a_complaint_holds_its_case_and_its_closing_alone_releases_nothing(
    recorder: Recorder, deletion: Deletion
) -> None:
    call = await kept_call(recorder)
    opened = Entry(START, "complaint.opened", "li", case_id="case-1", data={"complaint_id": "c1"})
    async with recorder.database.write() as transaction:
        await holds.hold_for_complaint(transaction, opened)
        await holds.hold_for_complaint(transaction, opened)
    later = await kept_call(recorder)
    assert (await deletion.run(TWO_YEARS)).kept == {"recording-on-hold": 4}
    async with recorder.database.read() as connection:
        ids = [(await recorder.row(one, "agent")).id for one in (call, later)]
        assert await holds.of_recordings(connection, ids) == {found: ["complaint c1"] for found in ids}
        ((hold_id,),) = await connection.execute(select(holds.holds.c.id))
    with pytest.raises(holds.ComplaintOpen):
        async with recorder.database.write() as transaction:
            await holds.release(transaction, hold_id, reason="over", actor="zhou", now=START)
    async with recorder.database.write() as transaction:
        await holds.complaint_closed(transaction, Entry(START, "complaint.closed", data={"complaint_id": "c1"}))
    assert (await deletion.run(TWO_YEARS)).deleted == 0
    async with recorder.database.write() as transaction:
        await holds.release(transaction, hold_id, reason="ruled unjustified", actor="zhou", now=START)
    assert (await deletion.run(TWO_YEARS)).deleted == 4


async def test_what_the_desk_knows_of_the_case_holds_before_any_hold_is_written(
    recorder: Recorder, tmp_path: Path
) -> None:
    async def disputed(connection: AsyncConnection, case_id: str) -> str | None:
        return "the debt is in dispute" if case_id == "case-1" else None

    call = await kept_call(recorder)
    deletion = Deletion(
        database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache", held_by_case=disputed
    )
    kept = await deletion.delete((await recorder.row(call, "agent")).id, TWO_YEARS, actor="root")
    assert kept == Kept("recording-on-hold", "the debt is in dispute")


@pytest.mark.parametrize("round_", range(2))
async def test_of_a_deletion_and_a_hold_at_once_one_wins(recorder: Recorder, deletion: Deletion, round_: int) -> None:
    call = await kept_call(recorder)
    row = await recorder.row(call, "agent")
    jobs = [deletion.delete(row.id, TWO_YEARS, actor="root"), hold(recorder, row.id)]
    outcome = await asyncio.gather(*(jobs if round_ % 2 else reversed(jobs)), return_exceptions=True)
    state = (await recorder.row(call, "agent")).state
    async with recorder.database.read() as connection:
        held = row.id in await holds.of_recordings(connection, [row.id])
    late = any(isinstance(found, holds.TooLate) for found in outcome)
    refused = any(isinstance(found, Kept) for found in outcome)
    assert (state, held, late, refused) in (("deleted", False, True, False), ("archived", True, False, True))
    assert recorder.store.exists(row.object) == (state == "archived")


async def test_two_runs_at_once_delete_each_recording_once(recorder: Recorder, deletion: Deletion) -> None:
    await kept_call(recorder)
    await asyncio.gather(deletion.run(TWO_YEARS), deletion.run(TWO_YEARS))
    assert len(await recorder.journal("recording.deleted")) == 2


async def test_a_store_that_fails_leaves_it_marked_and_the_next_run_ends_it(
    recorder: Recorder, deletion: Deletion
) -> None:
    call = await kept_call(recorder)
    row = await recorder.row(call, "agent")
    path = recorder.store.path(row.object)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()  # what cannot be removed as a file
    report = await deletion.run(TWO_YEARS)
    assert report.deleted == 1
    assert list(report.failed) == [row.id]
    assert (await recorder.row(call, "agent")).state == "deleting"
    assert ("deletion-failing", row.id) in await recorder.incidents()
    with pytest.raises(holds.TooLate):
        await hold(recorder, row.id)
    path.rmdir()
    path.write_bytes(content)
    assert (await deletion.run(TWO_YEARS)).deleted == 1
    assert ("deletion-failing", row.id) not in await recorder.incidents()


async def test_a_longer_class_extends_and_a_shorter_one_leaves_the_date(recorder: Recorder) -> None:
    call = await kept_call(recorder)
    longer = RetentionClass("north-contract", "recording", 36, clients=("north",), basis="contract", source="§ 7")
    effect = await preview(recorder.database, longer)
    assert (effect.recordings, effect.extended, effect.latest) == (2, 2, date(2029, 6, 1))
    assert (await recorder.row(call, "agent")).delete_after == date(2028, 6, 1)

    async def put(found: RetentionClass) -> None:
        async with recorder.database.write() as transaction:
            await save(transaction, found, reason="contract renewed", actor="root", now=START)
        while await recompute(recorder.database):
            pass

    await put(longer)
    assert (await recorder.row(call, "agent")).delete_after == date(2029, 6, 1)
    shorter = RetentionClass("north-contract", "recording", 12, clients=("north",), basis="contract", source="§ 7")
    effect = await preview(recorder.database, shorter)
    assert (effect.extended, effect.kept_longer) == (0, 2)
    await put(shorter)
    row = await recorder.row(call, "agent")
    assert (row.delete_after, row.retention["decided_by"]) == (date(2029, 6, 1), "north-contract")
    (_, change) = await recorder.journal("retention_class.changed")
    assert (change.actor, change.data["reason"], change.data["after"]["months"]) == ("root", "contract renewed", 12)


async def test_work_on_the_debt_after_the_date_was_written_extends_it_at_the_last_moment(
    recorder: Recorder, deletion: Deletion
) -> None:
    call = await kept_call(recorder)
    async with recorder.database.write() as transaction:
        found = (await in_force(transaction.connection))["default"]
        worked = RetentionClass(found.id, found.kind, found.months, anchor="last_activity", source=found.source)
        await save(transaction, worked, reason="by activity", actor="root", now=START)
    await recompute(recorder.database)
    await _contact(recorder.database, datetime(2027, 3, 1, tzinfo=UTC))
    report = await deletion.run(TWO_YEARS)
    assert report.kept == {"kept-until": 2}
    assert (await recorder.row(call, "agent")).delete_after == date(2029, 3, 1)


async def _contact(database: Database, at: datetime) -> None:
    values = {
        "id": "x1", "at": at, "party_id": "p1", "debts": ["d1"], "account": "a1", "case_id": "case-1",
        "direction": "outbound", "channel": "letter", "by": "us", "outcome": "conversation", "consented": False,
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(contacts).values(**values))


async def test_a_call_that_a_wrong_clock_put_a_year_back_counts_from_its_archiving(recorder: Recorder) -> None:
    call = await kept_call(recorder)
    async with recorder.database.write() as transaction:
        back = START - timedelta(days=365)
        await transaction.execute(
            update(recordings).values(leg_ended_at=back, delete_after=None, retention_revision=None)
        )
    await recompute(recorder.database)
    assert (await recorder.row(call, "agent")).delete_after == date(2028, 5, 31)


async def test_what_no_class_covers_is_kept(recorder: Recorder, deletion: Deletion) -> None:
    call = await kept_call(recorder)
    async with recorder.database.write() as transaction:
        off = RetentionClass("default", "recording", 24, enabled=False, source="none")
        await save(transaction, off, reason="off", actor="root", now=START)
        await transaction.execute(update(recordings).values(delete_after=None, retention=None))
    row = await recorder.row(call, "agent")
    assert await deletion.delete(row.id, TWO_YEARS, actor="root") == Kept("no-class", "no retention class covers it")


async def test_a_clock_that_jumped_ahead_deletes_nothing_until_somebody_says_that_it_is_right(
    recorder: Recorder, deletion: Deletion
) -> None:
    call = await kept_call(recorder)
    assert (await deletion.run_by_itself(START)) is not None
    assert (await deletion.run_by_itself(TWO_YEARS)) is None
    assert (await recorder.row(call, "agent")).state == "archived"
    assert ("clock-doubt", "retention") in await recorder.incidents()
    await deletion.run(TWO_YEARS - timedelta(days=1), actor="root")
    report = await deletion.run_by_itself(TWO_YEARS)
    assert report is not None
    assert report.deleted == 2
    assert ("clock-doubt", "retention") not in await recorder.incidents()
