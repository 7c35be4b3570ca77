"""The outbox: each event is told once in the books and at least once on the wire, in order within a case."""

import asyncio
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import update

from config import clock
from config.database import Database
from crm_bridge.outbox.retries import LAST, SCHEDULE, next_try, pause
from crm_bridge.outbox.tables import destinations, items
from tests.crm_bridge.outbox.conftest import Outside, services_of
from tests.support.webhook_receiver import Receiver

LATER = timedelta(seconds=6)


async def test_an_event_is_told_once_and_written_down(outside: Outside, crm: Receiver) -> None:
    _, secret = await outside.hook(crm.url)
    await outside.happen("call.ended", call={"id": "x"})
    await outside.tell()
    await outside.tell()
    (got,) = crm.received
    message = got.verified(secret)
    assert message["type"] == "call.ended"
    assert message["data"]["case_id"] == "c1"
    (row,) = await outside.rows()
    assert (row.state, row.id, row.attempts) == ("delivered", got.id, 1)
    (tried,) = await outside.tried()
    assert (tried.status, tried.result, tried.answer) == (200, "delivered", "ok")


async def test_only_what_was_asked_for_is_told(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url, events=["call.ended", "complaint.*"], clients=["bank"])
    await outside.happen("call.state", "call.ended", "complaint.opened", "complaints.odd")
    await outside.happen("call.ended", client="other")
    await outside.happen("call.ended", client=None)
    await outside.tell()
    assert [row.kind for row in await outside.rows()] == ["call.ended", "complaint.opened"]


async def test_what_happened_before_a_webhook_was_made_is_not_told(outside: Outside, crm: Receiver) -> None:
    await outside.happen("call.ended")
    await outside.hook(crm.url)
    await outside.tell()
    assert crm.received == []


async def test_two_processes_make_one_row_and_one_delivery(outside: Outside, crm: Receiver, tmp_path: Path) -> None:
    await outside.hook(crm.url)
    other = Outside(outside.database, services_of(outside.database, tmp_path))
    for index in range(20):
        await outside.happen("call.ended", case_id=f"c{index}")
    await asyncio.gather(outside.read(), other.read())
    await asyncio.gather(outside.tell(), other.tell())
    await other.services.close()
    assert await outside.states() == ["delivered"] * 20
    assert len(crm.ids) == len(set(crm.ids)) == 20


async def test_a_failed_one_holds_back_its_case_and_no_other(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    crm.script.append("html")
    await outside.happen("call.created", case_id="slow")
    await outside.tell()
    await outside.happen("call.ended", case_id="slow")
    await outside.happen("call.ended", case_id="quick")
    await outside.tell()
    assert [got.message["data"]["case_id"] for got in crm.received] == ["slow", "quick"]
    await outside.tell_in(LATER)
    told = [(got.message["data"]["case_id"], got.message["type"]) for got in crm.received[2:]]
    assert told == [("slow", "call.created"), ("slow", "call.ended")]
    assert crm.ids[2] == crm.ids[0]


async def test_a_case_is_told_in_order_whatever_runs_at_once(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    for number in range(8):
        for case_id in ("a", "b", "c"):
            await outside.happen("call.state", case_id=case_id, number=number)
    await outside.tell()
    for case_id in ("a", "b", "c"):
        mine = [got.message["data"] for got in crm.received if got.message["data"]["case_id"] == case_id]
        assert [one["data"]["number"] for one in mine] == list(range(8))


async def test_a_slow_receiver_holds_up_no_other(outside: Outside, crm: Receiver) -> None:
    crm.paths["/slow"] = "silent"
    await outside.hook(crm.url.replace("/hook", "/slow"))
    await outside.hook(crm.url)
    for index in range(40):
        await outside.happen("call.ended", case_id=f"c{index}")
    await outside.tell()
    assert len([got for got in crm.received if got.path == "/hook"]) == 40
    assert crm.most_at_once <= 2 * 16


async def test_tries_follow_the_schedule_and_end_among_the_dead_letters(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    crm.otherwise = "html"
    await outside.happen("call.ended")
    await outside.tell()
    gone = timedelta()
    for wait in SCHEDULE:
        gone += wait * 1.2
        await _forget_pause(outside.database)
        await outside.tell_in(gone - timedelta(seconds=1) - wait * 0.3)
        await outside.tell_in(gone)
    assert len(crm.received) == LAST == 10
    assert len(set(crm.ids)) == 1
    (row,) = await outside.rows()
    assert (row.state, row.reason) == ("dead", "it answered 500")
    await outside.tell_in(timedelta(days=30))
    assert len(crm.received) == 10


async def _forget_pause(database: Database) -> None:
    async with database.write() as transaction:
        await transaction.execute(update(destinations).values(paused_until=None))


async def test_the_receiver_may_name_the_time(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    crm.script.append("busy")
    await outside.happen("call.ended")
    await outside.tell()
    await outside.tell_in(timedelta(minutes=50))
    assert len(crm.received) == 1
    await outside.tell_in(timedelta(minutes=61))
    assert await outside.states() == ["delivered"]


async def test_an_outage_costs_only_one_item_its_tries_and_its_end_wakes_all(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    await crm.stop()
    for index in range(50):
        await outside.happen("call.ended", case_id=f"c{index}")
    await outside.tell()
    for minutes in (1, 5, 10, 20, 40):
        await outside.tell_in(timedelta(minutes=minutes))
    # 16 were under way when it went down, a few more began before that was known, then one at a time.
    assert sum(row.attempts == 0 for row in await outside.rows()) >= 18
    await crm.start()
    await outside.tell_in(timedelta(hours=1))
    assert await outside.states() == ["delivered"] * 50
    assert (await outside.destination()).failures == 0


async def test_a_process_that_died_while_trying_is_followed_by_another(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    crm.script.append("silent")
    await outside.happen("call.ended")
    await outside.read()
    await outside.services.worker.step(clock.now())
    await crm.wait_for(1)
    await outside.services.worker.close()  # it ends without an answer, as a kill would end it
    async with outside.database.write() as transaction:
        killed = {"in_flight": True, "uncertain": False, "due_at": clock.now(), "state": "waiting", "attempts": 1}
        await transaction.execute(update(items).values(**killed))
    await outside.tell()
    (row,) = await outside.rows()
    assert (row.state, row.uncertain, row.attempts) == ("delivered", True, 2)
    assert crm.ids[0] == crm.ids[1]


async def test_a_stopped_service_leaves_nothing_half_done(outside: Outside, crm: Receiver, tmp_path: Path) -> None:
    await outside.hook(crm.url)
    crm.script.append("silent")
    await outside.happen("call.ended")
    await outside.read()
    await outside.services.worker.step(clock.now())
    await outside.services.close()
    again = Outside(outside.database, services_of(outside.database, tmp_path))
    await again.tell_in(LATER)
    await again.services.close()
    assert await outside.states() == ["delivered"]
    assert len(set(crm.ids)) == 1


def test_the_schedule_is_that_of_the_specification() -> None:
    now, random = clock.now(), Random(1)
    waits = [next_try(attempt, now, None, random) for attempt in range(1, LAST + 1)]
    assert waits[-1] is None
    for wait, least in zip(waits, SCHEDULE, strict=False):
        assert wait is not None
        assert least <= wait - now <= least * 1.1


def test_a_destination_is_left_alone_only_after_several_failures() -> None:
    now, random = clock.now(), Random(1)
    assert pause(4, now, random) is None
    assert all((pause(count, now, random) or now) > now for count in (5, 50, 5000))
