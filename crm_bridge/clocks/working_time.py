"""Time that counts: working days and hours of a calendar, with holidays, make-up workdays and changes of the clock.

Wall-clock spans are elapsed time; working spans count the moments at which the zone's own clock shows an opening hour of a
working day, so an hour that the clock skips or repeats inside the opening hours is neither lost nor counted twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal

import holidays
from holidays.countries import china

from telephony.policy.zones import Interval, local_date, spans, start_of_day

Unit = Literal["minutes", "working_minutes", "working_days", "days"]
DAY = timedelta(days=1)
MOST_DAYS = 3660
"""Nothing is due later than so many days: a calendar with hardly any working time must not keep a clock from being set."""


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """A calendar: opening hours in minutes past midnight in `zone`, working weekdays (0 is Monday), and its days.

    `days` are those that people entered: True a make-up workday, False a day off. They win over the library's.
    """

    zone: str
    country: str = "CN"
    opens: int = 9 * 60
    closes: int = 18 * 60
    weekdays: frozenset[int] = frozenset(range(5))
    days: Mapping[date, bool] = field(default_factory=dict)

    def is_working(self, day: date) -> bool:
        """Whether people work on that day."""
        if (entered := self.days.get(day)) is not None:
            return entered
        off, made_up = _published(self.country, day.year)
        return day in made_up or (day.weekday() in self.weekdays and day not in off)

    def after(self, start: datetime, span: timedelta) -> datetime:
        """The moment when `span` of working time has passed since `start`."""
        left = span
        for opens, closes in self._hours(start):
            begins = max(opens, start)
            if closes - begins >= left:
                return begins + left
            left -= max(closes - begins, timedelta())
        return start + MOST_DAYS * DAY

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`."""
        passed = timedelta()
        for opens, closes in self._hours(start):
            if opens >= end:
                break
            passed += max(min(closes, end) - max(opens, start), timedelta())
        return passed

    def end_of_working_day(self, start: datetime, count: int) -> datetime:
        """The end of the `count`th working day after the day of `start`: the local midnight that follows it."""
        day = local_date(start, self.zone)
        for _ in range(MOST_DAYS):
            day += DAY
            count -= self.is_working(day)
            if count <= 0:
                return start_of_day(self.zone, day + DAY)
        return start + MOST_DAYS * DAY

    def due(self, start: datetime, within: int, unit: Unit) -> datetime:
        """When something is due that begins at `start`. `days`: the end of that many calendar days later, 0 today's."""
        if unit == "minutes":
            return start + timedelta(minutes=within)
        if unit == "working_minutes":
            return self.after(start, timedelta(minutes=within))
        if unit == "working_days":
            return self.end_of_working_day(start, within)
        return start_of_day(self.zone, local_date(start, self.zone) + (within + 1) * DAY)

    def _hours(self, start: datetime) -> Iterator[Interval]:
        day = local_date(start, self.zone)
        for offset in range(MOST_DAYS):
            this = day + offset * DAY
            if self.is_working(this):
                yield from (found for found in spans(self.zone, this, self.opens, self.closes) if found[1] > start)

    def known_until(self) -> date | None:
        """The last day of the last year whose make-up workdays are known; None where the country has none."""
        published = _last_published_year(self.country)
        if published is None:
            return None
        entered = {day.year for day in self.days}
        while published + 1 in entered:
            published += 1
        return date(published, 12, 31)


@cache
def _published(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """Days off and make-up workdays as the library has them.

    Of a year that is not published it has the statutory days off only: a day that may turn out to be off counts as a
    working day, so that what is due comes earlier rather than later.
    """
    name, _, subdivision = country.partition("-")
    try:
        calendar: Any = holidays.country_holidays(name, subdiv=subdivision or None, years=year)
    except NotImplementedError:
        return frozenset(), frozenset()
    off = frozenset(day for day in calendar if day.year == year)
    return off, frozenset(day for day in getattr(calendar, "weekend_workdays", ()) if day.year == year)


@cache
def _last_published_year(country: str) -> int | None:
    # Only China announces its make-up workdays year by year; the library keeps them as its special days.
    return max(china.ChinaStaticHolidays.special_public_holidays) if country.partition("-")[0] == "CN" else None


_LANGUAGES = {"en": "en_US", "zh": "zh_CN"}
"""As the library calls them."""


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day off, or a make-up workday: as it is published, or as people entered it."""

    day: date
    working: bool
    name: str
    source: Literal["published", "entered"]


def special_days(country: str, year: int, entered: Mapping[date, tuple[bool, str]], language: str) -> list[SpecialDay]:
    """What is special in a year, in order, named in `language` where it can be; entered days (works, name) win."""
    name, _, subdivision = country.partition("-")
    off, made_up = _published(country, year)
    try:
        names: Mapping[date, str] = holidays.country_holidays(
            name, subdiv=subdivision or None, years=year, language=_LANGUAGES.get(language)
        )
    except NotImplementedError:
        names = {}
    found = {day: SpecialDay(day, False, names.get(day) or "", "published") for day in off - made_up}
    found |= {day: SpecialDay(day, True, names.get(day) or "", "published") for day in made_up}
    found |= {day: SpecialDay(day, *said, "entered") for day, said in entered.items() if day.year == year}
    return [found[day] for day in sorted(found)]


def is_published(country: str, year: int) -> bool:
    """Whether the year's make-up workdays are known to the library; a country without any has them all."""
    last = _last_published_year(country)
    return last is None or year <= last


def known_countries() -> frozenset[str]:
    """Codes of countries (ISO 3166-1) whose days off are known."""
    return frozenset(holidays.list_supported_countries(include_aliases=False))
