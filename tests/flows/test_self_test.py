"""The recorder's self-test on a real Asterisk: the tones come back, and what can go wrong is told and stops the calling."""

import asyncio
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from config import clock
from recordings.incidents import close_incidents
from recordings.retention_tables import self_tests
from recordings.self_test import SelfTest, seconds_of_tone, what_is_wrong
from recordings.tables import incidents, recordings
from tests.support.floor import PATIENCE, PBX, Floor
from tests.support.spooled import tone


def a_test(floor: Floor, *times: time, stops_calls: bool = True) -> SelfTest:
    """A self-test of the floor's PBX set for these times (UTC)."""
    return SelfTest(
        database=floor.services.database, archive=floor.services.recording.archive, pbxs=floor.services.pbxs,
        times=times, zone="UTC", stops_calls=stops_calls,
    )  # fmt: skip


async def finished(floor: Floor, test: SelfTest) -> tuple[bool, str | None]:
    """Whether the last test passed, and why not."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await test.tick(clock.now())
            async with floor.services.database.read() as connection:
                row = (await connection.execute(select(self_tests).order_by(self_tests.c.started_at.desc()))).first()
            if row is not None and row.passed is not None:
                return row.passed, row.detail
            await asyncio.sleep(0.1)


@pytest.mark.flow
async def test_the_tones_come_back_from_the_archive(floor: Floor) -> None:
    test = a_test(floor)
    await test.run(PBX, clock.now())
    assert await finished(floor, test) == (True, None)
    assert test.problems() == {}
    async with floor.services.database.read() as connection:
        row = (await connection.execute(select(recordings))).one()
    assert row.state == "archived"
    assert list(Path(floor.settings.pbx[0].spool_local).glob("*.raw")) == []
    marks = await floor.services.pbxs[PBX].link.send("DBGetTree", {"Family": "ringfence", "Key": f"leg/{row.call_id}"})
    assert not any("Val" in event for event in marks.events)


@pytest.mark.flow
async def test_a_set_time_is_kept_and_a_missed_one_stops_the_calling(floor: Floor) -> None:
    now = clock.now()
    soon = a_test(floor, (now - timedelta(seconds=1)).time())
    soon._since = now - timedelta(hours=1)  # as if the service had been running
    assert await finished(floor, soon) == (True, None)
    missed = a_test(floor, (now - timedelta(minutes=11)).time())
    missed._since = now - timedelta(hours=1)
    async with floor.services.database.write() as transaction:
        await transaction.execute(delete(self_tests))
    missed._pbxs = {}
    assert missed._verdict(None, now - timedelta(minutes=11), now).endswith("was not made")


@pytest.mark.flow
async def test_a_failing_test_is_an_incident_until_one_passes(floor: Floor) -> None:
    test = floor.services.recording.self_test
    await test.run(PBX, clock.now())
    assert await finished(floor, test) == (True, None)
    async with floor.services.database.write() as transaction:
        await transaction.execute(update(self_tests).values(passed=False, detail="channel 0 carries nothing"))
    await test.tick(clock.now())
    state = await floor.services.state.problems(clock.now())
    assert state == {f"self-test:{PBX}": "channel 0 carries nothing"}
    case_id = await floor.case("+8613800138002")
    assert case_id
    status, refusal = await floor.dial("+8613800138002")
    assert (status, refusal["rule"]) == (403, "house/recorder-unhealthy")
    async with floor.services.database.read() as connection:
        kinds = list(await connection.scalars(select(incidents.c.kind).where(incidents.c.closed_at.is_(None))))
    assert kinds == ["self-test"]
    await test.run(PBX, clock.now())
    assert await finished(floor, test) == (True, None)
    assert await floor.services.state.problems(clock.now()) == {}
    async with floor.services.database.write() as transaction:
        assert await close_incidents(transaction, clock.now(), PBX, "x", ("self-test",)) == 0


def test_what_can_be_wrong_is_said() -> None:
    said, heard = tone(700, 4) / 32768, tone(1000, 4) / 32768
    assert what_is_wrong(np.column_stack((said, heard)), 8_000) == ""
    assert "channel 0 carries 700 Hz for 0.0 s" in what_is_wrong(np.column_stack((heard, said)), 8_000)
    assert "channel 1" in what_is_wrong(np.column_stack((said, np.zeros(len(said)))), 8_000)
    assert "2.0 s long" in what_is_wrong(np.column_stack((said, heard))[:16_000], 8_000)
    assert "1 channel" in what_is_wrong(said[:, None], 8_000)
    assert seconds_of_tone(np.zeros(8_000), 8_000, 1000) == 0


def test_the_last_set_time_that_has_come_is_today_or_yesterday() -> None:
    test = SelfTest(
        database=None, archive=None, pbxs={}, times=[time(7, 30), time(13)], zone="Asia/Shanghai", stops_calls=True
    )  # type: ignore[arg-type]
    asked = test._asked_at(datetime.fromisoformat("2026-06-02T08:00:00+08:00"))
    assert asked == datetime.fromisoformat("2026-06-02T07:30:00+08:00")
    asked = test._asked_at(datetime.fromisoformat("2026-06-02T07:29:00+08:00"))
    assert asked == datetime.fromisoformat("2026-06-01T13:00:00+08:00")
