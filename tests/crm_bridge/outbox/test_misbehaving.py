"""Receivers that misbehave: clear, safe, nothing lost, and told again only under the same id."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from config import clock
from crm_bridge.outbox import registry
from crm_bridge.outbox.tables import destinations
from tests.crm_bridge.outbox.conftest import Outside
from tests.support.webhook_receiver import Receiver

LATER = timedelta(seconds=6)


@pytest.mark.parametrize(
    ("how", "uncertain", "said"),
    [
        ("html", False, "it answered 500"),
        ("silent", True, "no answer"),
        ("reset", True, "no answer"),
        ("nonsense", True, "no answer"),
        ("redirect:http://127.0.0.1:1/", False, "it answered 307"),
    ],
)
async def test_it_is_tried_again_under_the_same_id(
    outside: Outside, crm: Receiver, how: str, uncertain: bool, said: str
) -> None:
    await outside.hook(crm.url)
    crm.script.append(how)
    await outside.happen("call.ended")
    await outside.tell()
    (row,) = await outside.rows()
    assert (row.state, row.uncertain) == ("waiting", uncertain)
    assert said in row.reason
    await outside.tell_in(LATER)
    assert await outside.states() == ["delivered"]
    assert len(crm.received) == 2
    assert len(set(crm.ids)) == 1


@pytest.mark.parametrize("how", ["megabyte", "endless"])
async def test_its_status_is_its_answer_whatever_follows(outside: Outside, crm: Receiver, how: str) -> None:
    await outside.hook(crm.url)
    crm.script.append(how)
    await outside.happen("call.ended")
    await outside.tell()
    assert await outside.states() == ["delivered"]
    (tried,) = await outside.tried()
    assert len(tried.answer) <= 2048


async def test_nobody_there_is_tried_again_and_has_not_arrived(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    await crm.stop()
    await outside.happen("call.ended")
    await outside.tell()
    (row,) = await outside.rows()
    assert (row.state, row.uncertain) == ("waiting", False)


async def test_a_redirect_inside_is_not_followed(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    crm.script.append(f"redirect:http://127.0.0.1:{crm.port}/secret")
    await outside.happen("call.ended")
    await outside.tell()
    assert [got.path for got in crm.received] == ["/hook"]


async def test_410_disables_it_and_nothing_is_lost(outside: Outside, crm: Receiver) -> None:
    identifier, _ = await outside.hook(crm.url)
    crm.script.append("gone")
    await outside.happen("call.created")
    await outside.tell()
    assert (await outside.destination()).state == "disabled"
    await outside.happen("call.ended")
    await outside.tell_in(timedelta(days=1))
    assert len(crm.received) == 1
    async with outside.database.write() as transaction:
        await registry.switch(transaction, identifier, True, None, actor="root", now=clock.now())
    await outside.tell()
    assert await outside.states() == ["delivered", "delivered"]
    assert crm.ids[0] == crm.ids[1]


async def test_after_days_of_failure_it_is_disabled(outside: Outside, crm: Receiver) -> None:
    await outside.hook(crm.url)
    crm.otherwise = "html"
    await outside.happen("call.ended")
    await outside.tell()
    async with outside.database.write() as transaction:
        long_ago = clock.now() - timedelta(days=6)
        await transaction.execute(update(destinations).values(failing_since=long_ago))
    await outside.tell_in(LATER)
    row = await outside.destination()
    assert row.state == "disabled"
    assert row.reason.startswith("nothing has arrived since")


async def test_switched_off_by_an_admin_it_keeps_nothing_of_what_happens(outside: Outside, crm: Receiver) -> None:
    identifier, _ = await outside.hook(crm.url)
    async with outside.database.write() as transaction:
        await registry.switch(transaction, identifier, False, "moving", actor="root", now=clock.now())
    await outside.happen("call.ended")
    await outside.tell()
    assert await outside.rows() == []
