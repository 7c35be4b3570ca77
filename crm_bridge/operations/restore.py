"""A backup brought back: into an empty database, in one transaction, compared line by line before it is committed.

Made by an earlier version it is restored as it was and then upgraded. Nothing that is there is overwritten: not a row, not
a key, not an object of the archive.
"""

import gzip
import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Conflict, Fault, Invalid
from config.journal import Entry
from config.migrate import knows_revision, upgrade_to
from config.settings import Settings
from crm_bridge.operations import key_files
from crm_bridge.operations.backup import FORMAT, MANIFEST
from crm_bridge.operations.rows import Written, count_on, insert_lines, lines
from recordings.configured import archive_of
from recordings.store import LocalStore
from recordings.tables import recordings


class NotRestored(Fault):
    """What was written is not what the backup says; nothing was committed."""

    code = "not-restored"


@dataclass(slots=True)
class Restored:
    """What was brought back, and what of the archive the rows speak of is not there."""

    made_at: str
    rows: int = 0
    keys: int = 0
    objects: int = 0
    missing: list[str] = field(default_factory=list)


async def restore(settings: Settings, source: Path, *, now: datetime) -> Restored:
    """Bring the backup back.

    Raises Invalid (no backup, damaged, of a newer version), Conflict (something is there already), NotRestored.
    """
    with _opened(source) as tar:
        manifest = _manifest(tar, source)
        tables = [_table(one) for one in manifest["tables"]]
        _require_whole(tar, tables, source)
        keys = _keys(tar, manifest)
        key_files.require_fitting(settings.keys, manifest["keys"])
        database = Database(settings.database.url)
        try:
            database.claim_for_this_process()
            result = Restored(manifest["made_at"], rows=sum(found.rows for found in tables))
            async with database.write() as transaction:
                await _require_empty(transaction.connection, settings.database.url)
                await upgrade_to(transaction, manifest["revision"])
                await _fill(transaction, tar, tables)
                await upgrade_to(transaction, "head")
                data = {"made_at": manifest["made_at"], "rows": result.rows, "revision": manifest["revision"]}
                transaction.journal(Entry(now, "backup.restored", "command line", data=data))
            result.keys = key_files.bring_back(settings.keys, keys)
            result.objects = _bring_back_objects(tar, settings)
            result.missing = await _missing(database, settings)
        finally:
            await database.close()
    return result


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(source, "r:") as tar:
            yield tar
    except (OSError, tarfile.TarError, EOFError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Invalid(f"{source}: cannot be read as a backup: {why}") from error


def _manifest(tar: tarfile.TarFile, source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(_read(tar, MANIFEST))
    except (KeyError, ValueError) as error:
        raise Invalid(f"{source}: is no whole backup, its manifest is missing") from error
    if manifest.get("format") != FORMAT:
        raise Invalid(f"{source}: is a backup of format {manifest.get('format')}, this version reads {FORMAT}")
    if not knows_revision(manifest["revision"]):
        raise Invalid(f"{source}: was made by a newer version (revision {manifest['revision']}); restore with that one")
    return manifest


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def _table(described: Mapping[str, Any]) -> Written:
    columns = [(str(name), str(kind)) for name, kind in described["columns"]]
    return Written(described["name"], columns, list(described["key"]), described["rows"], described["sha256"])


def _lines_of(tar: tarfile.TarFile, found: Written) -> Iterator[bytes]:
    member = tar.extractfile(f"tables/{found.name}.jsonl.gz")
    if member is None:
        raise KeyError(found.name)
    with gzip.open(member) as unpacked:
        yield from unpacked


def _require_whole(tar: tarfile.TarFile, tables: list[Written], source: Path) -> None:
    """Every line is what the manifest says, before anything is written."""
    for found in tables:
        digest, rows = hashlib.sha256(), 0
        try:
            for line in _lines_of(tar, found):
                digest.update(line)
                rows += 1
        except (KeyError, OSError, EOFError) as error:
            raise Invalid(f"{source}: the table {found.name} is damaged") from error
        if (rows, digest.hexdigest()) != (found.rows, found.sha256):
            raise Invalid(f"{source}: the table {found.name} is not what the manifest says")


def _keys(tar: tarfile.TarFile, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    if not manifest["keys_included"]:
        return {}
    found = {name: _read(tar, f"keys/{name}") for name in manifest["keys"]}
    wrong = [name for name, content in found.items() if key_files.fingerprint(content) != manifest["keys"][name]]
    if wrong:
        raise Invalid(f"the key {wrong[0]} in the backup is damaged")
    return found


async def _require_empty(connection: AsyncConnection, url: str) -> None:
    names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    for name in names:
        if name != "alembic_version" and await connection.scalar(text(f'SELECT 1 FROM "{name}" LIMIT 1')) is not None:
            raise Conflict(f"{url.split('@')[-1]} is not empty ({name} has rows): restore into an empty database")
    for name in names:  # what a `migrate` of another version made
        cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
        await connection.execute(text(f'DROP TABLE "{name}"{cascade}'))


async def _fill(transaction: Transaction, tar: tarfile.TarFile, tables: list[Written]) -> None:
    for found in tables:
        await insert_lines(transaction.connection, found, _lines_of(tar, found))
        again = Written(found.name, found.columns, found.key)
        async for _ in lines(transaction.connection, again):
            pass
        if (again.rows, again.sha256) != (found.rows, found.sha256):
            raise NotRestored(f"{found.name} came out otherwise than it went in; nothing was restored")
        await count_on(transaction.connection, found)


def _bring_back_objects(tar: tarfile.TarFile, settings: Settings) -> int:
    members = [member for member in tar.getmembers() if member.isfile() and member.name.startswith("archive/")]
    store = archive_of(settings).store
    if not members or not isinstance(store, LocalStore):
        return 0
    for member in members:
        content = tar.extractfile(member)
        assert content is not None  # isfile() said so
        with tempfile.NamedTemporaryFile() as plain:  # what it holds is encrypted
            while block := content.read(1 << 20):
                plain.write(block)
            plain.flush()
            store.put(member.name.removeprefix("archive/"), Path(plain.name))
    return len(members)


async def _missing(database: Database, settings: Settings) -> list[str]:
    """Recordings whose objects the archive does not have."""
    store = archive_of(settings).store
    wanted = recordings.select().where(recordings.c.state == "archived", recordings.c.object.is_not(None))
    async with database.read() as connection:
        rows = (await connection.execute(wanted.order_by(recordings.c.id))).all()
    return [row.id for row in rows if not store.exists(row.object)]
