"""Problems as RFC 9457 tells them: `application/problem+json` with a type of our own under /problems/."""

import html
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from config import errors
from config.errors import Fault, NotFound
from crm_bridge.web.api import PUBLIC, Api, Media

api = Api("problems")


class Problem(BaseModel):
    """A problem; further members depend on its type."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="/problems/<code>: a page that explains it")
    title: str
    status: int
    detail: str


class FieldError(BaseModel):
    """One field that must change."""

    field: str = Field(description="dotted path into the body or the name of a parameter; empty for the whole")
    message: str


class ValidationProblem(Problem):
    """Bad input."""

    errors: list[FieldError]


class InternalError(Fault):
    """A defect of ours; the incident's id is in the log."""

    code = "internal-error"
    status = 500
    title = "Something went wrong here"


def problem_response(
    code: str, title: str, status: int, detail: str, members: dict[str, Any] | None = None
) -> web.Response:
    """The response that tells a problem."""
    # The five names of the RFC are ours; a member may not overwrite them.
    document = {**(members or {}), "type": f"/problems/{code}", "title": title, "status": status, "detail": detail}
    return web.Response(body=to_json(document), status=status, content_type="application/problem+json")


def fault_response(fault: Fault) -> web.Response:
    """The response for a fault."""
    response = problem_response(fault.code, fault.title, fault.status, fault.detail, fault.members)
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if "retry_after" in fault.members:
        response.headers["Retry-After"] = str(fault.members["retry_after"])
    return response


def http_error_response(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals (404, 405, 413 ...) in the same form, keeping headers such as Allow."""
    code = "not-found" if error.status == 404 else error.reason.lower().replace(" ", "-")
    response = problem_response(code, error.reason, error.status, f"{error.reason} ({error.status})")
    for name in ("Allow", "Retry-After", "Content-Range"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def known_faults(kind: type[Fault] = Fault) -> dict[str, type[Fault]]:
    """Every fault class that has been imported, by code."""
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        found |= {code: fault for code, fault in known_faults(child).items() if code not in found}
    return found


@api.operation(
    "GET",
    "/problems/{code}",
    roles=PUBLIC,
    answers={200: Media("text/html")},
    problems=(errors.NotFound,),
    summary="What a problem type means",
)
async def explain(request: web.Request) -> web.Response:
    """A page about one problem type."""
    fault = known_faults().get(request.match_info["code"])
    if fault is None:
        raise NotFound("there is no such problem type")
    text = html.escape(" ".join((fault.__doc__ or "").split()))
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{fault.code}</title>'
        f"<h1>{html.escape(fault.title)}</h1><p><code>{fault.code}</code>, HTTP status {fault.status}</p>"
        f"<p>{text}</p></html>"
    )
    return web.Response(text=body, content_type="text/html")
