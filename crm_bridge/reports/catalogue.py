"""Every report by name, and making one as somebody asks for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Invalid, NotFound
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.reports import of_calls, of_work
from crm_bridge.reports.period import read_period, zones_of_clients
from crm_bridge.reports.shape import Asked, Making, Report
from crm_bridge.tables import cases
from crm_bridge.web.translations import catalogue as words

REPORTS: Mapping[str, Making] = {
    "connect-rate": of_calls.CONNECT_RATE,
    "attempts": of_calls.ATTEMPTS,
    "denials": of_calls.DENIALS,
    "notes": of_work.NOTES,
    "complaints": of_work.COMPLAINTS,
    "first-round": of_work.FIRST_ROUND,
}


async def ask(
    connection: AsyncConnection, user: User, name: str, *, start: str | None, end: str | None, client: str | None,
    by: str | None, zone: str, now: datetime,
) -> tuple[Asked, Report]:  # fmt: skip
    """Make a report. Raises NotFound (no such report), Invalid (the period or `by`), Forbidden (another's client)."""
    making = REPORTS.get(name)
    if making is None:
        raise NotFound(f"there is no report {name}; there are {', '.join(REPORTS)}")
    if by is not None and by not in making.by:
        message = f"must be one of {', '.join(making.by)}"
        raise Invalid(f"by: {message}", [{"field": "by", "message": message}])
    if client is not None:
        scope.require_client(user, client)
    zones = await zones_of_clients(connection)
    period = read_period(start, end, zone=zones.get(client or "", zone), now=now)
    asked = Asked(connection, user, period, client, by or making.by[0], zones, zone, now)
    return asked, await making.make(asked)


async def clients_of(connection: AsyncConnection, user: User) -> list[str]:
    """The clients whose cases the user may see, for who chooses one."""
    mine = select(cases.c.client).where(scope.cases_seen_by(user)).distinct().order_by(cases.c.client)
    return list(await connection.scalars(mine))


def document(name: str, asked: Asked, report: Report) -> dict[str, Any]:
    """The report as JSON."""
    start, end = asked.period.moments(asked.zone)
    return {
        "name": name, "by": asked.by, "client": asked.client, "from": start, "until": end, "zone": asked.zone,
        "made_at": asked.now, "columns": [{"name": one.name, "kind": one.kind} for one in report.columns],
        "rows": report.rows, "total": report.total,
    }  # fmt: skip


def table(report: Report, language: str | None) -> list[list[Any]]:
    """The report as lines: headings (words in a language, else the columns' names), rows, the total."""
    texts = words(language) if language else {}
    first, *rest = [column.name for column in report.columns]
    heads = [texts.get(f"report.column.{name}", name) for name in (first, *rest)]
    rows = [[row[name] for name in (first, *rest)] for row in report.rows]
    return [heads, *rows, [texts.get("report.total", "total"), *(report.total[name] for name in rest)]]


def exported(name: str, asked: Asked, form: str, rows: int) -> Entry:
    """The journal's entry on a report that leaves as a file."""
    start, end = asked.period.moments(asked.zone)
    data = {
        "report": name, "by": asked.by, "format": form, "from": start.isoformat(), "until": end.isoformat(),
        "rows": rows,
    }  # fmt: skip
    return Entry(asked.now, "report.exported", asked.user.name, asked.client, data=data)
