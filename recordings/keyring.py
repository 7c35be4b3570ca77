"""The keys of the archive: one master key, under it one key a group, under that one key an object.

A group is a client, a kind of recording and the month in which its keeping ends. Each group's key is one file in the key
folder, wrapped by the master key (AES key wrap, RFC 3394). The folder is outside the database, so that no write-ahead log
and no database backup holds a key: overwriting one file makes every object of its group unreadable, in every copy.
Blocking: call it in a thread.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from config import clock
from config.errors import Fault

KEY_BYTES = 32
KEY_ID = re.compile(r"[0-9a-f]{24}-[0-9a-f]{8}")
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


class KeyUnavailable(Fault):
    """A key that is needed cannot be had: its file is missing, was destroyed, or the master key is another one."""

    code = "key-unavailable"


class KeyDestroyed(KeyUnavailable):
    """The key was destroyed on purpose; what it protected is deleted."""

    code = "key-destroyed"


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Whose recordings share the fate of one key. `month` is YYYY-MM, the one in which their keeping ends."""

    client: str
    kind: str
    month: str

    @property
    def digest(self) -> str:
        """The start of its keys' ids: any client name makes a file name."""
        return hashlib.sha256("\0".join((self.client, self.kind, self.month)).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class DataKey:
    """A new key for one object, and the same wrapped under the group key `key_id`, to be written into the object."""

    key_id: str
    key: bytes
    wrapped: bytes


class Keyring:
    """The master key's file (made on first use, mode 0600) and the folder of group keys (0700)."""

    def __init__(self, *, master: Path, folder: Path) -> None:
        self._master_file = master
        self.folder = folder

    def data_key(self, group: KeyGroup) -> DataKey:
        """A new key for one object of this group; the group's key is made if there is none. Raises `KeyUnavailable`."""
        if not MONTH.fullmatch(group.month):
            raise ValueError(f"{group.month!r} is not a month")
        key_id = self._current(group) or self._make(group)
        key = secrets.token_bytes(KEY_BYTES)
        return DataKey(key_id, key, aes_key_wrap(self._group_key(key_id), key))

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """The key of an object whose header says `key_id` and `wrapped`. Raises `KeyUnavailable`, `KeyDestroyed`."""
        try:
            return aes_key_unwrap(self._group_key(key_id), wrapped)
        except (InvalidUnwrap, ValueError):
            raise KeyUnavailable(f"the object's key is not wrapped by {key_id}") from None

    def destroy(self, key_id: str) -> bool:
        """Overwrite and remove a group's key for good; False when it was destroyed before. Raises `KeyUnavailable`.

        A file system that copies on write, and a backup of the key folder, may keep an old copy: back the folder up
        only to where it can be removed too.
        """
        path = self._path(key_id)
        with self._locked():
            if not path.exists():
                if self._tombstone(key_id).exists():
                    return False
                raise KeyUnavailable(f"there is no key {key_id}")
            told = json.loads(path.read_text()) | {"wrapped": None, "destroyed_at": clock.now().isoformat()}
            write_new(self._tombstone(key_id), json.dumps(told, ensure_ascii=False), replace=True)
            with path.open("r+b", buffering=0) as file:
                length = path.stat().st_size
                for _ in range(2):
                    file.seek(0)
                    file.write(secrets.token_bytes(length))
                    os.fsync(file.fileno())
            path.unlink()
            _sync(self.folder)
        return True

    def is_destroyed(self, key_id: str) -> bool:
        """Whether that key was destroyed here."""
        return not self._path(key_id).exists() and self._tombstone(key_id).exists()

    def problem_of(self, key_id: str) -> str:
        """Why a group's key cannot be used, empty when it can: for who looks after the machine."""
        try:
            self._group_key(key_id)
        except KeyUnavailable as fault:
            return fault.detail
        return ""

    def _path(self, key_id: str) -> Path:
        if not KEY_ID.fullmatch(key_id):
            raise KeyUnavailable(f"{key_id!r} is not the id of a key")
        return self.folder / f"{key_id}.key"

    def _tombstone(self, key_id: str) -> Path:
        return self.folder / f"{key_id}.destroyed"

    def _current(self, group: KeyGroup) -> str | None:
        found = sorted(path.stem for path in self.folder.glob(f"{group.digest}-*.key"))
        return found[0] if found else None

    def _make(self, group: KeyGroup) -> str:
        """Two at once make one: the folder's lock is held."""
        with self._locked():
            if found := self._current(group):
                return found
            key_id = f"{group.digest}-{secrets.token_hex(4)}"
            wrapped = aes_key_wrap(self._master(), secrets.token_bytes(KEY_BYTES))
            told = {**asdict(group), "created_at": clock.now().isoformat(), "wrapped": wrapped.hex()}
            write_new(self._path(key_id), json.dumps(told, ensure_ascii=False))
            return key_id

    def _group_key(self, key_id: str) -> bytes:
        try:
            told = json.loads(self._path(key_id).read_text())
            return aes_key_unwrap(self._master(), bytes.fromhex(told["wrapped"]))
        except FileNotFoundError:
            if self._tombstone(key_id).exists():
                raise KeyDestroyed(f"key {key_id} was destroyed") from None
            raise KeyUnavailable(f"the key folder has no key {key_id}") from None
        except InvalidUnwrap:
            raise KeyUnavailable(f"key {key_id} was made under another master key") from None
        except (ValueError, KeyError, TypeError):
            raise KeyUnavailable(f"the file of key {key_id} is damaged") from None

    def _master(self) -> bytes:
        path = self._master_file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            if any(self.folder.glob("*.key")):
                raise KeyUnavailable(
                    f"{path} is gone, and keys made under it are still in {self.folder}: bring it back"
                )
            write_new(path, secrets.token_hex(KEY_BYTES) + "\n")
        if path.stat().st_mode & 0o077:
            raise KeyUnavailable(f"{path} may be read by others than its owner: chmod 600 it")
        key = _hex(path.read_text())
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"{path} must hold {KEY_BYTES} bytes as hexadecimal digits")
        return key

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, in all processes that use this folder."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        return b""


def write_new(path: Path, text: str, *, replace: bool = False) -> None:
    """A durable file of mode 0600 that is there whole or not at all; an existing one stays unless it may be replaced."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    try:
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    except FileExistsError:  # another process was first, and its file counts
        pass
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
