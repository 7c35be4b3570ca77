"""The registry of the HTTP API: one declaration gives the route, the role check, the validation and the OpenAPI entry.

    api = Api("cases")

    @api.operation("POST", "/v1/cases/{id}/state", roles=("supervisor", "admin"), body=StateChange,
                   answers={200: CaseOut}, problems=(NotFound,), summary="Suspend, resume, settle, close or return")
    async def change_state(request: web.Request, body: StateChange) -> CaseOut: ...

A handler takes the request, then `body` and `query` where declared (validated models). It returns a model or JSON
value, sent with the first status of `answers`; or a `Reply` for another status or headers; or an aiohttp response (audio,
streams).
`crm_bridge.web.dispatch.register(app, [api, ...])` puts the declared operations into an application.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from config.errors import Fault
from crm_bridge.people.users import ROLES, Role

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

PUBLIC: tuple[Role, ...] = ()
"""Given as `roles` of an operation that needs no log-in, on purpose."""
EVERYONE: tuple[Role, ...] = ROLES
PEOPLE: tuple[Role, ...] = ("collector", "qa", "supervisor", "admin")


@dataclass(frozen=True, slots=True)
class Media:
    """An answer that is not JSON: its content type."""

    content_type: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status of its own, and headers."""

    value: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Query(BaseModel):
    """Query parameters: unknown ones are refused, empty ones count as absent."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    """The parameters every list takes."""

    cursor: str | None = Field(None, max_length=512, description="`next_cursor` of the page before")
    limit: int = Field(50, ge=1, le=500)


class WhyQuery(Query):
    """Why something is taken away, for the journal."""

    reason: str | None = Field(None, max_length=2000)


class NoContent(BaseModel):
    """Marks an answer without a body."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path, with everything that is known of it."""

    method: str
    path: str
    name: str
    tag: str
    roles: tuple[Role, ...]
    summary: str
    description: str
    handler: Callable[..., Awaitable[Any]]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    headers: Mapping[str, str]
    answers: Mapping[int, Any]
    problems: tuple[type[Fault], ...]
    adapters: Mapping[int, TypeAdapter[Any]]
    upload: str | None = None

    @property
    def public(self) -> bool:
        """Whether nobody needs to log in for it."""
        return not self.roles


class Api:
    """The operations of one resource; `tag` groups them in the documentation."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        roles: Iterable[Role],
        summary: str,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        headers: Mapping[str, str] | None = None,
        answers: Mapping[int, Any],
        problems: Iterable[type[Fault]] = (),
        upload: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare an API operation.

        `answers` maps a status to any type pydantic knows, to `NoContent` or to `Media`; the first is the usual one.
        `headers` names request headers the operation reads, each with its meaning; `!` before a name: required.
        `upload` is the content type of a file that the handler reads by itself, as the body or as the part `file` of a form.
        `problems` lists the faults beside those every operation may answer (401, 403, 422, 500).
        """

        def declare(handler: Handler) -> Handler:
            description = (handler.__doc__ or "").strip()
            adapters = {status: TypeAdapter(kind) for status, kind in answers.items() if not _bodyless(kind)}
            operation = Operation(
                method, path, handler.__name__, self.tag, tuple(roles), summary, description, handler, body, query,
                headers or {}, answers, tuple(problems), adapters, upload,
            )  # fmt: skip
            self.operations.append(operation)
            return handler

        return declare


def _bodyless(kind: Any) -> bool:
    return isinstance(kind, Media) or kind is NoContent
