"""One file with everything but the sound: all rows out of one snapshot, the keys, what the archive holds, and a manifest.

A tar: `manifest.json` last, so that a file that was cut short is no backup; `tables/NAME.jsonl.gz`; `keys/…` unless they
are left out; `archive/…` where asked for and the archive is a folder. It may be made while the service runs.
"""

import gzip
import io
import json
import os
import secrets
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from config.errors import Conflict, Invalid
from config.journal import Entry, last_position
from config.migrate import current_revision, require_current
from config.schema import metadata
from config.settings import Settings
from crm_bridge.operations.key_files import fingerprint, key_files
from crm_bridge.operations.rows import Written, lines, tables_of
from recordings.configured import archive_of
from recordings.store import LocalStore
from recordings.tables import recordings

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Made:
    """What a backup holds."""

    path: Path
    rows: int
    keys: int
    objects: int
    size: int


async def back_up(
    settings: Settings, target: Path, *, now: datetime, with_keys: bool = True, with_archive: bool = False
) -> Made:
    """Write the backup to `target`, whole or not at all, readable by its owner alone. Raises Conflict: there is such a file."""
    if target.exists():
        raise Conflict(f"{target}: there is such a file already")
    if not target.parent.is_dir():
        raise Invalid(f"{target.parent}: there is no such folder")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    database = Database(settings.database.url)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                manifest = await _fill(tar, settings, database, now, with_keys, with_archive)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, target)
        made = Made(
            target, sum(one["rows"] for one in manifest["tables"]), len(manifest["keys"]) if with_keys else 0,
            manifest["archive"]["included"], target.stat().st_size,
        )  # fmt: skip
        async with database.write() as transaction:
            data = {"rows": made.rows, "keys": made.keys, "objects": made.objects, "bytes": made.size}
            transaction.journal(Entry(now, "backup.made", "command line", data=data))
        return made
    finally:
        temporary.unlink(missing_ok=True)
        await database.close()


async def _fill(
    tar: tarfile.TarFile, settings: Settings, database: Database, now: datetime, with_keys: bool, with_archive: bool
) -> dict[str, Any]:
    await require_current(database)
    # The keys first: a key made meanwhile is of a recording that the snapshot may not have, not the other way round.
    keys = {name: path.read_bytes() for name, path in key_files(settings.keys).items()}
    async with database.read() as connection:
        if database.is_postgres:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await _require_all_known(connection)
        tables = [await _add_table(tar, connection, found) for found in tables_of(metadata)]
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "database": "postgresql" if database.is_postgres else "sqlite",
            "revision": await current_revision(connection),
            "journal": await last_position(connection),
            "tables": [found.document() for found in tables],
            "keys": {name: fingerprint(content) for name, content in keys.items()},
            "keys_included": with_keys,
            "archive": await _archive_state(connection, settings),
        }
        objects = await _objects(connection) if with_archive else []
    if with_keys:
        for name, content in keys.items():
            _add(tar, f"keys/{name}", content)
    manifest["archive"]["included"] = _add_objects(tar, settings, objects) if with_archive else 0
    _add(tar, MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return manifest


async def _require_all_known(connection: AsyncConnection) -> None:
    names = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
    unknown = sorted(names - {"alembic_version"} - set(metadata.tables))
    if unknown:
        raise Conflict(f"the tables {', '.join(unknown)} are none of this version's: they would not be in the backup")


async def _add_table(tar: tarfile.TarFile, connection: AsyncConnection, found: Written) -> Written:
    with tempfile.TemporaryFile() as spool:
        with gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=3, mtime=0) as packed:
            async for written in lines(connection, found):
                packed.write(b"".join(written))
        member = tarfile.TarInfo(f"tables/{found.name}.jsonl.gz")
        member.size, member.mode = spool.tell(), 0o600
        spool.seek(0)
        tar.addfile(member, spool)
    return found


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    tar.addfile(member, io.BytesIO(content))


async def _archive_state(connection: AsyncConnection, settings: Settings) -> dict[str, Any]:
    kept = select(func.count(), func.coalesce(func.sum(recordings.c.stored_bytes), 0))
    objects, size = (await connection.execute(kept.where(recordings.c.object.is_not(None)))).one()
    return {"url": settings.archive.url, "objects": objects, "bytes": int(size)}


async def _objects(connection: AsyncConnection) -> list[str]:
    wanted = select(recordings.c.object).where(recordings.c.object.is_not(None), recordings.c.state == "archived")
    return list(await connection.scalars(wanted.order_by(recordings.c.id)))


def _add_objects(tar: tarfile.TarFile, settings: Settings, objects: list[str]) -> int:
    store = archive_of(settings).store
    if not isinstance(store, LocalStore):
        raise Invalid("the archive is a bucket: copy it with its store's own means (versions, replication)")
    for key in objects:
        tar.add(store.path(key), f"archive/{key}", recursive=False)
    return len(objects)
