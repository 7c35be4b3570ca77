"""Who is on which channel of a recording: the loudest frequency and the level, window by window."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
"""Mono PCM, int16 or float in [-1, 1], shape (n,)."""


@dataclass(frozen=True)
class Heard:
    """A window's loudest frequency in Hz, the share of the window's power near it (0..1), and its level in dBFS."""

    at: float
    hz: float
    purity: float
    dbfs: float

    @property
    def silent(self) -> bool:
        """Below what a line's noise reaches."""
        return self.dbfs < -50


def heard(samples: Samples, rate: int, *, window: float = 0.25) -> list[Heard]:
    """What each window of `window` seconds holds; a shorter last one is left out."""
    scaled = samples.astype(np.float64)
    if np.issubdtype(samples.dtype, np.integer):
        scaled /= 32768
    size = int(window * rate)
    return [_one(scaled[i : i + size], rate, i / rate) for i in range(0, len(scaled) - size + 1, size)]


def _one(chunk: NDArray[np.float64], rate: int, at: float) -> Heard:
    level = float(np.sqrt(np.mean(chunk**2)))
    dbfs = 20 * np.log10(level) if level > 0 else -120.0
    padded = 8 * len(chunk)
    power = np.abs(np.fft.rfft(chunk * np.hanning(len(chunk)), padded)) ** 2
    power[: int(100 * padded / rate)] = 0  # hum and offset are no tone
    peak = int(np.argmax(power))
    width = int(15 * padded / rate)
    near = float(power[max(0, peak - width) : peak + width + 1].sum())
    total = float(power.sum())
    return Heard(at, peak * rate / padded, near / total if total else 0.0, float(dbfs))


def share_of(samples: Samples, rate: int, hz: float) -> float:
    """How much of the sound's power lies within 12 Hz of `hz`, 0..1: for several tones at once."""
    scaled = samples.astype(np.float64)
    power = np.abs(np.fft.rfft(scaled * np.hanning(len(scaled)))) ** 2
    at = np.fft.rfftfreq(len(scaled), 1 / rate)
    total = float(power[at > 100].sum())
    return float(power[np.abs(at - hz) <= 12].sum()) / total if total else 0.0


def assert_tone(samples: Samples, rate: int, hz: float, from_s: float, to_s: float, *, tolerance: float = 4.0) -> None:
    """Every window within [from_s, to_s) carries `hz`, and nothing louder."""
    windows = _between(samples, rate, from_s, to_s)
    wrong = [found for found in windows if found.silent or abs(found.hz - hz) > tolerance]
    assert not wrong, (
        f"expected {hz} Hz in {from_s}-{to_s} s; {len(wrong)} of {len(windows)} windows differ: {wrong[:3]}"
    )


def assert_silent(samples: Samples, rate: int, from_s: float, to_s: float) -> None:
    """No window within [from_s, to_s) carries sound."""
    loud = [found for found in _between(samples, rate, from_s, to_s) if not found.silent]
    assert not loud, f"expected silence in {from_s}-{to_s} s: {loud[:3]}"


def carries(samples: Samples, rate: int, hz: float, *, tolerance: float = 4.0) -> float:
    """Seconds in which `hz` is the loudest tone."""
    window = 0.25
    return window * sum(abs(w.hz - hz) <= tolerance and not w.silent for w in heard(samples, rate, window=window))


def _between(samples: Samples, rate: int, from_s: float, to_s: float) -> list[Heard]:
    windows = heard(samples[int(from_s * rate) : int(to_s * rate)], rate)
    assert windows, f"nothing to hear between {from_s} and {to_s} s: the audio is {len(samples) / rate:.2f} s long"
    return windows
