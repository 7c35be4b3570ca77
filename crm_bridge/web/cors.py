"""Pages of other origins: those on the list `[embed] origins` may ask the API with a token, all others are refused clearly.

(Fetch standard, CORS protocol.) Cookies never count there: no answer allows credentials, and they are SameSite=Strict.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm_bridge.web import keys
from crm_bridge.web.embed_scope import OriginNotAllowed, is_own

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

PLACES = ("/v1/", "/compat/", "/readyz")
METHODS = "GET, POST, PUT"
HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-CSRFToken, X-Requested-With"
EXPOSED = "Date, Retry-After"
PREFLIGHT_SECONDS = "600"
ALLOWED: web.RequestKey[str] = web.RequestKey("allowed origin", str)


@web.middleware
async def answer_origins(request: web.Request, handler: Handle) -> web.StreamResponse:
    """Refuse pages that are not on the list before anything is done; answer what browsers ask beforehand."""
    origin = request.headers.get("Origin")
    settings = request.app.get(keys.SETTINGS)
    if origin is None or settings is None or not request.path.startswith(PLACES) or is_own(request, origin):
        return await handler(request)
    if origin not in settings.embed.origins:
        raise OriginNotAllowed(f"pages of {origin} may not use this service: it is not among [embed] origins")
    request[ALLOWED] = origin
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(status=204)
    return await handler(request)


async def add_origin_headers(request: web.Request, response: web.StreamResponse) -> None:
    """An `on_response_prepare` signal: streams and refusals carry them too, else the page could not read why."""
    if not request.path.startswith(PLACES):
        return
    response.headers.add("Vary", "Origin")
    origin = request.get(ALLOWED)
    if origin is None:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = HEADERS
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
