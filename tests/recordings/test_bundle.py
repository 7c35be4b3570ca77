"""A call's bundle and its verifier: whole it holds; any byte flipped, any entry dropped, inserted or moved is found."""

import asyncio
import hashlib
import io
import json
import random
import subprocess
import sys
import wave
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.bundle import _Writer
from recordings.checkpoints import Signer
from recordings.deletion import Deletion
from recordings.verify_bundle import Result, verify
from tests.support.evidence import Evidence, evidence_of
from tests.support.spooled import START, Recorder, silence, stereo, tone

Files = dict[str, bytes]


@pytest.fixture
def evidence(recorder: Recorder, tmp_path: Path) -> Evidence:
    return evidence_of(recorder, tmp_path)


def unpacked(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, target: Path, signer: Signer | None = None) -> Path:
    """A bundle of these files with a fitting manifest, signed when there is a key: what a forger could make."""
    with zipfile.ZipFile(target, "w") as archive:
        writer = _Writer.__new__(_Writer)
        writer._target, writer._listed = archive, []
        for name, data in files.items():
            if not name.startswith("manifest"):
                writer._add(name, data)
        manifest = json.loads(files["manifest.json"]) | {"files": writer._listed}
        told = json.dumps(manifest).encode()
        writer._add("manifest.json", told)
        signature = (
            signer.sign_bytes(b"ringfence-bundle/1\n" + told).hex().encode() + b"\n"
            if signer
            else files["manifest.sig"]
        )
        writer._add("manifest.sig", signature)
    return target


async def test_a_bundle_holds_all_of_a_call_and_is_proven_offline(evidence: Evidence, tmp_path: Path) -> None:
    call = await evidence.talked()
    path = await evidence.bundle(call, tmp_path / "bundle.zip")
    result = verify(path, tmp_path / "off site" / "log-key.pub", evidence.folder.files())
    assert result.problems == []
    assert (result.call_id, result.recordings) == (call.id, 2)
    kinds = [(entry["kind"], entry["actor"], entry["data"].get("reason")) for entry in result.entries]
    assert kinds[-2:] == [("recording.played", "qian", None), ("recording.exported", "root", "审计")]
    files = unpacked(path)
    for leg, original in (
        ("agent", stereo(tone(440, 12), silence(12))),
        ("customer", stereo(tone(600, 8), tone(440, 8))),
    ):
        (name,) = [name for name in files if name.endswith(f".{leg}.wav")]
        with wave.open(io.BytesIO(files[name])) as sound:
            assert sound.readframes(sound.getnframes()) == original
    assert len(soundfile.read(io.BytesIO(files["call.flac"]))[0]) == 12 * 8000
    assert "如何核验" in files["README.zh.txt"].decode()
    assert not list((tmp_path / "bundles").iterdir())


async def test_the_verifier_is_one_file_that_needs_nothing_of_ours(evidence: Evidence, tmp_path: Path) -> None:
    path = await evidence.bundle(await evidence.talked(), tmp_path / "bundle.zip")
    script = tmp_path / "elsewhere" / "verify_bundle.py"
    script.parent.mkdir()
    script.write_bytes(Path("tools/verify_bundle.py").read_bytes())
    checkpoints = ["--checkpoints", *map(str, evidence.folder.files())]
    command = [
        sys.executable,
        "-I",
        str(script),
        str(path),
        "--key",
        str(tmp_path / "off site" / "log-key.pub"),
        *checkpoints,
    ]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=script.parent)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Everything holds" in ended.stdout
    assert "recording.exported  by root  审计" in ended.stdout
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=script.parent)
    assert ended.returncode == 1
    assert "WRONG" in ended.stdout
    ended = await asyncio.to_thread(
        subprocess.run, [*command[:3], "nothing.zip"], capture_output=True, cwd=script.parent
    )
    assert ended.returncode == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_any_flipped_bit_cut_or_addition_is_found(evidence: Evidence, tmp_path: Path) -> None:
    path = await evidence.bundle(await evidence.talked(), tmp_path / "bundle.zip")
    data = path.read_bytes()
    container = [at for at in range(len(data)) if data[at : at + 4] in (b"PK\3\4", b"PK\1\2", b"PK\5\6")]
    places = {start + at for start in container for at in range(60) if start + at < len(data)}
    chosen = random.Random(1)
    places |= {chosen.randrange(len(data)) for _ in range(300)}
    spoilt = tmp_path / "spoilt.zip"
    for at in sorted(places):
        spoilt.write_bytes(data[:at] + bytes([data[at] ^ 1 << chosen.randrange(8)]) + data[at + 1 :])
        assert verify(spoilt).problems, f"byte {at} of {len(data)}"
    for other in (data[:-1], data + b"\0", b"\0" + data, b"", data[: len(data) // 2], data + data):
        spoilt.write_bytes(other)
        assert verify(spoilt).problems


def _lines(change: Callable[[list[bytes], list[Any]], None]) -> Callable[[Files], None]:
    def apply(files: Files) -> None:
        lines, proofs = files["journal.jsonl"].splitlines(), json.loads(files["proofs.json"])
        change(lines, proofs["entries"])
        files["journal.jsonl"] = b"".join(line + b"\n" for line in lines)
        files["proofs.json"] = json.dumps(proofs).encode()

    return apply


def _drop(at: int) -> Callable[[list[bytes], list[Any]], None]:
    def change(lines: list[bytes], proofs: list[Any]) -> None:
        del lines[at], proofs[at]

    return change


def _swap(lines: list[bytes], proofs: list[Any]) -> None:
    lines[0], lines[1], proofs[0], proofs[1] = lines[1], lines[0], proofs[1], proofs[0]


def _double(lines: list[bytes], proofs: list[Any]) -> None:
    lines.insert(1, lines[0])
    proofs.insert(1, proofs[0])


def _edit(lines: list[bytes], proofs: list[Any]) -> None:
    lines[:] = [line.replace(b'"qian"', b'"root"') for line in lines]


def _swap_legs(files: Files) -> None:
    first, second = [name for name in files if name.startswith("legs/")]
    files[first], files[second] = files[second], files[first]


def _mute(files: Files) -> None:
    name = next(name for name in files if name.startswith("legs/"))
    files[name] = files[name][:44] + bytes(len(files[name]) - 44)


def _lose_leg(files: Files) -> None:
    del files[next(name for name in files if name.startswith("legs/"))]


def _stranger(files: Files) -> None:
    name = next(name for name in files if name.startswith("legs/"))
    files[f"legs/{'0' * 32}.agent.wav"] = files[name]


def _other_row(files: Files) -> None:
    rows = json.loads(files["recordings.json"])
    rows[0]["state"] = "missing"
    files["recordings.json"] = json.dumps(rows).encode()


FORGERIES: dict[str, Callable[[Files], None]] = {
    "first entry dropped": _lines(_drop(0)),
    "entry dropped": _lines(_drop(1)),
    "entries swapped": _lines(_swap),
    "entry doubled": _lines(_double),
    "entry edited": _lines(_edit),
    "legs swapped": _swap_legs,
    "leg silenced": _mute,
    "leg left out": _lose_leg,
    "leg added": _stranger,
    "row changed": _other_row,
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_found_even_when_whoever_signs_makes_it(
    evidence: Evidence, tmp_path: Path, name: str
) -> None:
    files = unpacked(await evidence.bundle(await evidence.talked(), tmp_path / "bundle.zip"))
    assert verify(packed(files, tmp_path / "same.zip", evidence.signer)).problems == []
    FORGERIES[name](files)
    assert verify(packed(files, tmp_path / "forged.zip", evidence.signer)).problems
    assert verify(packed(files, tmp_path / "forged.zip")).problems


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_bundle_under_a_key_of_the_forgers_own_is_found_with_the_real_key_or_checkpoints(
    evidence: Evidence, tmp_path: Path
) -> None:
    call = await evidence.talked()
    await evidence.bundle(call, tmp_path / "real.zip")
    forger = evidence_of(evidence.recorder, tmp_path / "forger")
    async with evidence.recorder.database.write() as transaction:
        for table in ("log_leaves", "log_tiles", "log_checkpoints", "journal_cursors"):
            await transaction.execute(text(f"DELETE FROM {table}"))
    path = await forger.bundle(call, tmp_path / "forged.zip")
    assert verify(path).problems == []
    assert "another key" in verify(path, tmp_path / "off site" / "log-key.pub").problems[0]
    assert verify(path, None, evidence.folder.files()).problems


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_forged_proof_is_found(evidence: Evidence, tmp_path: Path) -> None:
    for _ in range(4):
        await evidence.talked()
    files = unpacked(await evidence.bundle(await evidence.talked(), tmp_path / "bundle.zip"))
    real = json.loads(files["proofs.json"])

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def forge(data: st.DataObject) -> None:
        proofs = json.loads(files["proofs.json"])
        entry = proofs["entries"][data.draw(st.integers(0, len(proofs["entries"]) - 1))]
        at = data.draw(st.integers(0, max(0, len(entry["proof"]) - 1)))
        match data.draw(st.sampled_from(["flip", "drop", "add", "index", "size", "type", "hex"])):
            case "flip":
                entry["proof"][at] = hashlib.sha256(bytes.fromhex(entry["proof"][at])).hexdigest()
            case "drop":
                del entry["proof"][at]
            case "add":
                entry["proof"].insert(at, data.draw(st.binary(min_size=0, max_size=40)).hex())
            case "index":
                entry["index"] = data.draw(st.one_of(st.integers(), st.floats(), st.text(), st.none()))
            case "size":
                proofs["size"] = data.draw(st.one_of(st.integers(), st.none()))
            case "type":
                entry["proof"] = data.draw(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.integers())))
            case "hex":
                entry["proof"][at] = data.draw(st.text(max_size=70))
        if proofs != real:
            forged = dict(files) | {"proofs.json": json.dumps(proofs).encode()}
            assert verify(packed(forged, tmp_path / "forged.zip", evidence.signer)).problems

    forge()


@settings(max_examples=200)
@given(st.binary(max_size=2000))
def test_any_other_file_is_refused_without_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "other.zip"
    for content in (data, b"PK\3\4" + data):
        path.write_bytes(content)
        result: Result = verify(path)
        assert result.problems


async def test_a_bundle_of_a_call_without_recordings_holds_too(evidence: Evidence, tmp_path: Path) -> None:
    call = await evidence.recorder.call(expect=False)
    assert verify(await evidence.bundle(call, tmp_path / "bundle.zip")).problems == []


async def _held_by_nobody(_: AsyncConnection, __: str) -> None:
    return None


async def test_after_a_deletion_everything_still_holds_and_the_bundle_says_what_went_and_why(
    evidence: Evidence, tmp_path: Path
) -> None:
    call = await evidence.talked()
    recorder, later = evidence.recorder, START + timedelta(days=1000)
    deletion = Deletion(
        database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache", held_by_case=_held_by_nobody
    )
    assert (await deletion.run(later)).deleted == 2
    path = await evidence.bundle(call, tmp_path / "bundle.zip")
    result = verify(path, None, evidence.folder.files())
    assert (result.problems, result.recordings) == ([], 0)
    assert [entry["kind"] for entry in result.entries].count("recording.deleted") == 2
    files = unpacked(path)
    assert not [name for name in files if name.startswith("legs/") or name == "call.flac"]
    assert len(json.loads(files["receipts.json"])) == 2
    assert (await evidence.verified(later)).problems == []


async def test_a_damaged_recording_makes_no_bundle(evidence: Evidence, tmp_path: Path) -> None:
    call = await evidence.talked()
    row = await evidence.recorder.row(call, "agent")
    path = evidence.recorder.store.path(row.object)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Exception, match="not what was written"):
        await evidence.bundle(call, tmp_path / "bundle.zip")
