"""Log in, log out, who am I, and the language of the pages."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict, Forbidden, Invalid, Unauthorized
from crm_bridge.floor import agent_states
from crm_bridge.people import credentials, passwords, users
from crm_bridge.people.users import Role, User
from crm_bridge.web import admission, auth, keys
from crm_bridge.web.addresses import address_of
from crm_bridge.web.api import EVERYONE, PUBLIC, Api, Body, NoContent

api = Api("session")


class Login(Body):
    """A name and its password."""

    name: str = Field(max_length=128)
    password: str = Field(max_length=256)


class Language(Body):
    """The language of the pages."""

    language: Literal["zh", "en"]


class Me(BaseModel):
    """The user of this session or token."""

    name: str
    role: Role
    extension: str | None
    pbx: str | None
    team: str | None
    clients: list[str] = Field(description="empty: all clients")
    language: str
    must_change_password: bool = Field(description="nothing else is answered before it is changed")
    password_expires_at: datetime | None = Field(description="null: never, or no password")


class PasswordChange(Body):
    """The password that was, and the one to be."""

    old: str = Field(max_length=256)
    new: str = Field(min_length=passwords.SHORTEST, max_length=256)


def _me(request: web.Request, user: User) -> dict[str, Any]:
    days = request.app[keys.SETTINGS].people.password_days
    due = admission.must_change(user, days, clock.now())
    ends = user.password_set_at + timedelta(days=days) if user.password_set_at and days else None
    return {**asdict(user), "clients": list(user.clients), "must_change_password": due, "password_expires_at": ends}


@api.operation(
    "POST",
    "/v1/session",
    roles=PUBLIC,
    body=Login,
    answers={200: Me},
    problems=(passwords.LockedOut, Unauthorized, Forbidden),
    summary="Log in: sets the session cookie",
)
async def log_in(request: web.Request, body: Login) -> web.Response:
    """Wrong passwords slow the next attempts down. The cookie is HttpOnly and SameSite=Strict."""
    database, now = request.app[keys.DATABASE], clock.now()
    address = address_of(request)
    name = await passwords.check_login(database, body.name, body.password, now, address=address)
    async with database.write() as transaction:
        only_one = request.app[keys.SETTINGS].people.one_session
        secret = await credentials.open_session(transaction, name, now=now, only_one=only_one, address=address)
        user = users.user_of(await users.find_user(transaction.connection, name))
        await agent_states.logged_in(transaction, user, now)
    body_out = Me.model_validate(_me(request, user)).model_dump_json()
    response = web.Response(text=body_out, content_type="application/json")
    auth.set_cookie(request, response, secret)
    return response


@api.operation("GET", "/v1/session", roles=EVERYONE, answers={200: Me}, summary="Who am I")
async def who_am_i(request: web.Request) -> dict[str, Any]:
    """The user behind the token or the cookie."""
    return _me(request, request[keys.USER])


@api.operation("DELETE", "/v1/session", roles=EVERYONE, answers={204: NoContent}, summary="Log out")
async def log_out(request: web.Request) -> web.Response:
    """Ends the session behind the cookie, for every copy of it. Tokens are revoked with DELETE /v1/tokens/{id}."""
    credential, user = request[keys.CREDENTIAL], request[keys.USER]
    if credential.kind != "session":
        raise Invalid("this is a token, not a session: revoke it with DELETE /v1/tokens/{id}")
    async with request.app[keys.DATABASE].write() as transaction:
        await credentials.revoke(transaction, credential.id, actor=user.name, now=clock.now())
        await agent_states.logged_out(transaction, user, clock.now())
    response = web.Response(status=204)
    auth.clear_cookie(response)
    return response


@api.operation(
    "PUT", "/v1/session/language", roles=EVERYONE, body=Language, answers={200: Me}, summary="Choose my language"
)
async def choose_language(request: web.Request, body: Language) -> dict[str, Any]:
    """Kept with the user, for every later session."""
    name = request[keys.USER].name
    async with request.app[keys.DATABASE].write() as transaction:
        await users.set_language(transaction, name, body.language)
        return _me(request, users.user_of(await users.find_user(transaction.connection, name)))


@api.operation(
    "PUT",
    "/v1/session/password",
    roles=EVERYONE,
    body=PasswordChange,
    answers={200: Me},
    problems=(passwords.LockedOut, Conflict),
    summary="Change my password",
)
async def change_password(request: web.Request, body: PasswordChange) -> dict[str, Any]:
    """Ends every other session of the user. Wrong old ones slow the next attempts down, as at the log-in."""
    database, credential, user, now = (
        request.app[keys.DATABASE], request[keys.CREDENTIAL], request[keys.USER], clock.now(),
    )  # fmt: skip
    if credential.kind != "session":
        raise Invalid("a password is changed in a session, not with a token")
    try:
        await passwords.check_login(database, user.name, body.old, now, address=address_of(request))
    except Unauthorized as wrong:  # 401 would lead a page to the log-in
        raise Invalid("old: is not your password", [{"field": "old", "message": "is not your password"}]) from wrong
    if body.new in (body.old, user.name):
        raise Invalid(
            "new: choose another one", [{"field": "new", "message": "must be another one, and not your name"}]
        )
    hashed = await passwords.hash_password(body.new)
    async with database.write() as transaction:
        await users.set_password(transaction, user.name, hashed, keep_session=credential.id, now=now)
        return _me(request, users.user_of(await users.find_user(transaction.connection, user.name)))
