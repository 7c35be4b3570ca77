"""Reports that are made by themselves on their date (S51, S56), kept as they were then, and told in the journal.

A report is a row with a due time: the one on all clients is planned ahead, those on each client when it is made. It is claimed by
one conditional UPDATE and written in one transaction, so a process that is killed has made none, and two make one. After an
outage the periods that were missed are made one after the other.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.deadlines import claim_due
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.reports import half_year, monthly_quality, weekly_complaints
from crm_bridge.reports.contents import Contents, Subject
from crm_bridge.reports.dates import PERIOD_REPORTS, Period, PeriodReport, following, period_at
from crm_bridge.reports.tables import period_reports
from crm_bridge.tables import cases
from telephony.tables import calls

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=10)
"""After so long one that could not be made is tried again; the others do not wait for it."""
MOST = 50
Making = Callable[[AsyncConnection, Subject], Awaitable[Contents]]
MAKINGS: Mapping[str, Making] = {
    "complaints-weekly": weekly_complaints.made,
    "quality-monthly": monthly_quality.made,
    "rating-half-yearly": half_year.made,
}


@dataclass(frozen=True, slots=True)
class PeriodReports:
    """Makes what is due; `zone` says where weeks and months begin."""

    database: Database
    zone: str

    async def tick(self, now: datetime) -> int:
        """Make every report that is due; how many were made."""
        await self._plan(now)
        made = 0
        for _ in range(MOST):
            async with self.database.write() as transaction:
                rows = await claim_due(transaction, period_reports, now, lease=LEASE, limit=1)
            if not rows:
                break
            try:
                made += await self._make(rows[0], now)
            except Exception:
                log.exception("period_report.failed", report=rows[0].key)
        return made

    async def _plan(self, now: datetime) -> None:
        """See that each kind has a first period; each report made plans the one after it."""
        async with self.database.read() as connection:
            known = set(await connection.scalars(select(period_reports.c.report).distinct()))
        new = [report for report in PERIOD_REPORTS if report not in known]
        if new:
            async with self.database.write() as transaction:
                for report in new:
                    await self._due(transaction, report, period_at(report, now, self.zone), None, now)

    async def _due(
        self, transaction: Transaction, report: PeriodReport, period: Period, client: str | None, now: datetime
    ) -> None:
        start, end = period.moments(self.zone)
        await transaction.insert_once(
            period_reports, id=new_id(now), key=f"{report}:{period.name}:{client or ''}", report=report,
            period=period.name, client=client, from_at=start, until_at=end, due_at=period.due(self.zone), attempts=0,
            state="due",
        )  # fmt: skip

    async def _make(self, row: Row[Any], now: datetime) -> int:
        """Make one and write it down, unless somebody else did meanwhile."""
        subject = Subject(row.period, row.client, row.from_at, row.until_at, self.zone, now)
        async with self.database.read() as connection:
            contents = await MAKINGS[row.report](connection, subject)
        async with self.database.write() as transaction:
            mine = update(period_reports).where(period_reports.c.id == row.id, period_reports.c.state == "due")
            written = await transaction.execute(
                mine.values(
                    state="made", due_at=None, made_at=now, figures=contents.figures, sections=contents.document()
                )
            )
            if not written.rowcount:
                return 0
            if row.client is None:
                await self._plan_more(transaction, row, now)
            data = {
                "report_id": row.id, "report": row.report, "period": row.period, "figures": contents.figures,
                "from": row.from_at.isoformat(), "until": row.until_at.isoformat(), "mail": True,
            }  # fmt: skip
            transaction.journal(Entry(now, "report.made", "system", row.client, data=data))
        return 1

    async def _plan_more(self, transaction: Transaction, row: Row[Any], now: datetime) -> None:
        """The same period of each client that there was something of, and the next period."""
        report: PeriodReport = row.report
        period = period_at(report, row.from_at, self.zone)
        worked = select(calls.c.client).where(calls.c.created_at >= row.from_at, calls.c.created_at < row.until_at)
        known = select(cases.c.client).where(cases.c.created_at < row.until_at)
        for client in sorted(filter(None, await transaction.connection.scalars(known.union(worked)))):
            await self._due(transaction, report, period, client, now)
        await self._due(transaction, report, following(report, row.period), None, now)
