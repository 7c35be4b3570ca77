"""From a finished file to a proven object: prove, encode, encrypt, decrypt, decode and compare, store, read back.

No plain audio is written on the way: the encoder writes into the cipher. Nothing here touches the spool file; it is
cleared by who wrote down that the object is proven. Blocking: call it in a thread.
"""

import hashlib
import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import soundfile
from sqlalchemy.engine import Row

from config.errors import Fault
from recordings.encryption import CHUNK, PREFIX_BYTES, Damaged, DecryptingFile, EncryptingFile, Header, intact
from recordings.keyring import DataKey, KeyGroup, Keyring, KeyUnavailable
from recordings.proof import NotProven, Proof, decoded_sha256, prove
from recordings.s3_store import S3Store
from recordings.store import COPY_BYTES, LocalStore, ObjectDiffers, Stored

Store = LocalStore | S3Store


@dataclass(frozen=True, slots=True)
class Placed:
    """An object in one store: its key, what the store gave back, and the group key that it is under."""

    key: str
    key_id: str
    stored: Stored


@dataclass(frozen=True, slots=True)
class Kept:
    """A proven recording: what was found in the file, and where it is, in the archive and in the second store."""

    proof: Proof
    main: Placed
    copy: Placed | None = None
    locked_through: date | None = None


class Archive:
    """Proven, encrypted copies of spool files in `store`, and in a second store `copy` if there is one."""

    def __init__(self, *, store: Store, keyring: Keyring, copy: Store | None = None) -> None:
        self.store = store
        self.copy = copy
        self.keyring = keyring
        self.work = store.work

    @property
    def stores(self) -> dict[str, Store]:
        """The stores by the name that health and incidents use."""
        return {"archive": self.store} | ({"archive-copy": self.copy} if self.copy else {})

    def keep(self, source: Path, stem: str, group: KeyGroup, until: datetime | None = None) -> Kept:
        """Archive `source` under `stem` and an ending that says what it is, locked `until` then where the store can.

        Samples become `<stem>.flac.enc`; a file in which none are found is kept whole, as `<stem>.original.enc`. Done
        again after a kill, it takes what is there. Raises OSError (disk full, unreadable, store down), `Changed` (still
        written), `KeyUnavailable` or `NotProven`.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        sealed = self.work / f"{secrets.token_hex(16)}.enc"
        try:
            key = self.keyring.data_key(group)
            proof = _seal(source, sealed, key)
            self._require_same(lambda: cast(BinaryIO, sealed.open("rb")), proof, source.name)
            name = f"{stem}.{'flac' if proof.frames else 'original'}.enc"
            main = self._place(self.store, name, key.key_id, sealed, proof, until)
            copy = self._place(self.copy, name, key.key_id, sealed, proof, until) if self.copy else None
            return Kept(proof, main, copy)
        except soundfile.LibsndfileError as error:
            raise OSError(f"cannot write or read the FLAC copy of {source.name}: {error}") from error
        finally:
            sealed.unlink(missing_ok=True)

    def _place(self, store: Store, key: str, key_id: str, sealed: Path, proof: Proof, until: datetime | None) -> Placed:
        try:
            stored = store.put(key, sealed, until)
        except ObjectDiffers:
            # Every attempt has a key of its own. If what an earlier one left holds the same sound, it is the object; if
            # not, it stays, and this one gets a name of its own.
            if earlier := self._earlier(store, key, proof):
                return earlier
            key = f"{key.removesuffix('.enc')}.{secrets.token_hex(6)}.enc"
            stored = store.put(key, sealed, until)
        if store.read_back(key, stored.version) != stored:
            raise NotProven(f"the archive does not give back what was stored as {key}")
        return Placed(key, key_id, stored)

    def _earlier(self, store: Store, key: str, proof: Proof) -> Placed | None:
        stored = store.read_back(key)
        try:
            key_id = self._require_same(lambda: store.open(key, stored.version), proof, key)
        except (NotProven, Damaged, KeyUnavailable, soundfile.LibsndfileError):
            return None
        return Placed(key, key_id, stored)

    def _require_same(self, open_object: Callable[[], BinaryIO], proof: Proof, name: str) -> str:
        """Decrypt and decode what was sealed; the id of its group key. Raises `NotProven` unless it is what went in."""
        with self._decrypted(open_object()) as plain, intact(plain):
            found = decoded_sha256(plain) if proof.frames else hashlib.file_digest(plain, "sha256").hexdigest()
            key_id = plain.raw.key_id
        if found != (proof.pcm_sha256 if proof.frames else proof.sha256):
            raise NotProven(f"the archived copy of {name} does not hold the same bytes")
        return key_id

    @contextmanager
    def _decrypted(self, source: BinaryIO) -> "Iterator[io.BufferedReader[DecryptingFile]]":
        with source, io.BufferedReader(DecryptingFile(source, self.keyring.unwrap), CHUNK) as plain:
            yield plain

    def open(self, row: Row[Any]) -> BinaryIO:
        """The recording of an archived row as it was encoded, seekable; ranges are fetched and decrypted alone.

        Taken from the second store when the first cannot give it. Raises OSError, `Damaged`, `KeyUnavailable`.
        """
        try:
            return self._open(self.store, row.object, row.object_version)
        except (OSError, Damaged):
            if self.copy is None or not row.object_copy:
                raise
            return self._open(self.copy, row.object_copy["key"], row.object_copy["version"])

    def _open(self, store: Store, key: str, version: str | None) -> BinaryIO:
        source = store.open(key, version)
        try:
            encrypted = Header.read(source) is not None
            source.seek(0)
            if not encrypted:  # archived before there was encryption
                return source
            return io.BufferedReader(DecryptingFile(source, self.keyring.unwrap), CHUNK)
        except (OSError, Fault):
            source.close()
            raise

    def gives_back(self, row: Row[Any]) -> bool:
        """Whether the store still holds the very bytes that were stored for an archived row, and its key opens them.

        Raises OSError when the store does not answer.
        """
        try:
            if self.store.read_back(row.object, row.object_version).sha256 != str(row.stored_sha256):
                return False
            with self._open(self.store, row.object, row.object_version) as plain:
                while plain.read(COPY_BYTES):
                    pass
        except (FileNotFoundError, Damaged, KeyUnavailable):
            return False
        return True

    def remove(self, row: Row[Any]) -> int:
        """Remove every version of the row's object from every store, and see that it is gone; how many there were.

        Raises `Locked` while a store's own lock forbids it, OSError when a store does not answer.
        """
        removed = self.store.remove(row.object)
        if self.copy is not None and row.object_copy:
            removed += self.copy.remove(row.object_copy["key"])
        return removed

    def locked_until(self, row: Row[Any]) -> datetime | None:
        """Until when a store's own lock forbids to remove the row's object, None when none does."""
        locks = [self.store.locked_until(row.object)]
        if self.copy is not None and row.object_copy:
            locks.append(self.copy.locked_until(row.object_copy["key"]))
        return max(filter(None, locks), default=None)

    def lock_until(self, row: Row[Any], until: datetime) -> None:
        """Extend the stores' own lock on the row's object; a local store has none."""
        self.store.lock_until(row.object, row.object_version, until)
        if self.copy is not None and row.object_copy:
            self.copy.lock_until(row.object_copy["key"], row.object_copy["version"], until)

    def discard_unfinished(self, before: datetime) -> None:
        """Remove what a killed process left in the making and nobody has touched since `before`."""
        for store in self.stores.values():
            for folder in store.unfinished:
                for left in folder.iterdir() if folder.is_dir() else ():
                    if left.stat().st_mtime < before.timestamp():
                        left.unlink(missing_ok=True)


def _seal(source: Path, target: Path, key: DataKey) -> Proof:
    """Encode into the cipher; a file without samples goes in as it is."""
    header = Header(secrets.token_bytes(PREFIX_BYTES), key.key_id, key.wrapped)
    with target.open("xb") as file:
        sink = EncryptingFile(file, header, key.key)
        proof = prove(source, cast(BinaryIO, sink))
        if not proof.frames:
            with source.open("rb") as original:
                while block := original.read(COPY_BYTES):
                    sink.write(block)
        sink.finish()
    return proof
