"""The evidence log: every journal entry sealed once and in order, provable, signed, and written where it can be copied."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from config.database import Database
from config.journal import Entry, read_after
from recordings.checkpoints import BadCheckpoint, CheckpointFolder, Signer, read_note
from recordings.evidence_log import EvidenceLog
from recordings.merkle import is_consistent, is_included, leaf_hash
from recordings.tables import checkpoints, incidents, log_leaves

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "log-signing.pem")


@pytest.fixture
def log(database: Database, signer: Signer, tmp_path: Path) -> EvidenceLog:
    return EvidenceLog(database=database, signer=signer, folder=tmp_path / "off site")


async def happen(database: Database, count: int, call_id: str | None = None) -> None:
    async with database.write() as transaction:
        for at in range(count):
            data = {"n": at, "名": "催收", "x": 1.5e300}
            transaction.journal(Entry(NOW, "call.state", "li", "north", call_id=call_id, data=data))


async def test_every_entry_is_proven_in_every_later_checkpoint(
    database: Database, log: EvidenceLog, signer: Signer
) -> None:
    for count in (1, 255, 3, 1, 700):
        await happen(database, count, "c" * 32)
        assert await log.seal(NOW) == count
    assert await log.seal(NOW) == 0
    async with database.read() as connection:
        entries = await read_after(connection, 0, 2000)
        notes = [read_note(row.note, signer.public_key()) for row in await connection.execute(select(checkpoints))]
        assert [note.size for note in notes] == [1, 256, 259, 260, 960]
        for note in notes:
            shown = entries[: note.size][:: max(1, note.size // 20)]
            for found in await log.prove(connection, shown, note.size):
                assert is_included(leaf_hash(found.leaf), found.index, note.size, found.proof, note.root)
        for old in notes:
            for new in notes[notes.index(old) :]:
                grown = await log.prove_growth(connection, old.size, new.size)
                assert is_consistent(old.size, new.size, old.root, new.root, grown)
        with pytest.raises(LookupError):
            await log.prove(connection, entries, 100)


async def test_the_entries_of_a_call_are_numbered(database: Database, log: EvidenceLog) -> None:
    for call in ("a" * 32, "b" * 32, None, "a" * 32, "a" * 32):
        await happen(database, 2, call)
        await log.seal(NOW)
    async with database.read() as connection:
        rows = list(await connection.execute(select(log_leaves).order_by(log_leaves.c.idx)))
    assert [row.of_call for row in rows if row.call_id == "a" * 32] == [1, 2, 3, 4, 5, 6]
    assert [row.of_call for row in rows if row.call_id is None] == [None, None]
    assert [row.idx for row in rows] == list(range(10))


async def test_several_at_once_seal_each_entry_once(
    database: Database, database_url: str, signer: Signer, tmp_path: Path
) -> None:
    others = [database, *(Database(database_url) for _ in range(2))]
    logs = [EvidenceLog(database=other, signer=signer, folder=tmp_path / "off site") for other in others]
    for _ in range(5):
        await happen(database, 40)
        await asyncio.gather(*(log.seal(NOW) for log in logs))
    await logs[0].seal(NOW)
    async with database.read() as connection:
        rows = list(await connection.execute(select(log_leaves).order_by(log_leaves.c.idx)))
        ids = [entry.id for entry in await read_after(connection, 0, 1000)]
        sizes = list(await connection.scalars(select(checkpoints.c.size).order_by(checkpoints.c.size)))
    assert [row.journal_id for row in rows] == ids
    assert sizes[-1] == 200
    written = [read_note(note, signer.public_key()).size for note in CheckpointFolder(tmp_path / "off site").notes()]
    assert written == sizes
    for other in others[1:]:
        await other.close()


async def test_checkpoints_are_appended_where_they_can_be_copied_from(
    database: Database, log: EvidenceLog, signer: Signer, tmp_path: Path
) -> None:
    folder = CheckpointFolder(tmp_path / "off site")
    for later in (0, 1, 40):
        await happen(database, 3)
        await log.seal(NOW + timedelta(days=later))
    assert [path.name for path in folder.files()] == ["checkpoints-2026-06.txt", "checkpoints-2026-07.txt"]
    assert [read_note(note, signer.public_key()).size for note in folder.notes()] == [3, 6, 9]
    assert (tmp_path / "off site" / "log-key.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert (tmp_path / "log-signing.pem").stat().st_mode & 0o777 == 0o600
    with folder.files()[0].open("a") as file:
        file.write("something else\n")
    with pytest.raises(BadCheckpoint):
        list(folder.notes())


async def test_checkpoints_that_cannot_be_written_are_an_incident_and_are_caught_up(
    database: Database, log: EvidenceLog, tmp_path: Path
) -> None:
    (tmp_path / "off site").write_text("a file where the folder should be")
    await happen(database, 3)
    await log.seal(NOW)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).where(incidents.c.kind == "checkpoints-failing")) == 1
    (tmp_path / "off site").unlink()
    await happen(database, 3)
    await log.seal(NOW)
    async with database.read() as connection:
        sizes = list(await connection.scalars(select(checkpoints.c.size).order_by(checkpoints.c.size)))
        assert not await connection.scalar(select(func.count()).where(incidents.c.closed_at.is_(None)))
    assert [int(note.split("\n")[1]) for note in CheckpointFolder(tmp_path / "off site").notes()][: len(sizes)] == sizes


async def test_another_key_or_another_text_is_no_checkpoint(
    database: Database, log: EvidenceLog, signer: Signer, tmp_path: Path
) -> None:
    await happen(database, 3)
    await log.seal(NOW)
    async with database.read() as connection:
        note = (await log.latest(connection)).note
    with pytest.raises(BadCheckpoint):
        read_note(note, Signer(tmp_path / "another.pem").public_key())
    for at in range(len(note)):
        spoilt = note[:at] + chr(ord(note[at]) ^ 1) + note[at + 1 :]
        with pytest.raises(BadCheckpoint):
            read_note(spoilt, signer.public_key())


async def test_a_lost_hash_is_said(database: Database, log: EvidenceLog) -> None:
    await happen(database, 300)
    await log.seal(NOW)
    async with database.write() as transaction:
        await transaction.execute(text("DELETE FROM log_leaves WHERE idx = 299"))
    async with database.read() as connection:
        with pytest.raises(LookupError, match="has lost"):
            await log.prove(connection, (await read_after(connection, 0))[:1], 300)
