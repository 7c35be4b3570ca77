"""What a credential is good for beside its user's role: a session with an old password for nothing, a token within its scopes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from aiohttp import web

from config import clock
from config.errors import Forbidden, Invalid
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.api import Operation

WITHOUT_A_NEW_PASSWORD = frozenset(
    {"GET /v1/session", "DELETE /v1/session", "PUT /v1/session/password", "PUT /v1/session/language"}
)
ALWAYS = frozenset({"GET /v1/session"})
"""What every token may ask: who it is."""


class PasswordChangeRequired(Forbidden):
    """The password is the first one, or older than the settings allow (S68): it is changed first, with PUT /v1/session/password."""

    code = "password-change-required"
    title = "Change your password first"


def must_change(user: User, days: int, now: datetime) -> bool:
    """Whether the user's password has to be changed before anything else; `days` 0: it does not age."""
    aged = user.password_set_at is not None and days > 0 and now >= user.password_set_at + timedelta(days=days)
    return user.must_change_password or aged


def require(operation: Operation, request: web.Request) -> None:
    """Refuse what the credential of this request is not good for. Raises PasswordChangeRequired, Forbidden."""
    credential, name = request[keys.CREDENTIAL], f"{operation.method} {operation.path}"
    if credential.kind == "session" and name not in WITHOUT_A_NEW_PASSWORD:
        days = request.app[keys.SETTINGS].people.password_days
        if must_change(request[keys.USER], days, clock.now()):
            raise PasswordChangeRequired("your password must be changed before you go on")
    if credential.scopes is not None and name not in ALWAYS and not _covers(credential.scopes, operation):
        raise Forbidden(
            f"this token is good for {', '.join(credential.scopes) or 'nothing'}; this takes {operation.tag}"
        )


def _covers(scopes: Iterable[str], operation: Operation) -> bool:
    wanted = {operation.tag, "*"} | ({f"{operation.tag}:read", "*:read"} if operation.method == "GET" else set())
    return not wanted.isdisjoint(scopes)


def known_scopes(request: web.Request) -> list[str]:
    """Every scope that a token may have: the tags of this API, each also as `TAG:read`, and `*:read`."""
    tags = sorted({operation.tag for operation in request.app[keys.OPERATIONS] if operation.roles})
    return ["*:read", *(scope for tag in tags for scope in (tag, f"{tag}:read"))]


def require_known(scopes: Iterable[str], request: web.Request) -> None:
    """Refuse scopes that there are none of. Raises Invalid naming those there are."""
    known = known_scopes(request)
    errors = [
        {"field": f"scopes.{index}", "message": f"must be one of {', '.join(known)}"}
        for index, scope in enumerate(scopes)
        if scope not in known
    ]
    if errors:
        raise Invalid(f"{errors[0]['field']} {errors[0]['message']}", errors)
