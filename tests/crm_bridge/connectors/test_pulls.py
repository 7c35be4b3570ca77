"""Cases in from a real Tryton: what changed there, what changed here, what was removed, what cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from config import clock
from config.database import Database
from config.journal import journal
from crm_bridge.cases import cases
from crm_bridge.cases.documents import CaseIn
from crm_bridge.connectors import case_writing, pulls
from crm_bridge.connectors.asking import Asker
from crm_bridge.connectors.deciding import decide
from crm_bridge.connectors.registry import find
from crm_bridge.tables import cases as cases_table
from crm_bridge.tables import numbers
from tests.support.connecting import ADMIN, Connected, connected
from tests.support.crm_proxy import RESET, crm_proxy
from tests.support.tryton import Tryton
from tests.support.tryton_records import STATUSES

WORDS = {"Open": "open", "Done": "closed", "Suspended": "suspended", "Settled": "settled"}


@pytest.fixture
async def crm(database: Database, tryton: Tryton, tmp_path: Path, asker: Asker) -> Connected:
    """A connector whose account is the record's comment."""
    return await connected(
        database,
        tryton,
        tmp_path,
        asker,
        account="comment",
        mandate_until="timesheet_end_date",
        state={"values": WORDS},
    )


async def case(crm: Connected, case_id: str) -> Any:
    """A case's row."""
    async with crm.database.read() as connection:
        return (await connection.execute(select(cases_table).where(cases_table.c.id == case_id))).first()


async def numbers_of(crm: Connected, party: str) -> list[str]:
    """A person's numbers."""
    async with crm.database.read() as connection:
        wanted = select(numbers.c.e164).where(numbers.c.party_id == party).order_by(numbers.c.position)
        return list(await connection.scalars(wanted))


async def kinds(crm: Connected) -> list[str]:
    """What the journal says of the connector."""
    async with crm.database.read() as connection:
        wanted = select(journal.c.kind).where(journal.c.kind.like("connector.%")).order_by(journal.c.id)
        return list(await connection.scalars(wanted))


async def at_the_desk(crm: Connected, case_id: str, **values: Any) -> None:
    """Somebody here changes a case."""
    async with crm.database.write() as transaction:
        if "state" in values:
            await cases.change_state(transaction, case_id, values.pop("state"), "asked", user=ADMIN, now=clock.now())
        if values:
            given = CaseIn.model_validate({"client": "bank", **values})
            await cases.upsert(transaction, case_id, given, user=ADMIN, region="CN", now=clock.now())


async def test_projects_become_cases_with_their_people_and_numbers(crm: Connected, tryton: Tryton) -> None:
    party = await tryton.people.debtor("王小明", "138 0013 8000", "+86 371 6555 1234 转 802")
    work = await tryton.people.work("Loan", party, comment="6222 0200 1234")
    row = await crm.pull()
    assert row.pull_error is None
    assert row.pulled["created"] == 1
    number, person = await tryton.people.number(work), await tryton.people.code(party)
    found = await case(crm, number)
    assert (found.client, found.state, found.account) == ("bank", "open", "6222 0200 1234")
    assert await numbers_of(crm, person) == ["+8613800138000", "+8637165551234"]
    assert await crm.conflicts() == []
    assert "connector.pulled" in await kinds(crm)


async def test_what_cannot_be_a_number_is_listed_and_the_rest_comes_in(crm: Connected, tryton: Tryton) -> None:
    party = await tryton.people.debtor("王小明", "13800138000", "ask his wife", "138****8000")
    work = await tryton.people.work("Loan", party)
    await crm.pull()
    assert await numbers_of(crm, await tryton.people.code(party)) == ["+8613800138000"]
    found = await crm.conflicts()
    assert {(one.code, one.theirs) for one in found} == {("bad-number", "ask his wife"), ("bad-number", "138****8000")}
    assert {one.case_id for one in found} == {await tryton.people.number(work)}
    await crm.pull()
    assert [one.id for one in await crm.conflicts()] == [one.id for one in found]


async def test_a_changed_number_comes_in_and_a_removed_one_goes(crm: Connected, tryton: Tryton) -> None:
    party = await tryton.people.debtor("王小明", "13800138000", "13800138001")
    await tryton.people.work("Loan", party)
    await crm.pull()
    first, second = await tryton.people.search("party.contact_mechanism", [["party", "=", party]], "value")
    await tryton.people.write("party.contact_mechanism", first["id"], value="13900139000")
    await crm.pull()
    person = await tryton.people.code(party)
    assert await numbers_of(crm, person) == ["+8613900139000", "+8613800138001"]
    await tryton.people.delete("party.contact_mechanism", second["id"])
    row = await crm.pull()
    assert row.pulled["updated"] == 1
    assert await numbers_of(crm, person) == ["+8613900139000"]


async def test_a_second_pull_of_the_same_changes_nothing(crm: Connected, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    await crm.pull()
    before = await case(crm, await tryton.people.number(work))
    row = await crm.pull()
    assert not row.pulled.keys() & {"created", "updated", "conflicts"}
    assert (await case(crm, before.id)).updated_at == before.updated_at


async def test_a_state_set_at_the_desk_stays_while_the_crm_says_nothing_new(crm: Connected, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    number = await tryton.people.number(work)
    await crm.pull()
    await at_the_desk(crm, number, state="suspend")
    await tryton.people.write("project.work", work, comment="6222")
    await crm.pull()
    found = await case(crm, number)
    assert (found.state, found.account) == ("suspended", "6222")
    assert await crm.conflicts() == []


async def test_both_sides_changed_is_shown_and_not_guessed(crm: Connected, tryton: Tryton, database: Database) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"), comment="one")
    number = await tryton.people.number(work)
    await crm.pull()
    await at_the_desk(crm, number, account="two")
    await tryton.people.write("project.work", work, comment="three")
    await crm.pull()
    (found,) = await crm.conflicts()
    assert (found.code, found.field, found.ours, found.theirs) == ("both-changed", "account", "two", "three")
    assert (await case(crm, number)).account == "two"
    async with database.write() as transaction:
        row = await find(transaction.connection, crm.id, ADMIN)
        await decide(transaction, row, found.id, "theirs", region="CN", user=ADMIN, now=clock.now())
    assert (await case(crm, number)).account == "three"
    await crm.pull()
    assert await crm.conflicts() == []
    assert (await case(crm, number)).account == "three"


async def test_a_state_that_forbids_calls_counts_until_somebody_decides(
    crm: Connected, tryton: Tryton, database: Database
) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"), "Suspended")
    number = await tryton.people.number(work)
    await crm.pull()
    await at_the_desk(crm, number, state="resume")
    await tryton.people.write("project.work", work, status=STATUSES["Done"], progress=1.0)
    await crm.pull()
    (found,) = await crm.conflicts()
    assert (found.code, found.ours, found.theirs) == ("stopped-there", "open", "closed")
    assert (await case(crm, number)).state == "closed"
    await crm.pull(full=True)
    assert [one.id for one in await crm.conflicts()] == [found.id]
    async with database.write() as transaction:
        row = await find(transaction.connection, crm.id, ADMIN)
        await decide(transaction, row, found.id, "ours", region="CN", user=ADMIN, now=clock.now())
    await crm.pull()
    assert (await case(crm, number)).state == "open"
    assert await crm.conflicts() == []


async def test_a_word_for_a_state_that_the_mapping_lacks_brings_no_open_case(crm: Connected, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"), "Returned")
    await crm.pull()
    assert await case(crm, await tryton.people.number(work)) is None
    (found,) = await crm.conflicts()
    assert (found.code, found.theirs) == ("unknown-state", "Returned")
    await tryton.people.write("project.work", work, status=STATUSES["Open"])
    await crm.pull()
    assert (await case(crm, await tryton.people.number(work))).state == "open"
    assert await crm.conflicts() == []


async def test_a_removed_case_is_returned_with_the_reason_and_never_deleted(crm: Connected, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    number = await tryton.people.number(work)
    await crm.pull()
    await tryton.people.delete("project.work", work)
    row = await crm.pull()
    assert row.pulled["removed"] == 1
    assert (await case(crm, number)).state == "returned"
    async with crm.database.read() as connection:
        wanted = select(journal.c.data).where(journal.c.kind == "case.state", journal.c.case_id == number)
        (said,) = await connection.scalars(wanted)
    assert said["reason"] == case_writing.REMOVED_REASON
    assert not (await crm.pull()).pulled.get("removed")


async def test_a_case_that_leaves_the_domain_and_comes_back_is_open_again(crm: Connected, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    number = await tryton.people.number(work)
    await crm.pull()
    await tryton.people.write("project.work", work, name="elsewhere")
    await crm.pull()
    assert (await case(crm, number)).state == "returned"
    await tryton.people.write("project.work", work, name=f"{tryton.people.tag} back")
    await crm.pull()
    assert (await case(crm, number)).state == "open"


async def test_most_cases_gone_at_once_is_not_believed(
    crm: Connected, tryton: Tryton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "MANY", 1)
    works = [await tryton.people.work("Loan", await tryton.people.debtor("王", "13800138000")) for _ in range(2)]
    found = [await tryton.people.number(work) for work in works]
    await crm.pull()
    for work in works:
        await tryton.people.write("project.work", work, name="elsewhere")
    row = await crm.pull()
    assert "2 of 2 cases" in row.pull_error
    assert {(await case(crm, number)).state for number in found} == {"open"}
    row = await crm.pull(accept_removed=True)
    assert row.pull_error is None
    assert {(await case(crm, number)).state for number in found} == {"returned"}


async def test_people_and_numbers_from_elsewhere_are_not_the_crms_to_take_away(crm: Connected, tryton: Tryton) -> None:
    party = await tryton.people.debtor("王小明", "13800138000")
    work = await tryton.people.work("Loan", party)
    number = await tryton.people.number(work)
    await crm.pull()
    person = await tryton.people.code(party)
    own = {"id": person, "relation": "debtor", "numbers": [{"e164": "+8613800138000"}, {"e164": "+8613700137000"}]}
    other = {"id": f"g-{number}", "relation": "guarantor", "name": "李", "numbers": [{"e164": "+8613600136000"}]}
    await at_the_desk(crm, number, parties=[own, other])
    mechanism = await tryton.people.create("party.contact_mechanism", party=party, type="mobile", value="13500135000")
    await crm.pull()
    assert await numbers_of(crm, person) == ["+8613800138000", "+8613500135000", "+8613700137000"]
    assert await numbers_of(crm, f"g-{number}") == ["+8613600136000"]
    await tryton.people.delete("party.contact_mechanism", mechanism)
    await crm.pull()
    assert await numbers_of(crm, person) == ["+8613800138000", "+8613700137000"]


async def test_a_case_of_another_client_is_left_alone(crm: Connected, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    number = await tryton.people.number(work)
    async with crm.database.write() as transaction:
        given = CaseIn.model_validate({"client": "other"})
        await cases.upsert(transaction, number, given, user=ADMIN, region="CN", now=clock.now())
    await crm.pull()
    assert (await case(crm, number)).client == "other"
    assert [one.code for one in await crm.conflicts()] == ["other-client"]


async def test_a_pull_goes_on_from_the_page_at_which_it_was_broken_off(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "PAGE", 2)
    works = [await tryton.people.work("Loan", await tryton.people.debtor("王", "13800138000")) for _ in range(5)]
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url)
        pages = iter((False, False, True, True))  # the clock, the first page; then the connection breaks, twice
        proxy.matches = lambda line: next(pages, False)
        proxy.faults = [RESET, RESET]
        row = await crm.pull()
        assert row.pull_error is not None
        assert row.run["counts"]["created"] == 2
        assert "connector.failing" in await kinds(crm)
        async with database.write() as transaction:
            await pulls.hold(transaction, row, due_at=clock.now())
        await crm.pulls.tick()
        row = await crm.row()
        assert row.pull_error is None
        assert row.pulled["created"] == len(works)


async def test_what_changes_between_two_pages_is_not_missed(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "PAGE", 2)
    works = [await tryton.people.work("Loan", await tryton.people.debtor("王", "13800138000")) for _ in range(4)]
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url, account="comment")
        asked = iter(range(100))

        async def change(line: str) -> None:
            if next(asked) == 2:  # after the first page was read
                await tryton.people.write("project.work", works[0], comment="changed")

        proxy.before = change
        await crm.pull()
        assert (await case(crm, await tryton.people.number(works[0]))).account is None
        await crm.pull()
    assert (await case(crm, await tryton.people.number(works[0]))).account == "changed"


async def test_a_case_that_the_desk_changes_while_a_page_is_read_keeps_that_change(
    database: Database, tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"), comment="one")
    number = await tryton.people.number(work)
    async with crm_proxy(tryton.url) as proxy:
        crm = await connected(database, tryton, tmp_path, asker, url=proxy.url, account="comment")
        await crm.pull()
        await tryton.people.write("project.work", work, comment="three")
        asked = iter(range(100))

        async def change(line: str) -> None:
            if next(asked) == 1:  # the page is on its way
                await at_the_desk(crm, number, account="two", state="suspend")

        proxy.before = change
        await crm.pull()
    found = await case(crm, number)
    assert (found.account, found.state) == ("two", "suspended")
    assert [(one.ours, one.theirs) for one in await crm.conflicts()] == [("two", "three")]


async def test_another_process_that_takes_the_pull_over_ends_the_first(
    crm: Connected, tryton: Tryton, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    stale = await crm.row()
    await crm.pull()
    with pytest.raises(pulls.Lost):
        async with crm.database.write() as transaction:
            await pulls.hold(transaction, stale, cursor=None)


async def test_a_revoked_token_is_told_and_the_pull_goes_on_once_there_is_a_new_one(
    database: Database, lone_tryton: Tryton, tmp_path: Path, asker: Asker
) -> None:
    await lone_tryton.people.work("Loan", await lone_tryton.people.debtor("王小明", "13800138000"))
    crm = await connected(database, lone_tryton, tmp_path, asker)
    await lone_tryton.people.revoke(lone_tryton.token)
    row = await crm.pull()
    assert "token" in row.pull_error
    (user,) = await lone_tryton.people.search("res.user", [["login", "=", "ringfence"]], "id")
    key = "another-" + "k" * 40
    await lone_tryton.people.create("res.user.application", user=user["id"], application="rest", key=key)
    async with database.write() as transaction:
        await crm.service.change(transaction, crm.id, {"token": key}, user=ADMIN, now=clock.now())
    assert (await crm.pull()).pulled["created"] == 1
