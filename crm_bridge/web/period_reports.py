"""Reports that are made on their date, over HTTP: listed, read and taken away as they were then; to whom each is mailed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, false, select

from config import clock
from config.errors import NotFound
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.reports import mailing
from crm_bridge.reports.dates import PERIOD_REPORTS, PeriodReport
from crm_bridge.reports.mailing import ALL_CLIENTS, Mailing
from crm_bridge.reports.tables import period_reports
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery, Query
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.exports import Rows, send_table
from crm_bridge.web.paging import Listing, page
from crm_bridge.web.reports import READERS, ColumnOut
from crm_bridge.web.translations import catalogue

api = Api("reports")


class KeptQuery(PageQuery):
    """Which of them."""

    report: PeriodReport | None = None
    client: str | None = Field(None, max_length=128)


class KeptOut(BaseModel):
    """A report that was made, or is due: `client` null is on all clients, `until` is not included."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    report: PeriodReport
    period: str = Field(description="2026-W23, 2026-05 or 2026-H1")
    client: str | None
    from_: datetime = Field(alias="from")
    until: datetime
    state: Literal["due", "made"]
    due_at: datetime | None
    made_at: datetime | None
    figures: dict[str, float | None]


class SectionOut(BaseModel):
    """One of its tables."""

    name: str
    columns: list[ColumnOut]
    rows: list[dict[str, Any]]


class KeptWhole(KeptOut):
    """A report with its tables, as they were when it was made."""

    sections: list[SectionOut]


class FileQuery(Query):
    """In which form."""

    format: Literal["json", "csv", "xlsx"] = "json"
    language: Literal["en", "zh"] | None = Field(None, description="of a file's headings")


class MailingIn(Mailing, Body):
    """To whom; `client` null: of the report on all clients."""

    client: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    reason: str = Field("", max_length=2000)


class MailingOut(BaseModel):
    """To whom a report is mailed. Of the report on all clients, while nobody is named, it is the company (`usual`)."""

    report: PeriodReport
    client: str | None
    people: list[str]
    addresses: list[str]
    language: Literal["en", "zh"]
    enabled: bool
    usual: bool


def _seen_by(user: User) -> ColumnElement[bool]:
    """A kept report holds all of its client's work: it is for those who see all of that."""
    if user.role == "supervisor" and user.team is not None:
        return false()
    return scope.clients_seen_by(user, period_reports.c.client)


def _shown(row: Any) -> dict[str, Any]:
    kept = {name: row._mapping[name] for name in ("id", "report", "period", "client", "state", "due_at", "made_at")}
    return kept | {"from": row.from_at, "until": row.until_at, "figures": row.figures or {}}


@api.operation(
    "GET",
    "/v1/period-reports",
    roles=READERS,
    query=KeptQuery,
    answers={200: Listing[KeptOut]},
    summary="The weekly, monthly and half-yearly reports that were made, and those that are due next",
)
async def list_kept(request: web.Request, query: KeptQuery) -> dict[str, Any]:
    """Newest first. A supervisor of one team sees none: each is on the whole of a client."""
    column = period_reports.c
    wanted = [_seen_by(user_of(request))]
    if query.report is not None:
        wanted.append(column.report == query.report)
    if query.client is not None:
        wanted.append(column.client == query.client)
    if query.cursor is not None:
        wanted.append(column.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        statement = select(period_reports).where(*wanted).order_by(column.id.desc()).limit(query.limit + 1)
        shown, after = page((await connection.execute(statement)).all(), query.limit, "id")
    return {"items": [_shown(row) for row in shown], "next_cursor": after}


@api.operation(
    "GET",
    "/v1/period-reports/{id}",
    roles=READERS,
    query=FileQuery,
    answers={200: KeptWhole},
    problems=(NotFound,),
    summary="A report that was made on its date; with format also as CSV or XLSX",
)
async def show_kept(request: web.Request, query: FileQuery) -> Any:
    """As it was then. That it left as a file is journalled."""
    user, database = user_of(request), request.app[keys.DATABASE]
    mine = select(period_reports).where(period_reports.c.id == request.match_info["id"], _seen_by(user))
    async with database.read() as connection:
        row = (await connection.execute(mine)).first()
    if row is None or row.state != "made":
        raise NotFound("there is no such report, or it is not due yet")
    if query.format == "json":
        return _shown(row) | {"sections": row.sections}
    rows = sum(len(section["rows"]) for section in row.sections)
    data = {"report": row.report, "period": row.period, "report_id": row.id, "format": query.format, "rows": rows}
    async with database.write() as transaction:
        transaction.journal(Entry(clock.now(), "report.exported", user.name, row.client, data=data))
    words = catalogue(query.language) if query.language else {}
    sheets = [(words.get(f"period.section.{one['name']}", one["name"]), _lines(one, words)) for one in row.sections]
    name = f"{row.report}-{row.period}-{row.client or 'all'}"
    return await send_table(request, name, query.format, sheets)


async def _lines(section: Mapping[str, Any], words: Mapping[str, str]) -> Rows:
    names = [column["name"] for column in section["columns"]]
    yield [_heading(name, words) for name in names]
    for row in section["rows"]:
        yield [row[name] for name in names]


def _heading(name: str, words: Mapping[str, str]) -> str:
    return words.get(f"report.column.{name}", words.get(f"complaint.report.{name}", name))


@api.operation(
    "GET",
    "/v1/report-mailings",
    roles=("supervisor", "admin", "qa"),
    answers={200: Listing[MailingOut]},
    summary="To whom the reports are mailed",
)
async def list_mailings(request: web.Request) -> dict[str, Any]:
    """What was set, and of the reports on all clients also what is usual."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await mailing.saved(connection, user_of(request))
    return {"items": _mailings(rows), "next_cursor": None}


def _mailings(rows: Sequence[Any]) -> list[dict[str, Any]]:
    general = {row.report: row for row in rows if row.client == ALL_CLIENTS}
    usual = Mailing().model_dump() | {"client": None, "usual": True}
    first = [_mailing(general[one]) if one in general else {"report": one, **usual} for one in PERIOD_REPORTS]
    return first + [_mailing(row) for row in rows if row.client != ALL_CLIENTS]


def _mailing(row: Any) -> dict[str, Any]:
    return {**row._mapping, "client": row.client or None, "usual": False}


@api.operation(
    "PUT",
    "/v1/report-mailings/{report}",
    roles=("admin",),
    body=MailingIn,
    answers={200: MailingOut},
    problems=(NotFound,),
    summary="Set to whom a report is mailed, of one client or of all together",
)
async def put_mailing(request: web.Request, body: MailingIn) -> dict[str, Any]:
    """From the next report on."""
    report = next((known for known in PERIOD_REPORTS if known == request.match_info["report"]), None)
    if report is None:
        raise NotFound(f"there is no report {request.match_info['report']}; there are {', '.join(PERIOD_REPORTS)}")
    given = Mailing.model_validate(body.model_dump(exclude={"client", "reason"}))
    async with request.app[keys.DATABASE].write() as transaction:
        await mailing.put(
            transaction,
            report,
            body.client or ALL_CLIENTS,
            given,
            reason=body.reason,
            user=user_of(request),
            now=clock.now(),
        )
    return {"report": report, "client": body.client, "usual": False, **given.model_dump()}
