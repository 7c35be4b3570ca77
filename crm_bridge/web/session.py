"""Log in, log out, who am I, and the language of the pages."""

from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Forbidden, Invalid, Unauthorized
from crm_bridge import agent_states, credentials, passwords, users
from crm_bridge.users import Role, User
from crm_bridge.web import auth, keys
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


def _me(user: User) -> Me:
    return Me.model_validate(user, from_attributes=True)


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
    name = await passwords.check_login(database, body.name, body.password, now)
    async with database.write() as transaction:
        secret = await credentials.open_session(transaction, name, now=now)
        user = users.user_of(await users.find_user(transaction.connection, name))
        await agent_states.logged_in(transaction, user, now)
    response = web.Response(body=_me(user).model_dump_json().encode(), content_type="application/json")
    auth.set_cookie(request, response, secret)
    return response


@api.operation("GET", "/v1/session", roles=EVERYONE, answers={200: Me}, summary="Who am I")
async def who_am_i(request: web.Request) -> Me:
    """The user behind the token or the cookie."""
    return _me(request[keys.USER])


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
async def choose_language(request: web.Request, body: Language) -> Me:
    """Kept with the user, for every later session."""
    name = request[keys.USER].name
    async with request.app[keys.DATABASE].write() as transaction:
        await users.set_language(transaction, name, body.language)
        return _me(users.user_of(await users.find_user(transaction.connection, name)))
