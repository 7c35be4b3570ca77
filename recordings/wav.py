"""Where the samples are in a file Asterisk left: headerless `.raw`, or WAV whose header may be wrong after a crash.

Asterisk writes a WAV header's lengths when it closes the file. After `kill -9` they are zero or missing, and readers
then find 0 frames without an error, so the header is walked here and the file's own length is believed over the
header's.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from config.errors import Fault

SAMPLE_BYTES = 2
RAW_RATE, RAW_CHANNELS = 8_000, 2  # MixMonitor with option D
HEAD_BYTES = 65_536
PLAIN_HEADER_BYTES = 44  # what Asterisk writes: RIFF, fmt (16 bytes) and data
PCM, EXTENSIBLE = 0x0001, 0xFFFE
RATES = range(4_000, 192_001)


class Unreadable(Fault):
    """No samples can be found in the file; the detail says why."""

    code = "unreadable-recording"


@dataclass(frozen=True, slots=True)
class Layout:
    """Signed 16-bit little-endian samples: `frames` of `channels`, from byte `offset`; `flags` say what was mended."""

    offset: int
    frames: int
    rate: int
    channels: int
    flags: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES * self.channels


def layout(handle: BinaryIO, size: int, name: str) -> Layout:
    """Find the samples of a file of `size` bytes. Raises `Unreadable`."""
    if name.endswith(".raw"):
        return _sized(0, size, RAW_RATE, RAW_CHANNELS, [])
    head = handle.read(min(size, HEAD_BYTES))
    handle.seek(0)
    if len(head) < PLAIN_HEADER_BYTES:
        raise Unreadable(f"{size} bytes are too few for a WAV header")
    if not any(head[:PLAIN_HEADER_BYTES]):
        # The header block never reached the disk, the samples did: Asterisk's WAV is 8 kHz mono.
        return _sized(PLAIN_HEADER_BYTES, size - PLAIN_HEADER_BYTES, 8_000, 1, ["header-repaired"])
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise Unreadable("not a WAV file: no RIFF/WAVE at its start")
    return _walk(handle, head, size)


def _walk(handle: BinaryIO, head: bytes, size: int) -> Layout:
    """RIFF chunks in order: the format, then the samples."""
    at, form = 12, None
    while at + 8 <= len(head):
        chunk, declared = struct.unpack_from("<4sI", head, at)
        at += 8
        if chunk == b"fmt " and at + 16 <= len(head):
            form = struct.unpack_from("<HHIIHH", head, at)
        elif chunk == b"data":
            return _data(handle, form, at, declared, size)
        at += declared + declared % 2
    raise Unreadable("no data chunk in the WAV header")


def _data(handle: BinaryIO, form: tuple[int, ...] | None, at: int, declared: int, size: int) -> Layout:
    if form is None:
        raise Unreadable("the WAV header has no format before its data")
    tag, channels, rate, _, _, bits = form
    if tag not in (PCM, EXTENSIBLE) or bits != 8 * SAMPLE_BYTES or channels not in (1, 2) or rate not in RATES:
        raise Unreadable(f"not 16-bit PCM mono or stereo: format {tag}, {bits} bits, {channels} channels, {rate} Hz")
    present = size - at
    if declared == present or (0 < declared < present and _chunk_follows(handle, at + declared + declared % 2, size)):
        return _sized(at, declared, rate, channels, [])
    return _sized(at, present, rate, channels, ["header-repaired"])


def _chunk_follows(handle: BinaryIO, at: int, size: int) -> bool:
    """Whether another chunk really starts there; if not, the declared length is a stale one."""
    handle.seek(at)
    head = handle.read(8)
    handle.seek(0)
    if len(head) < 8:
        return at >= size
    name, length = struct.unpack("<4sI", head)
    return bool(name.isascii() and name.decode("ascii", "replace").isprintable() and at + 8 + length <= size + 1)


def _sized(offset: int, length: int, rate: int, channels: int, flags: list[str]) -> Layout:
    frames, rest = divmod(length, SAMPLE_BYTES * channels)
    if rest:
        flags.append("odd-tail")
    if channels == 1:
        flags.append("mono")
    return Layout(offset, frames, rate, channels, tuple(flags))
