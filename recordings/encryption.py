"""Encryption at rest, in ranges: AES-256-GCM over chunks of 64 KiB, so that any range of an object is read alone.

The chunks are chained as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance", 2015): the nonce counts them and marks the last, so a chunk that is changed, dropped,
moved or cut off is found. The format is published, with test vectors, in docs/archive-format.md.
"""

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from config.errors import Fault

MAGIC = b"RNGFENCE"
VERSION = 1
CHUNK_BITS = 16
CHUNK = 1 << CHUNK_BITS
TAG = 16
SEALED = CHUNK + TAG
PREFIX_BYTES = 7
_FIXED = struct.Struct(f">8sBB{PREFIX_BYTES}sBB")
LONGEST_HEADER = _FIXED.size + 2 * 255


class Damaged(Fault):
    """An encrypted object is not what was written: a byte is changed, or a part is missing or moved."""

    code = "object-damaged"
    title = "The archived object is damaged"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the chunks, in clear, and is authenticated with each of them.

    `key_id` names the group key (`recordings.keyring`), `wrapped` is the object's own key under it.
    """

    nonce_prefix: bytes
    key_id: str
    wrapped: bytes

    def to_bytes(self) -> bytes:
        """Magic, version, log2 of the chunk's length, nonce prefix, then key id and wrapped key after their lengths."""
        name = self.key_id.encode("ascii")
        fixed = _FIXED.pack(MAGIC, VERSION, CHUNK_BITS, self.nonce_prefix, len(name), len(self.wrapped))
        return fixed + name + self.wrapped

    @classmethod
    def read(cls, file: BinaryIO) -> "Header | None":
        """The header at the file's start; None when the object is not an encrypted one. Raises `Damaged`."""
        start = file.read(_FIXED.size)
        if not start.startswith(MAGIC):
            return None
        if len(start) < _FIXED.size:
            raise Damaged("the header is cut off")
        _, version, bits, prefix, name_length, wrapped_length = _FIXED.unpack(start)
        if (version, bits) != (VERSION, CHUNK_BITS):
            raise Damaged(f"format {version} with chunks of 2^{bits} bytes is not known")
        rest = file.read(name_length + wrapped_length)
        name = rest[:name_length]
        if len(rest) < name_length + wrapped_length or not name.isascii():
            raise Damaged("the header is cut off or is not text")
        return cls(prefix, name.decode("ascii"), rest[name_length:])


class _Cipher:
    """Seals and opens single chunks of one object."""

    def __init__(self, header: Header, key: bytes) -> None:
        self.header = header.to_bytes()
        self._prefix = header.nonce_prefix
        self._aead = AESGCM(key)

    def _nonce(self, index: int, last: bool) -> bytes:
        return self._prefix + struct.pack(">IB", index, last)

    def seal(self, index: int, last: bool, chunk: bytes) -> bytes:
        return self._aead.encrypt(self._nonce(index, last), chunk, self.header)

    def open(self, index: int, last: bool, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(self._nonce(index, last), sealed, self.header)
        except InvalidTag:
            raise Damaged(f"chunk {index} is not what was written") from None


class EncryptingFile(io.RawIOBase):
    """A file to write: plain bytes go in, sealed chunks go to `target`, a new seekable file, and `finish` ends it.

    Written in order, except that the first chunk may be written over until the end: encoders put lengths there.
    """

    def __init__(self, target: BinaryIO, header: Header, key: bytes) -> None:
        super().__init__()
        self._target = target
        self._cipher = _Cipher(header, key)
        self._first, self._tail = bytearray(), bytearray()
        self._index = 1
        self._at = self._length = 0
        self._failure: OSError | None = None
        target.write(self._cipher.header)

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Within the first chunk, and to the end."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; beyond the end is refused."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if not 0 <= at <= self._length:
            raise io.UnsupportedOperation(f"cannot seek to {at} of {self._length}")
        self._at = at
        return at

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._at

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]  # of typeshed's Buffer
        """Take the next bytes. An encoder in C swallows exceptions: it gets 0, and `finish` raises what happened."""
        try:
            return self._take(bytes(data))
        except OSError as error:
            self._failure = error
            return 0

    def _take(self, given: bytes) -> int:
        head = given[: max(0, CHUNK - self._at)]
        if head:
            self._first[self._at : self._at + len(head)] = head
            self._at += len(head)
        if rest := given[len(head) :]:
            if self._at < self._length:
                raise io.UnsupportedOperation("only the first chunk may be written over")
            self._tail += rest
            self._at += len(rest)
            while len(self._tail) > CHUNK:
                self._put(self._index, False, bytes(self._tail[:CHUNK]))
                self._index += 1
                del self._tail[:CHUNK]
        self._length = max(self._length, self._at)
        return len(given)

    def finish(self) -> None:
        """Seal what is still open; what was written before is not an object without it. Raises OSError."""
        if self._failure is not None:
            raise self._failure
        if self._tail:
            self._put(self._index, True, bytes(self._tail))
        self._put(0, not self._tail, bytes(self._first))
        self._target.flush()

    def _put(self, index: int, last: bool, chunk: bytes) -> None:
        self._target.seek(len(self._cipher.header) + index * SEALED)
        self._target.write(self._cipher.seal(index, last, chunk))


class DecryptingFile(io.RawIOBase):
    """An encrypted object as the plain bytes in it, seekable; only the chunks that are read are fetched.

    `failure` is the `Damaged` that a read raised: a decoder that reads through it may take a fault for the end.
    """

    def __init__(self, source: BinaryIO, unwrap: Callable[[str, bytes], bytes]) -> None:
        super().__init__()
        self._source = source
        self.failure: Damaged | None = None
        source.seek(0)
        header = Header.read(source)
        if header is None:
            raise Damaged("this is not an encrypted object")
        self.key_id = header.key_id
        self._cipher = _Cipher(header, unwrap(header.key_id, header.wrapped))
        self._start = len(self._cipher.header)
        body = source.seek(0, io.SEEK_END) - self._start
        self._chunks = max(1, -(-body // SEALED))
        self.size = body - self._chunks * TAG
        if self.size < 0 or body - (self._chunks - 1) * SEALED < TAG:
            raise Damaged("the object is cut off")
        self._at = 0
        self._held: tuple[int, bytes] = (-1, b"")
        self._chunk(self._chunks - 1)  # whoever reads only the beginning must not be told a wrong length

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if at < 0:
            raise ValueError(f"negative position {at}")
        self._at = at
        return at

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # of typeshed's Buffer
        """At most to the end of the chunk. Raises `Damaged`."""
        if self._at >= self.size:
            return 0
        index, offset = divmod(self._at, CHUNK)
        found = self._chunk(index)[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _chunk(self, index: int) -> bytes:
        if self._held[0] != index:
            self._source.seek(self._start + index * SEALED)
            sealed = self._source.read(SEALED)
            try:
                self._held = (index, self._cipher.open(index, index == self._chunks - 1, sealed))
            except Damaged as damaged:
                self.failure = damaged
                raise
        return self._held[1]

    def close(self) -> None:
        """Close the object too."""
        if not self.closed:
            self._source.close()
        super().close()


@contextmanager
def intact(*files: BinaryIO) -> Iterator[None]:
    """Decode what is in `files` inside the block. Raises the `Damaged` that a decoder swallowed, or took for the end."""
    try:
        yield
    except RuntimeError:  # what soundfile makes of bytes that do not come
        _require_intact(files)
        raise
    _require_intact(files)


def _require_intact(files: Iterable[BinaryIO]) -> None:
    for file in files:
        raw = getattr(file, "raw", None)
        if isinstance(raw, DecryptingFile) and raw.failure is not None:
            raise raw.failure
