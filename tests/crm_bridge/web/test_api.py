"""The registry: what it declares is what the router, the role check and the OpenAPI document say."""

import re

import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from crm_bridge.people.users import ROLES
from crm_bridge.web import dispatch, keys
from crm_bridge.web.api import PUBLIC, Api, Operation
from crm_bridge.web.resources import DESK
from tests.support.api import Service

OPERATIONS = [operation for api in DESK for operation in api.operations]


def path_of(operation: Operation) -> str:
    return re.sub(r"{[a-z_]+}", "unknown", operation.path)


async def test_router_and_specification_name_the_same_operations(service: Service) -> None:
    response = await service.ask("GET", "/openapi.json")
    spec = await response.json()
    described = {(method.upper(), path) for path, methods in spec["paths"].items() for method in methods}
    routed = {
        (route.method, route.resource.canonical) for route in service.client.app.router.routes() if route.resource
    }
    assert described == routed


async def test_the_specification_is_valid_openapi_3_1(service: Service) -> None:
    spec = await (await service.ask("GET", "/openapi.json")).json()
    assert spec["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(spec).validate()
    names = [entry["operationId"] for methods in spec["paths"].values() for entry in methods.values()]
    assert len(names) == len(set(names))


def test_only_what_must_be_public_needs_no_role() -> None:
    public = {f"{operation.method} {operation.path}" for operation in OPERATIONS if operation.public}
    told = {"GET /openapi.json", "GET /docs", "GET /docs.css", "GET /problems/{code}"}
    embedded = {"GET /embed/bridge.js", "GET /embed/frame", "GET /embed/frame.js", "GET /embed/origin"}
    assert public == {"POST /v1/session"} | told | embedded


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
async def test_every_route_lets_in_exactly_the_roles_it_declares(service: Service, operation: Operation) -> None:
    path, body = path_of(operation), {"json": {}} if operation.body else {}
    nobody = await service.ask(operation.method, path, **body)
    assert (nobody.status == 401) == bool(operation.roles) or operation.path == "/v1/session"
    for role in ROLES if operation.roles else ():
        await service.add(role, role)
        response = await service.ask(operation.method, path, role, **body)
        if role in operation.roles:
            assert response.status not in (401, 403), (role, await response.text())
            assert response.status < 500, (role, await response.text())
        else:
            assert response.status == 403, role
            assert (await response.json())["type"] == "/problems/forbidden"


async def test_a_route_outside_the_registry_would_be_noticed(service: Service) -> None:
    registered = {(operation.method, operation.path) for operation in service.client.app[keys.OPERATIONS]}
    routed = {
        (route.method, route.resource.canonical) for route in service.client.app.router.routes() if route.resource
    }
    assert routed == registered


def test_declaring_an_operation_twice_is_refused() -> None:
    api = Api("twice")
    for _ in range(2):

        @api.operation("GET", "/twice", roles=PUBLIC, answers={200: dict}, summary="twice")
        async def twice(_request: web.Request) -> dict[str, str]:
            return {}

    with pytest.raises(ValueError, match="GET /twice"):
        dispatch.register(web.Application(), [api])


async def test_the_docs_page_shows_every_operation_and_loads_nothing_from_elsewhere(service: Service) -> None:
    response = await service.ask("GET", "/docs")
    text = await response.text()
    for operation in OPERATIONS:
        assert operation.path in text
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []
    assert "<script" not in text
    assert "style=" not in text
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
