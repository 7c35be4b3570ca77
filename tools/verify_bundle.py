#!/usr/bin/env python3
"""Check a call's bundle offline: that every file is the one that was signed, that every journal entry is in the log that the
checkpoint signs, that none of the call's entries is left out, and that each recording is, sample for sample, the one archived.

    python3 verify_bundle.py BUNDLE.zip [--key log-key.pub] [--checkpoints checkpoints-2026-06.txt ...]

Needs Python 3.11 and `cryptography`, nothing else of whoever made the bundle. Give it the log's public key and a copy of its
checkpoints that you got another way: without them it shows only that the bundle is whole and of one origin. Exit 0: everything
holds; 1: something does not; 2: the bundle cannot be read at all. The format is described in docs/evidence.md.
"""

import argparse
import base64
import binascii
import hashlib
import json
import mmap
import re
import struct
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

FORMAT = "ringfence-bundle/1"
SIGNED = b"ringfence-bundle/1\n"
LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
VERSION, STORED, MIDNIGHT, DAY_ONE, UNIX, MODE = 20, 0, 0, 33, 3, 0o100644
NOTE = re.compile(
    r"(?P<text>(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]*)\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*)"
    r"\n— (?P<name>[^ \n]+) (?P<signature>[A-Za-z0-9+/=]+)\n"
)
REQUIRED = ("README.zh.txt", "README.en.txt", "call.json", "recordings.json", "journal.jsonl", "proofs.json",
            "checkpoint.txt", "log-key.pub")  # fmt: skip


class Unsound(Exception):
    """The bundle does not hold; the message says where."""


@dataclass
class Result:
    """What was found; `problems` is empty when everything holds."""

    call_id: str = ""
    key: str = ""
    checkpoint: tuple[int, str] = (0, "")
    entries: list[dict[str, Any]] = field(default_factory=list)
    recordings: int = 0
    problems: list[str] = field(default_factory=list)


def require(condition: object, problem: str) -> None:
    """Raise Unsound with `problem` unless the condition holds."""
    if not condition:
        raise Unsound(problem)


# The container: a ZIP file of plain (stored) files, in which every single byte has one value that it may have.


def read_container(data: "bytes | mmap.mmap") -> dict[str, memoryview]:
    """The files by name, in order. Raises Unsound for any byte that should be another."""
    view, at, files, central = memoryview(data), 0, {}, b""
    while data[at : at + 4] == b"PK\3\4":
        require(at + LOCAL.size <= len(view), "a file's header is cut off")
        _, version, flags, method, time, date, crc, packed, size, name_size, extra = LOCAL.unpack_from(view, at)
        fixed = (version, flags, method, time, date, extra)
        require(
            fixed == (VERSION, 0, STORED, MIDNIGHT, DAY_ONE, 0) and packed == size,
            f"the file at byte {at} is not as it must be",
        )
        start = at + LOCAL.size + name_size
        require(start + size <= len(view), "a file is cut off")
        raw = bytes(view[at + LOCAL.size : start])
        require(
            re.fullmatch(rb"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?", raw),
            f"{raw!r} is not a name of a bundle's file",
        )
        name = raw.decode("ascii")
        require(name not in files, f"{name} is there twice")
        require(zlib.crc32(view[start : start + size]) == crc, f"{name} is changed")
        files[name] = view[start : start + size]
        central += CENTRAL.pack(b"PK\1\2", UNIX << 8 | VERSION, VERSION, 0, STORED, MIDNIGHT, DAY_ONE, crc, size, size,
                                name_size, 0, 0, 0, 0, MODE << 16, at) + raw  # fmt: skip
        at = start + size
    end = END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(central), at, 0)
    require(
        bytes(view[at:]) == central + end, "the directory of the ZIP file is changed, or something was added or cut off"
    )
    return files


# The signatures.


def raw_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def read_key(pem: bytes) -> Ed25519PublicKey:
    """A public key from PEM. Raises Unsound."""
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise Unsound(f"this is not a public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Unsound("this is not an Ed25519 key")
    return key


def check_signature(key: Ed25519PublicKey, signature: bytes, data: bytes, what: str) -> None:
    """Raise Unsound unless `data` was signed so."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise Unsound(f"the signature of {what} does not hold") from None


def read_checkpoint(note: str, key: Ed25519PublicKey) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint (C2SP tlog-checkpoint). Raises Unsound."""
    found = NOTE.fullmatch(note)
    if found is None:
        raise Unsound("checkpoint.txt is not a checkpoint")
    name = f"ringfence-log/{hashlib.sha256(raw_key(key)).hexdigest()[:16]}"
    require(found["origin"] == found["name"] == name, "the checkpoint is of another log")
    try:
        signature, root = (
            base64.b64decode(found["signature"], validate=True),
            base64.b64decode(found["root"], validate=True),
        )
    except binascii.Error:
        raise Unsound("checkpoint.txt is not a checkpoint") from None
    key_hash = hashlib.sha256(name.encode() + b"\n\1" + raw_key(key)).digest()[:4]
    require(signature[:4] == key_hash, "the checkpoint is signed with another key")
    check_signature(key, signature[4:], found["text"].encode(), "the checkpoint")
    return int(found["size"]), root


def check_files(files: dict[str, memoryview], key: Ed25519PublicKey) -> dict[str, Any]:
    """Hold every file against the signed manifest, which is returned. Raises Unsound."""
    for name in (*REQUIRED, "manifest.json", "manifest.sig"):
        require(name in files, f"{name} is missing")
    manifest_bytes, signature = bytes(files["manifest.json"]), bytes(files["manifest.sig"])
    require(re.fullmatch(rb"[0-9a-f]{128}\n", signature), "manifest.sig is not a signature")
    check_signature(key, bytes.fromhex(signature.decode()), SIGNED + manifest_bytes, "the manifest")
    manifest = json.loads(manifest_bytes)
    require(manifest["format"] == FORMAT, f"this is a {manifest['format']}, not a {FORMAT}")
    listed = [*(entry["name"] for entry in manifest["files"]), "manifest.json", "manifest.sig"]
    require(listed == list(files), "the files are not those of the manifest, in its order")
    for entry in manifest["files"]:
        content = files[entry["name"]]
        same = len(content) == entry["size"] and hashlib.sha256(content).hexdigest() == entry["sha256"]
        require(same, f"{entry['name']} is changed")
    return dict(manifest)


# The log: RFC 6962 trees, inclusion proofs checked as in RFC 9162, 2.1.3.2.


def check_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether the log of `size` with that root has this leaf at `index`."""
    if not 0 <= index < size or any(len(step) != 32 for step in proof):
        return False
    at, last, result = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            result = hashlib.sha256(b"\1" + sibling + result).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = hashlib.sha256(b"\1" + result + sibling).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and result == root


def check_entries(files: dict[str, memoryview], call_id: str, size: int, root: bytes) -> list[dict[str, Any]]:
    """Prove every journal entry, and that they are the call's first, second, … without a gap. Raises Unsound."""
    lines, proofs = bytes(files["journal.jsonl"]), json.loads(bytes(files["proofs.json"]))
    require(lines.endswith(b"\n") and proofs["size"] == size, "journal.jsonl and proofs.json do not belong together")
    leaves = lines[:-1].split(b"\n")
    require(len(leaves) == len(proofs["entries"]), "journal.jsonl and proofs.json differ in length")
    entries, before = [], (-1, -1)
    for number, (leaf, told) in enumerate(zip(leaves, proofs["entries"], strict=True), 1):
        entry = json.loads(leaf)
        where = f"entry {number} of journal.jsonl"
        proof = [bytes.fromhex(step) for step in told["proof"]]
        require(check_inclusion(leaf, told["index"], size, proof, root), f"{where} is not in the log")
        require(entry["call_id"] == call_id, f"{where} is of another call")
        require(
            entry["of_call"] == number, f"{where} is the call's {entry['of_call']}: one is left out, added or moved"
        )
        require((told["index"], entry["id"]) > before, f"{where} is out of order")
        before = (told["index"], entry["id"])
        entries.append(entry)
    return entries


# The recordings.


def check_recordings(files: dict[str, memoryview], entries: list[dict[str, Any]]) -> int:
    """Hold every archived recording against its entry, and the other way round. Returns how many. Raises Unsound."""
    archived: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["kind"] == "recording.ready":
            archived[entry["data"]["recording_id"]] = entry["data"]
        elif entry["kind"] == "recording.deleted":
            archived.pop(entry["data"]["recording_id"], None)
    legs = {name for name in files if name.startswith("legs/")}
    for recording_id, told in archived.items():
        stem = f"legs/{recording_id}.{told['leg']}"
        name = f"{stem}.wav" if f"{stem}.wav" in files else f"{stem}.original"
        require(name in files, f"the log has recording {recording_id}, the bundle has not")
        legs.discard(name)
        if name.endswith(".wav"):
            require(
                hashlib.sha256(samples_of(files[name], name)).hexdigest() == told["pcm_sha256"],
                f"{name} holds other samples than were archived",
            )
        else:
            require(
                hashlib.sha256(files[name]).hexdigest() == told["sha256"], f"{name} is not the file that was archived"
            )
    require(not legs, f"no entry of the log speaks of {', '.join(sorted(legs))}")
    for row in json.loads(bytes(files["recordings.json"])):
        is_archived = row["id"] in archived
        require((row["state"] == "archived") == is_archived, f"recordings.json: {row['id']} is {row['state']}")
        same = not is_archived or row["sha256"] == archived[row["id"]]["sha256"]
        require(same, f"recordings.json: {row['id']} is not as in the log")
    return len(archived)


def samples_of(wav: memoryview, name: str) -> memoryview:
    """The samples of a WAV file with the plain header of 44 bytes. Raises Unsound."""
    require(len(wav) >= 44, f"{name} is no WAV file")
    riff, size, wave, fmt, sixteen, pcm, channels, rate, speed, block, bits, data, length = struct.unpack_from(
        "<4sI4s4sIHHIIHH4sI", wav
    )
    plain = (riff, wave, fmt, sixteen, pcm, bits, data) == (b"RIFF", b"WAVE", b"fmt ", 16, 1, 16, b"data")
    require(plain and (size, length) == (len(wav) - 8, len(wav) - 44), f"{name} is no plain WAV file")
    require(block == 2 * channels and speed == rate * block, f"{name} is no plain WAV file")
    return wav[44:]


# All of it.


def verify(path: Path, key: Path | None = None, checkpoints: list[Path] | None = None) -> Result:
    """Check a bundle. Whatever is in it, the answer is a Result; OSError only when a file cannot be read."""
    result = Result()
    with path.open("rb") as file:
        if not path.stat().st_size:
            result.problems.append("the file is empty")
            return result
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _check(data, result, key, checkpoints or [])
    return result


def _check(data: mmap.mmap, result: Result, trusted: Path | None, checkpoints: list[Path]) -> None:
    files: dict[str, memoryview] = {}
    try:
        files = read_container(data)
        require("log-key.pub" in files, "log-key.pub is missing")
        pem = bytes(files["log-key.pub"])
        key = read_key(pem)
        result.key = hashlib.sha256(raw_key(key)).hexdigest()
        canonical = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        require(pem == canonical, "log-key.pub is not written in the one way that there is")
        if trusted is not None:
            require(
                raw_key(read_key(trusted.read_bytes())) == raw_key(key),
                f"the bundle is signed with another key than {trusted}",
            )
        manifest = check_files(files, key)
        result.call_id = str(manifest["call_id"])
        size, root = read_checkpoint(bytes(files["checkpoint.txt"]).decode("utf-8"), key)
        result.checkpoint = (size, root.hex())
        if checkpoints:
            require_known(size, root, key, checkpoints)
        result.entries = check_entries(files, result.call_id, size, root)
        require(json.loads(bytes(files["call.json"]))["id"] == result.call_id, "call.json is of another call")
        result.recordings = check_recordings(files, result.entries)
    except Unsound as error:
        result.problems.append(str(error))
    except (KeyError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as error:
        result.problems.append(f"the bundle is not made as it must be: {type(error).__name__}: {error}")
    finally:
        for view in files.values():
            view.release()


def require_known(size: int, root: bytes, key: Ed25519PublicKey, paths: list[Path]) -> None:
    """The bundle's checkpoint must be among those that were copied elsewhere. Raises Unsound."""
    for path in paths:
        for note in NOTE.finditer(path.read_text(encoding="utf-8")):
            if int(note["size"]) == size:
                require(read_checkpoint(note[0], key) == (size, root), f"{path} has another root for the log of {size}")
                return
    raise Unsound(f"none of the checkpoints given is of the size {size}: take a newer copy of them")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Check a call's bundle offline.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, help="the log's public key, got another way")
    parser.add_argument("--checkpoints", type=Path, nargs="+", help="checkpoints copied elsewhere")
    given = parser.parse_args(arguments)
    try:
        result = verify(given.bundle, given.key, given.checkpoints)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for problem in result.problems:
        print(f"WRONG: {problem}")
    if result.problems:
        return 1
    print(
        f"Everything holds: call {result.call_id}, {result.recordings} recordings, {len(result.entries)} journal entries."
    )
    for entry in result.entries:
        if entry["kind"] in ("recording.played", "recording.exported", "recording.deleted"):
            print(
                f"  {entry['at']}  {entry['kind']}  by {entry['actor']}  {entry['data'].get('reason') or ''}".rstrip()
            )
    print(f"Checkpoint: {result.checkpoint[0]} entries, root {result.checkpoint[1]}")
    print(f"Signed with the key whose SHA-256 is {result.key}")
    if given.key is None:
        print("Compare that with the key's fingerprint you were given, or give the key with --key.")
    if not given.checkpoints:
        print("Whether the log itself was replaced shows only a copy of its checkpoints (--checkpoints).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
