"""The archive's store: objects by key on a local disk, durable when `put` returns and never overwritten.

Blocking: call it in a thread.
"""

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from config.errors import Fault

COPY_BYTES = 1 << 20
INCOMING = ".incoming"


class ObjectDiffers(Fault):
    """Another object of that key is there already; it was left as it is."""

    code = "object-differs"


class Locked(Fault):
    """The store itself forbids that this object goes, whoever asks, until its lock has run out."""

    code = "object-locked"
    status = 409


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store holds now: SHA-256 and length of the object, and its version where the store keeps several."""

    sha256: str
    size: int
    version: str | None = None


class LocalStore:
    """Objects as files under one folder. There are no versions and no locks: `version` and `until` mean nothing here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / ".work"
        self.incoming = root / INCOMING  # on the same file system, so that a finished object is linked and not copied

    @classmethod
    def at(cls, url: str) -> "LocalStore":
        """The store of a `file:///` URL (`archive.url` of the settings)."""
        return cls(Path(url2pathname(urlsplit(url).path)))

    @property
    def unfinished(self) -> tuple[Path, ...]:
        """The folders in which a killed process may leave something."""
        return self.work, self.incoming

    @property
    def disk(self) -> Path:
        """A folder of the file system that must have room."""
        return self.root

    def path(self, key: str) -> Path:
        """The object's file. Raises ValueError for a key that could leave the folder."""
        parts = key.split("/")
        if not key or "\0" in key or any(part.startswith(".") or not part for part in parts):
            raise ValueError(f"{key!r} is not an object key")
        return self.root.joinpath(*parts)

    def put(self, key: str, source: Path, until: datetime | None = None) -> Stored:
        """Copy `source` in: exclusive temporary file, fsync, link to its name, fsync of the folders.

        Storing the same bytes again is the same as once; other bytes under a known key raise `ObjectDiffers`.
        """
        target = self.path(key)
        _make_folder(self.incoming)
        temporary = self.incoming / secrets.token_hex(16)
        try:
            stored = _copy_durably(source, temporary)
            _make_folder(target.parent)
            try:
                os.link(temporary, target)
            except FileExistsError:
                if self.read_back(key) != stored:
                    raise ObjectDiffers(key) from None
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return stored

    def read_back(self, key: str, version: str | None = None) -> Stored:
        """Hash what the disk holds (not what the page cache does). Raises FileNotFoundError."""
        digest, length = hashlib.sha256(), 0
        with self.path(key).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := file.read(COPY_BYTES):
                digest.update(block)
                length += len(block)
        return Stored(digest.hexdigest(), length)

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self.path(key).is_file()

    def locked_until(self, key: str, version: str | None = None) -> datetime | None:
        """Until when the store itself refuses to delete the object; a local disk never does."""
        return None

    def remove(self, key: str) -> int:
        """Delete every version and copy, durably; how many there were. One that is gone already is no fault."""
        path = self.path(key)
        try:
            path.unlink()
        except FileNotFoundError:
            return 0
        _sync_folder(path.parent)
        return 1

    def open(self, key: str, version: str | None = None) -> BinaryIO:
        """The object for reading, seekable. Raises FileNotFoundError."""
        return self.path(key).open("rb")

    def lock_until(self, key: str, version: str | None, until: datetime) -> None:
        """A local disk has no locks."""

    def probe(self) -> None:
        """Write, sync and remove a small file. Raises OSError when that cannot be done."""
        _make_folder(self.incoming)
        temporary = self.incoming / secrets.token_hex(16)
        try:
            with temporary.open("xb") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        finally:
            temporary.unlink(missing_ok=True)


def _copy_durably(source: Path, target: Path) -> Stored:
    digest, length = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(COPY_BYTES):
            digest.update(block)
            length += len(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return Stored(digest.hexdigest(), length)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents; each new name is durable in its parent."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
