"""The composed call on a real Asterisk: both sides at the moment at which they were heard."""

import asyncio
import io
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from crm_bridge.demo.behaviours import PHONE_TONES, number_tone
from tests.support.floor import Floor
from tests.support.tones import assert_silent, assert_tone

RATE = 8_000
HEARD_TOGETHER = 0.1
"""Seconds by which the two sides may be apart: what a listener does not notice. Measured: 5 ms, 20 ms on a busy machine."""

pytestmark = pytest.mark.flow


async def _sound(floor: Floor, path: str) -> NDArray[np.int16]:
    data = await floor.expect(200, "GET", path, user="qa")
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    assert rate == RATE
    return np.asarray(samples)


def _onset(samples: NDArray[np.int16], hz: float) -> float:
    """Seconds until that tone is half as loud as it gets, whatever else sounds."""
    carrier = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / RATE)
    envelope = np.abs(np.convolve(samples.astype(float) * carrier, np.ones(160) / 160, "same"))
    return float(np.flatnonzero(envelope > np.percentile(envelope, 99) / 2)[0] / RATE)


async def _talk(floor: Floor, number: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A call of two seconds' talk, archived; the call and its recordings by leg."""
    call = await floor.call(number)
    await floor.until(call, "connected")
    await asyncio.sleep(2)  # the talk itself
    await floor.hangup(call)
    kept = await floor.archived(call)
    return kept, {item["leg"]: item for item in kept["recordings"]}


@pytest.mark.parametrize("number", ["+8613800001201", "+8613800001213"], ids=["answers-at-once", "rings-3-s"])
async def test_the_sides_of_a_composed_call_are_in_step_with_what_the_agent_heard(floor: Floor, number: str) -> None:
    call, legs = await _talk(floor, number)
    composed = await _sound(floor, f"/v1/calls/{call['id']}/audio")
    agent = await _sound(floor, f"/v1/recordings/{legs['agent']['id']}/audio")
    answered = _onset(composed[:, 1], number_tone(number))
    assert abs(answered - _onset(agent[:, 1], number_tone(number))) < HEARD_TOGETHER
    assert_tone(composed[:, 0], RATE, PHONE_TONES["1001"], 0.1, len(composed) / RATE - 0.1)
    assert_tone(composed[:, 1], RATE, number_tone(number), answered + 0.05, answered + 1.8)
    if answered > 1:
        assert_silent(composed[:, 1], RATE, 0, answered - 0.1)
    assert not [flag for item in legs.values() for flag in item["flags"]]
