"""The recorder's self-test (S32): at set times the PBX calls itself, and the tones must come back from the archive.

Right channel, right length, through everything a real recording passes: the dialplan's own lines, the spool, intake,
encryption, the store. A test that fails, or that is overdue, is an incident, and where the settings say so no call is
allowed until one has passed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from soundfile import LibsndfileError, SoundFile
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row

from config import clock
from config.database import Database
from config.errors import Fault
from config.identifiers import new_id
from config.journal import Entry
from recordings import spool
from recordings.archive import Archive
from recordings.completeness import expectation
from recordings.incidents import close_incidents, open_incident
from recordings.retention_tables import self_tests
from recordings.tables import recordings
from telephony.pbx import Pbx
from telephony.pbx_setup.loop_call import HEARD_HZ, ROLE, SAID_HZ, SECONDS, loop_call

KIND = "self-test"
OVERDUE = timedelta(minutes=10)
ARCHIVED_WITHIN = timedelta(minutes=2)
LONGEST = SECONDS + 6.0
WINDOW = 0.25
HZ_APART = 8.0
SHARE = 0.8


class SelfTest:
    """The worker: `tick` is called every few seconds. `times` are those of the day, in `zone`; none: never."""

    def __init__(
        self,
        *,
        database: Database,
        archive: Archive,
        pbxs: Mapping[str, Pbx],
        times: Sequence[time],
        zone: str,
        stops_calls: bool,
    ) -> None:
        self._database = database
        self._archive = archive
        self._pbxs = pbxs
        self._times = times
        self._zone = ZoneInfo(zone)
        self._stops_calls = stops_calls
        self._since = clock.now()
        self._problems: dict[str, str] = {}

    def problems(self) -> dict[str, str]:
        """What is wrong, by PBX, where that stops the calling; empty when calls may be placed."""
        return {pbx: problem for pbx, problem in self._problems.items() if problem and self._stops_calls}

    async def tick(self, now: datetime) -> None:
        """Run the tests that are due, look at what came of those that ran, and tell of failing and overdue ones."""
        for name, pbx in self._pbxs.items():
            last = await self._last(name)
            if last is not None and last.passed is None:
                last = await self._look_at(last, now)
            asked = self._asked_at(now)
            due = asked is not None and asked > (last.started_at if last is not None else self._since)
            if due and pbx.ready and pbx.lease.held:  # of several processes, the one that keeps the PBX's books
                last = await self.run(name, now)
            await self._tell(name, self._verdict(last, asked if due else None, now), now)

    def _asked_at(self, now: datetime) -> datetime | None:
        """The last set time that has come."""
        if not self._times:
            return None
        here = now.astimezone(self._zone)
        days = (here.date(), here.date() - timedelta(days=1))
        moments = [datetime.combine(day, at, self._zone) for day in days for at in self._times]
        return max((moment for moment in moments if moment <= here), default=None)

    async def run(self, pbx: str, now: datetime) -> Row[Any]:
        """Make the loop call now; what came of it is known once intake has taken its recording."""
        identifier = new_id(now)
        values: dict[str, Any] = {"id": identifier, "pbx": pbx, "started_at": now}
        try:
            uniqueid = await loop_call(self._pbxs[pbx].link, identifier)
        except (Fault, OSError) as error:
            values |= {"passed": False, "detail": str(error), "finished_at": clock.now()}
        async with self._database.write() as transaction:
            if "passed" not in values:
                ended = clock.now()
                leg = {
                    "call_id": identifier, "pbx": pbx, "uniqueid": uniqueid, "role": ROLE,
                    "created_at": now, "answered_at": now, "ended_at": ended,
                }  # fmt: skip
                row = expectation(leg, ended, ended) | {"file": spool.file_name(identifier, ROLE, uniqueid)}
                await transaction.execute(insert(recordings), row)
                values["recording_id"] = row["id"]
            await transaction.execute(insert(self_tests).values(**values))
        return await self._one(identifier)

    async def _look_at(self, test: Row[Any], now: datetime) -> Row[Any]:
        """Listen to the recording if it is archived; give up when it takes too long."""
        async with self._database.read() as connection:
            found = await connection.execute(select(recordings).where(recordings.c.id == test.recording_id))
            row = found.first()
        if row is not None and row.state == "archived":
            wrong = await asyncio.to_thread(self._listen, row)
        elif now - test.started_at > ARCHIVED_WITHIN:
            wrong = f"its recording is not archived within {ARCHIVED_WITHIN.total_seconds():.0f} s"
        else:
            return test
        async with self._database.write() as transaction:
            mine = update(self_tests).where(self_tests.c.id == test.id, self_tests.c.passed.is_(None))
            done = await transaction.execute(mine.values(passed=not wrong, detail=wrong or None, finished_at=now))
            if done.rowcount:
                data = {"pbx": test.pbx, "passed": not wrong, "detail": wrong, "recording_id": test.recording_id}
                transaction.journal(Entry(now, "recorder.tested", data=data))
        return await self._one(test.id)

    def _listen(self, row: Row[Any]) -> str:
        try:
            with self._archive.open(row) as file, SoundFile(file) as sound:
                samples, rate = sound.read(dtype="float64", always_2d=True), sound.samplerate
        except (OSError, Fault, LibsndfileError) as error:
            return f"the archive does not give its recording back: {error}"
        return what_is_wrong(samples, rate)

    def _verdict(self, last: Row[Any] | None, missed: datetime | None, now: datetime) -> str:
        if missed is not None and now - missed > OVERDUE and (last is None or last.started_at < missed):
            return f"the test set for {missed.astimezone(self._zone):%H:%M} was not made"
        return str(last.detail or "it failed") if last is not None and last.passed is False else ""

    async def _tell(self, pbx: str, problem: str, now: datetime) -> None:
        if problem == self._problems.get(pbx):
            return
        async with self._database.write() as transaction:
            if problem:
                await open_incident(transaction, now, KIND, pbx, {"problem": problem, "pbx": pbx})
            else:
                await close_incidents(transaction, now, pbx, "a self-test has passed", (KIND,))
        self._problems[pbx] = problem

    async def _last(self, pbx: str) -> Row[Any] | None:
        newest = select(self_tests).where(self_tests.c.pbx == pbx).order_by(self_tests.c.started_at.desc()).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(newest)).first()

    async def _one(self, test_id: str) -> Row[Any]:
        async with self._database.read() as connection:
            return (await connection.execute(select(self_tests).where(self_tests.c.id == test_id))).one()


def what_is_wrong(samples: NDArray[np.float64], rate: int) -> str:
    """Whether these (frames, channels) are the loop call's tones, each on its channel and long enough; why not."""
    seconds = len(samples) / rate
    if not SECONDS - 0.5 <= seconds <= LONGEST:
        return f"its recording is {seconds:.1f} s long, not {SECONDS} s"
    if samples.shape[1] != 2:
        return f"its recording has {samples.shape[1]} channel, not 2"
    for channel, hz in enumerate((SAID_HZ, HEARD_HZ)):
        heard = seconds_of_tone(samples[:, channel], rate, hz)
        if heard < SHARE * SECONDS:
            return f"channel {channel} carries {hz} Hz for {heard:.1f} s, not {SECONDS} s"
    return ""


def seconds_of_tone(samples: NDArray[np.float64], rate: int, hz: float) -> float:
    """For how long this is the loudest tone, above -50 dBFS."""
    size = int(WINDOW * rate)
    count = 0
    for start in range(0, len(samples) - size + 1, size):
        window = samples[start : start + size]
        if np.sqrt(np.mean(window**2)) < 0.003:
            continue
        power = np.abs(np.fft.rfft(window * np.hanning(size), 4 * size))
        count += abs(float(np.argmax(power)) * rate / (4 * size) - hz) <= HZ_APART
    return count * WINDOW
