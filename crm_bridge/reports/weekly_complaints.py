"""The week's complaints as a kept report (S56): how many of what kind, answered in what time, and each of them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.complaints import report as complaint_report
from crm_bridge.reports.contents import EVERYONE, Contents, Section, Subject
from crm_bridge.reports.shape import Column

TOLD = ("opened", "closed", "open", "in_time", "late", "justified", "unjustified", "escalations")
FIGURES = (*(Column(name) for name in TOLD), Column("median_minutes", "minutes"), Column("longest_minutes", "minutes"))
LISTED = tuple(Column(name, "text") for name in complaint_report.COLUMNS)


async def made(connection: AsyncConnection, subject: Subject) -> Contents:
    """Of complaints opened in the week, as they stand when the report is made."""
    report = await complaint_report.weekly(
        connection, EVERYONE, week=subject.period, client=subject.client, key=subject.zone, now=subject.now
    )
    tables = [
        Section(f"by_{by}", (Column(by, "text"), *FIGURES), _rows(by, report["by"][by]))
        for by in ("severity", "category", "client")
    ]
    figures = {name: report["total"][name] for name in TOLD}
    return Contents(figures, [*tables, Section("complaints", LISTED, report["items"])])


def _rows(by: str, groups: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{by: name, **totals} for name, totals in groups.items()]
