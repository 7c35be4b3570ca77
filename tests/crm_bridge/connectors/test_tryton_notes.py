"""Notes out to a real Tryton: one note an item, whatever happens to the answer."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from config import clock
from config.database import Database
from config.identifiers import new_id
from crm_bridge.connectors import tryton_notes
from crm_bridge.connectors.asking import Asker
from crm_bridge.connectors.tables import sent_notes
from crm_bridge.outbox.destination import Delivered, Gone, Item, Refused, TryLater
from tests.support.connecting import Connected, connected
from tests.support.crm_proxy import RESET, SILENT, SWALLOWED, CrmProxy, crm_proxy, page
from tests.support.tryton import Tryton


def note(case_id: str, text: str = "Will pay on Friday", **fields: Any) -> Item:
    """An item as the outbox makes it of a finished note."""
    now = clock.now()
    payload = {
        "note_id": new_id(now), "call_id": new_id(now), "case_id": case_id, "agent": "li.na", "number": "+8613800138000",
        "party": {"id": "2", "name": "王小明", "relation": "debtor"}, "direction": "outbound", "outcome": "conversation",
        "started_at": now.isoformat(), "talk_seconds": 34.6, "action_code": "PTP", "text": text,
        "promise": {"on": "2026-12-01", "amount": "500.00", "currency": "CNY"}, "recording_url": "https://r.example/qa/calls/1",
        **fields,
    }  # fmt: skip
    return Item(new_id(now), "d" * 32, "note.written", case_id, payload, now)


async def filed(tryton: Tryton) -> tuple[int, str]:
    """A case in the CRM: its record and its number."""
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    return work, await tryton.people.number(work)


async def tried(crm: Connected, item: Item) -> Any:
    """One try."""
    return await (await crm.destination()).deliver(item, clock.now())


def writes(proxy: CrmProxy) -> int:
    """How often a note was sent."""
    return sum(line.startswith("POST") and "ir.note" in line for line in proxy.seen)


def only_writes(line: str) -> bool:
    """For faults that hit notes on their way out."""
    return line.startswith("POST") and "ir.note" in line


async def test_a_note_is_filed_with_the_case_and_says_what_the_call_was(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    work, number = await filed(tryton)
    crm = await connected(database, tryton, tmp_path, asker, language="en")
    answer = await tried(crm, note(number))
    assert isinstance(answer, Delivered)
    (text,) = await tryton.people.notes(work)
    for part in (
        "Will pay on Friday",
        "+8613800138000",
        "王小明",
        "PTP",
        "2026-12-01 · 500.00 · CNY",
        "talked for 35 s",
    ):
        assert part in text


async def test_an_answer_that_is_lost_gives_one_note_all_the_same(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        proxy.faults, proxy.matches = [SWALLOWED], only_writes
        item = note(number)
        first = await tried(crm, item)
        assert isinstance(first, TryLater)
        assert first.may_have_arrived
        second = await tried(crm, replace(item, attempt=2, may_have_arrived=True))
        assert isinstance(second, Delivered)
        assert len(await tryton.people.notes(work)) == 1
        assert writes(proxy) == 1


async def test_a_crm_that_takes_the_note_and_falls_silent_has_it_once(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_bridge.connectors.tryton.WRITE_SECONDS", 3.0)
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        proxy.faults, proxy.matches = [SILENT], only_writes
        item = note(number)
        first = await tried(crm, item)
        assert isinstance(first, TryLater)
        assert "did not answer" in first.reason
        assert first.may_have_arrived
        assert isinstance(await tried(crm, replace(item, attempt=2, may_have_arrived=True)), Delivered)
    assert len(await tryton.people.notes(work)) == 1


async def test_a_note_that_never_arrived_is_written_once_that_is_certain(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tryton_notes, "SETTLED", timedelta(seconds=1))
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        proxy.faults, proxy.matches = [RESET], only_writes
        item = note(number)
        assert isinstance(await tried(crm, item), TryLater)
        assert await tryton.people.notes(work) == []
        assert isinstance(await tried(crm, replace(item, attempt=2, may_have_arrived=True)), Delivered)
    assert len(await tryton.people.notes(work)) == 1


async def test_a_late_commit_of_a_lost_request_is_waited_for(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request is still under way at the CRM when the second try looks: the note must not be written twice."""
    monkeypatch.setattr(tryton_notes, "LOOKING", tryton_notes.SETTLED)
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        item = note(number)
        proxy.faults, proxy.matches = [RESET], only_writes
        assert isinstance(await tried(crm, item), TryLater)
        looked = asyncio.Event()
        proxy.before = lambda line: looked.set() if line.startswith("GET") and "ir.note" in line else None
        second = asyncio.create_task(tried(crm, replace(item, attempt=2, may_have_arrived=True)))
        await looked.wait()
        text = f"late\n[ringfence:{item.id}]"
        late = await tryton.people.create("ir.note", resource=f"project.work,{work}", message=text)
        assert await second == Delivered(str(late))
    assert len(await tryton.people.notes(work)) == 1


async def test_a_try_that_comes_too_early_to_be_certain_is_made_later_and_writes_nothing(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tryton_notes, "SETTLED", timedelta(minutes=10))
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        proxy.faults, proxy.matches = [RESET], only_writes
        item, began = note(number), clock.now()
        first = await tried(crm, item)
        second = await tried(crm, replace(item, attempt=2, may_have_arrived=True))
        for answer in (first, second):
            assert isinstance(answer, TryLater)
            assert answer.may_have_arrived
            assert answer.not_before is not None
            assert answer.not_before >= began + timedelta(minutes=9)
        assert writes(proxy) == 1
    assert await tryton.people.notes(work) == []


async def test_a_service_killed_between_note_and_answer_writes_no_second_one(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    """What a kill leaves: the intent in the database, the note at the CRM, and nobody who knows."""
    work, number = await filed(tryton)
    crm = await connected(database, tryton, tmp_path, asker)
    item = note(number)
    assert isinstance(await tried(crm, item), Delivered)
    async with database.write() as transaction:
        await transaction.execute(update(sent_notes).values(remote_id=None))
    assert isinstance(await tried(crm, replace(item, attempt=2, may_have_arrived=True)), Delivered)
    assert len(await tryton.people.notes(work)) == 1


async def test_a_corrected_note_follows_the_first_and_says_that_it_corrects(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    work, number = await filed(tryton)
    crm = await connected(database, tryton, tmp_path, asker, language="en")
    item = note(number, "Will pay on Friday")
    await tried(crm, item)
    second = replace(item, id=new_id(clock.now()), payload={**item.payload, "text": "Will pay on Monday"})
    assert isinstance(await tried(crm, second), Delivered)
    texts = await tryton.people.notes(work)
    assert len(texts) == 2  # an ordinary user of Tryton adds notes and changes none
    assert texts[1].startswith("Correction")
    assert "Monday" in texts[1]


async def test_a_complaint_is_told_as_a_note(database: Database, tryton: Tryton, tmp_path: Path, asker: Asker) -> None:
    work, number = await filed(tryton)
    crm = await connected(database, tryton, tmp_path, asker, language="en")
    now = clock.now()
    payload = {"at": now.isoformat(), "actor": "li.na", "data": {"severity": "serious", "text": "He was insulted"}}
    item = Item(new_id(now), "d" * 32, "complaint.opened", number, payload, now)
    assert isinstance(await tried(crm, item), Delivered)
    (text,) = await tryton.people.notes(work)
    assert "Complaint opened" in text
    assert "serious" in text


async def test_a_case_that_the_crm_does_not_have_goes_to_the_dead_letters(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    crm = await connected(database, tryton, tmp_path, asker)
    answer = await tried(crm, note("nowhere"))
    assert isinstance(answer, Refused)
    assert "no record" in answer.reason


async def test_a_record_that_is_removed_just_before_its_note_refuses_it_for_good(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)

        async def remove(line: str) -> None:
            if only_writes(line):
                await tryton.people.delete("project.work", work)

        proxy.before = remove
        answer = await tried(crm, note(number))
        assert isinstance(answer, Refused)
        assert "Resource" in answer.reason


async def test_a_revoked_token_switches_the_connector_off_and_says_why(
    database: Database, lone_tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    _, number = await filed(lone_tryton)
    crm = await connected(database, lone_tryton, tmp_path, asker)
    await lone_tryton.people.revoke(lone_tryton.token)
    answer = await tried(crm, note(number))
    assert isinstance(answer, Gone)
    assert "token" in answer.reason


async def test_an_unknown_field_is_told_by_name(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    crm = await connected(database, tryton, tmp_path, asker, case_id="nosuch")
    answer = await tried(crm, note("1"))
    assert isinstance(answer, TryLater)
    assert "500" in answer.reason
    assert "nosuch" in answer.reason


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (page("500 Internal Server Error", "<h1>Oh no</h1>"), "Oh no"),
        (page("200 OK", "<title>x</title><h1>Log in</h1>"), "not the CRM's API"),
        (page("503 Busy", "wait", Retry_After="120"), "asks to wait"),
        (page("302 Found", "", Location="http://10.0.0.1/"), "sends us on"),
    ],
)
async def test_what_answers_in_its_place_is_told(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, fault: Any, said: str
) -> None:
    work, number = await filed(tryton)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        proxy.faults, proxy.matches = [fault], only_writes
        answer = await tried(crm, note(number))
        assert isinstance(answer, TryLater)
        assert said in answer.reason
    assert await tryton.people.notes(work) == []


async def test_a_crm_that_is_gone_was_sent_nothing(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    async with crm_proxy(tryton.url) as proxy:
        gone = proxy.url
    crm = await connected(database, tryton, tmp_path, asker, url=gone)
    answer = await tried(crm, note("1"))
    assert isinstance(answer, TryLater)
    assert not answer.may_have_arrived
    assert "cannot be reached" in answer.reason
    async with database.read() as connection:
        assert (await connection.execute(select(sent_notes))).all() == []
