"""Notes and dispositions: one note a call, filled by itself, final when the collector said what came of it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from config import clock
from config.journal import Entry
from crm_bridge.notes.notes import draft_note
from telephony.tables import calls, contacts
from tests.support.api import Service
from tests.support.desk import MOBILE, case, finished_call


@pytest.fixture
async def desk(service: Service) -> Service:
    """A case of collector li's, and colleagues."""
    await service.add("crm", "crm")
    await service.add("li", "collector")
    await service.add("zhao", "collector")
    await service.add("chen", "supervisor")
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    return service


async def drafted(desk: Service, call_id: str) -> None:
    async with desk.database.write() as transaction:
        await draft_note(transaction, Entry(clock.now(), "call.ended", call_id=call_id))


async def counted_outcome(desk: Service, call_id: str) -> tuple[str, str]:
    async with desk.database.read() as connection:
        contact = await connection.scalar(select(contacts.c.outcome).where(contacts.c.id == call_id))
        call = await connection.scalar(select(calls.c.outcome).where(calls.c.id == call_id))
    return str(contact), str(call)


async def test_an_ended_call_drafts_its_note_once_with_everything_filled_in(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=5))
    await drafted(desk, call_id)
    await drafted(desk, call_id)
    items = (await desk.get("/v1/cases/c1/notes", "li"))["items"]
    assert len(items) == 1
    note = items[0]
    assert (note["state"], note["number"], note["relation"], note["party_id"]) == ("draft", MOBILE, "debtor", "p1")
    assert note["details"]["name"] == "王小明"
    assert note["details"]["outcome"] == "conversation"
    assert note["details"]["talk_seconds"] == 60
    assert len(await desk.journal("note.drafted")) == 1


async def test_a_call_without_a_case_has_no_note(desk: Service) -> None:
    await drafted(desk, await finished_call(desk.database, clock.now(), case_id=None))
    assert (await desk.get("/v1/cases/c1/notes", "li"))["items"] == []


async def test_a_disposition_makes_the_note_final_and_the_caps_count_by_it(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now() - timedelta(minutes=5))
    await drafted(desk, call_id)
    body = {"action_code": "VM", "note": "语音信箱", "promise": {"on": "2026-07-01", "amount": "100.50"}}
    call = await desk.put(f"/v1/calls/{call_id}/disposition", "li", body)
    assert call["id"] == call_id
    assert call["disposition"]["action_code"] == "VM"
    note = (await desk.get("/v1/cases/c1/notes", "chen"))["items"][0]
    assert (note["state"], note["action_code"], note["text"]) == ("final", "VM", "语音信箱")
    assert note["details"]["promise"] == {"on": "2026-07-01", "amount": "100.50"}
    assert note["details"]["outcome"] == "voicemail"
    assert await counted_outcome(desk, call_id) == ("voicemail", "voicemail")
    (entry,) = await desk.journal("note.final")
    assert (entry.actor, entry.case_id, entry.call_id) == ("li", "c1", call_id)


async def test_a_disposition_before_the_draft_leaves_one_final_note(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now())
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", {"action_code": "PTP", "note": "will pay"})
    await drafted(desk, call_id)
    (note,) = (await desk.get("/v1/cases/c1/notes", "li"))["items"]
    assert note["state"] == "final"
    assert await desk.journal("note.drafted") == []


@pytest.mark.parametrize(
    ("connected", "outcome", "status"),
    [
        (True, "voicemail", 200), (True, "no_answer", 422), (True, "busy", 422), (True, "not_in_service", 200),
        (False, "conversation", 422), (False, "not_in_service", 200), (False, "no_answer", 200), (False, "live", 422),
    ],
)  # fmt: skip
async def test_the_outcome_cannot_bend_what_the_network_knows(
    desk: Service, connected: bool, outcome: str, status: int
) -> None:
    call_id = await finished_call(desk.database, clock.now(), connected=connected)
    body = {"action_code": "OTHER", "note": "n", "outcome": outcome}
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", body, status=status)


async def test_an_action_code_that_does_not_fit_the_call_leaves_the_outcome_alone(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now(), connected=False)
    await desk.put(f"/v1/calls/{call_id}/disposition", "li", {"action_code": "PTP", "note": "odd"})
    assert await counted_outcome(desk, call_id) == ("no_answer", "no_answer")


async def test_a_disposition_is_for_who_made_the_call_or_a_supervisor(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now())
    body = {"action_code": "PTP", "note": "n"}
    await desk.put(f"/v1/calls/{call_id}/disposition", "zhao", body, status=403)
    await desk.put(f"/v1/calls/{call_id}/disposition", "chen", body)
    await desk.put("/v1/calls/0123/disposition", "li", body, status=404)


async def test_a_disposition_waits_for_the_end_of_the_call(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now(), state="connected", ended_at=None)
    body = {"action_code": "PTP", "note": "n"}
    problem = await desk.put(f"/v1/calls/{call_id}/disposition", "li", body, status=409)
    assert "not ended" in problem["detail"]


async def test_an_unknown_action_code_is_told_which_there_are(desk: Service) -> None:
    call_id = await finished_call(desk.database, clock.now())
    body = {"action_code": "nope", "note": "n"}
    problem = await desk.put(f"/v1/calls/{call_id}/disposition", "li", body, status=422)
    assert problem["errors"][0]["field"] == "action_code"
    assert "PTP" in problem["detail"]
    codes = (await desk.get("/v1/action-codes", "li"))["items"]
    assert codes[0]["code"] == "PTP"
    assert codes[0]["label"] == {"zh": "承诺还款", "en": "promise to pay"}
    assert (codes[0]["outcome"], codes[0]["requires"], codes[0]["asks"]) == ("conversation", [], ["promise"])


async def test_a_note_by_hand_is_final_and_the_newest_comes_first(desk: Service) -> None:
    hostile = "<script>alert(1)</script> \u202e 王"
    await desk.post("/v1/cases/c1/notes", "li", {"text": "first", "party_id": "p1"})
    await desk.post("/v1/cases/c1/notes", "li", {"text": hostile})
    page = await desk.get("/v1/cases/c1/notes?limit=1", "li")
    assert page["items"][0]["text"] == hostile
    rest = await desk.get(f"/v1/cases/c1/notes?limit=1&cursor={page['next_cursor']}", "li")
    assert (rest["items"][0]["text"], rest["items"][0]["relation"]) == ("first", "debtor")
    assert rest["next_cursor"] is None
    await desk.post("/v1/cases/c1/notes", "li", {"text": "x", "party_id": "stranger"}, status=404)
    assert (await desk.get("/v1/cases/c1", "li"))["last_follow_up_at"] is not None
