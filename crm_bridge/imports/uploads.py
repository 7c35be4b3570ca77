"""Files that came in: kept in the database in pieces until they are imported, so that any process can go on with them."""

import asyncio
import hashlib
import unicodedata
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Conflict, Fault, Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.imports import child
from crm_bridge.imports.mapping import Mapping
from crm_bridge.imports.tables import import_chunks, import_rows, imports
from crm_bridge.people import scope
from crm_bridge.people.users import User

CHUNK = 1 << 20
LARGEST = 200 << 20
KEPT = timedelta(days=14)
SPECIAL = timedelta(hours=2)
"""What a special case may take beside the hour (S42)."""
WAITING = ("uploaded", "checked")
ENDED = ("done", "failed", "canceled")


class FileTooLarge(Fault):
    """The file is larger than what is taken in."""

    code = "file-too-large"
    status = 413
    title = "The file is too large"


def columns() -> list[Any]:
    """What is shown of an import."""
    return [column for column in imports.c if column.name not in ("due_at", "attempts")]


async def find(connection: AsyncConnection, import_id: str, user: User) -> Row[Any]:
    """The import, if it is of the user's clients. Raises NotFound."""
    mine = scope.clients_seen_by(user, imports.c.client)
    row = (await connection.execute(select(imports).where(imports.c.id == import_id, mine))).first()
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return row


async def list_imports(
    connection: AsyncConnection, user: User, *, client: str | None, state: str | None, before: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Imports of the user's clients, newest first, those before the id `before`."""
    wanted = [scope.clients_seen_by(user, imports.c.client)]
    wanted += [imports.c.client == client] if client is not None else []
    wanted += [imports.c.state == state] if state is not None else []
    wanted += [imports.c.id < before] if before is not None else []
    found: Sequence[Row[Any]] = (
        await connection.execute(select(*columns()).where(*wanted).order_by(imports.c.id.desc()).limit(limit))
    ).all()
    return found


async def take_in(
    database: Database,
    client: str,
    file_name: str,
    pieces: AsyncIterator[bytes],
    *,
    deadline_at: datetime,
    user: User,
    now: datetime,
) -> str:
    """Keep a file as it streams in, and look at its first rows; the import's id. Raises Forbidden, Invalid, FileTooLarge."""
    scope.require_client(user, client)
    import_id, name = new_id(now), _file_name(file_name)
    digest, size, position = hashlib.sha256(), 0, 0
    row = {
        "id": import_id, "client": client, "file_name": name, "size": 0, "sha256": "", "state": "receiving",
        "preview": {}, "problems": [], "position": 0, "total": 0, "counts": {}, "uploaded_at": now,
        "uploaded_by": user.name, "deadline_at": deadline_at, "attempts": 0, "emptied": False,
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(imports).values(**row))
    try:
        async for piece in _of_size(pieces):
            digest.update(piece)
            size += len(piece)
            if size > LARGEST:
                raise FileTooLarge(f"a file has at most {LARGEST >> 20} MB; split it")
            async with database.write() as transaction:
                chunk = {"import_id": import_id, "position": position, "content": piece}
                await transaction.execute(insert(import_chunks).values(**chunk))
            position += 1
        if not size:
            raise Invalid("the file is empty", [{"field": "", "message": "is empty"}])
    except BaseException:
        await _forget(database, import_id)
        raise
    values = {"state": "uploaded", "size": size, "sha256": digest.hexdigest()}
    async with database.write() as transaction:
        await transaction.execute(update(imports).where(imports.c.id == import_id).values(**values))
        data = {"import_id": import_id, "file": name, "size": size, "sha256": values["sha256"]}
        data["deadline_at"] = deadline_at.isoformat()
        transaction.journal(Entry(now, "import.uploaded", user.name, client, data=data))
    await look(database, import_id)
    return import_id


def _file_name(given: str) -> str:
    """The last part of a name, without what could be mistaken for a path or change the direction of a line."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(one for one in last if unicodedata.category(one) not in ("Cc", "Cf"))
    return plain.strip()[:255] or "file"


async def _of_size(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)


async def _forget(database: Database, import_id: str) -> None:
    async with database.write() as transaction:
        await transaction.execute(delete(import_chunks).where(import_chunks.c.import_id == import_id))
        await transaction.execute(delete(imports).where(imports.c.id == import_id))


async def write_file(database: Database, import_id: str, path: Path) -> None:
    """Put the file at `path`, piece by piece."""
    position = 0
    with path.open("wb") as file:
        while True:
            wanted = (import_chunks.c.import_id == import_id) & (import_chunks.c.position == position)
            async with database.read() as connection:
                content = await connection.scalar(select(import_chunks.c.content).where(wanted))
            if content is None:
                return
            await asyncio.to_thread(file.write, content)
            position += 1


async def look(database: Database, import_id: str, mapping: dict[str, Any] | None = None) -> None:
    """Read the headings and the first rows anew, with the suggested columns, into `preview`."""
    order = {"preview": True, "mapping": mapping}
    shown: dict[str, Any] = {}
    problems: list[dict[str, Any]] = []
    async for line in child.lines(lambda path: write_file(database, import_id, path), order):
        shown = line.get("file") or shown
        problems += line.get("problems", [])
    async with database.write() as transaction:
        values = {"preview": shown, "problems": problems}
        await transaction.execute(update(imports).where(imports.c.id == import_id).values(**values))


async def order_check(
    transaction: Transaction, import_id: str, mapping: Mapping, name: str | None, *, user: User, now: datetime
) -> Row[Any]:
    """Have the file checked by this mapping; nothing is written yet. Raises NotFound, Conflict (it is running or over)."""
    row = await _locked(transaction, import_id, user)
    if row.state not in WAITING:
        raise Conflict(f"the import is {row.state}")
    await transaction.execute(delete(import_rows).where(import_rows.c.import_id == import_id))
    values: dict[str, Any] = {
        "state": "checking", "mapping": mapping.model_dump(mode="json"), "mapping_name": name, "problems": [],
        "position": 0, "total": 0, "counts": {}, "tried": None, "due_at": now,
    }  # fmt: skip
    return await _changed(transaction, import_id, values)


async def order_run(
    transaction: Transaction, import_id: str, *, dry: bool, despite_problems: bool, user: User, now: datetime
) -> Row[Any]:
    """Have the rows imported, or tried. Raises NotFound, Conflict: not checked, nothing to import, rows with problems."""
    row = await _locked(transaction, import_id, user)
    if row.state != "checked":
        raise Conflict(f"the import is {row.state}; it has to be checked first")
    counts = row.counts
    if not counts.get("ready"):
        raise Conflict("no row can be imported", counts=counts)
    if counts.get("bad") and not dry and not despite_problems:
        raise Conflict(f"{counts['bad']} rows have problems; mend the file, or import the others alone", counts=counts)
    values: dict[str, Any] = {
        "state": "trying" if dry else "running",
        "position": 0,
        "run_by": user.name,
        "due_at": now,
    }
    values |= {"tried": None} if dry else {"started_at": now}
    if not dry:
        data = {"import_id": import_id, "rows": counts["ready"], "left_out": counts.get("bad", 0)}
        transaction.journal(Entry(now, "import.started", user.name, row.client, data=data))
    return await _changed(transaction, import_id, values)


async def cancel(transaction: Transaction, import_id: str, reason: str, *, user: User, now: datetime) -> Row[Any]:
    """Stop it; cases that were written stay written, and are named. Raises NotFound, Conflict (it is over)."""
    row = await _locked(transaction, import_id, user)
    if row.state in ENDED:
        raise Conflict(f"the import is {row.state}")
    data = {"import_id": import_id, "reason": reason, "counts": row.counts, "was": row.state}
    transaction.journal(Entry(now, "import.canceled", user.name, row.client, data=data))
    return await _changed(transaction, import_id, {"state": "canceled", "finished_at": now, "due_at": None})


async def confirm(transaction: Transaction, import_id: str, to: str, *, user: User, now: datetime) -> Row[Any]:
    """It was confirmed to the client: the clock stops (S41). Raises NotFound, Conflict (not done, or confirmed)."""
    row = await _locked(transaction, import_id, user)
    if row.state not in ENDED:
        raise Conflict(f"the import is {row.state}; what came of it is not known yet")
    if row.confirmed_at is not None:
        raise Conflict(f"{row.confirmed_by} confirmed it to {row.confirmed_to} already")
    data = {"import_id": import_id, "to": to, "counts": row.counts, "in_time": now <= row.deadline_at}
    transaction.journal(Entry(now, "import.confirmed", user.name, row.client, data=data))
    return await _changed(transaction, import_id, {"confirmed_at": now, "confirmed_by": user.name, "confirmed_to": to})


async def take_longer(transaction: Transaction, import_id: str, reason: str, *, user: User, now: datetime) -> Row[Any]:
    """A special case, which may take three hours instead of one (S42). Raises NotFound, Conflict (it is one already)."""
    row = await _locked(transaction, import_id, user)
    if row.special is not None or row.confirmed_at is not None:
        raise Conflict("it has been given more time already" if row.special else "it is confirmed already")
    until = row.deadline_at + SPECIAL
    data = {"import_id": import_id, "reason": reason, "deadline_at": until.isoformat()}
    transaction.journal(Entry(now, "import.extended", user.name, row.client, data=data))
    return await _changed(transaction, import_id, {"special": reason, "deadline_at": until})


async def _locked(transaction: Transaction, import_id: str, user: User) -> Row[Any]:
    await transaction.lock([f"import:{import_id}"])
    return await find(transaction.connection, import_id, user)


async def _changed(transaction: Transaction, import_id: str, values: dict[str, Any]) -> Row[Any]:
    # Whoever works on it notices: its claim is of another number.
    changed = update(imports).where(imports.c.id == import_id).values(**values, attempts=imports.c.attempts + 1)
    return (await transaction.execute(changed.returning(*imports.c))).one()


async def empty_old(database: Database, now: datetime) -> None:
    """Take away files and the documents of their rows two weeks after the import: the cases are what is kept."""
    old = select(imports.c.id).where(imports.c.uploaded_at < now - KEPT, imports.c.emptied.is_(False)).limit(20)
    async with database.write() as transaction:
        names = [row.id for row in await transaction.all(old)]
        if not names:
            return
        await transaction.execute(delete(import_chunks).where(import_chunks.c.import_id.in_(names)))
        nothing: dict[str, Any] = {"document": None, "problems": []}
        await transaction.execute(update(import_rows).where(import_rows.c.import_id.in_(names)).values(**nothing))
        values = {"emptied": True, "preview": {}, "due_at": None}
        await transaction.execute(update(imports).where(imports.c.id.in_(names)).values(**values))
        unfinished = imports.c.state.not_in(ENDED) & imports.c.id.in_(names)
        await transaction.execute(update(imports).where(unfinished).values(state="canceled", finished_at=now))
