"""Users, for admins."""

import json
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import ColumnElement, String, cast, or_, select
from sqlalchemy.engine import Row

from config import clock
from config.errors import Conflict
from config.settings import AutoAnswer
from crm_bridge.people import leaving as people
from crm_bridge.people import users
from crm_bridge.people.users import Role
from crm_bridge.tables import users as users_table
from crm_bridge.web import keys
from crm_bridge.web.api import Api, NoContent, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("users")


class UserOut(BaseModel):
    """A user; passwords never leave."""

    name: str
    role: Role
    extension: str | None
    pbx: str | None
    team: str | None
    clients: list[str] = Field(description="empty: all clients")
    language: str
    email: str | None
    auto_answer: AutoAnswer | None
    active: bool
    locked_until: datetime | None
    created_at: datetime
    may_log_in: bool = Field(description="also without a token")
    login_set_at: datetime | None = Field(description="since when with the same secret")
    must_change: bool = Field(description="at the next log-in")

    @model_validator(mode="before")
    @classmethod
    def _without_the_hash(cls, row: Any) -> Any:
        given = dict(row._mapping) if isinstance(row, Row) else row
        ages = {"login_set_at": given["password_set_at"], "must_change": given["must_change_password"]}
        return given | ages | {"may_log_in": given["password_hash"] is not None}


class UserQuery(PageQuery):
    """Which users."""

    q: str | None = Field(None, max_length=128, description="part of the name, or the extension")
    role: Role | None = None
    team: str | None = Field(None, max_length=64)
    client: str | None = Field(None, max_length=128, description="bound to this client")
    active: bool | None = None


@api.operation(
    "POST",
    "/v1/users",
    roles=("admin",),
    body=users.NewUser,
    answers={201: UserOut},
    problems=(Conflict,),
    summary="Create a user",
)
async def create_user(request: web.Request, body: users.NewUser) -> Any:
    """Without a password only tokens let the user in."""
    async with request.app[keys.DATABASE].write() as transaction:
        await users.add_user(transaction, body, actor=request[keys.USER].name, now=clock.now())
        return await users.find_user(transaction.connection, body.name)


@api.operation("GET", "/v1/users", roles=("admin",), query=UserQuery, answers={200: Listing[UserOut]}, summary="Users")
async def list_users(request: web.Request, query: UserQuery) -> dict[str, Any]:
    """By name."""
    wanted = select(users_table).where(users_table.c.name > (query.cursor or ""), *_conditions(query))
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(wanted.order_by(users_table.c.name).limit(query.limit + 1))).all()
    shown, following = page(rows, query.limit, "name")
    return {"items": shown, "next_cursor": following}


def _conditions(query: UserQuery) -> list[ColumnElement[bool]]:
    table = users_table.c
    exact = {"role": query.role, "team": query.team, "active": query.active}
    found = [table[name] == value for name, value in exact.items() if value is not None]
    if query.q is not None:
        found.append(or_(table.name.icontains(query.q, autoescape=True), table.extension == query.q))
    if query.client is not None:  # a list of few: looked at as text, the quotes make it whole
        found.append(cast(table.clients, String).contains(json.dumps(query.client), autoescape=True))
    return found


@api.operation("GET", "/v1/users/{name}", roles=("admin",), answers={200: UserOut}, summary="A user")
async def get_user(request: web.Request) -> Any:
    """As it is set up."""
    async with request.app[keys.DATABASE].read() as connection:
        return await users.find_user(connection, request.match_info["name"])


@api.operation(
    "PATCH",
    "/v1/users/{name}",
    roles=("admin",),
    body=users.UserChange,
    answers={200: UserOut},
    problems=(Conflict,),
    summary="Change a user",
)
async def change_user(request: web.Request, body: users.UserChange) -> Any:
    """Absent fields stay. A new password, or switching the user off, ends the user's sessions at once.

    The last admin can neither be switched off nor be made anything else.
    """
    name = request.match_info["name"]
    async with request.app[keys.DATABASE].write() as transaction:
        await users.change_user(transaction, name, body, actor=request[keys.USER].name, now=clock.now())
        return await users.find_user(transaction.connection, name)


@api.operation(
    "DELETE",
    "/v1/users/{name}",
    roles=("admin",),
    answers={204: NoContent},
    problems=(Conflict,),
    summary="Let a user in no more, for good",
)
async def delete_user(request: web.Request) -> None:
    """What the user did stays in the books under the name, which nobody gets again; sessions and tokens end, groups lose it."""
    name = request.match_info["name"]
    async with request.app[keys.DATABASE].write() as transaction:
        await people.let_go(transaction, name, actor=request[keys.USER].name, now=clock.now())
