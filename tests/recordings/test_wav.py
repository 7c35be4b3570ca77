"""Where the samples are, in whatever Asterisk or another recorder left."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.wav import Layout, Unreadable, layout
from tests.support.spooled import tone

PCM = tone(440, 1).tobytes()


def wav(pcm: bytes = PCM, *, channels: int = 1, rate: int = 8000, width: int = 2) -> bytearray:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return bytearray(buffer.getvalue())


def read(data: bytes, name: str = "x.wav") -> Layout:
    return layout(io.BytesIO(data), len(data), name)


def test_raw_is_two_channels_of_16_bits_at_8_khz() -> None:
    assert read(bytes(32_000), "x.raw") == Layout(0, 8000, 8000, 2)


@pytest.mark.parametrize("rest", [1, 2, 3])
def test_raw_that_ends_within_a_sample_keeps_every_whole_one(rest: int) -> None:
    assert read(bytes(32_000 + rest), "x.raw") == Layout(0, 8000, 8000, 2, ("odd-tail",))


def test_an_empty_raw_holds_nothing() -> None:
    assert read(b"", "x.raw").frames == 0


def test_a_sound_wav_is_read_as_its_header_says() -> None:
    assert read(bytes(wav())) == Layout(44, 8000, 8000, 1, ("mono",))
    assert read(bytes(wav(channels=2, rate=16000))) == Layout(44, 4000, 16000, 2)


@pytest.mark.parametrize(("riff", "data"), [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0, 320), (0, 50_000)])
def test_lengths_of_a_crashed_recorder_are_not_believed(riff: int, data: int) -> None:
    broken = wav()
    struct.pack_into("<I", broken, 4, riff)
    struct.pack_into("<I", broken, 40, data)
    assert read(bytes(broken)) == Layout(44, 8000, 8000, 1, ("header-repaired", "mono"))


def test_a_header_that_never_reached_the_disk_is_taken_for_asterisks() -> None:
    broken = wav()
    broken[:44] = bytes(44)
    assert read(bytes(broken)) == Layout(44, 8000, 8000, 1, ("header-repaired", "mono"))


def test_a_chunk_after_the_samples_is_not_taken_for_samples() -> None:
    assert read(bytes(wav()) + b"LIST" + struct.pack("<I", 4) + b"INFO") == Layout(44, 8000, 8000, 1, ("mono",))


def test_a_wav_that_is_only_a_header_holds_nothing() -> None:
    assert read(bytes(wav(b""))).frames == 0


def test_a_chunk_before_the_samples_is_stepped_over() -> None:
    sound = bytes(wav())
    extra = b"note" + struct.pack("<I", 3) + b"abc\0"
    assert read(sound[:36] + extra + sound[36:]) == Layout(56, 8000, 8000, 1, ("mono",))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        bytes(wav())[:43],
        b"\xff" * 5000,
        b"RIFF\0\0\0\0AVI " + bytes(100),
        b"RIFF\0\0\0\0WAVE" + b"junk" + struct.pack("<I", 0xFFFFFFF0) + bytes(100),
        b"RIFF\0\0\0\0WAVE" + b"data" + struct.pack("<I", 8) + bytes(100),
        bytes(wav(width=1)),
        bytes(wav(width=3, pcm=bytes(3000))),
        bytes(wav(channels=6, pcm=bytes(1200))),
        bytes(wav(rate=1)),
    ],
)
def test_what_is_not_16_bit_pcm_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"\w"):
        read(data)


@given(st.binary(max_size=300), st.booleans())
def test_whatever_the_bytes_no_sample_is_read_from_beyond_the_file(rest: bytes, riff: bool) -> None:
    data = (b"RIFF\x24\0\0\0WAVEfmt " if riff else b"") + rest
    try:
        found = read(data)
    except Unreadable:
        return
    assert 0 <= found.offset <= len(data)
    assert found.offset + found.frames * found.frame_bytes <= len(data)
    assert found.channels in (1, 2)


def test_a_header_without_an_end_is_given_up_after_64_kib() -> None:
    chunks = (b"junk" + struct.pack("<I", 8) + bytes(8)) * 10_000
    with pytest.raises(Unreadable):
        read(b"RIFF\0\0\0\0WAVE" + chunks)
