"""The spool of a PBX on another machine: its files are fetched over ARI into a landing folder here when they are needed.

A file stays on the PBX until its copy in the archive is proven: before it is removed there, it is read once more and must be
what was archived, byte for byte.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from config import clock
from config.settings import Pbx
from recordings.spool import Look, Spool
from telephony.ari import AriFailed, StoredRecordings, stored_recordings

_UNFINISHED = ".fetching"


class RemoteSpool(Spool):
    """`folder` is the landing folder; what lies only there (the PBX lost its own) is part of the spool as well."""

    def __init__(self, folder: Path, stored: StoredRecordings) -> None:
        super().__init__(folder)
        self._stored = stored
        self._changed: dict[str, tuple[int, int]] = {}  # name -> length, and when it was first seen so, in ns

    def here(self, look: Look) -> Path:
        """Fetch the file. Raises OSError where it has another length now."""
        path = self.path(look.name)
        if self._stored.size(look.name) is None:
            return super().here(look)
        unfinished = self.folder / _UNFINISHED / look.name
        unfinished.parent.mkdir(mode=0o700, exist_ok=True)
        with unfinished.open("wb") as file:
            written = self._stored.download(look.name, file.write)
            file.flush()
            os.fsync(file.fileno())
        if written != look.size:
            raise AriFailed(f"{look.name} had {look.size} bytes and now has {written}")
        unfinished.replace(path)
        return path

    def files(self) -> Iterator[Look]:
        """What the PBX has, and what only the landing folder has."""
        names = self._stored.names()
        self._changed = {name: seen for name, seen in self._changed.items() if name in names}
        for name in names:
            look = self._look(name)
            if look is not None:
                yield look
        for look in super().files():
            if look.name not in names:
                yield look

    def is_closed(self, name: str) -> bool | None:
        """The PBX does not say: a file is finished once it has not changed for a while."""
        return None

    def clear(self, look: Look) -> bool:
        """Remove it from the PBX, then from here. False, and nothing removed, unless the PBX's is what was fetched."""
        if not self.unchanged(look):
            return self._look(look.name) is None
        landed = self.path(look.name)
        if self._stored.size(look.name) is not None:
            if landed.exists() and self._sha256_there(look.name) != _sha256(landed):
                return False
            self._stored.delete(look.name)
            self._changed.pop(look.name, None)
        with suppress(FileNotFoundError):
            landed.unlink()
        return True

    def probe(self) -> None:
        """Raises OSError unless the PBX shows its recordings and they can land here."""
        self._stored.names()
        super().probe()

    def _look(self, name: str) -> Look | None:
        self.path(name)
        size = self._stored.size(name)
        if size is None:
            return super()._look(name)
        length, since = self._changed.get(name, (None, 0))
        if length != size:
            since = int(clock.now().timestamp() * 1e9)
            self._changed[name] = (size, since)
        return Look(name, size, since, 0)

    def _sha256_there(self, name: str) -> str:
        digest = hashlib.sha256()
        self._stored.download(name, digest.update)
        return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def spool_of(pbx: Pbx) -> Spool:
    """The spool of a configured PBX: the shared folder, or over ARI."""
    stored = stored_recordings(pbx)
    return RemoteSpool(pbx.spool_local, stored) if stored else Spool(pbx.spool_local)
