"""What a waveform is marked with: dead air from the peaks, hold and pauses of the recorder from the journal."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.journal import Entry, journal
from recordings.peaks import PER_SECOND
from recordings.sound import quiet_spans

DEAD_AIR_SECONDS = 5.0
PAUSES = {"recording.paused": True, "recording.resumed": False}
"""Journal kinds that stop and go on with the recording of a call."""


def dead_air(channels: list[list[float]]) -> list[dict[str, Any]]:
    """Where nobody is heard on either channel; channels as in `recordings.peaks.call_waveform`."""
    windows = np.round(np.asarray(channels, dtype=np.float64).T * 255).astype(np.uint8)
    found = quiet_spans(windows, DEAD_AIR_SECONDS) if windows.size else []
    return [{"kind": "dead_air", "start": span.start, "end": span.end} for span in found]


async def call_regions(
    connection: AsyncConnection, call_id: str, waveform: dict[str, Any], started_at: datetime
) -> list[dict[str, Any]]:
    """Every region of a call in order; seconds from its first sample. What is on hold or paused is not dead air."""
    kinds = ("call.state", "call.ended", *PAUSES)
    told = select(journal).where(journal.c.call_id == call_id, journal.c.kind.in_(kinds)).order_by(journal.c.id)
    entries = [Entry(**row._mapping) for row in await connection.execute(told)]
    duration = waveform["duration"]
    marked = [
        *_spans("hold", ((entry.at, _is_held(entry)) for entry in entries if entry.kind not in PAUSES), started_at, duration),
        *_spans("pause", ((entry.at, PAUSES.get(entry.kind, False)) for entry in entries if entry.kind != "call.state"),
                started_at, duration),
    ]  # fmt: skip
    quiet = [one for one in dead_air(waveform["channels"]) if not any(_within(one, other) for other in marked)]
    return sorted([*marked, *quiet], key=lambda region: (region["start"], region["kind"]))


def _is_held(entry: Entry) -> bool:
    call = entry.data.get("call", entry.data)
    return isinstance(call, dict) and call.get("state") == "held"


def _within(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(other["start"] - 1 <= one["start"] and one["end"] <= other["end"] + 1)


def _spans(
    kind: str, changes: Iterable[tuple[datetime, bool]], started_at: datetime, duration: float
) -> list[dict[str, Any]]:
    """From each change to "so" up to the next that says otherwise, or the end."""
    found: list[dict[str, Any]] = []
    since: float | None = None
    for at, is_so in [*changes]:
        second = round(min(max((at - started_at).total_seconds(), 0.0), duration), 2)
        if is_so and since is None:
            since = second
        elif not is_so and since is not None:
            found.append({"kind": kind, "start": since, "end": second})
            since = None
    if since is not None:
        found.append({"kind": kind, "start": since, "end": duration})
    return [region for region in found if region["end"] - region["start"] >= 1 / PER_SECOND]
