"""What a widget's token is good for: these operations, on the origin it was minted for, and nothing else."""

from aiohttp import web

from config.errors import Fault, Forbidden
from crm_bridge.people.credentials import Credential
from crm_bridge.web import keys

OPERATIONS = frozenset(
    {
        "GET /v1/session",
        "GET /v1/events",
        "GET /v1/inbound-calls",
        "GET /v1/action-codes",
        "GET /v1/agents/{name}",
        "PUT /v1/agents/{name}/state",
        "GET /v1/cases/{id}",
        "POST /v1/calls",
        "POST /v1/calls/by-number",
        "POST /v1/calls/check",
        "GET /v1/calls",
        "GET /v1/calls/{id}",
        "PUT /v1/calls/{id}/case",
        "PUT /v1/calls/{id}/disposition",
        "GET /v1/calls/{id}/right-party",
        "POST /v1/calls/{id}/right-party",
        "GET /v1/calls/{id}/transfer-targets",
        *(
            f"POST /v1/calls/{{id}}/{act}"
            for act in (
                *("hangup", "hold", "unhold", "mute", "unmute", "dtmf", "pause-recording", "resume-recording"),
                *("transfer", "transfer/complete", "transfer/cancel"),
            )
        ),
    }
)
"""Calling, and what the call bar shows of it; no list of cases, no recordings, no settings."""

FRAME_HEADER = "X-Embedded-In"
"""Sent by our own page `/embed/frame`: the origin of the page around it, as the browser told it."""


class OriginNotAllowed(Forbidden):
    """A page of this origin may not call this service: add it to `[embed] origins`, or use a token minted for it."""

    code = "origin-not-allowed"
    title = "Not from this page"


class TokenScope(Fault):
    """A widget's token is good for calling alone; other things are asked by the CRM's server."""

    code = "token-scope"
    status = 403
    title = "Not with this token"


def require(operation: str, request: web.Request, credential: Credential) -> None:
    """Refuse what a widget's token is not good for; `operation` is `GET /v1/...`. Raises OriginNotAllowed, TokenScope."""
    asking = embedding_origin(request)
    if asking != credential.origin:
        raise OriginNotAllowed(f"this widget token is good on {credential.origin} only, not on {asking or 'no page'}")
    if operation not in OPERATIONS:
        raise TokenScope(f"a widget token is not good for {operation}")


def embedding_origin(request: web.Request) -> str | None:
    """The page that asks; our own frame tells which page it is in, which no other page can."""
    origin = request.headers.get("Origin")
    if origin is None or is_own(request, origin):
        return request.headers.get(FRAME_HEADER)
    return origin


def is_own(request: web.Request, origin: str) -> bool:
    """Whether the origin is this service's."""
    public = request.app[keys.SETTINGS].server.public_url or ""
    return origin.partition("://")[2] in {request.host, public.partition("://")[2].partition("/")[0]} - {""}
