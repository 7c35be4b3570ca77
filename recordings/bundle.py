"""A call's bundle: all that is kept of it and the proof, in one file that `tools/verify_bundle.py` checks offline.

Exporting is itself an entry of the journal, sealed and in the bundle, with who asked and why. The file is made in a
nameless temporary file (its audio is plain) and is gone when it has been sent.
"""

import asyncio
import hashlib
import json
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from soundfile import SoundFile
from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from config.errors import Fault, NotFound
from config.journal import Entry, journal
from recordings.archive import Archive
from recordings.bundle_readme import README_EN, README_ZH
from recordings.checkpoints import public_pem
from recordings.encryption import intact
from recordings.evidence_log import EvidenceLog, Included
from recordings.proof import BLOCK_FRAMES
from recordings.replay import NoAudio, Replay
from recordings.retention_tables import receipts
from recordings.store import COPY_BYTES
from recordings.tables import incidents, recordings
from recordings.verify_bundle import FORMAT, MODE, SIGNED
from telephony.tables import calls

LARGEST = 2_000_000_000
WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class BundleTooLarge(Fault):
    """More audio than a bundle holds."""

    code = "bundle-too-large"
    status = 422


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is written: JSON documents by name, legs, the composed call, and the proof."""

    documents: dict[str, Any]
    legs: list[Row[Any]]
    composed: BinaryIO | None
    leaves: list[Included]
    note: str
    size: int
    head: dict[str, Any]


class Bundles:
    """Makes bundles. `work` is a folder on a disk with room for one."""

    def __init__(
        self, *, database: Database, archive: Archive, replay: Replay, evidence: EvidenceLog, work: Path
    ) -> None:
        self._database = database
        self._archive = archive
        self._replay = replay
        self._evidence = evidence
        self._work = work

    async def prove(self, recording_id: str, now: datetime) -> dict[str, Any]:
        """What the log says of one recording: its entries with their proofs, checkpoint and public key.

        Raises NotFound for a recording of which the journal knows nothing yet.
        """
        await self._evidence.seal(now)
        async with self._database.read() as connection:
            call_id = await connection.scalar(select(recordings.c.call_id).where(recordings.c.id == recording_id))
            told = await connection.execute(
                select(journal)
                .where(journal.c.call_id == call_id, journal.c.kind.startswith("recording."))
                .order_by(journal.c.id)
            )
            entries = [
                Entry(**row._mapping)
                for row in told
                if recording_id in (row.data.get("recording_id"), row.data.get("subject"))
            ]
            checkpoint = await self._evidence.latest(connection)
            if not entries or checkpoint is None:
                raise NotFound(f"the log says nothing of recording {recording_id} yet")
            sealed = [entry for entry in entries if (entry.id or 0) <= checkpoint.journal_id]
            leaves = await self._evidence.prove(connection, sealed, checkpoint.size)
        return {
            "recording_id": recording_id,
            "entries": [
                {
                    "index": one.index,
                    "leaf": one.leaf.decode("utf-8", "replace"),
                    "proof": [step.hex() for step in one.proof],
                }
                for one in leaves
            ],
            "checkpoint": checkpoint.note,
            "public_key": public_pem(self._evidence.signer.public_key()).decode(),
        }

    async def make(
        self, call_id: str, documents: Mapping[str, Any], *, actor: str, reason: str | None, now: datetime
    ) -> BinaryIO:
        """The bundle as an open file; `documents` are the desk's (`call.json` and others) by file name.

        Raises NotFound, `Damaged`, `KeyUnavailable`, OSError: there is no bundle with a recording left out in silence.
        """
        await self._journal(call_id, actor, reason, now)
        await self._evidence.seal(now)
        try:
            composed = await self._replay.call_audio(call_id)
        except NoAudio:
            composed = None
        async with self._database.read() as connection:
            contents = await self._gather(connection, call_id, documents, composed)
        head = {"format": FORMAT, "call_id": call_id, "made_at": now.isoformat(), "made_by": actor, "reason": reason}
        return await asyncio.to_thread(self._write, replace(contents, head=head))

    async def _journal(self, call_id: str, actor: str, reason: str | None, now: datetime) -> None:
        async with self._database.write() as transaction:
            call = await transaction.first(select(calls).where(calls.c.id == call_id))
            if call is None:
                raise NotFound(f"there is no call {call_id}")
            data = {"what": "bundle", "reason": reason}
            transaction.journal(
                Entry(now, "recording.exported", actor, call.client, call.agent, call.case_id, call_id, data)
            )

    async def _gather(
        self, connection: AsyncConnection, call_id: str, documents: Mapping[str, Any], composed: BinaryIO | None
    ) -> _Contents:
        checkpoint = await self._evidence.latest(connection)
        if checkpoint is None:
            raise NotFound("the evidence log has no checkpoint yet")
        told = await connection.execute(
            select(journal)
            .where(journal.c.call_id == call_id, journal.c.id <= checkpoint.journal_id)
            .order_by(journal.c.id)
        )
        entries = [Entry(**row._mapping) for row in told]
        leaves = await self._evidence.prove(connection, entries, checkpoint.size)
        rows = await _of_call(connection, recordings, call_id)
        kept = {
            "recordings.json": [_plain(row, without=("peaks",)) for row in rows],
            "incidents.json": [_plain(row) for row in await _of_call(connection, incidents, call_id)],
            "receipts.json": [_plain(row) for row in await _of_call(connection, receipts, call_id)],
        }
        legs = [row for row in rows if row.state == "archived"]
        if sum(round((row.duration or 0) * (row.rate or 0)) * (row.channels or 0) * 2 for row in legs) > LARGEST:
            raise BundleTooLarge("the call's recordings are longer than a bundle can hold")
        return _Contents({**documents, **kept}, legs, composed, leaves, checkpoint.note, checkpoint.size, head={})

    def _write(self, contents: _Contents) -> BinaryIO:
        self._work.mkdir(parents=True, exist_ok=True, mode=0o700)
        file: BinaryIO = tempfile.TemporaryFile(dir=self._work)  # noqa: SIM115  # handed on to be sent
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _Writer(archive, self._archive, self._evidence).write(contents)
            return file
        except BaseException:
            file.close()
            raise
        finally:
            if contents.composed is not None:
                contents.composed.close()


class _Writer:
    """Writes the files in order, and what they were into the manifest."""

    def __init__(self, target: zipfile.ZipFile, archive: Archive, evidence: EvidenceLog) -> None:
        self._target = target
        self._archive = archive
        self._signer = evidence.signer
        self._listed: list[dict[str, Any]] = []

    def write(self, contents: _Contents) -> None:
        self._add("README.zh.txt", README_ZH.encode())
        self._add("README.en.txt", README_EN.encode())
        for name, document in contents.documents.items():
            self._add(name, _json(document))
        self._add("journal.jsonl", b"".join(found.leaf + b"\n" for found in contents.leaves))
        proofs = [{"index": one.index, "proof": [step.hex() for step in one.proof]} for one in contents.leaves]
        self._add("proofs.json", _json({"size": contents.size, "entries": proofs}))
        self._add("checkpoint.txt", contents.note.encode())
        self._add("log-key.pub", public_pem(self._signer.public_key()))
        for row in contents.legs:
            self._add_leg(row)
        if contents.composed is not None:
            with self._adding("call.flac") as into:
                while block := contents.composed.read(COPY_BYTES):
                    into(block)
        manifest = _json(contents.head | {"files": self._listed})
        self._add("manifest.json", manifest)
        self._add("manifest.sig", self._signer.sign_bytes(SIGNED + manifest).hex().encode() + b"\n")

    def _add(self, name: str, data: bytes) -> None:
        with self._adding(name) as into:
            into(data)

    def _add_leg(self, row: Row[Any]) -> None:
        """The leg's samples, as they were in the spool, after a header that every player understands."""
        audible = bool(row.duration)
        with (
            self._archive.open(row) as source,
            intact(source),
            self._adding(f"legs/{row.id}.{row.leg}.{'wav' if audible else 'original'}") as into,
        ):
            if audible:
                with SoundFile(source) as sound:
                    into(_wav_header(sound.frames, sound.channels, sound.samplerate))
                    for block in sound.blocks(blocksize=BLOCK_FRAMES, dtype="int16", always_2d=True):
                        into(block.astype("<i2", copy=False).tobytes())
            else:
                while data := source.read(COPY_BYTES):
                    into(data)

    @contextmanager
    def _adding(self, name: str) -> "Iterator[Any]":
        """A function that takes the file's bytes. Every header field has the one value that the verifier asks for."""
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr, info.create_system = MODE << 16, 3
        digest, size = hashlib.sha256(), 0
        with self._target.open(info, "w") as file:

            def into(data: bytes) -> None:
                nonlocal size
                digest.update(data)
                size += len(data)
                file.write(data)

            yield into
        self._listed.append({"name": name, "size": size, "sha256": digest.hexdigest()})


async def _of_call(connection: AsyncConnection, table: Any, call_id: str) -> Sequence[Row[Any]]:
    return (await connection.execute(select(table).where(table.c.call_id == call_id).order_by(table.c.id))).all()


def _plain(row: Row[Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in without}


def _json(document: Any) -> bytes:
    def text(value: Any) -> str:
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    return json.dumps(document, ensure_ascii=False, indent=1, default=text).encode() + b"\n"


def _wav_header(frames: int, channels: int, rate: int) -> bytes:
    block = 2 * channels
    length = frames * block
    return WAV_HEADER.pack(
        b"RIFF", length + 36, b"WAVE", b"fmt ", 16, 1, channels, rate, rate * block, block, 16, b"data", length
    )
