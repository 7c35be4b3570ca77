"""The clock of all deadlines: each warning, miss and escalation once, however often and by however many it is looked at."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.journal import journal
from crm_bridge.clocks import deadlines
from crm_bridge.clocks.deadline_clock import DeadlineClock
from crm_bridge.clocks.deadline_rules import Due
from crm_bridge.clocks.deadlines import Deadline
from crm_bridge.clocks.duty import Roster
from crm_bridge.clocks.tables import deadlines as table
from crm_bridge.people import users
from crm_bridge.people.users import NewUser, UserChange

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def house(database: Database) -> Database:
    """A collector of team north, two supervisors of it, a manager and an admin."""
    people: tuple[tuple[str, str, str | None], ...] = (
        ("li", "collector", "north"), ("chen", "supervisor", "north"), ("wu", "supervisor", "north"),
        ("sun", "supervisor", "south"), ("han", "supervisor", None), ("root", "admin", None),
    )  # fmt: skip
    async with database.write() as transaction:
        for name, role, team in people:
            new = NewUser.model_validate({"name": name, "role": role, "team": team})
            await users.add_user(transaction, new, actor="tests", now=NOW)
    return database


async def opened(database: Database, key: str = "k", **fields: Any) -> None:
    """A deadline an hour from NOW, warned of half an hour before, that goes up to supervisors and manager."""
    about: dict[str, Any] = {"owner": "li", "owner_role": "collector", "escalate": ("supervisor", "manager")}
    about |= {"every_minutes": 60, "kind": "note", "due": Due(NOW + HOUR, NOW + HOUR / 2)} | fields
    async with database.write() as transaction:
        assert await deadlines.open_deadline(transaction, Deadline(key, **about), NOW)


async def told(database: Database) -> list[tuple[str, list[str]]]:
    """What was told to whom, in order."""
    wanted = select(journal).where(journal.c.kind.like("deadline.%")).order_by(journal.c.id)
    async with database.read() as connection:
        return [(row.kind, sorted(row.data.get("told") or [])) for row in await connection.execute(wanted)]


async def state(database: Database, key: str = "k") -> Row[Any]:
    async with database.read() as connection:
        return (await connection.execute(select(table).where(table.c.key == key))).one()


async def test_it_warns_then_misses_then_goes_up_step_by_step_each_once(house: Database) -> None:
    await opened(house)
    clock = DeadlineClock(house, {})
    for minutes in (29, 30, 31, 59, 60, 60, 61, 119, 120, 121, 180, 240, 999):
        await clock.tick(NOW + timedelta(minutes=minutes))
    assert await told(house) == [
        ("deadline.warning", ["li"]),
        ("deadline.missed", ["chen", "li", "wu"]),
        ("deadline.escalated", ["han"]),
    ]
    row = await state(house)
    assert (row.state, row.level, row.next_at, row.ended_at) == ("missed", 2, None, None)


async def test_what_is_met_in_time_is_never_told(house: Database) -> None:
    await opened(house)
    async with house.write() as transaction:
        when = NOW + timedelta(minutes=10)
        assert await deadlines.meet(transaction, ["k"], at=when, by="li", reason="written", now=when)
        assert not await deadlines.meet(transaction, ["k"], at=when, by="li", reason="written", now=when)
    await DeadlineClock(house, {}).tick(NOW + 5 * HOUR)
    assert await told(house) == []
    assert (await state(house)).state == "met"


async def test_what_is_done_late_while_nobody_looked_is_missed_all_the_same(house: Database) -> None:
    await opened(house)
    async with house.write() as transaction:
        late = NOW + 2 * HOUR
        await deadlines.meet(transaction, ["k"], at=late, by="li", reason="written", now=late)
    await DeadlineClock(house, {}).tick(NOW + 5 * HOUR)
    assert [kind for kind, _ in await told(house)] == ["deadline.missed"]
    row = await state(house)
    assert (row.state, row.ended_by) == ("missed", "li")


async def test_what_was_done_in_time_but_known_late_is_met(house: Database) -> None:
    await opened(house)
    await DeadlineClock(house, {}).tick(NOW + HOUR)
    async with house.write() as transaction:
        await deadlines.meet(transaction, ["k"], at=NOW + HOUR, by="li", reason="call", now=NOW + 2 * HOUR)
    assert (await state(house)).state == "met"
    await DeadlineClock(house, {}).tick(NOW + 5 * HOUR)
    assert [kind for kind, _ in await told(house)] == ["deadline.missed"]


async def test_a_long_outage_tells_the_miss_without_the_warning(house: Database) -> None:
    await opened(house)
    await DeadlineClock(house, {}).tick(NOW + 9 * HOUR)
    assert [kind for kind, _ in await told(house)] == ["deadline.missed"]


async def test_a_clock_that_dies_between_claiming_and_telling_has_done_neither(house: Database) -> None:
    await opened(house)

    async def dies(_transaction: Transaction, _rows: Sequence[Row[Any]], _people: Roster, _now: datetime) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await DeadlineClock(house, {"note": dies}).tick(NOW + HOUR)
    assert (await told(house), (await state(house)).state) == ([], "open")
    reopened = Database(house.url)  # as after a restart
    try:
        await DeadlineClock(reopened, {}).tick(NOW + HOUR)
    finally:
        await reopened.close()
    assert [kind for kind, _ in await told(house)] == ["deadline.missed"]


async def test_several_clocks_at_once_tell_each_miss_once(house: Database) -> None:
    for index in range(300):
        await opened(house, f"k{index:03}", due=Due(NOW + HOUR, None), escalate=())
    followed: Counter[str] = Counter()

    async def follows(_transaction: Transaction, rows: Sequence[Row[Any]], _people: Roster, _now: datetime) -> None:
        followed.update(row.key for row in rows)

    others = [Database(house.url) for _ in range(2)] if house.is_postgres else [house, house]
    try:
        clocks = [DeadlineClock(one, {"note": follows}) for one in (house, *others)]
        await asyncio.gather(*(clock.tick(NOW + 2 * HOUR) for clock in clocks for _ in range(2)))
    finally:
        for one in others:
            if one is not house:
                await one.close()
    assert len(await told(house)) == len(followed) == 300
    assert set(followed.values()) == {1}


async def test_an_owner_who_left_is_stood_in_for_and_that_is_said(house: Database) -> None:
    await opened(house)
    async with house.write() as transaction:
        await users.change_user(transaction, "li", UserChange(active=False), actor="root", now=NOW)
    await DeadlineClock(house, {}).tick(NOW + HOUR / 2)
    async with house.read() as connection:
        entry = (await connection.execute(select(journal).where(journal.c.kind == "deadline.warning"))).one()
    assert entry.data["told"] == ["chen", "wu"]
    assert entry.data["note"] == "li has left: told chen, wu"


async def test_a_role_that_nobody_has_falls_to_the_next(house: Database) -> None:
    async with house.write() as transaction:
        for name in ("chen", "wu", "han"):
            await users.change_user(transaction, name, UserChange(active=False), actor="root", now=NOW)
    await opened(house)
    await DeadlineClock(house, {}).tick(NOW + HOUR)
    assert await told(house) == [("deadline.missed", ["li", "root"])]


async def test_a_key_is_opened_once(house: Database) -> None:
    await opened(house)
    async with house.write() as transaction:
        assert not await deadlines.open_deadline(transaction, Deadline("k", "note", Due(NOW, None)), NOW)


async def test_what_was_cancelled_is_not_told_and_can_be_restored(house: Database) -> None:
    await opened(house)
    mine = table.c.key == "k"
    async with house.write() as transaction:
        assert len(await deadlines.cancel(transaction, mine, by="chen", reason="closed", now=NOW)) == 1
    await DeadlineClock(house, {}).tick(NOW + 2 * HOUR)
    assert await told(house) == []
    async with house.write() as transaction:
        await deadlines.restore(transaction, mine)
    await DeadlineClock(house, {}).tick(NOW + 2 * HOUR)
    assert [kind for kind, _ in await told(house)] == ["deadline.missed"]


KILLED = """
import asyncio, os, signal, sys
from datetime import datetime
from config.database import Database
from crm_bridge.clocks.deadline_clock import DeadlineClock

async def dies(transaction, rows, people, now):
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(DeadlineClock(Database(sys.argv[1]), {"note": dies}).tick(datetime.fromisoformat(sys.argv[2])))
"""


async def test_a_process_killed_between_claiming_and_telling_has_done_neither(house: Database) -> None:
    await opened(house)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, house.url, (NOW + HOUR).isoformat())
    assert await killed.wait() == -signal.SIGKILL
    assert (await told(house), (await state(house)).state) == ([], "open")
    await DeadlineClock(house, {}).tick(NOW + HOUR)
    await DeadlineClock(house, {}).tick(NOW + HOUR)
    assert [kind for kind, _ in await told(house)] == ["deadline.missed"]
