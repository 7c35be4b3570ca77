"""Replay: a call's audio as people hear it, made once from the archive and kept in a cache that may be deleted at any
time."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.engine import Row

from config.database import Database
from config.errors import NotFound
from recordings.archive import Archive
from recordings.compose import Plan, compose, plan
from recordings.formats import Format, to_mp3, to_wav
from recordings.heard import Heard, heard_in, is_waited_for
from recordings.peaks import call_waveform
from recordings.plays import Plays
from recordings.regions import call_regions
from recordings.replay_cache import ReplayCache
from recordings.tables import recordings

VERSION = "2"
"""Part of every cache key: raised when the composition changes."""
CACHE_BYTES = 2 << 30
COPIES_AT_ONCE = 2
TRANSCODES_AT_ONCE = 1
TRIES = 3
LOOKS, LOOK_EVERY = 25, 0.2
"""How often, and after how many seconds again, it is looked whether what belongs to a call has come in."""
TOO_SMALL = "what was made of this recording is removed as soon as it is there: the replay cache is too small"
CONVERTERS = {"wav": to_wav, "mp3": to_mp3}


class NoAudio(NotFound):
    """There is nothing to hear (yet): no leg of the call is archived with sound in it."""

    code = "no-audio"
    title = "There is no audio"


class Replay:
    """Makes and caches what is played. `cache` is a folder on a local disk, kept under `cache_bytes`."""

    def __init__(self, *, database: Database, archive: Archive, cache: Path, cache_bytes: int = CACHE_BYTES) -> None:
        self._database = database
        self._archive = archive
        self.plays = Plays(database=database)
        self.cache = ReplayCache(cache, cache_bytes)
        self._making: dict[str, asyncio.Task[None]] = {}
        self._copies, self._transcodes = asyncio.Semaphore(COPIES_AT_ONCE), asyncio.Semaphore(TRANSCODES_AT_ONCE)

    async def call_audio(self, call_id: str, form: Format = "flac") -> BinaryIO:
        """The call as heard, an open file: channel 0 our side, channel 1 the outside party. Raises `NoAudio`."""
        pieces = {f"{place}": piece for place, piece in enumerate(await self._heard(call_id))}
        planned = plan([piece.part(key) for key, piece in pieces.items()])

        def write(target: BinaryIO) -> None:
            compose(planned, lambda key: self._archive.open(pieces[key].row), target)

        return await self._as(_cache_key(planned), write, form)

    async def leg_audio(self, recording_id: str, form: Format = "flac") -> BinaryIO:
        """One leg's recording, an open file: channel 0 what it said, channel 1 what it heard. Raises `NoAudio`.

        FLAC is what the archive holds: ranges come from there, decrypted, without a copy.
        """
        row = await self._recording(recording_id)
        if form == "flac":
            return await asyncio.to_thread(self._archive.open, row)

        def convert(target: BinaryIO) -> None:
            with self._archive.open(row) as flac:
                CONVERTERS[form](flac, target)

        return await self._made(f"{row.stored_sha256}.{form}", convert, self._slots(form))

    async def peaks(self, call_id: str) -> dict[str, Any]:
        """The call's waveform, from the peaks stored with its legs; see `recordings.peaks.call_waveform`.

        `started_at` is the moment of its first sample, `regions` what `recordings.regions` marks in it.
        """
        pieces = await self._heard(call_id)
        started_at = min(piece.started_at for piece in pieces)
        drawn = call_waveform([piece.peaks() for piece in pieces])
        async with self._database.read() as connection:
            regions = await call_regions(connection, call_id, drawn, started_at)
        return {**drawn, "started_at": started_at, "regions": regions}

    async def _heard(self, call_id: str) -> list[Heard]:
        for _ in range(LOOKS):
            async with self._database.read() as connection:
                pieces = await heard_in(connection, call_id)
                if not pieces or not await is_waited_for(connection, call_id):
                    break
            # The other call of a transfer has just ended: a moment, and its party is heard, too.
            await asyncio.sleep(LOOK_EVERY)
        if not pieces:
            raise NoAudio("no recording of this call is archived")
        return pieces

    async def _recording(self, recording_id: str) -> Row[Any]:
        async with self._database.read() as connection:
            row = (await connection.execute(select(recordings).where(recordings.c.id == recording_id))).first()
        if row is None or row.state != "archived" or not row.duration:
            raise NoAudio("this recording is not archived, or holds no sound")
        return row

    def _slots(self, form: Format) -> asyncio.Semaphore:
        return self._transcodes if form == "mp3" else self._copies

    async def _as(self, stem: str, write: Callable[[BinaryIO], None], form: Format) -> BinaryIO:
        flac = await self._made(f"{stem}.flac", write, self._copies)
        if form == "flac":
            return flac
        await asyncio.to_thread(flac.close)

        def convert(target: BinaryIO) -> None:
            # Opened anew: who asked may be gone before it is done.
            again = self.cache.open(f"{stem}.flac")
            if again is None:
                raise NoAudio(TOO_SMALL)
            with again:
                CONVERTERS[form](again, target)

        return await self._made(f"{stem}.{form}", convert, self._slots(form))

    async def _made(self, name: str, write: Callable[[BinaryIO], None], slots: asyncio.Semaphore) -> BinaryIO:
        """The cached file, made if it is not there; two who ask at once wait for one making."""
        for _ in range(TRIES):
            if (file := await asyncio.to_thread(self.cache.open, name)) is not None:
                return file
            if name not in self._making:
                task = asyncio.create_task(self._make_in_turn(name, write, slots))
                self._making[name] = task
                task.add_done_callback(lambda _: self._making.pop(name, None))
            await asyncio.shield(self._making[name])
        raise NoAudio(TOO_SMALL)

    async def _make_in_turn(self, name: str, write: Callable[[BinaryIO], None], slots: asyncio.Semaphore) -> None:
        async with slots:
            await asyncio.to_thread(self.cache.make, name, write)


def _cache_key(planned: Plan) -> str:
    digest = hashlib.sha256(f"{VERSION} {planned.rate}".encode())
    for at, part in planned.placed:
        digest.update(f" {part.role} {part.pcm_sha256} {part.skip} {part.frames} {at}".encode())
    return digest.hexdigest()
