"""Logging in and out, and who is let in."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from config import clock
from config.journal import journal
from config.sections import Server
from crm_bridge.people import credentials
from crm_bridge.web import keys
from crm_bridge.web.auth import COOKIE
from tests.support.api import PASSWORD, Service


async def log_in(service: Service, name: str, password: str = PASSWORD):
    return await service.ask("POST", "/v1/session", json={"name": name, "password": password})


async def test_a_log_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD, extension="1001")
    response = await log_in(service, "li")
    assert response.status == 200
    assert (await response.json())["extension"] == "1001"
    cookie = response.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    me = await service.ask("GET", "/v1/session")
    assert (await me.json())["name"] == "li"


async def test_a_wrong_password_and_an_unknown_name_sound_the_same(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    wrong, unknown = await log_in(service, "li", "not the password"), await log_in(service, "nobody", "whatever else")
    assert wrong.status == unknown.status == 401
    assert await wrong.json() == await unknown.json()
    assert (await wrong.json())["type"] == "/problems/unauthorized"


async def test_the_fifth_wrong_password_locks_the_name_for_a_while(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    for _ in range(5):
        assert (await log_in(service, "li", "not the password")).status == 401
    response = await log_in(service, "li")
    assert response.status == 429
    problem = await response.json()
    assert problem["type"] == "/problems/locked-out"
    assert problem["retry_at"] > clock.now().isoformat()


async def test_a_user_without_a_password_cannot_log_in(service: Service) -> None:
    await service.add("crm", "crm")
    assert (await log_in(service, "crm", "anything at all")).status == 401


async def test_a_log_out_ends_every_copy_of_the_session(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    copy = (await log_in(service, "li")).cookies[COOKIE].value
    assert (await service.ask("DELETE", "/v1/session")).status == 204
    response = await service.ask("GET", "/v1/session", headers={"Cookie": f"{COOKIE}={copy}"})
    assert response.status == 401
    assert "revoked" in (await response.json())["detail"]


async def test_a_page_of_another_origin_changes_nothing_with_the_cookie(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    await log_in(service, "li")
    body = {"json": {"language": "en"}}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        response = await service.ask("PUT", "/v1/session/language", headers=headers, **body)
        assert response.status == 403, headers
    own = {"Origin": str(service.client.make_url("")).rstrip("/")}
    for headers in ({"Sec-Fetch-Site": "same-origin"}, own, {}):
        response = await service.ask("PUT", "/v1/session/language", headers=headers, **body)
        assert response.status == 200, headers


async def test_a_session_in_use_is_prolonged_and_an_idle_one_ends(service: Service, time_machine) -> None:
    await service.add("li", "collector", password=PASSWORD)
    start = clock.now()
    await log_in(service, "li")
    time_machine.move_to(start + timedelta(hours=11), tick=False)
    assert COOKIE in (await service.ask("GET", "/v1/session")).cookies
    time_machine.move_to(start + timedelta(hours=22), tick=False)
    assert (await service.ask("GET", "/v1/session")).status == 200
    time_machine.move_to(start + timedelta(hours=35), tick=False)
    response = await service.ask("GET", "/v1/session")
    assert response.status == 401


async def test_missing_malformed_unknown_and_expired_tokens_are_each_told(service: Service) -> None:
    await service.add("li", "collector")
    now = clock.now()
    async with service.database.write() as transaction:
        _, expired = await credentials.create_token(
            transaction, "li", label="old", expires_at=now - timedelta(seconds=1), actor="tests", now=now
        )
    told = {
        "log in": {},
        "Bearer TOKEN": {"Authorization": "Basic abc"},
        "not known": {"Authorization": "Bearer rf_invented"},
        "expired": {"Authorization": f"Bearer {expired}"},
    }
    for words, headers in told.items():
        response = await service.ask("GET", "/v1/session", headers=headers)
        assert response.status == 401
        assert response.content_type == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert words in (await response.json())["detail"]


async def test_a_session_secret_is_no_token_and_a_token_no_session(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    secret = (await log_in(service, "li")).cookies[COOKIE].value
    service.client.session.cookie_jar.clear()
    as_token = await service.ask("GET", "/v1/session", headers={"Authorization": f"Bearer {secret}"})
    as_session = await service.ask("GET", "/v1/session", headers={"Cookie": f"{COOKIE}={service.tokens['li']}"})
    assert as_token.status == as_session.status == 401


async def test_log_ins_are_journalled_without_passwords(service: Service) -> None:
    await service.add("li", "collector", password=PASSWORD)
    await log_in(service, "li", "a wrong password")
    await log_in(service, "li")
    async with service.database.read() as connection:
        rows = (await connection.execute(select(journal).order_by(journal.c.id))).all()
    assert [row.kind for row in rows] == ["user.created", "token.created", "user.login_failed", "session.opened"]
    assert "password" not in str([row.data for row in rows])
    assert [row.data.get("address") for row in rows[2:]] == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("said", "trusted", "meant"),
    [
        ([], [], "127.0.0.1"),
        (["203.0.113.9"], [], "127.0.0.1"),
        (["203.0.113.9"], ["127.0.0.0/8"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], ["127.0.0.1"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9, 10.0.0.7"], ["127.0.0.1", "10.0.0.0/8"], "203.0.113.9"),
        (["10.0.0.8, 10.0.0.7"], ["127.0.0.1", "10.0.0.0/8"], "10.0.0.8"),
        (["2001:db8::1"], ["127.0.0.1"], "2001:db8::1"),
        (["<script>"], ["127.0.0.1"], None),
        ([], ["127.0.0.1"], "127.0.0.1"),
    ],
)  # fmt: skip
async def test_only_a_trusted_proxy_may_say_where_somebody_comes_from(
    service: Service, said: list[str], trusted: list[str], meant: str | None
) -> None:
    settings = service.client.app[keys.SETTINGS]
    server = Server.model_validate({"trusted_proxies": trusted})
    service.client.app._state[keys.SETTINGS] = settings.model_copy(update={"server": server})
    await service.add("li", "collector", password=PASSWORD)
    headers = [("X-Forwarded-For", line) for line in said]
    await service.ask("POST", "/v1/session", json={"name": "li", "password": PASSWORD}, headers=headers)
    async with service.database.read() as connection:
        opened = (
            await connection.execute(select(journal.c.data).where(journal.c.kind == "session.opened"))
        ).scalar_one()
    assert opened["address"] == meant
