"""Comments on a call's recording, each pinned to a second of it."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field
from sqlalchemy import insert, select, update

from config import clock
from config.database import Transaction
from config.errors import Forbidden, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.people.users import Role, User
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent
from crm_bridge.web.calls import CallNotFound, visible_call
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing
from recordings.retention_tables import comments

api = Api("comments")

LISTENERS: tuple[Role, ...] = ("qa", "supervisor", "admin")


class CommentIn(Body):
    """What is said of a moment."""

    at_second: float = Field(ge=0, le=86_400, description="seconds from the call's first sample")
    text: str = Field(min_length=1, max_length=2000)


class CommentOut(BaseModel):
    """A comment."""

    id: str
    call_id: str
    at_second: float
    text: str
    author: str
    created_at: datetime


@api.operation(
    "GET",
    "/v1/recordings/{call}/comments",
    roles=LISTENERS,
    answers={200: Listing[CommentOut]},
    problems=(CallNotFound,),
    summary="The comments on a call, in the order of their seconds",
)
async def list_comments(request: web.Request) -> dict[str, Any]:
    """All of them; `{call}` is the call's id."""
    call = await visible_call(request, user_of(request), request.match_info["call"])
    mine = (comments.c.call_id == call.id, comments.c.deleted_at.is_(None))
    ordered = select(comments).where(*mine).order_by(comments.c.at_second, comments.c.id)
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": (await connection.execute(ordered)).all(), "next_cursor": None}


@api.operation(
    "POST",
    "/v1/recordings/{call}/comments",
    roles=LISTENERS,
    body=CommentIn,
    answers={201: CommentOut},
    problems=(CallNotFound,),
    summary="Pin a comment to a second of a call",
)
async def add_comment(request: web.Request, body: CommentIn) -> dict[str, Any]:
    """Under the asker's name."""
    user, now = user_of(request), clock.now()
    call = await visible_call(request, user, request.match_info["call"])
    values = {"id": new_id(now), "call_id": call.id, "author": user.name, "created_at": now, **body.model_dump()}
    async with request.app[keys.DATABASE].write() as transaction:
        await transaction.execute(insert(comments).values(**values))
        told = {"comment_id": values["id"], "at_second": body.at_second}
        _journal(transaction, "recording.commented", call, user, now, told)
    return values


@api.operation(
    "DELETE",
    "/v1/recordings/{call}/comments/{id}",
    roles=LISTENERS,
    answers={204: NoContent},
    problems=(CallNotFound,),
    summary="Take a comment of one's own back",
)
async def remove_comment(request: web.Request) -> None:
    """It is no longer shown; that it was there stays in the journal. An admin may take back anybody's."""
    user, now = user_of(request), clock.now()
    call = await visible_call(request, user, request.match_info["call"])
    async with request.app[keys.DATABASE].write() as transaction:
        mine = (comments.c.id == request.match_info["id"], comments.c.call_id == call.id)
        known = await transaction.first(select(comments).where(*mine, comments.c.deleted_at.is_(None)))
        if known is None:
            raise NotFound("there is no such comment")
        if known.author != user.name and user.role != "admin":
            raise Forbidden(f"it is {known.author}'s comment")
        await transaction.execute(update(comments).where(*mine).values(deleted_at=now, deleted_by=user.name))
        _journal(transaction, "recording.comment_removed", call, user, now, {"comment_id": known.id})


def _journal(transaction: Transaction, kind: str, call: Any, user: User, now: datetime, data: dict[str, Any]) -> None:
    transaction.journal(Entry(now, kind, user.name, call.client, call.agent, call.case_id, call.id, data))
