"""The figures that a monitor asks for: counted right, on either database, and of nobody."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import insert, update

from config import clock
from config.database import Database
from config.journal import Entry
from crm_bridge.clocks.tables import deadlines
from crm_bridge.operations.figures import add_figures
from crm_bridge.tables import users
from recordings.tables import recordings
from telephony.tables import decisions
from tests.support.desk import finished_call
from tests.support.foreign_worlds import furnish, put


async def _figures(database: Database) -> dict[str, float]:
    into = CollectorRegistry()
    async with database.read() as connection:
        await add_figures(into, connection, clock.now())
    lines = [line for line in generate_latest(into).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_calls_and_what_stops_them_are_counted_over_the_last_hour(database: Database) -> None:
    now = clock.now()
    for minutes in (5, 50, 90):
        await finished_call(database, now - timedelta(minutes=minutes))
    async with database.write() as transaction:
        for index, (verdict, rule) in enumerate(
            [("deny", "house/cease"), ("deny", "cn-outsourcing/hours"), ("allow", None)]
        ):
            row = {"id": f"d{index}", "at": now, "kind": "click", "agent": "li", "verdict": verdict, "facts": {}}
            await transaction.execute(insert(decisions).values(**row, result={"rule": rule}))
    found = await _figures(database)
    assert found['ringfence_calls_recent{direction="outbound",outcome="conversation"}'] == 2
    assert found['ringfence_denials_recent{rule="house/cease"}'] == 1
    assert found['ringfence_denials_recent{rule="cn-outsourcing/hours"}'] == 1
    assert found['ringfence_decisions_recent{verdict="deny"}'] >= 2


async def test_what_is_late_waits_or_is_guessed_at_is_counted_without_a_name(database: Database) -> None:
    await furnish(database)
    now = clock.now()
    async with database.write() as transaction:
        await transaction.execute(update(deadlines).values(due_at=now - timedelta(minutes=1), ended_at=None))
        await transaction.execute(update(recordings).values(due_at=now))
        await transaction.execute(
            update(users).where(users.c.name == "wu").values(locked_until=now + timedelta(minutes=1))
        )
        await put(transaction, users, name="root", role="admin", clients=[], active=True, language="en")
        for minutes in (1, 10, 70):
            transaction.journal(
                Entry(now - timedelta(minutes=minutes), "user.login_failed", "wu", data={"failures": 1})
            )
    found = await _figures(database)
    assert found['ringfence_deadlines_overdue{kind="note"}'] == 2
    assert found['ringfence_complaints_open{severity="general"}'] == 2
    assert found["ringfence_recordings_oldest_waiting_seconds"] > 0
    assert found["ringfence_log_ins_failed_recent"] == 2
    assert found["ringfence_users_locked"] == 1
    assert not [name for name in found if "wu" in name.split("{")[-1] or "138" in name]
