"""Calls that were handed on, held, muted or not recorded for a while: who is heard where, and no false doubt."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy import insert

from config.identifiers import new_id
from config.journal import Entry
from recordings.regions import quiet_times
from recordings.replay import Replay
from telephony.tables import meetings
from tests.recordings.test_sound import speech
from tests.support.spooled import PBX, START, Recorder, Samples, SpooledCall, silence, stereo, tone
from tests.support.tones import assert_silent, assert_tone


def moment(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


async def meets(recorder: Recorder, call: SpooledCall, leg: str, since: float, until: float | None) -> None:
    row = {"id": new_id(START), "call_id": call.id, "pbx": PBX, "uniqueid": leg, "since": moment(since)}
    async with recorder.database.write() as transaction:
        await transaction.execute(insert(meetings).values(**row, until=None if until is None else moment(until)))


async def tells(recorder: Recorder, call: SpooledCall, *told: tuple[float, str, dict[str, Any]]) -> None:
    """Entries of the call's journal."""
    async with recorder.database.write() as transaction:
        for at, kind, data in told:
            transaction.journal(Entry(moment(at), kind, call_id=call.id, data=data))


async def test_an_outside_target_is_our_side_while_it_talks_with_the_customer(
    recorder: Recorder, replay: Replay
) -> None:
    call = await recorder.call(agent=(0, 1, 7), customer=(2, 3, 13))
    target = await recorder.call(agent=None, customer=(5, 6, 16))
    recorder.leave(call.file("agent"), stereo(tone(440, 6), silence(6)))
    recorder.leave(call.file("customer"), stereo(tone(600, 10), silence(10)))
    recorder.leave(target.file("customer"), stereo(tone(800, 10), silence(10)))
    await recorder.run(of=target.ended_at)
    await meets(recorder, call, target.legs["customer"], 8, None)
    await meets(recorder, target, call.legs["agent"], 6, 7)
    await meets(recorder, target, call.legs["customer"], 8, 13)
    samples, rate = soundfile.read(await replay.call_audio(call.id), dtype="int16")
    assert len(samples) == 12 * rate
    assert_tone(samples[:, 0], rate, 440, 0, 5.9)
    assert_silent(samples[:, 0], rate, 6.1, 6.9)
    assert_tone(samples[:, 0], rate, 800, 7.1, 12)
    assert_tone(samples[:, 1], rate, 600, 2.1, 12)
    samples, rate = soundfile.read(await replay.call_audio(target.id), dtype="int16")
    assert len(samples) == 10 * rate
    assert_tone(samples[:, 0], rate, 440, 0.1, 0.9)
    assert_tone(samples[:, 0], rate, 600, 2.1, 6.9)
    assert_silent(samples[:, 0], rate, 7.1, 9.9)
    assert_tone(samples[:, 1], rate, 800, 0, 10)


async def test_the_waveform_shows_the_same(recorder: Recorder, replay: Replay) -> None:
    call = await recorder.call(agent=(0, 1, 7), customer=(2, 3, 13))
    target = await recorder.call(agent=None, customer=(5, 6, 16))
    recorder.leave(call.file("agent"), stereo(tone(440, 6), silence(6)))
    recorder.leave(call.file("customer"), stereo(tone(600, 10), silence(10)))
    recorder.leave(target.file("customer"), stereo(tone(800, 10), silence(10)))
    await recorder.run(of=target.ended_at)
    await meets(recorder, call, target.legs["customer"], 8, 13)
    drawn = await replay.peaks(call.id)
    ours = np.asarray(drawn["channels"][0])
    assert drawn["duration"] == pytest.approx(12, abs=0.1)
    assert (ours[: 5 * 20] > 0.2).all()
    assert (ours[int(6.2 * 20) : int(6.8 * 20)] == 0).all()
    assert (ours[int(7.2 * 20) : int(11.8 * 20)] > 0.2).all()


def quiet_in_the_middle(before: float, quiet: float, after: float, seed: int) -> Samples:
    return np.concatenate((speech(before, seed), silence(quiet), speech(after, seed + 1)))


HELD = ({"call": {"state": "held"}}, {"call": {"state": "connected"}})


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        (("call.state", HELD[0]), ("call.state", HELD[1])),
        (("recording.paused", {}), ("recording.resumed", {})),
        (("call.muted", {}), ("call.unmuted", {})),
    ],
    ids=["hold", "pause", "mute"],
)
async def test_silence_that_is_explained_is_no_incident(
    recorder: Recorder, began: tuple[str, dict[str, Any]], ended: tuple[str, dict[str, Any]]
) -> None:
    call = await recorder.call(agent=(0, 1, 43), customer=(2, 3, 43))
    await tells(recorder, call, (5, *began), (39, *ended), (43, "call.ended", {"call": {"state": "ended"}}))
    recorder.leave(call.file("agent"), stereo(quiet_in_the_middle(4, 34, 4, 1), quiet_in_the_middle(4, 34, 4, 3)))
    recorder.leave(call.file("customer"), stereo(quiet_in_the_middle(2, 34, 4, 5), quiet_in_the_middle(2, 34, 4, 7)))
    await recorder.run(of=call.ended_at)
    assert await recorder.incidents() == []
    async with recorder.database.read() as connection:
        ((_, since, until),) = await quiet_times(connection, call.id)
    assert (since, until) == (moment(5), moment(39))


@pytest.mark.parametrize(
    ("unmuted", "doubts"), [(None, []), (6, ["silent"])], ids=["muted throughout", "muted at first"]
)
async def test_a_collector_who_was_muted_throughout_is_no_silent_leg(
    recorder: Recorder, unmuted: float | None, doubts: list[str]
) -> None:
    call = await recorder.call(agent=(0, 1, 20), customer=(2, 3, 20))
    again = [(unmuted, "call.unmuted", {})] if unmuted else []
    await tells(recorder, call, (2, "call.muted", {}), *again)
    recorder.leave(call.file("agent"), stereo(silence(19), speech(19, 1)))
    recorder.leave(call.file("customer"), stereo(speech(17, 2), speech(17, 3)))
    await recorder.run(of=call.ended_at)
    assert [kind for kind, _ in await recorder.incidents()] == doubts


async def test_silence_beside_a_hold_is_still_doubted(recorder: Recorder) -> None:
    call = await recorder.call(agent=(0, 1, 83), customer=(2, 3, 83))
    await tells(recorder, call, (5, "call.state", HELD[0]), (30, "call.state", HELD[1]))
    recorder.leave(call.file("agent"), stereo(quiet_in_the_middle(4, 74, 4, 1), quiet_in_the_middle(4, 74, 4, 3)))
    recorder.leave(call.file("customer"), stereo(speech(80, 5), speech(80, 7)))
    await recorder.run(of=call.ended_at)
    assert [kind for kind, _ in await recorder.incidents()] == ["dead-air"]
