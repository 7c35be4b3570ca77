"""What supervisors and admins set over HTTP: policies, trunks, overrides, users, tokens; and the journal that shows it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config import clock
from tests.support.api import PASSWORD, Service
from tests.support.desk import MOBILE, case, party

NIGHT_IN_SHANGHAI = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
TRUNK = {
    "name": "carrier-a",
    "endpoint": "carrier-a",
    "dial_format": "national",
    "prefixes": ["+86"],
    "caller_ids": ["+8637100000"],
}


@pytest.fixture
async def desk(service: Service) -> Service:
    """An admin, a supervisor and a CRM."""
    await service.add("root", "admin")
    await service.add("chen", "supervisor", team="north")
    await service.add("crm", "crm")
    return service


async def test_a_policy_is_set_read_and_journalled_with_what_it_was_before(desk: Service) -> None:
    policy = {
        "packs": ["cn-outsourcing"],
        "house": {"hours": "09:00-20:00", "min_gap_minutes": 30},
        "zone": "Asia/Shanghai",
    }
    first = await desk.put("/v1/policies/华信银行", "root", policy, status=201)
    assert first["client"] == "华信银行"
    await desk.put("/v1/policies/华信银行", "root", policy | {"announcement": "custom/recorded"}, status=200)
    assert (await desk.get("/v1/policies/华信银行", "chen"))["announcement"] == "custom/recorded"
    entries = await desk.journal("policy.changed")
    assert [entry.data["before"] is None for entry in entries] == [True, False]
    assert entries[1].data["before"]["announcement"] is None
    await desk.get("/v1/policies/unknown", "chen", status=404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"packs": ["invented"]}, "packs"),
        ({"packs": ["cn-outsourcing@999"]}, "packs"),
        ({"house": {"colour": "red"}}, "house.colour"),
        ({"house": {"guard_seconds": -1}}, "house.guard_seconds"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"announcement": "a&b"}, "announcement"),
        ({"announcement": "${EVIL}"}, "announcement"),
    ],
)
async def test_a_policy_with_something_unknown_is_refused(desk: Service, change: dict, field: str) -> None:
    problem = await desk.put("/v1/policies/bank", "root", {"packs": []} | change, status=422)
    assert problem["errors"][0]["field"] == field


async def test_a_supervisor_sets_no_policy_of_a_foreign_client(desk: Service) -> None:
    await desk.add("wu", "supervisor", clients=["bank"])
    await desk.put("/v1/policies/other", "wu", {"packs": []}, status=403)
    await desk.put("/v1/policies/other", "root", {"packs": []}, status=201)
    await desk.get("/v1/policies/other", "wu", status=404)
    assert (await desk.get("/v1/policies", "wu"))["items"] == []


async def test_a_trunk_is_registered_on_a_known_pbx(desk: Service) -> None:
    created = await desk.post("/v1/trunks", "root", TRUNK)
    assert (created["pbx"], created["enabled"], created["priority"]) == ("main", True, 10)
    assert await desk.get("/v1/trunks/carrier-a", "chen") == created
    assert (await desk.get("/v1/trunks", "chen"))["items"] == [created]
    await desk.post("/v1/trunks", "root", TRUNK, status=409)
    await desk.post("/v1/trunks", "root", TRUNK | {"name": "b", "pbx": "elsewhere"}, status=422)
    assert [entry.data["name"] for entry in await desk.journal("trunk.created")] == ["carrier-a"]


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "a&PJSIP/b"},
        {"endpoint": "a\r\nx"},
        {"caller_ids": ["${X}"]},
        {"prefixes": ["+86,1"]},
        {"name": "a b"},
    ],
)
async def test_a_trunk_cannot_smuggle_dialplan_into_the_pbx(desk: Service, change: dict) -> None:
    await desk.post("/v1/trunks", "root", TRUNK | change, status=422)


async def number_of(desk: Service) -> dict:
    return (await desk.get("/v1/cases/c1", "chen"))["parties"][0]["numbers"][0]


async def test_an_override_lifts_the_hours_for_a_while_but_no_hard_rule(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    with time_machine.travel(NIGHT_IN_SHANGHAI, tick=False):
        until = (NIGHT_IN_SHANGHAI + timedelta(hours=1)).isoformat()
        body = {"case_id": "c1", "number": MOBILE, "reason": "asked for it", "expires_at": until}
        granted = await desk.post("/v1/overrides", "chen", body)
        assert granted["by"] == "chen"
        assert (await number_of(desk))["allowed_now"] is True
        flag = {"flag": "do_not_call", "value": True, "reason": "asked"}
        await desk.post("/v1/parties/p1/flags", "chen", flag, status=200)
        assert (await number_of(desk))["rule"] == "house/do-not-call"
        await desk.post("/v1/overrides", "root", body, status=403)
        await desk.post("/v1/overrides", "chen", body | {"number": "+8613911112222"}, status=404)
        await desk.post("/v1/overrides", "chen", body | {"case_id": "c2"}, status=404)
        past = (NIGHT_IN_SHANGHAI - timedelta(hours=1)).isoformat()
        await desk.post("/v1/overrides", "chen", body | {"expires_at": past}, status=422)
        far = (NIGHT_IN_SHANGHAI + timedelta(days=40)).isoformat()
        await desk.post("/v1/overrides", "chen", body | {"expires_at": far}, status=422)
    (entry,) = await desk.journal("override.granted")
    assert entry.data["reason"] == "asked for it"


async def test_users_are_created_changed_and_listed_without_their_passwords(desk: Service) -> None:
    new = {"name": "li", "role": "collector", "password": PASSWORD, "extension": "1001", "clients": ["bank"]}
    created = await desk.post("/v1/users", "root", new)
    assert "password" not in str(created)
    await desk.post("/v1/users", "root", new, status=409)
    await desk.post("/v1/users", "root", {"name": "zhao", "role": "collector", "extension": "1001"}, status=409)
    changed = await desk.patch("/v1/users/li", "root", {"team": "north", "extension": None})
    assert (changed["team"], changed["extension"], changed["clients"]) == ("north", None, ["bank"])
    await desk.patch("/v1/users/li", "root", {"role": None}, status=422)
    names = [user["name"] for user in (await desk.get("/v1/users", "root"))["items"]]
    assert names == ["chen", "crm", "li", "root"]


async def test_a_new_password_and_a_switched_off_user_end_the_sessions(desk: Service) -> None:
    await desk.add("li", "collector", password=PASSWORD)
    login = {"name": "li", "password": PASSWORD}
    assert (await desk.ask("POST", "/v1/session", json=login)).status == 200
    await desk.patch("/v1/users/li", "root", {"password": "another good password"})
    assert (await desk.ask("GET", "/v1/session")).status == 401
    assert (await desk.ask("POST", "/v1/session", json=login)).status == 401
    await desk.get("/v1/session", "li")
    await desk.patch("/v1/users/li", "root", {"active": False})
    problem = await desk.get("/v1/session", "li", status=401)
    assert "switched off" in problem["detail"]


async def test_the_last_admin_cannot_lock_everybody_out(desk: Service) -> None:
    await desk.patch("/v1/users/root", "root", {"role": "qa"}, status=409)
    await desk.patch("/v1/users/root", "root", {"active": False}, status=409)
    await desk.add("second", "admin")
    await desk.patch("/v1/users/root", "root", {"role": "qa"})


async def test_a_token_is_shown_once_and_ends_when_revoked(desk: Service) -> None:
    made = await desk.post("/v1/tokens", "root", {"user": "crm", "label": "nightly"})
    desk.tokens["made"] = made["token"]
    assert (await desk.get("/v1/session", "made"))["name"] == "crm"
    listed = (await desk.get("/v1/tokens", "root"))["items"]
    assert made["id"] in [token["id"] for token in listed]
    assert made["token"] not in str(listed)
    assert (await desk.ask("DELETE", f"/v1/tokens/{made['id']}", "root")).status == 204
    problem = await desk.get("/v1/session", "made", status=401)
    assert "revoked" in problem["detail"]
    await desk.post("/v1/tokens", "root", {"user": "nobody"}, status=404)
    await desk.post("/v1/tokens", "root", {"user": "crm", "expires_at": "2020-01-01T00:00:00Z"}, status=422)


async def test_the_journal_is_read_newest_first_filtered_and_within_ones_clients(desk: Service) -> None:
    await desk.add("wu", "supervisor", clients=["bank"])
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    await desk.put("/v1/cases/c2", "crm", case(client="other", parties=[party("p2")]), status=201)
    everything = await desk.get("/v1/journal?kind=case.&limit=1", "root")
    assert [entry["case_id"] for entry in everything["items"]] == ["c2"]
    older = await desk.get(f"/v1/journal?kind=case.&limit=1&cursor={everything['next_cursor']}", "root")
    assert [entry["case_id"] for entry in older["items"]] == ["c1"]
    assert {entry["client"] for entry in (await desk.get("/v1/journal", "wu"))["items"]} == {"bank"}
    assert [entry["case_id"] for entry in (await desk.get("/v1/journal?case_id=c1", "root"))["items"]] == ["c1"]
    later = (clock.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert (await desk.get(f"/v1/journal?since={later}", "root"))["items"] == []
    await desk.get("/v1/journal?cursor=abc", "root", status=422)
    await desk.get("/v1/journal", "crm", status=403)


async def test_contacts_of_the_future_and_of_strangers_are_refused(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(), status=201)
    contact = {
        "party_id": "p1",
        "case_id": "c1",
        "at": clock.now().isoformat(),
        "channel": "sms",
        "number": "138 0013 8000",
    }
    told = await desk.post("/v1/contacts", "crm", contact)
    assert (told["number"], told["by"], told["outcome"]) == (MOBILE, "us", "unknown")
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    await desk.post("/v1/contacts", "crm", contact | {"at": tomorrow}, status=422)
    await desk.post("/v1/contacts", "crm", contact | {"at": "2026-01-01T00:00:00"}, status=422)
    await desk.post("/v1/contacts", "crm", contact | {"party_id": "stranger"}, status=404)
    await desk.post("/v1/contacts", "crm", contact | {"number": "110"}, status=422)
    await desk.post("/v1/contacts", "crm", contact | {"outcome": "live"}, status=422)
