"""What a waveform is marked with: dead air from the peaks; hold, mute and pauses of the recorder from the journal.

In none of these is silence a sign of a broken recording.
"""

from collections.abc import Iterable, Mapping
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
MUTES = {"call.muted": True, "call.unmuted": False, "call.transferred": False}
"""Journal kinds that silence the collector; who takes a call over is not muted."""
KINDS = ("call.state", "call.ended", *PAUSES, *MUTES)


def dead_air(channels: list[list[float]]) -> list[dict[str, Any]]:
    """Where nobody is heard on either channel; channels as in `recordings.peaks.call_waveform`."""
    windows = np.round(np.asarray(channels, dtype=np.float64).T * 255).astype(np.uint8)
    found = quiet_spans(windows, DEAD_AIR_SECONDS) if windows.size else []
    return [{"kind": "dead_air", "start": span.start, "end": span.end} for span in found]


async def call_regions(
    connection: AsyncConnection, call_id: str, waveform: dict[str, Any], started_at: datetime
) -> list[dict[str, Any]]:
    """Every region of a call in order; seconds from its first sample. What is on hold or paused is not dead air."""
    duration = waveform["duration"]
    times = await quiet_times(connection, call_id)
    marked = [
        region
        for kind, since, until in times
        if (region := _region(kind, since, until, started_at, duration))["end"] - region["start"] >= 1 / PER_SECOND
    ]
    quiet = [one for one in dead_air(waveform["channels"]) if not any(_within(one, other) for other in marked)]
    return sorted([*marked, *quiet], key=lambda region: (region["start"], region["kind"]))


async def quiet_times(connection: AsyncConnection, call_id: str) -> list[tuple[str, datetime, datetime | None]]:
    """When a call was on hold, muted or not recorded: (hold, mute or pause, since, until or None where it lasted)."""
    told = select(journal).where(journal.c.call_id == call_id, journal.c.kind.in_(KINDS)).order_by(journal.c.id)
    entries = [Entry(**row._mapping) for row in await connection.execute(told)]
    return [
        *_times(
            "hold", ((entry.at, _is_held(entry)) for entry in entries if entry.kind in ("call.state", "call.ended"))
        ),
        *_times("pause", _switches(entries, PAUSES)),
        *_times("mute", _switches(entries, MUTES)),
    ]


def _switches(entries: Iterable[Entry], kinds: Mapping[str, bool]) -> Iterable[tuple[datetime, bool]]:
    """What switches something on or off; the call's end switches all of it off."""
    return [
        (entry.at, kinds.get(entry.kind, False))
        for entry in entries
        if entry.kind in kinds or entry.kind == "call.ended"
    ]


def _is_held(entry: Entry) -> bool:
    call = entry.data.get("call", entry.data)
    return isinstance(call, dict) and call.get("state") == "held"


def _within(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(other["start"] - 1 <= one["start"] and one["end"] <= other["end"] + 1)


def _times(kind: str, changes: Iterable[tuple[datetime, bool]]) -> Iterable[tuple[str, datetime, datetime | None]]:
    """From each change to "so" up to the next that says otherwise, or the end."""
    since: datetime | None = None
    for at, is_so in changes:
        if is_so and since is None:
            since = at
        elif not is_so and since is not None:
            yield kind, since, at
            since = None
    if since is not None:
        yield kind, since, None


def _region(
    kind: str, since: datetime, until: datetime | None, started_at: datetime, duration: float
) -> dict[str, Any]:
    """The same in seconds from the first sample, within the call."""

    def second(at: datetime) -> float:
        return round(min(max((at - started_at).total_seconds(), 0.0), duration), 2)

    return {"kind": kind, "start": second(since), "end": second(until) if until else duration}
