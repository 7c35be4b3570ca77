"""The weekly report of complaints (S56) over HTTP: as JSON, a CSV file or a document to print."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from config import clock
from crm_bridge.complaints import report as complaint_report
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Query
from crm_bridge.web.dispatch import user_of

api = Api("complaints")


class ReportQuery(Query):
    """Which week, whose complaints, in which form."""

    week: str | None = Field(None, max_length=16, description="ISO 8601, 2026-W23; without it the last full week")
    client: str | None = Field(None, max_length=128)
    format: Literal["json", "csv", "html"] = "json"
    language: Literal["en", "zh"] | None = Field(None, description="of the document")


class Totals(BaseModel):
    """`late` counts those closed after their due time and those still open after it."""

    opened: int
    closed: int
    open: int
    in_time: int
    late: int
    justified: int
    unjustified: int
    escalations: int
    median_minutes: float | None
    longest_minutes: float | None


class ReportOut(BaseModel):
    """Complaints opened in the week, as they stand now."""

    model_config = ConfigDict(populate_by_name=True)

    week: str
    from_: datetime = Field(alias="from")
    until: datetime
    zone: str
    client: str | None
    made_at: datetime
    total: Totals
    by: dict[str, dict[str, Totals]]
    items: list[dict[str, Any]]


@api.operation(
    "GET",
    "/v1/complaint-reports/weekly",
    roles=("qa", "supervisor", "admin", "crm"),
    query=ReportQuery,
    answers={200: ReportOut},
    summary="The weekly report of complaints; with format also as CSV or as a document",
)
async def weekly(request: web.Request, query: ReportQuery) -> Any:
    """On the cases the user may see; weeks begin on Monday in the service's zone."""
    user, key = user_of(request), request.app[keys.SETTINGS].policy.zone
    async with request.app[keys.DATABASE].read() as connection:
        report = await complaint_report.weekly(
            connection, user, week=query.week, client=query.client, key=key, now=clock.now()
        )
    if query.format == "json":
        return report
    language = query.language or user.language
    is_csv = query.format == "csv"
    text = complaint_report.as_csv(report) if is_csv else complaint_report.as_document(report, language)
    name = f"complaints-{report['week']}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if is_csv else {}
    return web.Response(text=text, content_type="text/csv" if is_csv else "text/html", charset="utf-8", headers=headers)
