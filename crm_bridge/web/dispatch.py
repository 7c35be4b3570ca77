"""The way of every declared request: who asks, may they, is the input right, ask the handler, send the answer."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from config.errors import Fault, Forbidden, Invalid, NotFound
from crm_bridge.people.users import User
from crm_bridge.web import admission, auth, embed_scope, keys
from crm_bridge.web.api import Api, NoContent, Operation, Reply
from crm_bridge.web.shown import mask_response


class UnsupportedMediaType(Fault):
    """A body that is not JSON."""

    code = "unsupported-media-type"
    status = 415
    title = "Send JSON"


def register(app: web.Application, apis: Iterable[Api]) -> None:
    """Put every declared operation into the router, and the list where the specification finds it."""
    operations = tuple(operation for api in apis for operation in api.operations)
    names = [f"{operation.method} {operation.path}" for operation in operations]
    if len(names) != len(set(names)):
        raise ValueError(f"declared twice: {sorted({name for name in names if names.count(name) > 1})}")
    for operation in operations:
        app.router.add_route(operation.method, operation.path, endpoint(operation))
    app[keys.OPERATIONS] = operations


def endpoint(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a declared operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await _admit(operation, request)
        answer = await operation.handler(request, **await _input(operation, request))
        response = _response(operation, answer)
        await mask_response(request, response)
        await auth.prolong(request, response)
        return response

    return handle


async def _admit(operation: Operation, request: web.Request) -> None:
    if operation.public:
        auth.require_same_origin(request)
        return
    user = await auth.authenticate(request)
    if request[keys.CREDENTIAL].kind == "widget":
        embed_scope.require(f"{operation.method} {operation.path}", request, request[keys.CREDENTIAL])
    admission.require(operation, request)
    if user.role not in operation.roles:
        raise Forbidden(f"role {user.role} may not do this; it takes {' or '.join(operation.roles)}")


def user_of(request: web.Request) -> User:
    """The logged-in user of a request to an operation that is not public."""
    return request[keys.USER]


async def _input(operation: Operation, request: web.Request) -> dict[str, Any]:
    if any(_has_control(value) for value in request.match_info.values()):
        raise NotFound("there is no such thing")
    given: dict[str, Any] = {}
    if operation.query is not None:
        values = {key: value for key, value in request.query.items() if value != ""}
        given["query"] = _validated(operation.query, values)
    if operation.body is not None:
        given["body"] = _validated(operation.body, await _json(request))
    return given


async def _json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise UnsupportedMediaType("the body must be JSON, with Content-Type: application/json")
    raw = await request.read()
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid("the body is not JSON", [{"field": "", "message": str(error)}]) from error


def _validated(model: type[BaseModel], value: Any) -> BaseModel:
    if _has_control(value):
        raise Invalid("text must not hold control characters", [{"field": "", "message": "holds a control character"}])
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = [{"field": _field(item["loc"]), "message": _message(item)} for item in error.errors(include_url=False)]
        first = errors[0]
        raise Invalid(f"{first['field'] or 'the body'}: {first['message']}", errors) from error


def _has_control(value: Any) -> bool:
    """C0 controls other than tab and line breaks: no database or page takes them (PostgreSQL refuses NUL outright)."""
    if isinstance(value, str):
        return any(character < " " and character not in "\t\r\n" for character in value)
    if isinstance(value, dict):
        return any(_has_control(key) or _has_control(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_control, value))


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _message(item: Any) -> str:
    known = {"extra_forbidden": "is not a known field", "missing": "is required"}
    return known.get(item["type"]) or str(item["msg"]).removeprefix("Value error, ")


def _response(operation: Operation, answer: Any) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    reply = answer if isinstance(answer, Reply) else Reply(answer, status=next(iter(operation.answers)))
    if operation.answers[reply.status] is NoContent:
        return web.Response(status=reply.status, headers=reply.headers)
    adapter = operation.adapters[reply.status]
    document = adapter.dump_json(adapter.validate_python(reply.value, from_attributes=True), by_alias=True)
    return web.Response(body=document, status=reply.status, headers=reply.headers, content_type="application/json")
