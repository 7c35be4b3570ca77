"""Who asks: a bearer token, or the session cookie of a browser on a page of ours."""

from typing import Literal

from aiohttp import web

from config import clock
from config.errors import Forbidden, Unauthorized
from crm_bridge.embed import widget_tokens
from crm_bridge.people import credentials
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.embed_scope import is_own

COOKIE = "ringfence_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def authenticate(request: web.Request) -> User:
    """Find out who asks and remember it in the request. Raises Unauthorized; Forbidden to foreign pages."""
    kind, secret = _presented(request)
    if kind == "session":
        require_same_origin(request)
    database, now = request.app[keys.DATABASE], clock.now()
    async with database.read() as connection:
        if kind == "token" and secret.startswith(credentials.WIDGET_PREFIX):
            credential, user = await widget_tokens.bearer(connection, secret, now)
        else:
            credential, user = await credentials.resolve(connection, secret, kind, now)
    request[keys.CREDENTIAL], request[keys.USER] = credential, user
    return user


def _presented(request: web.Request) -> tuple[Literal["token", "session"], str]:
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthorized("the Authorization header must be `Bearer TOKEN`")
        return "token", secret.strip()
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        raise Unauthorized("send a bearer token, or log in with POST /v1/session")
    return "session", secret


def require_same_origin(request: web.Request) -> None:
    """Refuse a change that a page of another origin makes with the user's cookie.

    Browsers send Sec-Fetch-Site (Fetch Metadata) or at least Origin with such a request; without both it is no browser.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden("this request comes from a page of another origin")
        return
    origin = request.headers.get("Origin")
    if origin is None:
        return
    if not is_own(request, origin):
        raise Forbidden("this request comes from a page of another origin")


def set_cookie(request: web.Request, response: web.StreamResponse, secret: str) -> None:
    """Hand the session to the browser: scripts cannot read it, other sites cannot send it."""
    secure = (request.app[keys.SETTINGS].server.public_url or "").startswith("https://")
    age = int(credentials.SESSION_IDLE.total_seconds())
    response.set_cookie(COOKIE, secret, max_age=age, httponly=True, samesite="Strict", secure=secure, path="/")


def clear_cookie(response: web.StreamResponse) -> None:
    """Take the session away from the browser."""
    response.del_cookie(COOKIE, path="/")


async def prolong(request: web.Request, response: web.StreamResponse) -> None:
    """Keep a session alive that is being used."""
    credential = request.get(keys.CREDENTIAL)
    if credential is None or response.prepared:
        return
    if await credentials.keep_alive(request.app[keys.DATABASE], credential, clock.now()):
        set_cookie(request, response, request.cookies[COOKIE])
