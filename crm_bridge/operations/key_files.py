"""The files that are keys: without them the archive cannot be read, and the log not be gone on with."""

import hashlib
from pathlib import Path

from config.errors import Conflict
from config.settings import Keys
from recordings.keyring import write_new


def key_files(keys: Keys) -> dict[str, Path]:
    """Every key that is there, by its name in a backup; the tombstones of destroyed ones too."""
    found = {"master": keys.master, "log-signing": keys.signing}
    for path in sorted(keys.group_keys.glob("*")):
        if path.suffix in (".key", ".destroyed"):
            found[f"groups/{path.name}"] = path
    return {name: path for name, path in found.items() if path.is_file()}


def place_of(keys: Keys, name: str) -> Path:
    """Where a key of a backup belongs. Raises ValueError for a name that is none."""
    known = {"master": keys.master, "log-signing": keys.signing}
    if name in known:
        return known[name]
    folder, _, file = name.partition("/")
    if folder != "groups" or "/" in file or file.startswith(".") or Path(file).suffix not in (".key", ".destroyed"):
        raise ValueError(f"{name!r} is no key")
    return keys.group_keys / file


def fingerprint(content: bytes) -> str:
    """What the manifest says of a key: its SHA-256, which tells nothing of it."""
    return hashlib.sha256(content).hexdigest()


def require_fitting(keys: Keys, given: dict[str, str]) -> None:
    """Refuse a backup made under other keys than those that are here: nothing is overwritten. Raises Conflict."""
    for name, expected in given.items():
        path = place_of(keys, name)
        if path.is_file() and fingerprint(path.read_bytes()) != expected:
            raise Conflict(f"{path} is another key than the backup's: move it away first, if the backup is the truth")


def bring_back(keys: Keys, contents: dict[str, bytes]) -> int:
    """Write the keys that are missing, 0600; a key that was destroyed here stays destroyed. How many were written."""
    written = 0
    for name, content in contents.items():
        path = place_of(keys, name)
        if path.exists() or (path.suffix == ".key" and path.with_suffix(".destroyed").exists()):
            continue
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new(path, content.decode())
        written += 1
    return written
