"""Secrets that the database keeps for us (a trunk's password): encrypted under a key that is not in it.

AES-256-GCM under a key derived (HKDF-SHA256) from the master key's file, bound to what the secret is of: a sealed value that
is copied to another row does not open there.
"""

import base64
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.errors import Fault
from config.settings import Keys

_NONCE, _KEY = 12, 32
_MARK = "sealed1:"


class SealBroken(Fault):
    """A sealed secret does not open: the master key is another one, or the value is damaged."""

    code = "seal-broken"
    title = "A stored secret cannot be read"


class Seal:
    """Seals and opens. `purpose` parts the keys of different kinds of secrets. Blocking, for microseconds."""

    def __init__(self, keys: Keys, purpose: str) -> None:
        self._keys = keys
        self._purpose = purpose

    def close(self, secret: str, of: str) -> str:
        """The secret of `of`, encrypted, as text. Raises SealBroken when there is no usable master key."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher().encrypt(nonce, secret.encode(), of.encode())
        return _MARK + base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, of: str) -> str:
        """What `close` was given. Raises SealBroken."""
        try:
            raw = base64.b64decode(sealed.removeprefix(_MARK), validate=True)
            return self._cipher().decrypt(raw[:_NONCE], raw[_NONCE:], of.encode()).decode()
        except (InvalidTag, ValueError):
            raise SealBroken(f"the secret of {of} was sealed under another master key, or is damaged") from None

    def _cipher(self) -> AESGCM:
        derived = HKDF(SHA256(), _KEY, salt=None, info=f"ringfence {self._purpose}".encode())
        return AESGCM(derived.derive(self._master()))

    def _master(self) -> bytes:
        path = self._keys.master
        if not path.exists():
            if any(self._keys.group_keys.glob("*.key")):
                raise SealBroken(f"{path} is gone, and keys made under it are still there: bring it back")
            _make(path)
        if path.stat().st_mode & 0o077:
            raise SealBroken(f"{path} may be read by others than its owner: chmod 600 it")
        try:
            key = bytes.fromhex(path.read_text().strip())
        except ValueError:
            key = b""
        if len(key) != _KEY:
            raise SealBroken(f"{path} must hold {_KEY} bytes as hexadecimal digits")
        return key


def _make(path: Path) -> None:
    """A new master key, mode 0600, whole or not at all; one that another process made meanwhile stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_KEY) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)
