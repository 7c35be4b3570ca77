"""The call as heard, composed from its legs: channel 0 what our side said, channel 1 what the outside party said.

A leg's *read* side (channel 0 of its file) is complete whatever was transferred, so the composition takes only these.
Legs are laid on the wall clock by their first sample's moment; those of one side that overlap are mixed. Streamed in
blocks.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from soundfile import SoundFile

from recordings.encryption import intact

BLOCK_FRAMES = 65_536
MONO = NDArray[np.int32]
SIDES = ("agent", "customer")


@dataclass(frozen=True, slots=True)
class Part:
    """A leg's place in the call. `key` names its recording, `started_at` the moment of the first of its `frames`.

    `skip` frames before that one are not heard in this call: the leg is another one's too.
    """

    role: str
    key: str
    pcm_sha256: str
    started_at: datetime
    frames: int
    rate: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes where: the rate, the length, and each part's first frame, at that rate."""

    rate: int
    frames: int
    placed: tuple[tuple[int, Part], ...]

    @property
    def started_at(self) -> datetime:
        """The moment of frame 0."""
        return min(part.started_at for _, part in self.placed)


def plan(parts: Sequence[Part]) -> Plan:
    """Lay the parts (at least one) on one time line, at the highest of their rates."""
    rate = max(part.rate for part in parts)
    first = min(part.started_at for part in parts)
    placed = tuple((round((part.started_at - first).total_seconds() * rate), part) for part in parts)
    return Plan(rate, max(at + _length(part, rate) for at, part in placed), placed)


def _length(part: Part, rate: int) -> int:
    return part.frames * rate // part.rate


def compose(plan: Plan, open_object: Callable[[str], BinaryIO], target: BinaryIO) -> None:
    """Write the composed call to the empty file `target`, as FLAC. Blocking: call it in a thread. Raises `Damaged`."""
    with ExitStack() as stack:
        files = [stack.enter_context(open_object(part.key)) for _, part in plan.placed]
        stack.enter_context(intact(*files))
        tracks = [
            _Track(stack.enter_context(SoundFile(file)), at, part, plan.rate)
            for file, (at, part) in zip(files, plan.placed, strict=True)
        ]
        flac = stack.enter_context(
            SoundFile(target, "w", samplerate=plan.rate, channels=2, format="FLAC", subtype="PCM_16")
        )
        for start in range(0, plan.frames, BLOCK_FRAMES):
            flac.write(_block(tracks, start, min(start + BLOCK_FRAMES, plan.frames)))


def _block(tracks: list["_Track"], start: int, stop: int) -> NDArray[np.int16]:
    mixed = np.zeros((stop - start, 2), dtype=np.int32)
    for track in tracks:
        track.add_to(mixed[:, SIDES.index(track.part.role)], start, stop)
    return mixed.clip(-32_768, 32_767).astype(np.int16)


class _Track:
    """One part's read side, at the call's rate and place."""

    def __init__(self, sound: SoundFile, at: int, part: Part, rate: int) -> None:
        self.part = part
        self._sound = sound
        self._at = at
        self._rate = rate
        self._end = at + _length(part, rate)

    def add_to(self, channel: MONO, start: int, stop: int) -> None:
        """Add what sounds in [start, stop) of the call to `channel`."""
        first, last = max(start, self._at), min(stop, self._end)
        if first < last:
            channel[first - start : last - start] += self._read(first - self._at, last - self._at)

    def _read(self, first: int, last: int) -> MONO:
        if self._rate == self.part.rate:
            return self._samples(first, last)
        # Legs of different rates are rare: draw straight lines between the samples of the slower one.
        wanted = np.arange(first, last) * (self.part.rate / self._rate)
        low, high = int(wanted[0]), min(int(wanted[-1]) + 2, self.part.frames)
        drawn = np.interp(wanted, np.arange(low, high), self._samples(low, high))
        return np.asarray(drawn, dtype=np.int32)

    def _samples(self, first: int, last: int) -> MONO:
        first, last = first + self.part.skip, last + self.part.skip
        if self._sound.tell() != first:
            self._sound.seek(first)
        block = self._sound.read(last - first, dtype="int16", always_2d=True, fill_value=0)
        return np.asarray(block[:, 0], dtype=np.int32)
