"""Replay: a call's audio as people hear it, made once from the archive and kept in a cache that may be deleted at any
time."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from config.database import Database
from config.errors import NotFound
from recordings.archive import Archive
from recordings.compose import SIDES, Part, Plan, compose, plan
from recordings.formats import Format, to_mp3, to_wav
from recordings.peaks import call_waveform
from recordings.plays import Plays
from recordings.store import COPY_BYTES
from recordings.tables import recordings

VERSION = "1"
"""Part of every cache key: raised when the composition changes."""
CACHE_BYTES = 2 << 30
COPIES_AT_ONCE = 2
TRANSCODES_AT_ONCE = 1


class NoAudio(NotFound):
    """There is nothing to hear (yet): no leg of the call is archived with sound in it."""

    code = "no-audio"
    title = "There is no audio"


class Replay:
    """Makes and caches what is played. `cache` is a folder on a local disk, kept under `cache_bytes`."""

    def __init__(self, *, database: Database, archive: Archive, cache: Path, cache_bytes: int = CACHE_BYTES) -> None:
        self._database = database
        self._store = archive.store
        self.plays = Plays(database=database)
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._making: dict[str, asyncio.Task[None]] = {}
        self._copies, self._transcodes = asyncio.Semaphore(COPIES_AT_ONCE), asyncio.Semaphore(TRANSCODES_AT_ONCE)

    async def call_audio(self, call_id: str, form: Format = "flac") -> Path:
        """The file with the call as heard: channel 0 our side, channel 1 the outside party. Raises `NoAudio`."""
        planned = plan(_parts(await self._legs(call_id)))
        key = _cache_key(planned)
        flac = await self._made(f"{key}.flac", lambda target: compose(planned, self._store.open, target), self._copies)
        return await self._as(flac, form)

    async def leg_audio(self, recording_id: str, form: Format = "flac") -> Path:
        """The file with one leg's recording: channel 0 what it said, channel 1 what it heard. Raises `NoAudio`."""
        row = await self._recording(recording_id)
        flac = await self._made(
            f"{row.stored_sha256}.flac", lambda target: self._fetch(row.object, target), self._copies
        )
        return await self._as(flac, form)

    async def peaks(self, call_id: str) -> dict[str, Any]:
        """The call's waveform, from the peaks stored with its legs; see `recordings.peaks.call_waveform`."""
        legs = await self._legs(call_id)
        return call_waveform([(SIDES.index(row.leg), row.started_at, row.channels, row.peaks) for row in legs])

    async def _legs(self, call_id: str) -> list[Row[Any]]:
        async with self._database.read() as connection:
            rows = await connection.execute(
                select(recordings)
                .where(recordings.c.call_id == call_id, recordings.c.state == "archived", recordings.c.duration > 0)
                .order_by(recordings.c.leg_started_at, recordings.c.id)
            )
            legs = [row for row in rows if row.leg in SIDES]
        if not legs:
            raise NoAudio("no recording of this call is archived")
        return legs

    async def _recording(self, recording_id: str) -> Row[Any]:
        async with self._database.read() as connection:
            row = (await connection.execute(select(recordings).where(recordings.c.id == recording_id))).first()
        if row is None or row.state != "archived" or not row.duration:
            raise NoAudio("this recording is not archived, or holds no sound")
        return row

    async def _as(self, flac: Path, form: Format) -> Path:
        if form == "wav":
            return await self._made(f"{flac.stem}.wav", lambda target: to_wav(flac, target), self._copies)
        if form == "mp3":
            return await self._made(f"{flac.stem}.mp3", lambda target: to_mp3(flac, target), self._transcodes)
        return flac

    async def _made(self, name: str, make: Callable[[Path], None], slots: asyncio.Semaphore) -> Path:
        """The cached file, made if it is not there; two who ask at once wait for one making."""
        path = self._cache / name
        if await asyncio.to_thread(_touched, path):
            return path
        if name not in self._making:
            task = asyncio.create_task(self._make_in_turn(path, make, slots))
            self._making[name] = task
            task.add_done_callback(lambda _: self._making.pop(name, None))
        await asyncio.shield(self._making[name])
        return path

    async def _make_in_turn(self, path: Path, make: Callable[[Path], None], slots: asyncio.Semaphore) -> None:
        async with slots:
            await asyncio.to_thread(self._make, path, make)

    def _make(self, path: Path, make: Callable[[Path], None]) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        temporary = self._cache / f".{secrets.token_hex(16)}{path.suffix}"
        try:
            make(temporary)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        _trim(self._cache, self._cache_bytes)

    def _fetch(self, key: str, target: Path) -> None:
        with self._store.open(key) as source, target.open("xb") as copy:
            while block := source.read(COPY_BYTES):
                copy.write(block)


def _parts(legs: list[Row[Any]]) -> list[Part]:
    return [
        Part(row.leg, row.object, row.pcm_sha256, row.started_at, round(row.duration * row.rate), row.rate)
        for row in legs
    ]


def _cache_key(planned: Plan) -> str:
    digest = hashlib.sha256(f"{VERSION} {planned.rate}".encode())
    for at, part in planned.placed:
        digest.update(f" {part.role} {part.pcm_sha256} {at}".encode())
    return digest.hexdigest()


def _touched(path: Path) -> bool:
    """Whether it is there; its time is set to now, so that what is played stays longest in the cache."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _trim(cache: Path, limit: int) -> None:
    """Remove what was not played for longest until the rest fits; a file being sent stays readable to its reader."""
    files = sorted(
        (
            (file.stat().st_mtime, file.stat().st_size, file)
            for file in cache.iterdir()
            if not file.name.startswith(".")
        ),
        reverse=True,
    )
    total = 0
    for _, size, file in files:
        total += size
        if total > limit and file != files[0][2]:
            file.unlink(missing_ok=True)
