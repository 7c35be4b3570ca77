"""Working calendars as data: opening hours per client, days off and make-up workdays that people enter, and how far they reach."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.journal import Entry
from crm_bridge.clocks.deadline_rules import EVERY_CLIENT
from crm_bridge.clocks.tables import calendar_days, working_calendars
from crm_bridge.clocks.working_time import WorkingTime
from crm_bridge.people import scope
from crm_bridge.people.users import User
from telephony.policy.zones import local_date
from telephony.tables import policies

RUNNING_OUT = timedelta(days=60)
"""From so long before the last known day on it is told; the next year's days are announced in November."""


async def of_client(connection: AsyncConnection, client: str | None, zone: str) -> WorkingTime:
    """The client's calendar; without one everybody's, without that 09:00-18:00 on working days in the client's zone."""
    return (await of_clients(connection, [client], zone))[client]


async def of_clients(
    connection: AsyncConnection, clients: Iterable[str | None], zone: str
) -> dict[str | None, WorkingTime]:
    """The calendar of each of these clients, read in three statements however many they are."""
    wanted = set(clients)
    names = [EVERY_CLIENT, *(client for client in wanted if client)]
    chosen = select(working_calendars).where(working_calendars.c.client.in_(names))
    saved = {row.client: row for row in await connection.execute(chosen)}
    zones = select(policies.c.client, policies.c.zone).where(policies.c.client.in_(names))
    zone_of = {row.client: row.zone for row in await connection.execute(zones)}
    days = await _entered(connection, {"CN"} | {row.country for row in saved.values()})
    found: dict[str | None, WorkingTime] = {}
    for client in wanted:
        row = saved.get(client or EVERY_CLIENT, saved.get(EVERY_CLIENT))
        if row is None:
            found[client] = WorkingTime(zone_of.get(client or EVERY_CLIENT, zone), days=days.get("CN", {}))
        else:
            found[client] = _calendar(row, days.get(row.country, {}))
    return found


def _calendar(row: Row[Any], days: dict[date, bool]) -> WorkingTime:
    opens, closes = minutes(row.opens), minutes(row.closes)
    return WorkingTime(row.zone, row.country, opens, closes, frozenset(row.weekdays), days)


def minutes(clock_time: str) -> int:
    """ "HH:MM" as minutes past midnight; "24:00" is the day's end."""
    if clock_time == "24:00":
        return 24 * 60
    at = time.fromisoformat(clock_time)
    return at.hour * 60 + at.minute


async def _entered(connection: AsyncConnection, countries: Iterable[str]) -> dict[str, dict[date, bool]]:
    found: dict[str, dict[date, bool]] = {}
    rows = await connection.execute(select(calendar_days).where(calendar_days.c.country.in_(countries)))
    for row in rows:
        found.setdefault(row.country, {})[row.day] = row.working
    return found


async def all_days(connection: AsyncConnection, country: str, year: int | None) -> Sequence[Row[Any]]:
    """The days that people entered, in order."""
    statement = select(calendar_days).where(calendar_days.c.country == country).order_by(calendar_days.c.day)
    if year is not None:
        first, after = date(year, 1, 1), date(year + 1, 1, 1)
        statement = statement.where(calendar_days.c.day >= first, calendar_days.c.day < after)
    return (await connection.execute(statement)).all()


async def put_day(
    transaction: Transaction, country: str, day: date, *, working: bool, name: str, reason: str = "", user: User,
    now: datetime,
) -> None:  # fmt: skip
    """Enter a make-up workday or a day off, for deadlines that begin from now on."""
    await transaction.lock([f"calendar:{country}"])
    values = {"working": working, "name": name, "updated_at": now, "updated_by": user.name}
    mine = (calendar_days.c.country == country) & (calendar_days.c.day == day)
    changed = await transaction.execute(update(calendar_days).where(mine).values(**values))
    if not changed.rowcount:
        await transaction.execute(insert(calendar_days).values(country=country, day=day, **values))
    data = {"country": country, "day": day.isoformat(), "working": working, "name": name, "reason": reason}
    transaction.journal(Entry(now, "calendar.changed", user.name, data=data))


async def remove_day(
    transaction: Transaction, country: str, day: date, *, reason: str = "", user: User, now: datetime
) -> None:
    """Take an entered day out; the library's word holds again. Raises NotFound."""
    mine = (calendar_days.c.country == country) & (calendar_days.c.day == day)
    if not (await transaction.execute(delete(calendar_days).where(mine))).rowcount:
        raise NotFound(f"there is no entry for {day} in the calendar {country}")
    data = {"country": country, "day": day.isoformat(), "working": None, "reason": reason}
    transaction.journal(Entry(now, "calendar.changed", user.name, data=data))


async def put_calendar(
    transaction: Transaction, client: str, values: dict[str, Any], *, reason: str = "", user: User, now: datetime
) -> None:
    """Set the opening hours of a client, or with "" of every client that has none of its own. Raises Forbidden."""
    if client or user.clients:
        scope.require_client(user, client)
    await transaction.lock([f"calendar-of:{client}"])
    stamped = {**values, "updated_at": now, "updated_by": user.name}
    mine = working_calendars.c.client == client
    before = await transaction.first(select(*(working_calendars.c[name] for name in values)).where(mine))
    changed = await transaction.execute(update(working_calendars).where(mine).values(**stamped))
    if not changed.rowcount:
        await transaction.execute(insert(working_calendars).values(client=client, **stamped))
    data = {**values, "before": dict(before._mapping) if before is not None else None, "reason": reason}
    transaction.journal(Entry(now, "calendar.changed", user.name, client or None, data=data))


async def running_out(connection: AsyncConnection, zone: str, now: datetime) -> dict[str, date]:
    """Countries whose make-up workdays end soon or have ended, each with the last day that is known."""
    countries = {row.country for row in await connection.execute(select(working_calendars.c.country).distinct())}
    days = await _entered(connection, countries | {"CN"})
    today, found = local_date(now, zone), {}
    for country in countries | {"CN"}:
        until = WorkingTime(zone, country, days=days.get(country, {})).known_until()
        if until is not None and until - RUNNING_OUT <= today:
            found[country] = until
    return found
