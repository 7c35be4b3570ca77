"""The replay cache: what was composed and converted, under a key that only this process's memory has.

The files may be deleted at any time; after a restart nobody can read them any more, and they are made anew. Blocking.
"""

import io
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from recordings.encryption import PREFIX_BYTES, Damaged, DecryptingFile, EncryptingFile, Header
from recordings.keyring import KEY_BYTES


class ReplayCache:
    """A folder (0700) on a local disk, kept under `limit` bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        self._key = secrets.token_bytes(KEY_BYTES)

    def open(self, name: str) -> BinaryIO | None:
        """What was made under that name, for reading, seekable; None when it is not there, or another process's."""
        path = self.folder / name
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        try:
            plain = DecryptingFile(file, lambda _, wrapped: aes_key_unwrap(self._key, wrapped))
        except (Damaged, InvalidUnwrap):
            file.close()
            return None
        # What is played stays longest.
        os.utime(file.fileno())
        return io.BufferedReader(plain)

    def make(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Have `write` make it, into a file that appears under its name when it is whole."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f".{secrets.token_hex(16)}"
        try:
            with temporary.open("xb") as file:
                key = secrets.token_bytes(KEY_BYTES)
                header = Header(secrets.token_bytes(PREFIX_BYTES), "", aes_key_wrap(self._key, key))
                sink = EncryptingFile(file, header, key)
                write(cast(BinaryIO, sink))
                sink.finish()
            temporary.rename(self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        self._trim()

    def clear(self) -> None:
        """Forget everything; a file being sent stays readable to its reader."""
        for file in self._files():
            file.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [file for file in self.folder.iterdir() if not file.name.startswith(".")] if self.folder.is_dir() else []

    def _trim(self) -> None:
        """Remove what was not played for longest until the rest fits."""
        files = sorted(((file.stat().st_mtime, file.stat().st_size, file) for file in self._files()), reverse=True)
        total = 0
        for _, size, file in files:
            total += size
            if total > self._limit and file != files[0][2]:
                file.unlink(missing_ok=True)
