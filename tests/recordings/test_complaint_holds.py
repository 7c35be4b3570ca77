"""A complaint holds what was recorded on every case of its person, and of a deletion at the same moment one comes first."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from config.database import Transaction
from config.journal import Entry, read_after
from crm_bridge.app import SUBSCRIBERS
from crm_bridge.cases import cases
from crm_bridge.cases.documents import CaseIn
from crm_bridge.cases.holds import held_by_case
from crm_bridge.complaints import complaints
from crm_bridge.complaints.complaints import Opening
from crm_bridge.people.users import User
from recordings import holds
from recordings.deletion import Deletion, Kept
from recordings.retention_classes import recompute
from recordings.tables import recordings
from tests.support.desk import case, party
from tests.support.spooled import START, Recorder, silence, stereo, tone

TWO_YEARS = datetime(2028, 6, 3, tzinfo=UTC)
BOSS = User("boss", "supervisor")
FOLLOWED = ("complaint.opened", "case.suspended")
OPENING = Opening("case-1", "general", "called my mother", party_id="p1")


@pytest.fixture
def deletion(recorder: Recorder, tmp_path: Path) -> Deletion:
    return Deletion(
        database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache", held_by_case=held_by_case
    )


async def _case(recorder: Recorder, case_id: str, *people: str) -> None:
    given = CaseIn.model_validate(case(parties=[party(one, f"+861380013800{one[1:]}") for one in people]))
    async with recorder.database.write() as transaction:
        await cases.upsert(transaction, case_id, given, user=BOSS, region="CN", now=START)


async def _recorded(recorder: Recorder, case_id: str) -> str:
    """The id of an archived recording of a call on that case."""
    call = await recorder.call(case_id=case_id)
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    async with recorder.database.write() as transaction:
        await transaction.execute(update(recordings).values(archived_at=START))
    while await recompute(recorder.database):
        pass
    identifier: str = (await recorder.row(call, "agent")).id
    return identifier


async def _open(transaction: Transaction) -> str:
    row = await complaints.open_complaint(transaction, OPENING, zone="Asia/Shanghai", user=BOSS, now=TWO_YEARS)
    return str(row.id)


async def _complained(recorder: Recorder) -> str:
    async with recorder.database.write() as transaction:
        return await _open(transaction)


async def _follow(recorder: Recorder) -> None:
    """The reaction to what was journalled."""
    async with recorder.database.read() as connection:
        entries: list[Entry] = await read_after(connection, 0, 10_000)
    async with recorder.database.write() as transaction:
        for entry in entries:
            for reaction in SUBSCRIBERS[entry.kind] if entry.kind in FOLLOWED else ():
                await reaction(transaction, entry)


async def test_every_case_of_the_person_is_held_and_no_other(recorder: Recorder, deletion: Deletion) -> None:
    for case_id, people in (("case-1", ("p1",)), ("case-2", ("p1", "p2")), ("case-3", ("p2",))):
        await _case(recorder, case_id, *people)
    kept = [await _recorded(recorder, case_id) for case_id in ("case-1", "case-2")]
    other = await _recorded(recorder, "case-3")
    await _complained(recorder)
    await _follow(recorder)
    await _follow(recorder)  # read again nothing is doubled
    async with recorder.database.read() as connection:
        assert set(await holds.of_recordings(connection, [*kept, other])) == set(kept)
    for recording_id in kept:
        found = await deletion.delete(recording_id, TWO_YEARS, actor="root")
        assert isinstance(found, Kept)
        assert found.code == "recording-on-hold"
    assert not isinstance(await deletion.delete(other, TWO_YEARS, actor="root"), Kept)


async def test_a_case_that_comes_in_while_the_complaint_is_open_is_held_too(
    recorder: Recorder, deletion: Deletion
) -> None:
    await _case(recorder, "case-1", "p1")
    await _complained(recorder)
    await _follow(recorder)
    await _case(recorder, "case-9", "p1")
    late = await _recorded(recorder, "case-9")
    assert isinstance(await deletion.delete(late, TWO_YEARS, actor="root"), Kept)


@pytest.mark.parametrize("case_id", ["case-1", "case-2"])
async def test_a_deletion_waits_for_a_complaint_that_is_being_opened_and_then_keeps(
    recorder: Recorder, deletion: Deletion, case_id: str
) -> None:
    for one in ("case-1", "case-2"):
        await _case(recorder, one, "p1")
    recording_id = await _recorded(recorder, case_id)
    async with recorder.database.write() as transaction:
        await _open(transaction)
        deleting = asyncio.create_task(deletion.delete(recording_id, TWO_YEARS, actor="root"))
        done, _ = await asyncio.wait({deleting}, timeout=0.5)
        assert not done
    found = await deleting
    assert isinstance(found, Kept)
    assert found.code == "recording-on-hold"


@pytest.mark.parametrize("round_", range(4))
async def test_of_a_complaint_and_a_deletion_at_once_one_comes_first(
    recorder: Recorder, deletion: Deletion, round_: int
) -> None:
    for one in ("case-1", "case-2"):
        await _case(recorder, one, "p1")
    held = await _recorded(recorder, "case-2")
    jobs = [deletion.delete(held, TWO_YEARS, actor="root"), _complained(recorder)]
    outcome, *_ = sorted(
        await asyncio.gather(*(jobs if round_ % 2 else reversed(jobs))), key=lambda found: isinstance(found, str)
    )
    async with recorder.database.read() as connection:
        entries = await read_after(connection, 0, 10_000)
        state = (await connection.execute(recordings.select().where(recordings.c.id == held))).one().state
    told = [one.kind for one in entries if one.kind in ("recording.deleted", "complaint.opened")]
    if isinstance(outcome, Kept):
        assert (state, told) == ("archived", ["complaint.opened"])
    else:  # it was marked before anybody complained
        assert (state, sorted(told)) == ("deleted", ["complaint.opened", "recording.deleted"])
    again = await deletion.delete(held, TWO_YEARS, actor="root")
    assert isinstance(again, Kept)
