"""Signed checkpoints of the evidence log: what it was at a moment, under a key that never leaves this machine.

A checkpoint is a signed note as transparency logs use them (C2SP tlog-checkpoint and signed-note): origin, size and root,
then lines of our own, an empty line, and an Ed25519 signature. Who keeps a copy of one elsewhere can prove that nothing
sealed before it was changed since. Files are blocking: call them in a thread.
"""

import base64
import binascii
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from config.errors import Fault
from recordings.keyring import KeyUnavailable, write_new

ED25519 = b"\1"
PUBLIC_KEY = "log-key.pub"
TAIL_BYTES = 4096
NOTE = re.compile(r"(?P<text>[^\n]+\n(?:[^\n]+\n)+)\n— (?P<name>[^ \n]+) (?P<signature>[A-Za-z0-9+/=]+)\n")
TEXT = re.compile(
    r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]*)\n(?P<root>[A-Za-z0-9+/]{43}=)\ntime (?P<at>[^\n]+)\njournal (?P<journal>[0-9]+)\n"
)


class BadCheckpoint(Fault):
    """A checkpoint is not one, or is not signed by the log's key."""

    code = "bad-checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log had `size` leaves and this root at that moment; `journal_id` is the newest entry in it."""

    size: int
    root: bytes
    at: datetime
    journal_id: int

    def text(self, origin: str) -> str:
        """What is signed."""
        root = base64.b64encode(self.root).decode()
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f"{origin}\n{self.size}\n{root}\ntime {at}\njournal {self.journal_id}\n"


class Signer:
    """The log's private key: a PEM file of mode 0600, made on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _key(self) -> Ed25519PrivateKey:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_new(self._path, made.decode())
        if self._path.stat().st_mode & 0o077:
            raise KeyUnavailable(f"{self._path} may be read by others than its owner: chmod 600 it")
        try:
            key = load_pem_private_key(self._path.read_bytes(), None)
        except ValueError:
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnavailable(f"{self._path} must hold an Ed25519 private key as PEM")
        return key

    def public_key(self) -> Ed25519PublicKey:
        """What others check signatures with."""
        return self._key().public_key()

    def sign(self, checkpoint: Checkpoint) -> str:
        """The signed note."""
        key = self._key()
        name = origin_of(key.public_key())
        text = checkpoint.text(name)
        signature = base64.b64encode(key_hash(name, key.public_key()) + key.sign(text.encode())).decode()
        return f"{text}\n— {name} {signature}\n"

    def sign_bytes(self, data: bytes) -> bytes:
        """A bare signature, for a bundle's manifest."""
        return self._key().sign(data)


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public key as it is published."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def origin_of(key: Ed25519PublicKey) -> str:
    """The log's name: one key, one log."""
    return f"ringfence-log/{hashlib.sha256(_raw(key)).hexdigest()[:16]}"


def key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    """The four bytes that stand before a signature (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + _raw(key)).digest()[:4]


def read_note(note: str, key: Ed25519PublicKey) -> Checkpoint:
    """The checkpoint in a note signed by that key. Raises `BadCheckpoint`."""
    whole = NOTE.fullmatch(note)
    fields = TEXT.fullmatch(whole["text"]) if whole else None
    if whole is None or fields is None:
        raise BadCheckpoint("this is not a checkpoint")
    name = origin_of(key)
    try:
        signature = base64.b64decode(whole["signature"], validate=True)
        root = base64.b64decode(fields["root"], validate=True)
        checkpoint = Checkpoint(int(fields["size"]), root, datetime.fromisoformat(fields["at"]), int(fields["journal"]))
    except (binascii.Error, ValueError):
        raise BadCheckpoint("this is not a checkpoint") from None
    if (whole["name"], fields["origin"], signature[:4]) != (name, name, key_hash(name, key)):
        raise BadCheckpoint("the checkpoint is of another log, or under another key")
    try:
        key.verify(signature[4:], whole["text"].encode())
    except InvalidSignature:
        raise BadCheckpoint(f"the signature of the checkpoint of size {fields['size']} does not hold") from None
    if base64.b64encode(signature).decode() != whole["signature"] or checkpoint.text(name) != whole["text"]:
        raise BadCheckpoint("the checkpoint is not written in the one way that there is")
    return checkpoint


class CheckpointFolder:
    """Checkpoints as text, one file a month, only ever appended to; and the public key. Copy it off site as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.folder.glob("checkpoints-*.txt"))

    def append(self, notes: Iterable[tuple[int, datetime, str]], key: Ed25519PublicKey) -> int:
        """Append those (size, moment, note) larger than the last one there, durably; the last size then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not (self.folder / PUBLIC_KEY).exists():
                write_new(self.folder / PUBLIC_KEY, public_pem(key).decode())
            last = self.last_size()
            for size, at, note in notes:
                if size > last:
                    self._append(at, note)
                    last = size
            return last
        finally:
            os.close(handle)

    def _append(self, at: datetime, note: str) -> None:
        with (self.folder / f"checkpoints-{at:%Y-%m}.txt").open("a", encoding="utf-8") as file:
            file.write(f"{note}\n")
            file.flush()
            os.fsync(file.fileno())

    def last_size(self) -> int:
        """The size of the last checkpoint, 0 when there is none."""
        files = self.files()
        if not files:
            return 0
        with files[-1].open("rb") as file:
            file.seek(max(0, files[-1].stat().st_size - TAIL_BYTES))
            found = list(NOTE.finditer(file.read().decode("utf-8", "replace")))
        sizes = [fields["size"] for note in found if (fields := TEXT.fullmatch(note["text"]))]
        return int(sizes[-1]) if sizes else 0

    def notes(self) -> Iterator[str]:
        """Every note in order. Raises `BadCheckpoint` for anything else in the files."""
        for path in self.files():
            text, at = path.read_text(encoding="utf-8"), 0
            while at < len(text):
                note = NOTE.match(text, at)
                if note is None or text[note.end() : note.end() + 1] != "\n":
                    raise BadCheckpoint(f"{path} holds something else than checkpoints from character {at} on")
                yield note[0]
                at = note.end() + 1
