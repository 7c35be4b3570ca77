"""The journal: who did what, when."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import String, cast, func, or_, select

from config import clock
from config.journal import Entry, journal
from crm_bridge.people import scope
from crm_bridge.spreadsheets import Cell
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Media, PageQuery
from crm_bridge.web.exports import send_table
from crm_bridge.web.paging import Listing, page
from recordings.checkpoints import CheckpointFolder, Signer
from recordings.verify import LogVerification, Report

api = Api("journal")
ROWS_AT_ONCE = 500


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
    q: str | None = Field(None, min_length=2, max_length=128, description="text that the entry's data holds")


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
    if query.q is not None:
        # As the databases write the document: letters beyond ASCII may be escaped there.
        words = {query.q, json.dumps(query.q)[1:-1]}
        text = cast(journal.c.data, String)
        found.append(or_(*(text.icontains(word, autoescape=True) for word in sorted(words))))
    return found


COLUMNS = ("id", "at", "kind", "actor", "client", "agent", "case_id", "call_id", "data")


@api.operation(
    "GET",
    "/v1/journal/export",
    roles=("supervisor", "admin"),
    query=JournalQuery,
    answers={200: Media("text/csv")},
    summary="The entries that match, as a CSV, oldest first",
)
async def export_journal(request: web.Request, query: JournalQuery) -> web.StreamResponse:
    """The export is journalled, with what was asked for. `cursor` and `limit` do not count."""
    database, user = request.app[keys.DATABASE], request[keys.USER]
    wanted = [scope.journal_seen_by(user), *_conditions(query.model_copy(update={"cursor": None}))]
    async with database.read() as connection:
        newest = await connection.scalar(select(func.max(journal.c.id)).where(*wanted)) or 0
    asked = query.model_dump(mode="json", exclude_none=True, exclude={"cursor", "limit"})
    async with database.write() as transaction:
        transaction.journal(Entry(clock.now(), "journal.exported", user.name, data={"query": asked, "through": newest}))

    async def rows() -> AsyncIterator[Sequence[Cell]]:
        yield COLUMNS
        position = 0
        while position < newest:
            following = select(journal).where(*wanted, journal.c.id > position, journal.c.id <= newest)
            async with database.read() as connection:
                found = (await connection.execute(following.order_by(journal.c.id).limit(ROWS_AT_ONCE))).all()
            if not found:
                return
            for row in found:
                data = json.dumps(row.data, ensure_ascii=False, sort_keys=True)
                yield (*(row._mapping[name] for name in COLUMNS[:-1]), data)
            position = found[-1].id

    return await send_table(request, "journal", "csv", [("journal", rows())])


class VerifiedOut(BaseModel):
    """Whether the tamper-evident log covers the journal and nothing was changed since."""

    holds: bool
    problems: list[str]
    checked: dict[str, int]


@api.operation(
    "POST", "/v1/journal/verify", roles=("admin",), answers={200: VerifiedOut}, summary="Check the journal's chain"
)
async def verify_journal(request: web.Request) -> dict[str, Any]:
    """Every entry against the Merkle log and its signed checkpoints, as `ringfence verify` does; it is journalled."""
    settings, database = request.app[keys.SETTINGS], request.app[keys.DATABASE]
    folder, report = settings.archive.checkpoints, Report()
    verification = LogVerification(
        database=database,
        signer=Signer(settings.keys.signing),
        folder=CheckpointFolder(folder) if folder else None,
        report=report,
        progress=lambda _step, _done, _total: None,
    )
    await verification.run(clock.now())
    async with database.write() as transaction:
        data = {"holds": report.holds, "problems": len(report.problems)}
        transaction.journal(Entry(clock.now(), "journal.verified", request[keys.USER].name, data=data))
    return {"holds": report.holds, "problems": report.problems[:50], "checked": dict(report.checked)}
