"""Reports over HTTP: as JSON for the page and for programs, as CSV or XLSX to take away."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from config import clock
from config.errors import NotFound
from crm_bridge.people.users import Role
from crm_bridge.reports import catalogue
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Query
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.exports import Rows, send_table

api = Api("reports")

READERS: tuple[Role, ...] = ("qa", "supervisor", "admin", "crm")


class ReportQuery(Query):
    """Which period and client, told apart by what, in which form."""

    from_: str | None = Field(
        None,
        alias="from",
        max_length=40,
        description="the first day (2026-06-01, in the client's zone) or a moment with its offset; else 30 days back",
    )
    to: str | None = Field(
        None, max_length=40, description="the last day, which is included, or a moment, which is not; else today"
    )
    client: str | None = Field(None, max_length=128)
    by: str | None = Field(None, max_length=16, description="what each row is about; the list of reports says which")
    format: Literal["json", "csv", "xlsx"] = "json"
    language: Literal["en", "zh"] | None = Field(None, description="of a file's headings; else the columns' names")


class ColumnOut(BaseModel):
    """A column; `rate` is between 0 and 1."""

    name: str
    kind: Literal["text", "count", "rate", "minutes", "seconds", "score"]


class ReportKindOut(BaseModel):
    """A report that can be asked for; the first of `by` is the usual one."""

    name: str
    by: list[str]
    columns: list[ColumnOut]


class ReportsOut(BaseModel):
    """Every report, and the clients of whose cases the reader may ask."""

    items: list[ReportKindOut]
    clients: list[str]


class ReportOut(BaseModel):
    """A report. `from` and `until` are moments, `until` exclusive; days and hours are those of each client's zone."""

    model_config = ConfigDict(populate_by_name=True)

    name: str
    by: str
    client: str | None
    from_: datetime = Field(alias="from")
    until: datetime
    zone: str
    made_at: datetime
    columns: list[ColumnOut]
    rows: list[dict[str, Any]]
    total: dict[str, Any]


@api.operation("GET", "/v1/reports", roles=READERS, answers={200: ReportsOut}, summary="The reports there are")
async def index(request: web.Request) -> dict[str, Any]:
    """docs/reports.md says what each figure counts."""
    async with request.app[keys.DATABASE].read() as connection:
        clients = await catalogue.clients_of(connection, user_of(request))
    kinds = catalogue.REPORTS.items()
    items = [{"name": name, "by": list(making.by), "columns": making.columns} for name, making in kinds]
    return {"items": items, "clients": clients}


@api.operation(
    "GET",
    "/v1/reports/{name}",
    roles=READERS,
    query=ReportQuery,
    answers={200: ReportOut},
    problems=(NotFound,),
    summary="A report on a period; with format also as CSV or XLSX",
)
async def show(request: web.Request, query: ReportQuery) -> Any:
    """On what the user may see. That it left as a file is journalled."""
    user, name, database = user_of(request), request.match_info["name"], request.app[keys.DATABASE]
    async with database.read() as connection:
        asked, report = await catalogue.ask(
            connection, user, name, start=query.from_, end=query.to, client=query.client, by=query.by,
            zone=request.app[keys.SETTINGS].policy.zone, now=clock.now(),
        )  # fmt: skip
    if query.format == "json":
        return catalogue.document(name, asked, report)
    async with database.write() as transaction:
        transaction.journal(catalogue.exported(name, asked, query.format, len(report.rows)))
    first, last = asked.period.days(asked.zone)[0], asked.period.days(asked.zone)[-1]
    lines = _lines(catalogue.table(report, query.language))
    return await send_table(request, f"{name}-{asked.by}-{first}-{last}", query.format, [(name, lines)])


async def _lines(rows: list[list[Any]]) -> Rows:
    for row in rows:
        yield row
