"""The Tryton of the tests is a real one: what the connector relies on was not made up."""

import aiohttp

from tests.support.tryton import Tryton


async def test_it_is_version_8_2_and_keeps_what_people_write(tryton: Tryton) -> None:
    party = await tryton.people.debtor("王小明", "13800138000")
    work = await tryton.people.work("Loan 1", party)
    (found,) = await tryton.people.search("project.work", [["id", "=", work]], "status.name", "party.name")
    assert (found["status"]["name"], found["party"]["name"]) == ("Open", "王小明")
    modules = await tryton.people.search("ir.configuration", [], "series")
    assert [one["series"] for one in modules] == ["8.2"]


async def test_an_unknown_field_is_a_500_in_html_and_an_unknown_key_a_401(tryton: Tryton) -> None:
    root = f"{tryton.url}/{tryton.database}/rest/model/party.party"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{root}?f=nosuch", headers={"Authorization": f"Bearer {tryton.token}"}) as answer:
            assert answer.status == 500
            assert answer.content_type == "text/html"
        async with session.get(root, headers={"Authorization": "Bearer nobody"}) as answer:
            assert answer.status == 401
