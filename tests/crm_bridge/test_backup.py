"""Backup and restore: a filled database, its keys and its archive, on either database and from one to the other."""

import json
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from config import clock
from config.database import Database
from config.errors import Conflict, Invalid
from config.journal import Entry, journal
from config.migrate import upgrade
from config.schema import metadata
from config.settings import Archive, DatabaseSettings, Keys, Settings
from crm_bridge.operations.backup import MANIFEST, back_up
from crm_bridge.operations.restore import restore
from recordings.checkpoints import Signer
from recordings.configured import archive_of
from recordings.evidence_log import EvidenceLog
from recordings.intake import Intake
from recordings.tables import recordings
from recordings.verify import LogVerification, Report
from tests.support.databases import TABLE_MODULES
from tests.support.foreign_worlds import furnish
from tests.support.postgres import Server, fresh_database
from tests.support.spooled import Recorder, silence, stereo, tone

assert TABLE_MODULES
NOW = clock.now()


def _settings(folder: Path, url: str) -> Settings:
    return Settings(
        database=DatabaseSettings(url=url),
        archive=Archive(url=f"file://{folder / 'archive'}"),
        keys=Keys(master=folder / "keys" / "master.key"),
    )


async def _fill(settings: Settings, folder: Path) -> None:
    """Worlds of every kind of row, a recorded call of two legs, a sealed log."""
    database = Database(settings.database.url)
    await upgrade(database)
    folder.mkdir(exist_ok=True)
    recorder = Recorder(database, folder)
    recorder.intake = Intake(database=database, archive=archive_of(settings), spools=recorder.spools)
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 3), silence(3)))
    recorder.leave(call.file("customer"), stereo(tone(600, 2), tone(440, 2)))
    await recorder.run()
    await furnish(database)
    async with database.write() as transaction:
        transaction.journal(
            Entry(NOW, "note.final", "李娜", data={"text": "“quoted” \u202e\n", "n": 1.5, "none": None})
        )
    await database.close()


async def _rows(settings: Settings) -> dict[str, int]:
    database = Database(settings.database.url)
    async with database.read() as connection:
        counts = {
            name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in metadata.tables.items()
        }
    await database.close()
    return counts


async def _problems(settings: Settings) -> list[str]:
    """What is wrong with the log; every object is opened, too."""
    database, report = Database(settings.database.url), Report()

    def progress(_step: str, _done: int, _total: int) -> None:
        pass

    signer = Signer(settings.keys.signing)  # the log goes on under its key, and holds from its first entry
    await EvidenceLog(database=database, signer=signer, folder=None).seal(NOW)
    await LogVerification(database=database, signer=signer, folder=None, report=report, progress=progress).run(NOW)
    archive = archive_of(settings)
    async with database.read() as connection:
        kept = (await connection.execute(select(recordings).where(recordings.c.object.is_not(None)))).all()
    kept = [row for row in kept if row.object]
    assert len(kept) == 2
    for row in kept:
        with archive.open(row) as plain:
            assert plain.read(4) == b"fLaC"
    await database.close()
    return list(report.problems)


@pytest.fixture(params=["sqlite", "postgresql"])
async def urls(request: pytest.FixtureRequest, tmp_path: Path):
    """Two empty databases: one to fill, one to restore into."""
    if request.param == "sqlite":
        yield [f"sqlite+aiosqlite:///{tmp_path / name}" for name in ("old.db", "new.db")]
        return
    server: Server = request.getfixturevalue("postgres_server")
    async for old in fresh_database(server, "template1"):
        async for new in fresh_database(server, "template1"):
            yield [old, new]


async def test_a_filled_database_comes_back_whole_with_its_keys_and_its_archive(
    urls: list[str], tmp_path: Path
) -> None:
    old, new = _settings(tmp_path / "old", urls[0]), _settings(tmp_path / "new", urls[1])
    await _fill(old, tmp_path / "old")
    before = await _rows(old)
    made = await back_up(old, tmp_path / "backup.tar", now=NOW, with_archive=True)
    assert made.objects == 2
    assert made.path.stat().st_mode & 0o077 == 0
    result = await restore(new, tmp_path / "backup.tar", now=NOW)
    assert (result.rows, result.objects, result.missing) == (made.rows, 2, [])
    assert await _rows(new) == before | {"journal": before["journal"] + 1}
    assert await _problems(new) == []
    again = Database(new.database.url)
    async with again.write() as transaction:  # numbering goes on after what was restored
        transaction.journal(Entry(NOW, "note.final"))
    async with again.read() as connection:
        newest = (await connection.execute(select(journal).order_by(journal.c.id.desc()).limit(3))).all()
    assert [row.kind for row in newest] == ["note.final", "backup.restored", "note.final"]
    assert newest[2].data == {"text": "“quoted” \u202e\n", "n": 1.5, "none": None}
    await again.close()


async def test_a_backup_goes_from_sqlite_to_postgresql_and_back(tmp_path: Path, postgres_server: Server) -> None:
    first = _settings(tmp_path / "first", f"sqlite+aiosqlite:///{tmp_path / 'first.db'}")
    await _fill(first, tmp_path / "first")
    await back_up(first, tmp_path / "one.tar", now=NOW)
    async for url in fresh_database(postgres_server, "template1"):
        second = _settings(tmp_path / "first", url)
        await restore(second, tmp_path / "one.tar", now=NOW)
        await back_up(second, tmp_path / "two.tar", now=NOW)
    third = _settings(tmp_path / "first", f"sqlite+aiosqlite:///{tmp_path / 'third.db'}")
    await restore(third, tmp_path / "two.tar", now=NOW)
    shas = []
    for name in ("one.tar", "two.tar"):
        with tarfile.open(tmp_path / name) as tar:
            manifest = json.load(tar.extractfile(MANIFEST))
        shas.append({one["name"]: one["sha256"] for one in manifest["tables"] if one["name"] != "journal"})
    assert shas[0] == shas[1]
    assert (await _rows(third))["cases"] == 2


async def test_nothing_is_restored_over_rows_or_over_other_keys(tmp_path: Path) -> None:
    old = _settings(tmp_path / "old", f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    await _fill(old, tmp_path / "old")
    await back_up(old, tmp_path / "backup.tar", now=NOW)
    with pytest.raises(Conflict, match="is not empty"):
        await restore(old, tmp_path / "backup.tar", now=NOW)
    with pytest.raises(Conflict, match="such a file"):
        await back_up(old, tmp_path / "backup.tar", now=NOW)
    other = _settings(tmp_path / "other", f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")
    other.keys.master.parent.mkdir(parents=True)
    other.keys.master.write_text("00" * 32)
    other.keys.master.chmod(0o600)
    with pytest.raises(Conflict, match="another key"):
        await restore(other, tmp_path / "backup.tar", now=NOW)
    assert not (tmp_path / "other.db").exists()


async def test_a_key_that_was_destroyed_here_stays_destroyed(tmp_path: Path) -> None:
    old = _settings(tmp_path / "old", f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    await _fill(old, tmp_path / "old")
    await back_up(old, tmp_path / "backup.tar", now=NOW)
    key = next(old.keys.group_keys.glob("*.key"))
    archive_of(old).keyring.destroy(key.stem)
    again = _settings(tmp_path / "old", f"sqlite+aiosqlite:///{tmp_path / 'again.db'}")
    await restore(again, tmp_path / "backup.tar", now=NOW)
    assert not key.exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: raw[: len(raw) // 2], "backup"),
        (lambda raw: b"not a backup at all", "backup"),
        (lambda raw: raw.replace(b'"format": 1', b'"format": 9'), "format 9"),
        (lambda raw: raw.replace(b'"revision": "0', b'"revision": "9'), "newer version"),
        (lambda raw: raw.replace(b'"sha256": "', b'"sha256": "f', 1), "manifest"),
    ],
)
async def test_a_damaged_or_newer_backup_is_refused_before_anything_is_written(
    tmp_path: Path, damage, said: str
) -> None:
    old = _settings(tmp_path / "old", f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    database = Database(old.database.url)
    await upgrade(database)
    async with database.write() as transaction:
        await transaction.execute(insert(journal).values(at=NOW, kind="x", actor="x", data={}))
    await database.close()
    await back_up(old, tmp_path / "backup.tar", now=NOW)
    raw = damage((tmp_path / "backup.tar").read_bytes())
    (tmp_path / "damaged.tar").write_bytes(raw)
    new = _settings(tmp_path / "new", f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(Invalid, match=said):
        await restore(new, tmp_path / "damaged.tar", now=NOW)
    assert not (tmp_path / "new.db").exists()
