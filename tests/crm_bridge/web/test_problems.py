"""Bad requests get a clear problem+json, and a defect of ours tells nothing it should not."""

from collections.abc import AsyncIterator

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import Field

from crm_bridge.web import dispatch, middleware
from crm_bridge.web.api import PUBLIC, Api, Body, Query
from tests.support.api import Service

api = Api("tests")


class Sample(Body):
    text: str = Field(max_length=5)
    count: int = 1


class Wanted(Query):
    limit: int = Field(10, ge=1)


@api.operation("POST", "/sample", roles=PUBLIC, body=Sample, answers={200: Sample}, summary="echo")
async def echo(_request: web.Request, body: Sample) -> Sample:
    return body


@api.operation("GET", "/sample/{id}", roles=PUBLIC, query=Wanted, answers={200: dict}, summary="echo")
async def show(request: web.Request, query: Wanted) -> dict[str, object]:
    return {"id": request.match_info["id"], "limit": query.limit}


@api.operation("GET", "/broken", roles=PUBLIC, answers={200: dict}, summary="fails")
async def fail(_request: web.Request) -> dict[str, str]:
    raise RuntimeError("somebody's telephone number")


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application(client_max_size=1000)
    middleware.install(app)
    dispatch.register(app, [api])
    async with TestClient(TestServer(app)) as made:
        yield made


async def problem(response, status: int, code: str) -> dict:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    document = await response.json()
    assert document["type"] == f"/problems/{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


async def test_every_bad_field_is_named(client) -> None:
    response = await client.post("/sample", json={"text": "too long a text", "count": "many", "colour": "red"})
    document = await problem(response, 422, "validation")
    assert {error["field"] for error in document["errors"]} == {"text", "count", "colour"}
    assert {"field": "colour", "message": "is not a known field"} in document["errors"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"text": "\xff"}',
        b'{"text": "\\u0000"}',
        b'{"text": "\\ud800"}',
        b'{"text": NaN}',
    ],
)
async def test_what_is_not_the_json_asked_for_is_refused(client, raw: bytes) -> None:
    response = await client.post("/sample", data=raw, headers={"Content-Type": "application/json"})
    await problem(response, 422, "validation")


async def test_a_form_is_refused_since_other_sites_can_send_one(client) -> None:
    await problem(await client.post("/sample", data={"text": "a"}), 415, "unsupported-media-type")


async def test_too_large_a_body_is_refused(client) -> None:
    await problem(await client.post("/sample", json={"text": "a" * 2000}), 413, "request-entity-too-large")


async def test_unknown_paths_and_methods_are_problems_too(client) -> None:
    await problem(await client.get("/nothing/here"), 404, "not-found")
    response = await client.delete("/sample")
    await problem(response, 405, "method-not-allowed")
    assert "POST" in response.headers["Allow"]


async def test_query_parameters_are_checked_and_empty_ones_count_as_absent(client) -> None:
    assert await (await client.get("/sample/a?limit=")).json() == {"id": "a", "limit": 10}
    await problem(await client.get("/sample/a?limit=0"), 422, "validation")
    await problem(await client.get("/sample/a?colour=red"), 422, "validation")


async def test_control_characters_in_a_path_name_nothing(client) -> None:
    await problem(await client.get("/sample/a%00b"), 404, "not-found")


async def test_a_defect_answers_with_an_incident_and_neither_answer_nor_log_quotes_the_person(client) -> None:
    with structlog.testing.capture_logs() as logs:
        document = await problem(await client.get("/broken"), 500, "internal-error")
    assert logs[0]["incident"] == document["incident"]
    assert logs[0]["error"] == "RuntimeError"
    assert "telephone" not in str(logs) + str(document)


async def test_every_answer_carries_the_security_headers(client) -> None:
    for path in ("/sample/a", "/broken", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"


async def test_a_problem_type_can_be_read_about(service: Service) -> None:
    response = await service.ask("GET", "/problems/validation")
    assert response.status == 200
    assert "Bad input" in await response.text()
    assert (await service.ask("GET", "/problems/invented")).status == 404
