"""Passwords that age, one session a person, tokens that are good for little, and people who leave (S68)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from config import clock
from config.settings import People, Settings
from crm_bridge.tables import users as users_table
from crm_bridge.web import keys
from crm_bridge.web.auth import COOKIE
from tests.support.api import PASSWORD, Service

NEW = "another good password"


def _set(service: Service, **people: Any) -> None:
    """Have the running service take these settings."""
    settings = Settings(people=People(**people))
    service.client.app._state[keys.SETTINGS] = settings


async def _log_in(service: Service, name: str, password: str = PASSWORD) -> Any:
    return await service.ask("POST", "/v1/session", json={"name": name, "password": password})


async def _change(service: Service, old: str, new: str) -> Any:
    return await service.ask("PUT", "/v1/session/password", json={"old": old, "new": new})


async def test_a_password_of_thirty_days_is_changed_before_anything_else(service: Service, time_machine: Any) -> None:
    await service.add("li", "collector", password=PASSWORD)
    start = clock.now()
    time_machine.move_to(start + timedelta(days=29, hours=23), tick=False)
    me = await (await _log_in(service, "li")).json()
    assert me["must_change_password"] is False
    assert me["password_expires_at"][:10] == (start + timedelta(days=30)).isoformat()[:10]
    time_machine.move_to(start + timedelta(days=30, hours=1), tick=False)
    refused = await service.ask("GET", "/v1/cases")
    assert (refused.status, (await refused.json())["type"]) == (403, "/problems/password-change-required")
    assert (await (await service.ask("GET", "/v1/session")).json())["must_change_password"] is True
    assert (await _change(service, PASSWORD, NEW)).status == 200
    assert (await service.ask("GET", "/v1/cases")).status == 200
    assert await (await _log_in(service, "li")).json() != me
    assert (await _log_in(service, "li", NEW)).status == 200
    assert [entry.actor for entry in await service.journal("user.password_changed")] == ["li"]


async def test_a_token_does_not_age_with_the_password(service: Service, time_machine: Any) -> None:
    await service.add("crm", "crm", password=PASSWORD)
    time_machine.move_to(clock.now() + timedelta(days=400), tick=False)
    await service.get("/v1/cases", "crm")


async def test_the_first_password_is_changed_where_the_admin_says_so(service: Service) -> None:
    await service.add("root", "admin")
    new = {"name": "li", "role": "collector", "password": PASSWORD, "must_change_password": True}
    assert (await service.post("/v1/users", "root", new))["must_change"] is True
    assert (await (await _log_in(service, "li")).json())["must_change_password"] is True
    assert (await service.ask("GET", "/v1/cases")).status == 403
    assert (await service.ask("PUT", "/v1/session/language", json={"language": "en"})).status == 200
    assert (await (await _change(service, PASSWORD, NEW)).json())["must_change_password"] is False
    assert (await service.get("/v1/users/li", "root"))["must_change"] is False


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("not mine", NEW, "old"),
        (PASSWORD, PASSWORD, "new"),
        (PASSWORD, "li.collector", "new"),
        (PASSWORD, "short", "new"),
    ],
)
async def test_a_bad_new_password_is_told_by_field(service: Service, old: str, new: str, field: str) -> None:
    await service.add("li.collector", "collector", password=PASSWORD)
    await _log_in(service, "li.collector")
    answer = await _change(service, old, new)
    assert answer.status == 422
    assert (await answer.json())["errors"][0]["field"] == field


async def test_guessing_the_old_password_is_slowed_down_as_at_the_log_in(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    await _log_in(service, "li")
    statuses = [(await _change(service, f"guess {index}", NEW)).status for index in range(6)]
    assert statuses == [422] * 5 + [429]


async def test_a_new_password_ends_the_other_sessions(service: Service) -> None:
    _set(service, one_session=False)
    await service.add("li", "collector", password=PASSWORD)
    elsewhere = (await _log_in(service, "li")).cookies[COOKIE].value
    await _log_in(service, "li")
    assert (await service.ask("GET", "/v1/session", headers={"Cookie": f"{COOKIE}={elsewhere}"})).status == 200
    await _log_in(service, "li")
    await _change(service, PASSWORD, NEW)
    assert (await service.ask("GET", "/v1/session")).status == 200
    service.client.session.cookie_jar.clear()
    assert (await service.ask("GET", "/v1/session", headers={"Cookie": f"{COOKIE}={elsewhere}"})).status == 401


async def test_one_is_logged_in_once(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    first = (await _log_in(service, "li")).cookies[COOKIE].value
    second = (await _log_in(service, "li")).cookies[COOKIE].value
    service.client.session.cookie_jar.clear()
    for secret, status in ((first, 401), (second, 200)):
        answer = await service.ask("GET", "/v1/session", headers={"Cookie": f"{COOKIE}={secret}"})
        assert answer.status == status
    assert [entry.data["ended"] for entry in await service.journal("session.opened")] == [0, 1]


async def test_a_token_does_what_its_scopes_name_and_no_more(service: Service) -> None:
    await service.add("root", "admin")
    await service.add("crm", "crm")
    made = await service.post("/v1/tokens", "root", {"user": "crm", "scopes": ["cases:read", "contacts"]})
    service.tokens["narrow"] = made["token"]
    await service.get("/v1/session", "narrow")
    await service.get("/v1/cases", "narrow")
    case = {"client": "bank", "debts": ["d"], "account": "a", "parties": []}
    assert (await service.put("/v1/cases/c1", "narrow", case, status=403))["type"] == "/problems/forbidden"
    await service.get("/v1/policies", "narrow", status=403)
    await service.post("/v1/contacts", "narrow", {}, status=422)
    assert (await service.get("/v1/tokens", "root"))["items"][-1]["scopes"] == ["cases:read", "contacts"]
    problem = await service.post("/v1/tokens", "root", {"user": "crm", "scopes": ["everything"]}, status=422)
    assert problem["errors"][0]["field"] == "scopes.0"
    assert "cases:read" in problem["errors"][0]["message"]


async def test_a_token_never_gives_more_than_its_user_may(service: Service) -> None:
    await service.add("root", "admin")
    await service.add("li", "collector")
    made = await service.post("/v1/tokens", "root", {"user": "li", "scopes": ["users", "cases"]})
    service.tokens["narrow"] = made["token"]
    await service.get("/v1/users", "narrow", status=403)


async def test_tokens_end_within_the_days_that_the_settings_allow(service: Service) -> None:
    _set(service, token_days=90)
    await service.add("root", "admin")
    await service.post("/v1/tokens", "root", {"user": "root"})
    ends = (await service.get("/v1/tokens", "root"))["items"][-1]["expires_at"]
    assert ends[:10] == (clock.now() + timedelta(days=90)).isoformat()[:10]
    far = (clock.now() + timedelta(days=91)).isoformat()
    await service.post("/v1/tokens", "root", {"user": "root", "expires_at": far}, status=422)


async def test_who_leaves_comes_in_no_more_and_stays_in_the_books(service: Service) -> None:
    await service.add("root", "admin")
    await service.add("li", "collector", password=PASSWORD, extension="1001")
    await service.post("/v1/groups", "root", {"name": "desk", "members": ["li", "root"]})
    await _log_in(service, "li")
    assert (await service.ask("DELETE", "/v1/users/li", "root")).status == 204
    assert (await service.ask("GET", "/v1/session")).status == 401
    await service.get("/v1/session", "li", status=401)
    gone = await service.get("/v1/users/li", "root")
    assert (gone["active"], gone["extension"]) == (False, None)
    assert (await service.get("/v1/groups/desk", "root"))["members"] == ["root"]
    await service.add("wang", "collector", extension="1001")
    await service.post("/v1/users", "root", {"name": "li", "role": "collector"}, status=409)


async def test_the_last_admin_can_neither_leave_nor_become_anything_else(service: Service) -> None:
    await service.add("root", "admin")
    assert (await service.ask("DELETE", "/v1/users/root", "root")).status == 409
    await service.patch("/v1/users/root", "root", {"role": "qa"}, status=409)
    await service.patch("/v1/users/root", "root", {"active": False}, status=409)
    await service.add("second", "admin")
    assert (await service.ask("DELETE", "/v1/users/root", "root")).status == 204
    assert (await service.ask("DELETE", "/v1/users/second", "second")).status == 409


async def test_ten_thousand_people_come_in_pages_and_are_found_among(service: Service) -> None:
    now = clock.now()
    await service.add("root", "admin")
    rows = [
        {
            "name": f"agent{index:05}", "role": "collector", "team": f"team{index % 7}", "clients": ["bank"] if index % 2 else [],
            "language": "zh", "active": index % 3 > 0, "failed_logins": 0, "created_at": now, "must_change_password": False,
        }
        for index in range(10_000)
    ]  # fmt: skip
    async with service.database.write() as transaction:
        await transaction.execute(insert(users_table), rows)
    cursor, names = "", []
    while cursor is not None:
        page = await service.get(f"/v1/users?limit=500&cursor={cursor}", "root")
        names += [user["name"] for user in page["items"]]
        cursor = page["next_cursor"]
    assert names == sorted(names)
    assert len(names) == 10_001
    found = await service.get("/v1/users?q=T09999&role=collector", "root")
    assert [user["name"] for user in found["items"]] == ["agent09999"]
    team = await service.get("/v1/users?team=team3&active=true&client=bank&limit=2", "root")
    assert [user["name"] for user in team["items"]] == ["agent00017", "agent00031"]


async def test_who_saw_and_searched_which_case_is_in_the_journal_and_what_was_typed_is_not(
    service: Service, time_machine: Any
) -> None:
    await service.add("li", "collector")
    await service.add("crm", "crm")
    party = {
        "id": "p1",
        "relation": "debtor",
        "name": "王小明",
        "locations": [],
        "numbers": [{"e164": "+8613800138000"}],
    }
    case = {"client": "bank", "debts": ["d"], "account": "a", "parties": [party]}
    await service.put("/v1/cases/c1", "crm", case, status=201)
    time_machine.move_to(clock.now(), tick=False)
    for _ in range(2):
        await service.get("/v1/cases/c1", "li")
    await service.get("/v1/cases/c1", "crm")
    time_machine.shift(timedelta(minutes=11))
    await service.get("/v1/cases/c1", "li")
    await service.get("/v1/cases?number=13800138000", "li")
    await service.get("/v1/cases?mine=true", "li")
    seen = await service.journal("case.viewed", "case.searched")
    assert [(entry.kind, entry.actor, entry.case_id) for entry in seen] == [
        ("case.viewed", "li", "c1"), ("case.viewed", "li", "c1"), ("case.searched", "li", None),
    ]  # fmt: skip
    assert seen[2].data == {"by": ["number"], "found": 1}
