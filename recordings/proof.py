"""One streaming pass over a spool file: hashes, peaks, levels and the FLAC copy; then the copy is decoded and compared.

Never more than one block in memory, whatever the file's length.
"""

import hashlib
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np
from soundfile import SoundFile

from config.errors import Fault
from recordings.peaks import PeakMeter
from recordings.wav import Layout, Unreadable, layout

BLOCK_FRAMES = 65_536
COMPRESSION = 0.4
"""FLAC level 3: a third less work than the usual 5. The two channels are two people, so what it leaves out, looking for
what they have in common, finds nothing."""


class Changed(Fault):
    """The file was written while it was read: it was not finished."""

    code = "still-written"


class NotProven(Fault):
    """A copy does not hold what the original holds."""

    code = "not-proven"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one file.

    `sha256` is of the file's bytes, `pcm_sha256` of its samples (16-bit little-endian, interleaved), None when
    `unreadable` says why none were found. `loudest` is the largest absolute sample of each channel; `alike` says that the
    channels hold the very same samples; `duration` is in seconds.
    """

    sha256: str
    size: int
    pcm_sha256: str | None = None
    rate: int = 0
    channels: int = 0
    frames: int = 0
    flags: tuple[str, ...] = ()
    loudest: tuple[int, ...] = ()
    peaks: bytes = b""
    alike: bool = False
    unreadable: str | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.rate if self.rate else 0.0


def prove(source: Path, target: BinaryIO) -> Proof:
    """Read `source` once, writing its samples as FLAC to `target`, which is empty (and stays so without samples).

    Raises `Changed` when the source was written meanwhile, OSError for the file system's faults.
    """
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        before = os.fstat(handle)
        try:
            where = layout(file, before.st_size, source.name)
        except Unreadable as error:
            proof = Proof(_sha256(file), before.st_size, unreadable=str(error))
        else:
            proof = _copy(file, before.st_size, where, target)
        after = os.fstat(handle)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Changed(f"{source.name} was written while it was read")
    return proof


def _sha256(file: BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(file: BufferedReader, size: int, where: Layout, target: BinaryIO) -> Proof:
    digests = _Digests(only_samples=where.offset == 0 and size == where.frames * where.frame_bytes)
    digests.whole.update(file.read(where.offset))
    meter = PeakMeter(where.rate, where.channels)
    if where.frames:
        with SoundFile(
            target,
            "w",
            samplerate=where.rate,
            channels=where.channels,
            format="FLAC",
            subtype="PCM_16",
            compression_level=COMPRESSION,
        ) as flac:
            _stream(file, where, digests, meter, flac)
    while tail := file.read(BLOCK_FRAMES):
        digests.whole.update(tail)
    return Proof(
        sha256=digests.whole.hexdigest(),
        size=size,
        pcm_sha256=digests.samples.hexdigest(),
        rate=where.rate,
        channels=where.channels,
        frames=where.frames,
        flags=where.flags,
        loudest=tuple(int(value) for value in meter.loudest),
        peaks=meter.bytes(),
        alike=meter.alike,
    )


class _Digests:
    """SHA-256 of the file and of its samples; one and the same for a file that is nothing but samples."""

    def __init__(self, only_samples: bool) -> None:
        self.whole = hashlib.sha256()
        self.samples = self.whole if only_samples else hashlib.sha256()

    def samples_read(self, data: bytes) -> None:
        self.whole.update(data)
        if self.samples is not self.whole:
            self.samples.update(data)


def _stream(file: BufferedReader, where: Layout, digests: _Digests, meter: PeakMeter, flac: SoundFile) -> None:
    left = where.frames
    while left:
        data = file.read(min(left, BLOCK_FRAMES) * where.frame_bytes)
        frames = len(data) // where.frame_bytes
        if not frames or len(data) % where.frame_bytes:
            raise Changed("the file became shorter while it was read")
        digests.samples_read(data)
        block = np.frombuffer(data, dtype="<i2").reshape(frames, where.channels)
        meter.feed(block)
        flac.write(block)
        left -= frames


def decoded_sha256(flac: BinaryIO) -> str:
    """SHA-256 of the samples a FLAC file decodes to, to be compared with what went in."""
    digest = hashlib.sha256()
    with SoundFile(flac) as sound:
        room = np.empty((BLOCK_FRAMES, sound.channels), dtype="<i2")
        for block in sound.blocks(out=room):
            digest.update(block)
    return digest.hexdigest()
