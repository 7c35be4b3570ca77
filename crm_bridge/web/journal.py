"""The journal: who did what, when."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select

from config.journal import journal
from crm_bridge import scope
from crm_bridge.web import keys
from crm_bridge.web.api import Api, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("journal")


class JournalQuery(PageQuery):
    """Which entries."""

    cursor: str | None = Field(None, pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the page before")
    kind: str | None = Field(None, max_length=64, description="call.state; a trailing dot takes all of a family: call.")
    case_id: str | None = Field(None, max_length=128)
    call_id: str | None = Field(None, max_length=32)
    actor: str | None = Field(None, max_length=128)
    agent: str | None = Field(None, max_length=128)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(None, description="exclusive")


class EntryOut(BaseModel):
    """One thing that happened."""

    id: int
    at: datetime
    kind: str
    actor: str
    client: str | None
    agent: str | None
    case_id: str | None
    call_id: str | None
    data: dict[str, Any]


@api.operation(
    "GET",
    "/v1/journal",
    roles=("supervisor", "admin"),
    query=JournalQuery,
    answers={200: Listing[EntryOut]},
    summary="What happened, newest first",
)
async def list_journal(request: web.Request, query: JournalQuery) -> dict[str, Any]:
    """Of the user's clients; a supervisor with a team sees the team's."""
    wanted = select(journal).where(scope.journal_seen_by(request[keys.USER]), *_conditions(query))
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(wanted.order_by(journal.c.id.desc()).limit(query.limit + 1))).all()
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


def _conditions(query: JournalQuery) -> list[Any]:
    exact = {name: getattr(query, name) for name in ("case_id", "call_id", "actor", "agent")}
    found = [journal.c[name] == value for name, value in exact.items() if value is not None]
    if query.kind is not None:
        family = query.kind.endswith(".")
        found.append(journal.c.kind.startswith(query.kind, autoescape=True) if family else journal.c.kind == query.kind)
    if query.cursor is not None:
        found.append(journal.c.id < int(query.cursor))
    if query.since is not None:
        found.append(journal.c.at >= query.since)
    if query.until is not None:
        found.append(journal.c.at < query.until)
    return found
