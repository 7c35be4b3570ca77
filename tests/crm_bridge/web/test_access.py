"""Every route, for every role, on another client's and another team's objects: as `access_table.txt` says, and no other way."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from config.database import Database
from config.settings import Archive, DatabaseSettings, Keys, Pbx, Settings
from crm_bridge.app import APIS, build, make_app
from crm_bridge.web.page_table import PAGES
from tests.support.api import Service
from tests.support.databases import create_tables
from tests.support.foreign_requests import BODIES, BOUND_TO_TEAMS, ROLES, Line, filled, path_of, table
from tests.support.foreign_worlds import NUMBERS, WORLDS, furnish

LINES = table()
HIDDEN = {"/problems/not-found", "/problems/call-not-found"}


def _name(line: Line) -> str:
    return line.key


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with both worlds in it, to be copied."""
    import asyncio

    path = tmp_path_factory.mktemp("worlds") / "worlds.db"
    url = f"sqlite+aiosqlite:///{path}"

    async def fill() -> None:
        await create_tables(url)
        database = Database(url)
        await furnish(database)
        await database.close()

    asyncio.run(fill())
    return path


@pytest.fixture
async def whole(furnished: Path, tmp_path: Path) -> AsyncIterator[Service]:
    """The whole API, composed as it is run but without its background work, on a copy of the worlds."""
    for file in furnished.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    url = f"sqlite+aiosqlite:///{tmp_path / furnished.name}"
    services = build(
        Settings(
            database=DatabaseSettings(url=url),
            pbx=[Pbx(name="main", username="ringfence", secret=SecretStr("secret"))],
            archive=Archive(url=f"file://{tmp_path / 'archive'}"),
            keys=Keys(master=tmp_path / "keys" / "master.key"),
        )
    )
    app = make_app(services)
    app.cleanup_ctx.clear()
    async with TestClient[web.Request, web.Application](TestServer(app)) as client:
        yield Service(services.database, client)
    await services.database.close()


def test_every_route_of_the_router_has_its_line() -> None:
    declared = {f"{one.method} {one.path}": set(one.roles) for api in APIS for one in api.operations}
    written = {line.key: set(line.roles or ()) for line in LINES}
    assert written == declared
    assert len(LINES) == len(written)


async def test_what_is_outside_the_api_is_a_page_without_data_or_a_file(whole: Service) -> None:
    declared = {(one.method, one.path) for api in APIS for one in api.operations}
    routed = {(one.method, one.resource.canonical) for one in whole.client.app.router.routes() if one.resource}
    others = {path for method, path in routed - declared if method not in ("HEAD",)}
    addresses = {address for page in PAGES for address in (page.address, *page.also)}
    assert others == addresses | {"/login", "/password", "/static", "/static/locales", "/static/rules.json"}


@pytest.mark.parametrize("line", LINES, ids=_name)
async def test_a_route_keeps_to_its_line(whole: Service, line: Line) -> None:
    if line.path != "/v1/events":  # an endless stream; who sees what of it is test_scope's
        await _lets_in_its_roles(whole, line)
    await _keeps_away_what_is_not_theirs(whole, line)
    await _shows_it_to_who_is_not_bound(whole, line)


async def _lets_in_its_roles(whole: Service, line: Line) -> None:
    path = (
        path_of(line, "far")
        .replace("-far", "-nothing")
        .replace("otherbank", "nobank")
        .replace(NUMBERS["far"], "+8613800139999")
    )
    body: dict[str, Any] = {"json": {}} if line.method in ("POST", "PUT", "PATCH") else {}
    nobody = await whole.ask(line.method, path, **body)
    assert (nobody.status == 401) == (line.roles is not None) or line.path == "/v1/session"
    for role in ROLES if line.roles is not None else ():
        await whole.add(f"a-{role}", role)
        answer = await whole.ask(line.method, path, f"a-{role}", **body)
        allowed = line.roles is not None and role in line.roles
        text = (await answer.read()).decode(errors="replace")
        assert (answer.status == 403) != allowed, (role, answer.status, text)
        assert answer.status != 401, (role, text)
        assert answer.status != 500, (role, text)


async def _ask(whole: Service, line: Line, world: str, user: str) -> tuple[int, str, str]:
    """Status, problem type and text of the line's request for a world's object."""
    options: dict[str, Any] = {}
    if line.key in BODIES:
        options["json"] = filled(BODIES[line.key], world)
    if line.key == "POST /v1/imports":
        options |= {"data": b"x", "headers": {"Content-Type": "application/octet-stream"}}
    if line.key in ("POST /v1/calls", "POST /v1/calls/by-number"):
        options["headers"] = {"Idempotency-Key": "one"}
    answer = await whole.ask(line.method, path_of(line, world), user, **options)
    text = (await answer.read()).decode(errors="replace")
    problem = (await answer.json())["type"] if answer.content_type == "application/problem+json" else ""
    return answer.status, problem, text


def _phone(role: str, first: str) -> dict[str, str]:
    phones = {"collector": "01", "supervisor": "02"}
    return {"extension": f"{first}{phones[role]}", "pbx": "main"} if role in phones else {}


def _kept_away(line: Line, world: str, status: int, problem: str, text: str) -> bool:
    if line.answer == "filtered":
        client, agent, _ = WORLDS[world]
        named = f"-{world}" in text or f'"{agent}"' in text or (world == "far" and client in text)
        return status == 200 and not named
    return problem in HIDDEN or (line.answer == "refused" and problem == "/problems/forbidden")


async def _keeps_away_what_is_not_theirs(whole: Service, line: Line) -> None:
    for place, world in enumerate(line.axes):
        for role in sorted((line.roles or set()) & set(ROLES if world == "far" else BOUND_TO_TEAMS)):
            bound = {"clients": ["bank"]} if world == "far" else {"team": "north"}
            user = await whole.add(f"bound-{role}-{place}", role, **bound, **_phone(role, f"1{place}"))
            status, problem, text = await _ask(whole, line, world, user)
            assert _kept_away(line, world, status, problem, text), (role, world, status, text)


async def _shows_it_to_who_is_not_bound(whole: Service, line: Line) -> None:
    """Else the refusals would prove nothing: the thing may just not be there, or the request be wrong."""
    for place, world in enumerate(line.axes):
        found = []
        for role in sorted(line.roles or ()):
            user = await whole.add(f"unbound-{role}-{place}", role, **_phone(role, f"2{place}"))
            status, problem, text = await _ask(whole, line, world, user)
            assert status != 422, text
            nothing_proven_yet = "the log says nothing of" in text  # which only who sees the recording is told
            found.append(nothing_proven_yet or not _kept_away(line, world, status, problem, text))
        assert any(found), (world, status, text)
