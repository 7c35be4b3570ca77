"""Public holidays: the `holidays` library plus an editable table, both of whose versions a verdict records."""

import tomllib
from datetime import date
from functools import cache
from importlib.metadata import version as library_version
from importlib.resources import files
from typing import Any

from telephony.policy.rules import HolidayCalendar


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("telephony.policy").joinpath("holidays.toml").read_text("utf-8"))


@cache
def version() -> str:
    """The versions of the library and of the table."""
    return f"{library_version('holidays')}+{_table()['version']}"


def checked_until() -> date:
    """The last day for which the table was compared with what governments announced."""
    day: date = _table()["checked_until"]
    return day


def is_holiday(calendar: HolidayCalendar, day: date) -> bool:
    """Whether the day is a public holiday of that calendar."""
    return day in _year(calendar.country, calendar.subdivision, day.year)


@cache
def _year(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    from holidays import country_holidays  # slow to import, and only two jurisdictions need it

    table = _table().get(country if subdivision is None else f"{country}-{subdivision}", {})
    days = {day for day in country_holidays(country, subdiv=subdivision, years=year) if day.year == year}
    days |= {day for day in table.get("add", []) if day.year == year}
    return frozenset(days - set(table.get("remove", [])))
