"""Encryption at rest: the published vectors, ranges, and that nothing can be changed, moved or cut off unnoticed."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.encryption import CHUNK, SEALED, Damaged, DecryptingFile, EncryptingFile, Header, intact

KEY = bytes(range(32))
HEADER = Header(b"prefix7", "group-1", b"wrapped")
DOCUMENT = Path("docs/archive-format.md").read_text(encoding="utf-8")
VECTORS: list[dict[str, Any]] = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[0])


def plain(length: int) -> bytes:
    return bytes(at % 251 for at in range(length))


def seal(data: bytes, header: Header = HEADER, key: bytes = KEY) -> bytes:
    target = io.BytesIO()
    sink = EncryptingFile(target, header, key)
    sink.write(data)
    sink.finish()
    return target.getvalue()


def unseal(sealed: bytes, key: bytes = KEY) -> io.BufferedReader:
    return io.BufferedReader(DecryptingFile(io.BytesIO(sealed), lambda *_: key))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["length"]))
def test_the_published_vectors_hold(vector: dict[str, Any]) -> None:
    group_key, wrapped = bytes.fromhex(vector["group_key"]), bytes.fromhex(vector["wrapped"])
    assert aes_key_unwrap(group_key, wrapped).hex() == vector["key"]
    header = Header(bytes.fromhex(vector["nonce_prefix"]), vector["key_id"], wrapped)
    sealed = seal(plain(vector["length"]), header, bytes.fromhex(vector["key"]))
    assert (hashlib.sha256(sealed).hexdigest(), len(sealed)) == (vector["sealed_sha256"], vector["sealed_length"])
    assert sealed.hex() == vector.get("sealed", sealed.hex())
    assert unseal(sealed, bytes.fromhex(vector["key"])).read() == plain(vector["length"])


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_what_went_in_comes_out(length: int) -> None:
    assert unseal(seal(plain(length))).read() == plain(length)


SAMPLE = plain(3 * CHUNK + 1000)
SAMPLE_SEALED = seal(SAMPLE)
START = len(HEADER.to_bytes())


@given(st.integers(0, len(SAMPLE) + 10), st.integers(0, 2 * CHUNK))
def test_any_range_is_read_alone(start: int, length: int) -> None:
    file = unseal(SAMPLE_SEALED)
    file.seek(start)
    assert file.read(length) == SAMPLE[start : start + length]


def test_a_range_touches_only_its_chunk_and_the_last() -> None:
    spoilt = bytearray(SAMPLE_SEALED)
    spoilt[START] ^= 1
    file = unseal(bytes(spoilt))
    file.seek(2 * CHUNK)
    assert file.read(10) == SAMPLE[2 * CHUNK : 2 * CHUNK + 10]
    file.seek(0)
    with pytest.raises(Damaged, match="chunk 0"):
        file.read(1)


@settings(max_examples=300)
@given(st.integers(0, len(SAMPLE_SEALED) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_found(at: int, bit: int) -> None:
    spoilt = bytearray(SAMPLE_SEALED)
    spoilt[at] ^= 1 << bit
    with pytest.raises(Damaged):
        unseal(bytes(spoilt)).read()


@given(st.integers(0, len(SAMPLE_SEALED) - 1))
def test_a_cut_off_object_is_found_before_anything_is_read(length: int) -> None:
    with pytest.raises(Damaged):
        unseal(SAMPLE_SEALED[:length])


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 1, 3], [0, 1, 1, 2, 3], [0, 2, 1, 3], [0, 1, 2]])
def test_chunks_moved_dropped_or_doubled_are_found(order: list[int]) -> None:
    chunks = [SAMPLE_SEALED[START + at * SEALED : START + (at + 1) * SEALED] for at in range(4)]
    with pytest.raises(Damaged):
        unseal(SAMPLE_SEALED[:START] + b"".join(chunks[at] for at in order)).read()


def test_a_chunk_of_another_object_under_the_same_key_is_found() -> None:
    other = seal(SAMPLE, Header(b"another", "group-1", b"wrapped"))
    mixed = SAMPLE_SEALED[: START + SEALED] + other[START + SEALED :]
    with pytest.raises(Damaged):
        unseal(mixed).read()


def test_more_bytes_at_the_end_are_found() -> None:
    for more in (b"\0", bytes(SEALED)):
        with pytest.raises(Damaged):
            unseal(SAMPLE_SEALED + more).read()


def test_an_encoder_writes_into_the_cipher_and_a_decoder_reads_through_it() -> None:
    samples = np.random.default_rng(1).integers(-9000, 9000, (200_000, 2), dtype=np.int16)
    target = io.BytesIO()
    sink = EncryptingFile(target, HEADER, KEY)
    soundfile.write(sink, samples, 8000, format="FLAC", subtype="PCM_16")
    sink.finish()
    found, rate = soundfile.read(unseal(target.getvalue()), dtype="int16")
    assert rate == 8000
    assert np.array_equal(found, samples)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_decoder_that_swallows_damage_is_found_out() -> None:
    target = io.BytesIO()
    sink = EncryptingFile(target, HEADER, KEY)
    noise = np.random.default_rng(1).integers(-9000, 9000, (200_000, 2), dtype=np.int16)
    soundfile.write(sink, noise, 8000, format="FLAC", subtype="PCM_16")
    sink.finish()
    spoilt = bytearray(target.getvalue())
    spoilt[START + 2 * SEALED] ^= 1
    file = unseal(bytes(spoilt))
    with pytest.raises(Damaged), intact(file), soundfile.SoundFile(file) as sound:
        sound.read()


def test_only_the_first_chunk_may_be_written_over() -> None:
    sink = EncryptingFile(io.BytesIO(), HEADER, KEY)
    sink.write(plain(2 * CHUNK))
    sink.seek(4)
    sink.write(b"lengths")
    sink.seek(CHUNK)
    assert sink.write(b"x") == 0
    with pytest.raises(io.UnsupportedOperation):
        sink.finish()
