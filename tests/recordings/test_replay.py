"""Replay: the call as heard, every leg in its place on its channel."""

import hashlib
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sqlalchemy import insert, update

from config.identifiers import new_id
from recordings.encryption import Damaged
from recordings.replay import NoAudio, Replay
from recordings.tables import recordings
from tests.support.spooled import PBX, RATE, START, Recorder, Samples, SpooledCall, silence, stereo, tone
from tests.support.tones import assert_silent, assert_tone


async def talked(recorder: Recorder) -> SpooledCall:
    """The agent's recording runs from 1 to 13 s, the customer's from 5 to 13 s."""
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    return call


async def test_the_call_is_composed_of_what_each_side_said_at_its_moment(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    samples, rate = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    assert (rate, samples.shape) == (8000, (12 * 8000, 2))
    assert_tone(samples[:, 0], rate, 440, 0, 12)
    assert_silent(samples[:, 1], rate, 0, 4)
    assert_tone(samples[:, 1], rate, 600, 4, 12)
    assert np.flatnonzero(samples[:, 1])[0] == 4 * 8000 + 1


async def test_customer_legs_in_sequence_follow_one_another_and_overlapping_ones_mix(
    recorder: Recorder, replay: Replay
) -> None:
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), silence(8)))
    await recorder.run()
    await _second_customer(recorder, call, (10, 16), tone(800, 6))
    samples, rate = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    assert len(samples) == 15 * 8000
    assert_tone(samples[:, 1], rate, 600, 4, 9)
    assert_tone(samples[:, 1], rate, 800, 12, 15)
    both = np.abs(np.fft.rfft(samples[9 * rate : 12 * rate, 1].astype(float)))
    assert both[600 * 3] > 1e6
    assert both[800 * 3] > 1e6


async def _second_customer(recorder: Recorder, call: SpooledCall, times: tuple[float, float], said: Samples) -> None:
    began, ended = (START + timedelta(seconds=at) for at in times)
    name = f"{call.id}.customer.pbx-1718000001.7.raw"
    async with recorder.database.write() as transaction:
        await transaction.execute(
            insert(recordings).values(
                id=new_id(START), call_id=call.id, pbx=PBX, uniqueid="pbx-1718000001.7", leg="customer",
                state="expected", required=1, file=name, leg_started_at=began, leg_answered_at=began,
                leg_ended_at=ended, flags=[], due_at=ended, attempts=0,
            )
        )  # fmt: skip
    recorder.leave(name, stereo(said, silence(len(said) / RATE)))
    await recorder.run(of=ended)


async def test_loud_overlapping_legs_are_limited_not_wrapped(recorder: Recorder, replay: Replay) -> None:
    call = await recorder.call()
    loud = tone(600, 8, level=0.9)
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(loud, silence(8)))
    await recorder.run()
    await _second_customer(recorder, call, (5, 13), loud)
    samples, _ = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    assert samples[:, 1].max() == 32767
    assert samples[:, 1].min() == -32768
    assert np.all(samples[4 * RATE :, 1].astype(int) * loud >= 0)


async def test_a_leg_at_another_rate_is_brought_to_the_calls_rate(recorder: Recorder, replay: Replay) -> None:
    call = await recorder.call()
    wav = recorder.folder / call.file("customer").replace(".raw", ".wav")
    soundfile.write(wav, np.column_stack((tone(600, 8, rate=16000),) * 2), 16000, subtype="PCM_16")
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    await recorder.run()
    samples, rate = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    assert (rate, len(samples)) == (16000, 12 * 16000)
    assert_tone(samples[:, 0], rate, 440, 0, 12)
    assert_tone(samples[:, 1], rate, 600, 4, 12)


async def test_a_call_without_archived_audio_says_so(recorder: Recorder, replay: Replay) -> None:
    call = await recorder.call()
    with pytest.raises(NoAudio):
        await replay.call_audio(call.id)
    with pytest.raises(NoAudio):
        await replay.peaks(call.id)
    with pytest.raises(NoAudio):
        await replay.leg_audio((await recorder.row(call, "agent")).id)


async def test_mp3_and_wav_carry_the_same_call(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    flac, _ = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    wav, _ = soundfile.read(await replay.call_audio(call.id, "wav"), dtype="int16")
    assert np.array_equal(flac, wav)
    mp3, rate = soundfile.read(await replay.call_audio(call.id, "mp3"), dtype="int16")
    assert (rate, mp3.shape[1]) == (8000, 2)
    assert_tone(mp3[:, 0], rate, 440, 0.5, 11.5)
    assert_silent(mp3[:, 1], rate, 0, 3.5)
    assert_tone(mp3[:, 1], rate, 600, 4.5, 11.5)


async def test_one_legs_recording_plays_with_both_its_sides(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    audio = await replay.leg_audio((await recorder.row(call, "customer")).id)
    samples, rate = soundfile.read(audio, dtype="int16")
    assert_tone(samples[:, 0], rate, 600, 0, 8)
    assert_tone(samples[:, 1], rate, 440, 0, 8)


async def test_the_waveform_shows_each_side_where_it_speaks(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    drawn = await replay.peaks(call.id)
    ours, theirs = drawn["channels"]
    assert (drawn["per_second"], drawn["duration"], len(ours), len(theirs)) == (20, 12.0, 240, 240)
    assert all(0.29 < value < 0.32 for value in ours)
    assert set(theirs[:80]) == {0.0}
    assert all(0.29 < value < 0.32 for value in theirs[80:])


async def test_the_cache_may_vanish_and_stays_within_its_size(recorder: Recorder, tmp_path: Path) -> None:
    call = await talked(recorder)
    replay = Replay(database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache", cache_bytes=1)
    first = (await replay.call_audio(call.id)).read()
    for file in (tmp_path / "cache").iterdir():
        file.unlink()
    assert (await replay.call_audio(call.id)).read() == first
    await replay.leg_audio((await recorder.row(call, "agent")).id)
    assert len(list((tmp_path / "cache").iterdir())) == 1


async def test_a_recording_starts_where_its_legs_end_and_its_length_say(recorder: Recorder) -> None:
    call = await talked(recorder)
    assert (await recorder.row(call, "agent")).started_at == START + timedelta(seconds=1)
    assert (await recorder.row(call, "customer")).started_at == START + timedelta(seconds=5)


async def test_what_is_cached_is_encrypted_under_a_key_of_this_process_alone(
    recorder: Recorder, replay: Replay, tmp_path: Path
) -> None:
    call = await talked(recorder)
    with await replay.call_audio(call.id, "wav") as audio:
        heard = audio.read()
    cache = tmp_path / "cache"
    assert cache.stat().st_mode & 0o777 == 0o700
    files = {file.name: file.read_bytes() for file in cache.iterdir()}
    assert len(files) == 2
    assert all(data.startswith(b"RNGFENCE") and b"RIFF" not in data for data in files.values())
    restarted = Replay(database=recorder.database, archive=recorder.archive, cache=cache)
    with await restarted.call_audio(call.id, "wav") as audio:
        assert audio.read() == heard
    assert {file.name: file.read_bytes() for file in cache.iterdir()} != files


async def test_a_recording_archived_before_there_was_encryption_still_plays(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    row = await recorder.row(call, "customer")
    with recorder.archive.open(row) as plain:
        flac = plain.read()
    old = recorder.store.path("2025/01/01/old.flac")
    old.parent.mkdir(parents=True)
    old.write_bytes(flac)
    async with recorder.database.write() as transaction:
        await transaction.execute(
            update(recordings)
            .where(recordings.c.id == row.id)
            .values(object="2025/01/01/old.flac", key_id=None, stored_sha256=hashlib.sha256(flac).hexdigest())
        )
    with await replay.leg_audio(row.id) as audio:
        assert audio.read() == flac
    samples, rate = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    assert_tone(samples[:, 1], rate, 600, 4, 12)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_damaged_recording_is_a_fault_and_never_silence(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    path = recorder.store.path((await recorder.row(call, "customer")).object)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Damaged):
        await replay.call_audio(call.id)
    with pytest.raises(Damaged):
        (await replay.leg_audio((await recorder.row(call, "customer")).id)).read()
    assert not list(replay.cache.folder.iterdir())
