"""What a call's audio holds, as somebody hears it who replays it: fetched from the service, in tones."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from crm_bridge.demo.behaviours import PHONE_TONES
from tests.support.floor import Floor
from tests.support.tones import heard

OURS, THEIRS = 0, 1
CONVERSATION = 1.5
"""Seconds that the people in these tests talk before the next thing happens: what a recording must hold of each of them."""


async def audio_of(floor: Floor, call: Mapping[str, Any]) -> tuple[NDArray[np.int16], int]:
    """The call as heard: samples (frames, 2) and their rate."""
    data = await floor.expect(200, "GET", f"/v1/calls/{call['id']}/audio?format=wav", user="qa")
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    return samples, rate


def tones_of(samples: NDArray[np.int16], rate: int) -> list[int]:
    """The tones that follow each other on one channel, each sounding for half a second at least; silence is left out."""
    found: list[tuple[int, int]] = []
    for window in heard(samples, rate, window=0.1):
        tone = 0 if window.silent or window.purity < 0.6 else round(window.hz / 5) * 5
        if found and found[-1][0] == tone:
            found[-1] = (tone, found[-1][1] + 1)
        else:
            found.append((tone, 1))
    long = [tone for tone, windows in found if tone and windows >= 5]
    return [tone for place, tone in enumerate(long) if place == 0 or long[place - 1] != tone]


def tone_of(phone: str) -> int:
    """Hz that a phone of the lab speaks with."""
    return PHONE_TONES[phone]
