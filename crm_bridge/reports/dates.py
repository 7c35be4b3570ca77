"""The periods of the reports that are made by themselves (S51, S56): weeks, months and half-years in the service's zone."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from telephony.policy.zones import local_date, start_of_day

PeriodReport = Literal["complaints-weekly", "quality-monthly", "rating-half-yearly"]
PERIOD_REPORTS: tuple[PeriodReport, ...] = get_args(PeriodReport)
AFTER = timedelta(hours=7)
"""A report is due at seven o'clock after its last day: what the night still brought is in it."""
_NAMES = {
    "complaints-weekly": re.compile(r"(\d{4})-W(\d{2})"),
    "quality-monthly": re.compile(r"(\d{4})-(\d{2})"),
    "rating-half-yearly": re.compile(r"(\d{4})-H([12])"),
}


@dataclass(frozen=True, slots=True)
class Period:
    """One period: its name, its first day, and the day after its last."""

    name: str
    first: date
    after: date

    def moments(self, zone: str) -> tuple[datetime, datetime]:
        """From when until when, the latter not included."""
        return start_of_day(zone, self.first), start_of_day(zone, self.after)

    def due(self, zone: str) -> datetime:
        """When its report is made."""
        return start_of_day(zone, self.after) + AFTER


def period_with(report: PeriodReport, day: date) -> Period:
    """The period of a report that a day lies in."""
    if report == "complaints-weekly":
        monday = day - timedelta(days=day.weekday())
        year, week, _ = monday.isocalendar()
        return Period(f"{year}-W{week:02}", monday, monday + timedelta(days=7))
    if report == "quality-monthly":
        first = day.replace(day=1)
        return Period(f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1))
    half = 1 if day.month <= 6 else 2
    first, after = date(day.year, 6 * half - 5, 1), date(day.year + half - 1, 7 if half == 1 else 1, 1)
    return Period(f"{day.year}-H{half}", first, after)


def period_at(report: PeriodReport, now: datetime, zone: str) -> Period:
    """The period that runs now."""
    return period_with(report, local_date(now, zone))


def following(report: PeriodReport, name: str) -> Period:
    """The period after the one of that name."""
    found = _NAMES[report].fullmatch(name)
    if found is None:
        raise ValueError(f"{name} is no period of {report}")
    year, number = int(found[1]), int(found[2])
    if report == "complaints-weekly":
        first = date.fromisocalendar(year, number, 1)
    else:
        first = date(year, number if report == "quality-monthly" else 6 * number - 5, 1)
    return period_with(report, period_with(report, first).after)
