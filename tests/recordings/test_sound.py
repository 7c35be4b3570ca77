"""What peaks tell: both channels the same, clipped, dead air."""

import numpy as np
import pytest

from recordings.peaks import PeakMeter
from recordings.sound import Span, doubts_of_peaks, quiet_spans
from tests.support.spooled import Recorder, Samples, silence, stereo, tone


def doubts_of(left: Samples, right: Samples) -> list[str]:
    meter = PeakMeter(8_000, 2)
    meter.feed(np.frombuffer(stereo(left, right), "<i2").reshape(-1, 2))
    return doubts_of_peaks(meter.bytes(), 2, meter.alike)


def speech(seconds: float, seed: int, level: float = 0.2) -> Samples:
    noise = np.random.default_rng(seed).normal(0, level / 3, round(seconds * 8_000)).clip(-level, level)
    return np.asarray(noise * 32767).astype("<i2")


@pytest.mark.parametrize(
    ("left", "right", "doubts"),
    [
        (speech(60, 1), speech(60, 2), []),
        (speech(60, 1), speech(60, 1), ["legs-identical"]),
        (tone(440, 10), tone(600, 10), []),
        (silence(10), silence(10), []),
        (tone(440, 10, level=1.0), speech(10, 2), ["clipped"]),
        (tone(440, 10, level=0.9), speech(10, 2), []),
        (
            np.concatenate((speech(5, 1), silence(31), speech(5, 3))),
            np.concatenate((speech(5, 2), silence(31), speech(5, 4))),
            ["dead-air"],
        ),
        (np.concatenate((speech(5, 1), silence(31))), speech(36, 2), []),
        (np.concatenate((speech(5, 1), silence(29))), np.concatenate((speech(5, 2), silence(29))), []),
    ],
    ids=[
        "talk",
        "same twice",
        "tones of one level",
        "silent is another doubt",
        "clipped",
        "loud",
        "dead air",
        "one listens",
        "short pause",
    ],
)
def test_what_is_doubted(left: Samples, right: Samples, doubts: list[str]) -> None:
    assert doubts_of(left, right) == doubts


def test_nothing_and_one_channel_are_no_doubt() -> None:
    assert doubts_of_peaks(b"", 2, False) == []
    assert doubts_of_peaks(bytes([40] * 2000), 1, False) == []


def test_quiet_spans_are_found_at_both_ends() -> None:
    windows = np.array([[0, 1]] * 40 + [[90, 0]] * 20 + [[2, 2]] * 60, np.uint8)
    assert quiet_spans(windows, 1) == [Span(0, 2), Span(3, 6)]
    assert quiet_spans(windows, 2.5) == [Span(3, 6)]
    assert quiet_spans(np.empty((0, 2), np.uint8), 1) == []


async def test_each_opens_an_incident_about_its_leg(recorder: Recorder) -> None:
    call = await recorder.call(agent=(0, 1, 41), customer=(2, 5, 41))
    dead = np.concatenate((speech(2, 1), silence(32), speech(2, 3)))
    recorder.leave(call.file("agent"), stereo(speech(40, 1), speech(40, 1)))
    recorder.leave(call.file("customer"), stereo(dead, np.concatenate((speech(2, 2), silence(32), speech(2, 4)))))
    await recorder.run(of=call.ended_at)
    agent, customer = await recorder.row(call, "agent"), await recorder.row(call, "customer")
    assert sorted(await recorder.incidents()) == sorted([("legs-identical", agent.id), ("dead-air", customer.id)])
    assert (agent.flags, customer.flags) == (["legs-identical"], ["dead-air"])
