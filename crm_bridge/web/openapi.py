"""The OpenAPI 3.1 document, made of the same declarations that make the router."""

import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from config.errors import Fault, Forbidden, Invalid, NotFound, Unauthorized
from crm_bridge.web import keys
from crm_bridge.web.api import PUBLIC, Api, Media, NoContent, Operation
from crm_bridge.web.auth import COOKIE
from crm_bridge.web.problems import InternalError, Problem, ValidationProblem

VERSION = "1.0.0"
REFERENCE = "#/components/schemas/{model}"

api = Api("description")


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    described = list(operations)
    schemas = _Schemas(described)
    paths: dict[str, Any] = {}
    for operation in described:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ringfence", "version": VERSION, "summary": "Calls that are allowed, recorded and kept."},
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


class _Schemas:
    """JSON schemas of all bodies and answers; a model that several operations share stands once, in the components."""

    def __init__(self, operations: list[Operation]) -> None:
        inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
            (model.__name__, "serialization", TypeAdapter(model)) for model in (Problem, ValidationProblem)
        ]
        for operation in operations:
            key = f"{operation.method} {operation.path}"
            if operation.body is not None:
                inputs.append((f"{key} body", "validation", TypeAdapter(operation.body)))
            inputs += [(f"{key} {status}", "serialization", made) for status, made in operation.adapters.items()]
        found, definitions = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=REFERENCE)
        self.definitions: dict[str, Any] = definitions.get("$defs", {})
        self._found = {key: schema for (key, _mode), schema in found.items()}

    def body(self, operation: Operation) -> Any:
        return self._found[f"{operation.method} {operation.path} body"]

    def answer(self, operation: Operation, status: int) -> Any:
        return self._found[f"{operation.method} {operation.path} {status}"]

    def problem(self, fault: type[Fault]) -> Any:
        return self._found["ValidationProblem" if fault is Invalid else "Problem"]


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operationId": f"{operation.tag}_{operation.name}",
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": _parameters(operation),
        "responses": _responses(operation, schemas),
        "x-roles": list(operation.roles),
    }
    entry["security"] = [] if operation.public else [{"token": []}, {"session": []}]
    if operation.body is not None:
        entry["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas.body(operation)}}}
    if operation.upload is not None:
        form = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
        content = {operation.upload: {}, "multipart/form-data": {"schema": form}}
        entry["requestBody"] = {"required": True, "content": content}
    return entry


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"{([a-z_]+)", operation.path)
    found = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    if operation.query is not None:
        schema = operation.query.model_json_schema(by_alias=True, ref_template=REFERENCE)
        required = schema.get("required", [])
        for name, value in schema["properties"].items():
            found.append({"name": name, "in": "query", "required": name in required, "schema": value})
    for name, meaning in operation.headers.items():
        entry = {"name": name.lstrip("!"), "in": "header", "required": name.startswith("!"), "description": meaning}
        found.append(entry | {"schema": {"type": "string"}})
    return found


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        answers[str(status)] = {"description": operation.summary}
        if isinstance(kind, Media):
            answers[str(status)]["content"] = {kind.content_type: {}}
        elif kind is not NoContent:
            answers[str(status)]["content"] = {"application/json": {"schema": schemas.answer(operation, status)}}
    by_status: dict[int, list[type[Fault]]] = {}
    for fault in _faults(operation):
        by_status.setdefault(fault.status, []).append(fault)
    for status, faults in sorted(by_status.items()):
        # A status may be both an answer and a problem (a refusal with a body of its own): the answer's entry stays.
        answers.setdefault(str(status), _problem_entry(faults, schemas))
    return answers


def _faults(operation: Operation) -> list[type[Fault]]:
    faults: list[type[Fault]] = [InternalError, *operation.problems]
    if not operation.public:
        faults += [Unauthorized, Forbidden]
    if operation.body is not None or operation.query is not None:
        faults.append(Invalid)
    if "{" in operation.path:
        faults.append(NotFound)
    return list(dict.fromkeys(faults))


def _problem_entry(faults: list[type[Fault]], schemas: _Schemas) -> dict[str, Any]:
    description = "; ".join(f"`{fault.code}`: {fault.title}" for fault in faults)
    return {"description": description, "content": {"application/problem+json": {"schema": schemas.problem(faults[0])}}}


class OpenApiDocument(BaseModel):
    """An OpenAPI 3.1 document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


@api.operation("GET", "/openapi.json", roles=PUBLIC, answers={200: OpenApiDocument}, summary="This document")
async def openapi(request: web.Request) -> dict[str, Any]:
    """The description of every operation of this API."""
    operations = request.app[keys.OPERATIONS]
    return document(operations)
