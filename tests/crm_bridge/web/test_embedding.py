"""Pages of other origins: who gets in with which token, from where, for what; the bundle, the frame, the way to a popped case."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr, ValidationError
from sqlalchemy import update

from config import clock
from config.settings import Archive, DatabaseSettings, Embed, Keys, Pbx, Settings
from crm_bridge.app import APIS, build, make_app
from crm_bridge.embed.screen_pop_links import with_links
from crm_bridge.tables import credentials
from crm_bridge.web.bundle import STATIC, Unbundled, bundle, wrapped
from crm_bridge.web.embed_scope import OPERATIONS
from tests.support.api import Service
from tests.support.databases import create_tables

CRM, OTHER, FOREIGN = "https://crm.example.com", "https://second.example.com", "https://evil.example"


@pytest.fixture
async def embedding(tmp_path: Path) -> AsyncIterator[Service]:
    """The whole API with two origins on its list and somebody of each kind; nothing runs in the background."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'embedding.db'}"
    await create_tables(url)
    services = build(
        Settings(
            database=DatabaseSettings(url=url),
            pbx=[Pbx(name="main", username="ringfence", secret=SecretStr("secret"))],
            archive=Archive(url=f"file://{tmp_path / 'archive'}"),
            keys=Keys(master=tmp_path / "keys" / "master.key"),
            embed=Embed(origins=[CRM, OTHER]),
        )
    )
    app = make_app(services)
    app.cleanup_ctx.clear()
    async with TestClient[web.Request, web.Application](TestServer(app)) as client:
        service = Service(services.database, client)
        for name, role in (
            ("li.na", "collector"),
            ("lead", "supervisor"),
            ("ears", "qa"),
            ("root", "admin"),
            ("crm", "crm"),
        ):
            await service.add(name, role, **({"extension": "1001"} if role == "collector" else {}))
        yield service
    await services.database.close()


async def mint(service: Service, **changes: Any) -> dict[str, Any]:
    """A widget's token."""
    minted: dict[str, Any] = await service.post(
        "/v1/widget-tokens", "crm", {"agent": "li.na", "origin": CRM, **changes}
    )
    return minted


async def asked(
    service: Service, token: str, path: str = "/v1/session", method: str = "GET", **options: Any
) -> tuple[int, Any]:
    """Status and problem code (or document) of a request of a page at `origin` (CRM unless given; None: no page)."""
    origin = options.pop("origin", CRM)
    headers = {
        "Authorization": f"Bearer {token}",
        **({"Origin": origin} if origin else {}),
        **options.pop("headers", {}),
    }
    async with service.client.request(method, path, headers=headers, **options) as answer:
        document = await answer.json()
        return answer.status, document.get("type", "").removeprefix("/problems/") or document


async def test_a_token_is_good_for_its_collector_on_its_page_alone(embedding: Service) -> None:
    token = (await mint(embedding))["token"]
    status, me = await asked(embedding, token)
    assert (status, me["name"], me["role"]) == (200, "li.na", "collector")
    for origin in (OTHER, None):
        assert await asked(embedding, token, origin=origin) == (403, "origin-not-allowed")
    assert await asked(embedding, token, origin=FOREIGN) == (403, "origin-not-allowed")
    own = str(embedding.client.make_url("")).rstrip("/")
    assert await asked(embedding, token, origin=own) == (403, "origin-not-allowed")
    framed = {"X-Embedded-In": CRM}
    assert (await asked(embedding, token, origin=own, headers=framed))[0] == 200
    assert await asked(embedding, token, origin=OTHER, headers=framed) == (403, "origin-not-allowed")


async def test_a_token_is_good_for_calling_and_nothing_else(embedding: Service) -> None:
    token = (await mint(embedding))["token"]
    for method, path in (
        *(("GET", "/v1/cases"), ("GET", "/v1/recordings"), ("GET", "/v1/journal"), ("POST", "/v1/widget-tokens")),
        *(("POST", "/v1/complaints"), ("DELETE", "/v1/session"), ("GET", "/v1/call-backs"), ("GET", "/v1/work/due")),
    ):
        assert await asked(embedding, token, path, method, json={} if method == "POST" else None) == (
            403,
            "token-scope",
        )
    assert (await asked(embedding, token, "/v1/calls"))[0] == 200
    assert (await asked(embedding, token, "/v1/agents/li.na/state", "PUT", json={"state": "ready"}))[0] == 200
    declared = {f"{one.method} {one.path}" for api in APIS for one in api.operations}
    assert declared >= OPERATIONS


async def test_a_token_ends_with_its_time_by_being_revoked_and_with_either_user(embedding: Service) -> None:
    ended = await mint(embedding, seconds=1)
    async with embedding.database.write() as transaction:
        late = update(credentials).where(credentials.c.id == ended["id"]).values(expires_at=clock.now())
        await transaction.execute(late)
    assert await asked(embedding, ended["token"]) == (401, "token-expired")
    revoked = await mint(embedding)
    await embedding.add("crm2", "crm")
    path = f"/v1/widget-tokens/{revoked['id']}"
    assert (await embedding.ask("DELETE", path, "crm2")).status == 404
    assert (await embedding.ask("DELETE", path, "crm")).status == 204
    assert await asked(embedding, revoked["token"]) == (401, "unauthorized")
    orphan = await mint(embedding)
    await embedding.patch("/v1/users/crm", "root", {"active": False})
    assert await asked(embedding, orphan["token"]) == (401, "unauthorized")
    kinds = [row.kind for row in await embedding.journal("widget.created", "widget.revoked")]
    assert kinds == ["widget.created", "widget.created", "widget.revoked", "widget.created"]


async def test_a_token_shows_no_client_that_the_asking_server_may_not_see(embedding: Service) -> None:
    await embedding.add("narrow", "crm", clients=["a", "b"])
    await embedding.add("bo", "collector", extension="1002", clients=["b", "c"])
    await embedding.add("cy", "collector", extension="1003", clients=["c"])
    body = {"agent": "li.na", "origin": CRM}
    everybody = await embedding.post("/v1/widget-tokens", "narrow", body)
    assert (await asked(embedding, everybody["token"]))[1]["clients"] == ["a", "b"]
    both = await embedding.post("/v1/widget-tokens", "narrow", {**body, "agent": "bo"})
    assert (await asked(embedding, both["token"]))[1]["clients"] == ["b"]
    await embedding.post("/v1/widget-tokens", "narrow", {**body, "agent": "cy"}, status=403)


BAD_TOKENS: dict[str, dict[str, Any]] = {
    "agent": {"agent": "nobody"},
    "origin": {"origin": FOREIGN},
    "seconds": {"seconds": 0},
    "client": {"client": "a"},
}


@pytest.mark.parametrize("field", BAD_TOKENS)
async def test_what_is_wrong_with_a_wished_token_is_told_by_field(embedding: Service, field: str) -> None:
    body = {"agent": "li.na", "origin": CRM, **BAD_TOKENS[field]}
    problem = await embedding.post("/v1/widget-tokens", "crm", body, status=422)
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "origin", ["*", "null", f"{CRM}/", f"{CRM}/x", "HTTPS://CRM.EXAMPLE.COM", f"{CRM}:443", "crm.example.com"]
)
async def test_what_is_no_origin_gets_neither_a_token_nor_into_the_settings(embedding: Service, origin: str) -> None:
    await embedding.post("/v1/widget-tokens", "crm", {"agent": "li.na", "origin": origin}, status=422)
    with pytest.raises(ValidationError, match="must be origins"):
        Embed(origins=[origin])


@pytest.mark.parametrize("agent", ["ears", "root", "crm"])
async def test_only_who_calls_gets_a_call_bar(embedding: Service, agent: str) -> None:
    await embedding.post("/v1/widget-tokens", "crm", {"agent": agent, "origin": CRM}, status=422)


async def test_a_browser_is_told_beforehand_which_pages_may_ask(embedding: Service) -> None:
    wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    async with embedding.client.options("/v1/calls", headers={"Origin": CRM, **wish}) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == CRM
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
    for origin in (FOREIGN, "null", f"{CRM}.evil.example"):
        async with embedding.client.options("/v1/calls", headers={"Origin": origin, **wish}) as answer:
            assert answer.status == 403
            assert (await answer.json())["type"] == "/problems/origin-not-allowed"
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_page_that_is_not_on_the_list_gets_nowhere_even_with_an_admins_token(embedding: Service) -> None:
    assert await asked(embedding, embedding.tokens["root"], origin=FOREIGN) == (403, "origin-not-allowed")
    assert (await asked(embedding, embedding.tokens["root"], origin=None))[0] == 200
    answer = await embedding.ask("GET", "/v1/session", "root")
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_refusal_can_be_read_by_a_page_on_the_list(embedding: Service) -> None:
    answer = await embedding.ask("GET", "/v1/cases/none", headers={"Origin": CRM})
    assert answer.status == 401
    assert answer.headers["Access-Control-Allow-Origin"] == CRM


async def test_the_bundle_is_one_script_for_everybody_that_is_fetched_once(embedding: Service) -> None:
    answer = await embedding.ask("GET", "/embed/bridge.js", headers={"Origin": FOREIGN})
    text = await answer.text()
    assert (answer.status, answer.content_type) == (200, "text/javascript")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "window.CallBridge" in text
    assert '"call.hangup"' in text
    again = await embedding.ask("GET", "/embed/bridge.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


def test_the_bundle_holds_nothing_that_a_script_cannot_run() -> None:
    for entry in ("embed/bridge.js", "embed/frame.js"):
        lines = bundle(entry).splitlines()
        assert not [line for line in lines if line.startswith(("import ", "export "))]


@pytest.mark.parametrize("line", ["export default 1;", 'import * as dom from "./dom.js";', 'export * from "./dom.js";'])
def test_a_module_in_a_form_that_cannot_be_bundled_is_named(line: str) -> None:
    with pytest.raises(Unbundled, match=r"new\.js"):
        wrapped(STATIC / "new.js", f"{line}\n")


async def test_a_page_may_ask_whether_it_is_on_the_list(embedding: Service) -> None:
    for origin, allowed in ((CRM, True), (FOREIGN, False)):
        answer = await embedding.ask("GET", "/embed/origin", headers={"Origin": origin})
        assert (await answer.json()) == {"origin": origin, "allowed": allowed}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_frame_shows_itself_in_pages_of_its_origin_alone(embedding: Service) -> None:
    answer = await embedding.ask("GET", "/embed/frame", params={"origin": CRM})
    assert answer.status == 200
    assert f"frame-ancestors {CRM}" in answer.headers["Content-Security-Policy"]
    assert f'data-origin="{CRM}"' in await answer.text()
    for origin in (FOREIGN, "*", "", f"{CRM}; script-src *"):
        refused = await embedding.ask("GET", "/embed/frame", params={"origin": origin})
        assert refused.status in (403, 422)
        assert refused.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


async def test_the_way_to_a_popped_case_is_its_clients_or_that_of_all_others(embedding: Service) -> None:
    await embedding.put("/v1/screen-pop-links/*", "root", {"template": "https://crm.example.com/c/{case_id}"})
    own = "https://bank.example/{client}?case={case_id}&party={party_id}"
    await embedding.put("/v1/screen-pop-links/bank", "crm", {"template": own})
    matches = [{"client": client, "case_id": "A/1 ü", "party_id": "p&1"} for client in ("bank", "shop")]
    async with embedding.database.read() as connection:
        found = [one["link"] for one in await with_links(connection, matches)]
    assert found == [
        "https://bank.example/bank?case=A%2F1%20%C3%BC&party=p%261",
        "https://crm.example.com/c/A%2F1%20%C3%BC",
    ]
    assert [one["client"] for one in (await embedding.get("/v1/screen-pop-links", "lead"))["items"]] == ["*", "bank"]
    assert (await embedding.ask("DELETE", "/v1/screen-pop-links/bank", "crm")).status == 204
    assert (await embedding.ask("DELETE", "/v1/screen-pop-links/bank", "crm")).status == 204
    assert len(await embedding.journal("screen_pop_link.set", "screen_pop_link.removed")) == 3


async def test_a_server_sets_the_way_to_its_own_clients_cases_only(embedding: Service) -> None:
    await embedding.add("narrow", "crm", clients=["a"])
    body = {"template": "https://crm.example.com/{case_id}"}
    await embedding.put("/v1/screen-pop-links/a", "narrow", body)
    for client in ("b", "*"):
        await embedding.put(f"/v1/screen-pop-links/{client}", "narrow", body, status=403)
    await embedding.put("/v1/screen-pop-links/b", "root", body)
    assert [one["client"] for one in (await embedding.get("/v1/screen-pop-links", "narrow"))["items"]] == ["a"]


@pytest.mark.parametrize(
    "template",
    [
        *("javascript:alert(1)", "/cases/{case_id}", "ftp://crm.example.com/{case_id}", "https://{client}/x", ""),
        *("https://crm.example.com/{number}", "https://crm.example.com/{name", "https://u:p@crm.example.com/"),
        *("https://crm.example.com/a b", 7, None),
    ],
)
async def test_what_is_no_address_is_refused(embedding: Service, template: Any) -> None:
    problem = await embedding.put("/v1/screen-pop-links/bank", "crm", {"template": template}, status=422)
    assert problem["errors"][0]["field"] == "template"


async def test_a_token_for_addresses_is_good_for_addresses_alone(embedding: Service) -> None:
    made = await embedding.post("/v1/tokens", "root", {"user": "li.na", "only": "url-click"})
    assert await asked(embedding, made["token"], origin=None) == (401, "unauthorized")
    kinds = {one["id"]: one["kind"] for one in (await embedding.get("/v1/tokens", "root"))["items"]}
    assert kinds[made["id"]] == "click"
    await embedding.post("/v1/tokens", "root", {"user": "li.na", "only": "everything"}, status=422)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"n_tel": "+8613800138000"}, 422),
        ({"token": "rf_wrong"}, 422),
        ({"token": "rf_wrong", "n_tel": "+8613800138000"}, 401),
        ({"token": "rfc_wrong", "n_tel": "+8613800138000"}, 401),
        ({"token": "", "n_tel": "+8613800138000"}, 422),
        ({"token": "qa", "n_tel": "+8613800138000"}, 403),
        ({"token": "li.na", "n_tel": "12"}, 422),
        ({"token": "li.na", "n_tel": "not a number"}, 422),
        ({"token": "li.na", "n_tel": "+86138\r\nAction: Originate"}, 422),
        ({"token": "li.na", "n_tel": "+8613800138000"}, 403),
    ],
)
async def test_an_address_that_cannot_be_called_says_so_in_a_line(
    embedding: Service, query: dict[str, str], status: int
) -> None:
    names = {"qa": "ears", "li.na": "li.na"}
    given = {**query, **({"token": embedding.tokens[names[query["token"]]]} if query.get("token") in names else {})}
    async with embedding.client.get("/compat/abcti", params=given) as answer:
        assert answer.status == status
        text = await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
        assert "rf_" not in text


async def test_what_only_looks_ahead_calls_nobody(embedding: Service) -> None:
    given = {"token": embedding.tokens["li.na"], "n_tel": "+8613800138000"}
    for header in (
        {"Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
    ):
        async with embedding.client.get("/compat/abcti", params=given, headers=header) as answer:
            assert answer.status == 503
    async with embedding.client.head("/compat/abcti", params=given) as answer:
        assert answer.status == 405
    assert await embedding.journal("call.created", "call.denied") == []


async def test_a_crm_that_asks_from_its_page_can_read_the_answer(embedding: Service) -> None:
    given = {"token": embedding.tokens["li.na"], "n_tel": "+8613800138000"}
    async with embedding.client.get("/compat/abcti", params=given, headers={"Origin": CRM}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == CRM
        assert "+8613800138000" in await answer.text()
    async with embedding.client.get("/compat/abcti", params=given, headers={"Origin": FOREIGN}) as answer:
        assert answer.status == 403
