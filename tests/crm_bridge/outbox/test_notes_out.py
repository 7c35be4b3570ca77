"""A finished note leaves with all that a CRM files with it, once a call, and its collector hears what became of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from config import clock
from crm_bridge.outbox.tables import items
from tests.crm_bridge.outbox.conftest import Outside, services_of
from tests.support.api import Service
from tests.support.desk import MOBILE, case, finished_call
from tests.support.webhook_receiver import Receiver

NOTE = ["note.written"]


@pytest.fixture
async def desk(service: Service) -> Service:
    await service.add("crm", "crm")
    await service.add("li", "collector")
    await service.add("root", "admin")
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    return service


@pytest.fixture
async def outbox(desk: Service, tmp_path: Path, crm: Receiver) -> Outside:
    outside = Outside(desk.database, services_of(desk.database, tmp_path))
    await outside.hook(crm.url, events=NOTE)
    return outside


async def dispose(desk: Service, call_id: str, note: str = "will pay on Friday") -> None:
    promise = {"on": (clock.now() + timedelta(days=3)).date().isoformat(), "amount": "500.00", "currency": "CNY"}
    body = {"action_code": "PTP", "note": note, "promise": promise}
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", body)


async def test_a_note_tells_call_case_party_times_outcome_and_promise(
    desk: Service, outbox: Outside, crm: Receiver
) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=3))
    await dispose(desk, call_id)
    await outbox.tell()
    (got,) = crm.received
    said = got.message["data"]
    assert got.message["type"] == "note.written"
    assert (said["call_id"], said["case_id"], said["client"], said["account"]) == (call_id, "c1", "bank", "a1")
    assert (said["agent"], said["direction"], said["outcome"]) == ("li", "outbound", "conversation")
    assert said["party"] == {"id": "p1", "name": "王小明", "relation": "debtor"}
    assert (said["action_code"], said["text"], said["talk_seconds"]) == ("PTP", "will pay on Friday", 60.0)
    assert (said["promise"]["amount"], said["promise"]["currency"]) == ("500.00", "CNY")
    assert said["recording_url"] == f"/qa/calls/{call_id}"
    assert said["number"] != MOBILE  # these settings mask numbers for CRMs
    assert said["started_at"] < said["connected_at"] < said["ended_at"] <= said["written_at"]
    await outbox.services.close()


async def test_its_collector_hears_that_it_arrived(desk: Service, outbox: Outside, crm: Receiver) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=3))
    await dispose(desk, call_id)
    crm.script.append("silent")
    await outbox.tell()
    assert await desk.journal("note.synced") == []
    await outbox.tell_in(timedelta(seconds=6))
    (entry,) = await desk.journal("note.synced")
    assert (entry.agent, entry.case_id, entry.call_id, entry.data["attempts"]) == ("li", "c1", call_id, 2)
    assert len(set(crm.ids)) == 1
    (note,) = (await desk.get("/v1/cases/c1/notes", "li"))["items"]
    assert [(one["destination"], one["state"]) for one in note["sent"]] == [("127.0.0.1", "delivered")]
    await outbox.services.close()


async def test_its_collector_hears_that_it_was_given_up(desk: Service, outbox: Outside, crm: Receiver) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=3))
    await dispose(desk, call_id)
    await outbox.read()
    async with desk.database.write() as transaction:
        await transaction.execute(update(items).values(attempts=9))
    crm.script.append("html")
    await outbox.tell()
    (entry,) = await desk.journal("note.failed")
    assert (entry.agent, entry.call_id, entry.data["reason"]) == ("li", call_id, "it answered 500")
    (note,) = (await desk.get("/v1/cases/c1/notes", "li"))["items"]
    assert [one["state"] for one in note["sent"]] == ["dead"]
    await outbox.services.close()


async def test_a_corrected_note_comes_after_the_first_under_the_same_note_id(
    desk: Service, outbox: Outside, crm: Receiver
) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=3))
    await dispose(desk, call_id)
    await outbox.tell()
    await dispose(desk, call_id, "will pay on Monday")
    await outbox.tell()
    first, second = (got.message["data"] for got in crm.received)
    assert first["note_id"] == second["note_id"]
    assert (first["text"], second["text"]) == ("will pay on Friday", "will pay on Monday")
    assert crm.ids[0] != crm.ids[1]
    await outbox.services.close()


async def test_a_note_by_hand_has_no_call(desk: Service, outbox: Outside, crm: Receiver) -> None:
    await desk.post("/v1/cases/c1/notes", "li", {"text": "the debtor wrote"})
    await outbox.tell()
    said = crm.received[0].message["data"]
    assert (said["call_id"], said["text"], said["recording_url"], said["agent"]) == (
        None,
        "the debtor wrote",
        None,
        "li",
    )
    await outbox.services.close()
