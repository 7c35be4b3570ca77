"""The whole application as it is run: its routes, its specification and who may use them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.database import Database
from config.migrate import upgrade
from config.settings import Archive, DatabaseSettings, Gate, Keys, Server, Settings
from crm_bridge.app import APIS, build, make_app
from crm_bridge.people.users import ROLES
from crm_bridge.serving import running
from crm_bridge.web.api import Operation
from crm_bridge.web.resources import DESK
from tests.support.floor import free_port, hire

ENDLESS = "/v1/events"
PROGRAMS = ("/v1/", "/compat/", "/embed/", "/openapi.json", "/docs", "/problems/", "/healthz", "/readyz", "/metrics")
"""Where programs ask; what people read in a browser is not in the specification."""


BEYOND_THE_DESK = [
    operation for api in APIS if api not in DESK for operation in api.operations if operation.path != ENDLESS
]


@dataclass
class Running:
    """The service without a PBX, and a token for each role."""

    http: aiohttp.ClientSession
    tokens: dict[str, str]

    async def status(self, operation: Operation, role: str | None) -> int:
        """What the operation answers somebody of that role."""
        path = re.sub(r"{[a-z0-9_]+}", "unknown", operation.path)
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        body = {"json": {}} if operation.body else {}
        async with self.http.request(operation.method, path, headers=headers, **body) as answer:
            return answer.status


def _settings(folder: Path) -> Settings:
    return Settings(
        server=Server(port=free_port()),
        gate=Gate(port=free_port()),
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{folder / 'ringfence.db'}"),
        archive=Archive(url=f"file://{folder / 'archive'}"),
        keys=Keys(master=folder / "keys" / "master.key"),
    )


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Running]:
    """The service, served."""
    settings = _settings(tmp_path)
    database = Database(settings.database.url)
    await upgrade(database)
    tokens = await hire(database)
    await database.close()
    async with running(settings), aiohttp.ClientSession(f"http://127.0.0.1:{settings.server.port}") as http:
        yield Running(http, tokens)


async def test_router_and_specification_name_the_same_operations(whole: Running, tmp_path: Path) -> None:
    spec = await (await whole.http.get("/openapi.json")).json()
    OpenAPIV31SpecValidator(spec).validate()
    described = {(method.upper(), path) for path, methods in spec["paths"].items() for method in methods}
    app = make_app(build(_settings(tmp_path / "other")))
    routed = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    for_people = {pair for pair in routed if not pair[1].startswith(PROGRAMS) or pair[0] == "HEAD"}
    assert routed - for_people == described


@pytest.mark.parametrize("operation", BEYOND_THE_DESK, ids=lambda operation: f"{operation.method} {operation.path}")
async def test_every_route_lets_in_exactly_the_roles_it_declares(whole: Running, operation: Operation) -> None:
    assert (await whole.status(operation, None) == 401) == bool(operation.roles)
    for role in ROLES if operation.roles else ():
        status = await whole.status(operation, role)
        assert (status == 403) == (role not in operation.roles), role
        assert status in (403, 503) or status < 500, role


async def test_the_stream_is_for_those_who_are_logged_in(whole: Running) -> None:
    async with whole.http.get(ENDLESS) as answer:
        assert answer.status == 401
    for role in ROLES:
        headers = {"Authorization": f"Bearer {whole.tokens[role]}"}
        async with whole.http.get(ENDLESS, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
