"""Around every request: faults become problems, defects become incidents, answers carry the security headers."""

import traceback
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.web_urldispatcher import StaticResource

from config import clock
from config.errors import Fault
from config.identifiers import new_id
from crm_bridge.web import cors
from crm_bridge.web.problems import InternalError, fault_response, http_error_response

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@web.middleware
async def tell_problems(request: web.Request, handler: Handle) -> web.StreamResponse:
    """Answer every fault as problem+json; a defect is logged under an incident id, without the request's content."""
    try:
        return await handler(request)
    except Fault as fault:
        return fault_response(fault)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return http_error_response(error)
    except Exception as error:
        if request.transport is None or request.transport.is_closing():
            raise  # the client went away: nobody to tell
        return _incident(request, error)


def _incident(request: web.Request, error: Exception) -> web.Response:
    # An exception's message may quote what a person typed or a statement's values: its type and place are logged.
    incident = new_id(clock.now())
    resource = request.match_info.route.resource
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error(
        "request failed",
        incident=incident,
        method=request.method,
        route=resource and resource.canonical,
        error=type(error).__name__,
        frames=frames[-12:],
    )
    return fault_response(InternalError("the request could not be completed", incident=incident))


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """An `on_response_prepare` signal, so that streams, static files and errors carry the headers too."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    is_static = isinstance(request.match_info.route.resource, StaticResource)
    response.headers.setdefault("Cache-Control", "no-cache" if is_static else "no-store")


def install(app: web.Application) -> None:
    """Put all of it around an application."""
    app.middlewares.extend((tell_problems, cors.answer_origins))
    app.on_response_prepare.append(cors.add_origin_headers)
    app.on_response_prepare.append(add_security_headers)
