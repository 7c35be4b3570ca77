"""What a recording sounds like, told from its peaks: the same on both channels, clipped, or nobody there for long.

Peaks are those of `recordings.peaks`: one byte a channel and 50 ms. Thresholds were tried on G.711 material.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordings.peaks import PER_SECOND

QUIET = 2
"""Largest peak of a quiet window (-42 dBFS): line noise and comfort noise stay below it."""
CLIPPED = 251
"""Full scale as G.711 decodes it is 32,124 (μ-law) or 32,256 (A-law) of 32,768."""
CLIPPED_SHARE = 0.02
DEAD_AIR_SECONDS = 30.0
Windows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another, in seconds after the first sample."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


def doubts_of_peaks(peaks: bytes, channels: int, alike: bool, explained: Sequence[Span] = ()) -> list[str]:
    """Of one leg's recording: legs-identical (`alike`: its channels hold the very same samples), clipped, dead-air.

    Silence within the `explained` spans (hold, mute, a pause of the recorder) is nobody's absence.
    """
    if not peaks or channels < 1:
        return []
    windows = np.frombuffer(peaks, np.uint8).reshape(-1, channels)
    doubts = []
    if alike and (windows > QUIET).any():
        doubts.append("legs-identical")
    if _clipped(windows):
        doubts.append("clipped")
    sounding = np.where(_inside(windows, explained)[:, None], np.uint8(255), windows)
    if channels > 1 and quiet_spans(sounding, DEAD_AIR_SECONDS):
        doubts.append("dead-air")
    return doubts


def unexplained(peaks: bytes, channels: int, explained: Sequence[Span]) -> Windows:
    """The windows outside these spans, shape (windows, channels)."""
    windows = np.frombuffer(peaks, np.uint8).reshape(-1, channels)
    return windows[~_inside(windows, explained)]


def _inside(windows: Windows, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Which windows lie within the spans, with a second around each: moments are known no better."""
    inside = np.zeros(len(windows), dtype=np.bool_)
    for span in spans:
        inside[max(0, int((span.start - 1) * PER_SECOND)) : max(0, int((span.end + 1) * PER_SECOND))] = True
    return inside


def _clipped(windows: Windows) -> bool:
    """One channel is at full scale in more than a fiftieth of the time it sounds."""
    for channel in windows.T:
        sounding = int((channel > QUIET).sum())
        if sounding >= PER_SECOND and int((channel >= CLIPPED).sum()) > CLIPPED_SHARE * sounding:
            return True
    return False


def quiet_spans(windows: Windows, at_least: float) -> list[Span]:
    """Where no channel sounds for at least so many seconds, in order."""
    quiet = np.concatenate(([False], windows.max(axis=1, initial=0) <= QUIET, [False]))
    edges = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2)
    spans = (Span(int(start) / PER_SECOND, int(end) / PER_SECOND) for start, end in edges)
    return [span for span in spans if span.seconds >= at_least]
