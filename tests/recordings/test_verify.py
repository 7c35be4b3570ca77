"""`ringfence verify`: an untouched archive holds, and every kind of tampering is found."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text, update

from config.database import Transaction
from config.journal import Entry, journal
from recordings.checkpoints import Signer
from recordings.evidence_log import EvidenceLog
from recordings.tables import checkpoints, log_leaves, recordings
from tests.support.evidence import Evidence, evidence_of
from tests.support.spooled import START, Recorder

LATER = START + timedelta(minutes=10)


@pytest.fixture
def evidence(recorder: Recorder, tmp_path: Path) -> Evidence:
    return evidence_of(recorder, tmp_path)


async def test_an_untouched_archive_holds(evidence: Evidence) -> None:
    for _ in range(2):
        await evidence.talked()
    report = await evidence.verified(LATER)
    assert report.problems == []
    assert report.checked == {"checkpoints": 4, "entries": 8, "recordings": 4, "objects": 4}


async def test_nothing_yet_is_nothing_wrong(evidence: Evidence) -> None:
    assert (await evidence.verified(LATER)).problems == []


async def test_a_sample_takes_those_not_read_for_longest(evidence: Evidence) -> None:
    call = await evidence.talked()
    for minutes in (10, 11):
        report = await evidence.verified(START + timedelta(minutes=minutes), limit=1)
        assert (report.problems, report.checked["objects"]) == ([], 1)
    times = {(await evidence.recorder.row(call, leg)).verified_at for leg in ("agent", "customer")}
    assert times == {START + timedelta(minutes=10), START + timedelta(minutes=11)}


TAMPERING: dict[str, tuple[str, str]] = {
    "an entry's data": ("UPDATE journal SET actor = 'nobody' WHERE id = 2", "not what was sealed"),
    "an entry removed": ("DELETE FROM journal WHERE id = 2", "where 1 is expected"),
    "the last entry removed": ("DELETE FROM journal WHERE id = (SELECT max(id) FROM journal)", "gone|entries then"),
    "a leaf removed": ("DELETE FROM log_leaves WHERE idx = 1", "not in the log"),
    "a recording's hash": ("UPDATE recordings SET sha256 = pcm_sha256 || '' , stored_sha256 = sha256", "stored_sha256"),
    "a recording's row": ("DELETE FROM recordings WHERE leg = 'agent'", "its row is gone"),
    "a recording said to be missing": ("UPDATE recordings SET state = 'missing' WHERE leg = 'agent'", "was archived"),
    "a recording deleted without a receipt": ("UPDATE recordings SET state = 'deleted'", "without a journal entry"),
}


@pytest.mark.parametrize("name", TAMPERING)
async def test_tampering_with_the_database_is_found(evidence: Evidence, name: str) -> None:
    await evidence.talked()
    statement, found = TAMPERING[name]
    async with evidence.recorder.database.write() as transaction:
        await transaction.execute(text(statement))
    report = await evidence.verified(LATER)
    assert any(part in problem for problem in report.problems for part in found.split("|")), report.problems


async def test_an_entry_slipped_in_later_is_found(evidence: Evidence) -> None:
    await evidence.talked()
    database = evidence.recorder.database
    async with database.write() as transaction:
        await transaction.execute(update(journal).where(journal.c.id == 3).values(id=300))
        values = {"id": 3, "at": LATER, "kind": "recording.played", "actor": "x", "data": {}}
        await transaction.execute(insert(journal).values(**values))
        await transaction.execute(update(log_leaves).where(log_leaves.c.journal_id == 3).values(journal_id=300))
    assert not (await evidence.verified(LATER)).holds


async def test_a_log_made_anew_from_a_changed_journal_is_found_by_its_copied_checkpoints(
    evidence: Evidence, tmp_path: Path
) -> None:
    await evidence.talked()
    database = evidence.recorder.database
    async with database.write() as transaction:
        for table in ("log_leaves", "log_tiles", "log_checkpoints", "journal_cursors"):
            await transaction.execute(text(f"DELETE FROM {table}"))
        await transaction.execute(update(journal).where(journal.c.id == 3).values(actor="nobody"))
    forged = EvidenceLog(database=database, signer=evidence.signer)
    await forged.seal(LATER)
    report = await evidence.verified(LATER)
    assert any("a checkpoint in the folder" in problem for problem in report.problems), report.problems


async def test_a_log_cut_off_is_found_by_its_copied_checkpoints(evidence: Evidence) -> None:
    await evidence.talked()
    await evidence.talked()
    async with evidence.recorder.database.write() as transaction:
        await transaction.execute(delete(journal).where(journal.c.id > 4))
        await transaction.execute(delete(log_leaves).where(log_leaves.c.idx > 3))
        await transaction.execute(delete(checkpoints).where(checkpoints.c.size > 4))
        await transaction.execute(delete(recordings).where(recordings.c.call_id != await _first_call(transaction)))
    report = await evidence.verified(LATER)
    assert any("the log had 8 entries then and has 4 now" in problem for problem in report.problems), report.problems


async def _first_call(transaction: Transaction) -> str:
    rows = await transaction.all(select(journal.c.call_id).where(journal.c.id == 1))
    return str(rows[0].call_id)


async def test_checkpoints_under_another_key_are_found(evidence: Evidence, tmp_path: Path) -> None:
    await evidence.talked()
    evidence.signer = Signer(tmp_path / "another.pem")
    report = await evidence.verified(LATER)
    assert any("another log" in problem for problem in report.problems)


def _flip(path: Path, at: int = 300) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("spoil", [_flip, Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-20])])
async def test_a_spoilt_object_is_found(evidence: Evidence, spoil: Callable[[Path], object]) -> None:
    call = await evidence.talked()
    row = await evidence.recorder.row(call, "customer")
    spoil(evidence.recorder.store.path(row.object))
    report = await evidence.verified(LATER)
    assert [problem for problem in report.problems if row.id in problem] == report.problems
    assert report.problems
    assert (await evidence.recorder.row(call, "customer")).verified_at is None


async def test_two_objects_swapped_are_found(evidence: Evidence) -> None:
    call = await evidence.talked()
    paths = [
        evidence.recorder.store.path((await evidence.recorder.row(call, leg)).object) for leg in ("agent", "customer")
    ]
    first, second = (path.read_bytes() for path in paths)
    paths[0].write_bytes(second)
    paths[1].write_bytes(first)
    assert len((await evidence.verified(LATER)).problems) == 2


async def test_an_answered_leg_of_which_nothing_is_expected_is_found(evidence: Evidence) -> None:
    await evidence.talked()
    await evidence.recorder.call(expect=False)
    report = await evidence.verified(LATER)
    assert len(report.problems) == 2
    assert all("nothing is expected of it" in problem for problem in report.problems)


async def test_a_required_recording_that_never_came_needs_an_incident(evidence: Evidence) -> None:
    await evidence.recorder.call()
    assert len((await evidence.verified(LATER)).problems) == 2
    await evidence.recorder.run(after=120)
    await evidence.log.seal(LATER)
    assert (await evidence.verified(LATER)).problems == []


async def test_what_happened_long_ago_must_be_sealed(evidence: Evidence) -> None:
    await evidence.talked()
    async with evidence.recorder.database.write() as transaction:
        transaction.journal(Entry(START, "call.state"))
    assert any("is not sealed" in problem for problem in (await evidence.verified(LATER)).problems)
