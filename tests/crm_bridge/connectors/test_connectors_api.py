"""Connectors over HTTP: made, tried, pulled, decided, changed and taken away; the token never comes back."""

from typing import Any

import pytest

from config import clock
from crm_bridge.connectors.pulls import Pulls
from crm_bridge.connectors.tables import connectors
from crm_bridge.web import keys
from tests.support.api import Service, service
from tests.support.connecting import HERE
from tests.support.crm_proxy import SILENT, crm_proxy, page
from tests.support.tryton import Tryton

__all__ = ["service"]


@pytest.fixture
async def desk(service: Service) -> Service:
    """The API, whose connectors may reach this machine, with an admin."""
    service.client.app[keys.CONNECTORS].asker.guard = HERE
    await service.add("root", "admin")
    return service


def about(tryton: Tryton, **fields: Any) -> dict[str, Any]:
    """A connector's document."""
    mapping = {"domain": tryton.people.mine(), **fields.pop("mapping", {})}
    given = {"name": "Agency", "url": tryton.url, "database": tryton.database, "token": tryton.token, "client": "bank"}
    return {**given, "minutes": None, "mapping": mapping, **fields}


async def pull(desk: Service, connector: str, query: str = "") -> Any:
    """Ask for a pull, make it as the service does, and say how it went."""
    asked = await desk.post(f"/v1/connectors/{connector}/pull{query}", "root", None, 202)
    assert asked["pulling"]
    crms = desk.client.app[keys.CONNECTORS]
    await Pulls(desk.database, crms.crm, "CN", clock.now).tick()
    return await desk.get(f"/v1/connectors/{connector}", "root")


async def test_a_connector_is_made_and_never_shows_its_token(desk: Service, tryton: Tryton) -> None:
    made = await desk.post("/v1/connectors", "root", about(tryton))
    listed = await desk.get("/v1/connectors", "root")
    assert [one["id"] for one in listed["items"]] == [made["id"]]
    for shown in (made, listed["items"][0]):
        assert tryton.token not in str(shown)
        assert (shown["state"], shown["kind"], shown["enabled"]) == ("on", "tryton", True)
    async with desk.database.read() as connection:
        kept = (await connection.execute(connectors.select())).one()
    assert tryton.token not in str(tuple(kept))
    assert all(tryton.token not in str(entry.data) for entry in await desk.journal("destination.created"))


async def test_a_pull_brings_cases_and_the_conflicts_are_listed_and_decided(desk: Service, tryton: Tryton) -> None:
    party = await tryton.people.debtor("王小明", "13800138000", "his wife's")
    work = await tryton.people.work("Loan", party, comment="one")
    made = await desk.post("/v1/connectors", "root", about(tryton, mapping={"account": "comment"}))
    shown = await pull(desk, made["id"])
    assert (shown["pulled"]["created"], shown["open_conflicts"], shown["pulling"]) == (1, 1, False)
    number = await tryton.people.number(work)
    assert (await desk.get(f"/v1/cases/{number}", "root"))["account"] == "one"
    path = f"/v1/connectors/{made['id']}/conflicts"
    (bad,) = (await desk.get(path, "root"))["items"]
    assert (bad["code"], bad["theirs"], bad["decidable"]) == ("bad-number", "his wife's", False)
    await desk.post(f"{path}/{bad['id']}/decide", "root", {"take": "ours"}, 409)
    await desk.put(f"/v1/cases/{number}", "root", {"client": "bank", "account": "two"})
    await tryton.people.write("project.work", work, comment="three")
    await pull(desk, made["id"])
    both = next(one for one in (await desk.get(path, "root"))["items"] if one["decidable"])
    ended = await desk.post(f"{path}/{both['id']}/decide", "root", {"take": "theirs"}, 200)
    assert (ended["state"], ended["ended_by"]) == ("theirs", "root")
    assert (await desk.get(f"/v1/cases/{number}", "root"))["account"] == "three"
    await desk.post(f"{path}/{both['id']}/decide", "root", {"take": "ours"}, 409)
    assert len((await desk.get(f"{path}?state=all", "root"))["items"]) == 2
    assert [entry.data["take"] for entry in await desk.journal("connector.decided")] == ["theirs"]


async def test_pushed_and_pulled_are_one_case(desk: Service, tryton: Tryton) -> None:
    """A CRM that pushes by PUT and is pulled too: nothing is doubled, and what the desk decided stays."""
    party = await tryton.people.debtor("王小明", "13800138000")
    work = await tryton.people.work("Loan", party)
    number = await tryton.people.number(work)
    (person,) = await tryton.people.search("party.party", [["id", "=", party]], "code")
    await desk.add("their.server", "crm", clients=["bank"])
    pushed = {"id": person["code"], "relation": "debtor", "name": "王小明", "numbers": [{"e164": "13800138000"}]}
    await desk.put(f"/v1/cases/{number}", "their.server", {"client": "bank", "parties": [pushed]}, 201)
    await desk.post(f"/v1/cases/{number}/state", "root", {"action": "suspend", "reason": "asked"}, 200)
    made = await desk.post("/v1/connectors", "root", about(tryton))
    assert "created" not in (await pull(desk, made["id"]))["pulled"]
    found = await desk.get(f"/v1/cases/{number}", "root")
    assert found["state"] == "suspended"
    assert [(one["id"], len(one["numbers"])) for one in found["parties"]] == [(person["code"], 1)]


async def test_the_test_says_that_all_is_well_and_shows_the_first_case(desk: Service, tryton: Tryton) -> None:
    work = await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    made = await desk.post("/v1/connectors", "root", about(tryton))
    found = await desk.post(f"/v1/connectors/{made['id']}/test", "root", None, 200)
    assert found["ok"], found
    assert found["sample"]["case_id"] == await tryton.people.number(work)
    assert found["sample"]["case"]["parties"][0]["numbers"][0]["e164"] == "+8613800138000"


TROUBLES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"token": "not-the-token"}, "token", "does not accept the token"),
    ({"database": "nosuch"}, "database", "no database nosuch"),
    ({"mapping": {"account": "nosuch"}}, "field nosuch", "no field nosuch"),
    ({"mapping": {"account": "party.nosuch"}}, "field party.nosuch", "no field party.nosuch"),
    ({"mapping": {"model": "no.model"}}, "model", "Is no.model a model"),
    ({"mapping": {"domain": [["name", "=", "nobody"]]}}, "records", "no record matches"),
    ({"mapping": {"state": {"values": {"Other": "open"}}}}, "states", "Open"),
    ({"url": "http://127.0.0.1:9"}, "reach", "cannot be reached"),
)


async def test_the_test_says_what_is_wrong(desk: Service, tryton: Tryton) -> None:
    await tryton.people.work("Loan", await tryton.people.debtor("王小明", "13800138000"))
    given = about(tryton)
    for wrong, step, said in TROUBLES:
        mapping = {**given["mapping"], **wrong.get("mapping", {})}
        made = await desk.post("/v1/connectors", "root", {**given, **wrong, "mapping": mapping})
        found = await desk.post(f"/v1/connectors/{made['id']}/test", "root", None, 200)
        assert not found["ok"]
        (bad,) = [one for one in found["steps"] if not one["ok"]]
        assert bad["name"] == step
        assert said in bad["what"]
        assert bad["what_zh"]


async def test_a_name_that_leads_into_the_house_is_not_asked(service: Service, tryton: Tryton) -> None:
    await service.add("root", "admin")
    made = await service.post("/v1/connectors", "root", about(tryton, url="https://localhost:9"))
    found = await service.post(f"/v1/connectors/{made['id']}/test", "root", None, 200)
    assert "private network" in found["steps"][0]["what"]


async def test_a_page_in_the_crms_place_and_a_silent_one_are_told(
    desk: Service, tryton: Tryton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_bridge.connectors.tryton.READ_SECONDS", 1.0)
    async with crm_proxy(tryton.url) as proxy:
        made = await desk.post("/v1/connectors", "root", about(tryton, url=proxy.url))
        for fault, said in ((page("200 OK", "<h1>Log in</h1>"), "not the CRM's API"), (SILENT, "did not answer")):
            proxy.faults = [fault]
            found = await desk.post(f"/v1/connectors/{made['id']}/test", "root", None, 200)
            assert said in found["steps"][-1]["what"]


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"url": "ftp://crm.example"}, "url"),
    ({"url": "http://10.0.0.1"}, "url"),
    ({"url": "https://169.254.169.254/"}, "url"),
    ({"url": "https://user:secret@crm.example"}, "url"),
    ({"database": "../etc"}, "database"),
    ({"token": "a b"}, "token"),
    ({"minutes": 0}, "minutes"),
    ({"kind": "sap"}, "kind"),
    ({"secret": "x"}, "secret"),
    ({"mapping": {"accont": "name"}}, "mapping.accont"),
    ({"mapping": {"account": "name; drop"}}, "mapping.account"),
    ({"mapping": {"domain": ["type", "=", "project"]}}, "mapping.domain"),
    ({"mapping": {"state": {"values": {"Open": "opened"}}}}, "mapping.state.values.Open"),
    ({"mapping": {"parties": [{"pth": "party"}]}}, "mapping.parties.0.pth"),
    ({"mapping": {"owns": {"collector": "us"}}}, "mapping.owns.collector"),
)


async def test_a_wrong_key_is_told_by_name(desk: Service, tryton: Tryton) -> None:
    for wrong, field in WRONG:
        problem = await desk.post("/v1/connectors", "root", {**about(tryton), **wrong}, 422)
        assert problem["errors"][0]["field"] == field
    assert (await desk.get("/v1/connectors", "root"))["items"] == []


async def test_another_url_needs_the_token_again(desk: Service, tryton: Tryton) -> None:
    made = await desk.post("/v1/connectors", "root", about(tryton))
    path = f"/v1/connectors/{made['id']}"
    problem = await desk.patch(path, "root", {"url": "http://127.0.0.2:9"}, 422)
    assert problem["errors"][0]["field"] == "token"
    changed = await desk.patch(path, "root", {"url": "http://127.0.0.2:9", "token": "t" * 20, "minutes": 5})
    assert (changed["url"], changed["minutes"]) == ("http://127.0.0.2:9", 5)
    assert changed["next_pull_at"] is not None


async def test_the_whole_is_put_without_its_token_and_keeps_its_client(desk: Service, tryton: Tryton) -> None:
    given = about(tryton)
    made = await desk.post("/v1/connectors", "root", given)
    whole = {name: value for name, value in given.items() if name != "token"}
    path = f"/v1/connectors/{made['id']}"
    changed = await desk.put(path, "root", {**whole, "name": "Another", "minutes": 30})
    assert (changed["name"], changed["minutes"], changed["client"]) == ("Another", 30, "bank")
    assert (await desk.post(f"{path}/test", "root", None, 200))["steps"][0]["ok"]
    problem = await desk.put(path, "root", {**whole, "client": "other"}, 422)
    assert problem["errors"][0]["field"] == "client"


async def test_a_switched_off_connector_is_not_pulled_and_a_removed_one_is_gone(desk: Service, tryton: Tryton) -> None:
    made = await desk.post("/v1/connectors", "root", about(tryton, minutes=10))
    path = f"/v1/connectors/{made['id']}"
    off = await desk.patch(path, "root", {"enabled": False})
    assert (off["state"], off["next_pull_at"]) == ("off", None)
    await desk.post(f"{path}/pull", "root", None, 409)
    on = await desk.patch(path, "root", {"enabled": True})
    assert (on["state"], on["next_pull_at"] is not None) == ("on", True)
    response = await desk.ask("DELETE", path, "root")
    assert response.status == 204
    await desk.get(path, "root", 404)
    await desk.post(f"{path}/pull", "root", None, 404)
    assert (await desk.get("/v1/connectors", "root"))["items"] == []


async def test_only_admins_of_the_client_see_a_connector(desk: Service, tryton: Tryton) -> None:
    made = await desk.post("/v1/connectors", "root", about(tryton))
    await desk.add("theirs", "admin", clients=["other"])
    await desk.add("boss", "supervisor")
    assert (await desk.get("/v1/connectors", "theirs"))["items"] == []
    await desk.get(f"/v1/connectors/{made['id']}/conflicts", "theirs", 404)
    await desk.post("/v1/connectors", "theirs", about(tryton), 403)
    await desk.get("/v1/connectors", "boss", 403)
