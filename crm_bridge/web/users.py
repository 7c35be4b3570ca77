"""Users, for admins."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import select

from config import clock
from config.errors import Conflict
from config.settings import AutoAnswer
from crm_bridge import users
from crm_bridge.tables import users as users_table
from crm_bridge.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, PageQuery
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


@api.operation(
    "GET", "/v1/users", roles=("admin",), query=PageQuery, answers={200: Listing[UserOut]}, summary="All users"
)
async def list_users(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By name."""
    wanted = select(users_table).where(users_table.c.name > (query.cursor or ""))
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(wanted.order_by(users_table.c.name).limit(query.limit + 1))).all()
    shown, following = page(rows, query.limit, "name")
    return {"items": shown, "next_cursor": following}


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
    """Absent fields stay. A new password, or switching the user off, ends the user's sessions at once."""
    name = request.match_info["name"]
    async with request.app[keys.DATABASE].write() as transaction:
        await users.change_user(transaction, name, body, actor=request[keys.USER].name, now=clock.now())
        return await users.find_user(transaction.connection, name)
