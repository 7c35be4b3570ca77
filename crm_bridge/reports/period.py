"""The time and the clients that a report is about, cut into stretches in which one query can tell the local hour.

Days and hours are those of each client's own zone. A period of days therefore begins and ends at another moment for clients in
another zone; a period between two moments is the same for all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Invalid
from telephony.policy.zones import local_date, start_of_day, zone
from telephony.tables import policies

DAY = timedelta(days=1)
STEP = timedelta(minutes=15)  # every offset of today's zones changes on a quarter of an hour
LONGEST = 366 * DAY
USUAL_DAYS = 30
DAY_ALONE = re.compile(r"\d{4}-\d{2}-\d{2}")
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of time of the clients of one zone, whose clocks are `offset` minutes ahead of UTC all through."""

    zone: str
    start: datetime
    end: datetime
    offset: int
    clients: tuple[str, ...] | None  # None: every client but `others`, and what is of no client
    others: tuple[str, ...] = ()

    def holds(self, moment: ColumnElement[datetime], client: ColumnElement[Any]) -> ColumnElement[bool]:
        """Condition on a table's moment and client."""
        return and_(moment >= self.start, moment < self.end, self._of(client))

    def _of(self, client: ColumnElement[Any]) -> ColumnElement[bool]:
        if self.clients is not None:
            return client.in_(self.clients)
        return or_(client.is_(None), client.not_in(self.others)) if self.others else true()


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when, as it was asked for: days, the last one included, or moments, the last one not."""

    start: date | datetime
    end: date | datetime

    def moments(self, key: str) -> tuple[datetime, datetime]:
        """The period as moments, in a zone."""
        start = self.start if isinstance(self.start, datetime) else start_of_day(key, self.start)
        return start, self.end if isinstance(self.end, datetime) else start_of_day(key, self.end + DAY)

    def days(self, key: str) -> list[str]:
        """The local days that the period touches, in order."""
        start, end = self.moments(key)
        first, last = local_date(start, key), local_date(end - timedelta(microseconds=1), key)
        return [(first + number * DAY).isoformat() for number in range((last - first).days + 1)]


def read_period(start: str | None, end: str | None, *, zone: str, now: datetime) -> Period:
    """What `from` and `to` say; without them the last thirty days up to today in `zone`. Raises Invalid."""
    last = _read("to", end) if end else local_date(now, zone)
    first = _read("from", start) if start else _day_of(last, zone) - (USUAL_DAYS - 1) * DAY
    period = Period(first, last)
    begins, ends = period.moments(zone)
    if ends <= begins:
        raise _invalid("to", "must not be before `from`")
    if ends - begins > LONGEST + DAY:
        raise _invalid("from", f"must be at most {LONGEST.days} days before `to`")
    return period


def _day_of(given: date | datetime, key: str) -> date:
    return local_date(given, key) if isinstance(given, datetime) else given


def _read(field: str, text: str) -> date | datetime:
    try:
        given = date.fromisoformat(text) if DAY_ALONE.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(field, "must be a day such as 2026-06-01, or a moment with its offset") from None
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise _invalid(field, "a moment needs its offset, such as 2026-06-01T08:00:00+08:00")
        day = given.date()
    else:
        day = given
    if not EARLIEST < day < LATEST:
        raise _invalid(field, "must be a year from 2000 to 2199")
    return given.astimezone(UTC) if isinstance(given, datetime) else given


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", [{"field": field, "message": message}])


async def zones_of_clients(connection: AsyncConnection) -> dict[str, str]:
    """The zone of every client that has a policy."""
    rows = await connection.execute(select(policies.c.client, policies.c.zone))
    return {row.client: row.zone for row in rows}


def slices(
    period: Period, zones: Mapping[str, str], default: str, client: str | None, *, by_clock: bool
) -> Iterator[Slice]:
    """The period as stretches to ask for one by one; `by_clock`: cut also where a zone changes its offset."""
    if client is not None:
        yield from _cut(period, zones.get(client, default), (client,), (), by_clock)
        return
    elsewhere = {name: key for name, key in zones.items() if key != default}
    yield from _cut(period, default, None, tuple(sorted(elsewhere)), by_clock)
    for key in sorted(set(elsewhere.values())):
        names = tuple(sorted(name for name, other in elsewhere.items() if other == key))
        yield from _cut(period, key, names, (), by_clock)


def _cut(
    period: Period, key: str, clients: tuple[str, ...] | None, others: tuple[str, ...], by_clock: bool
) -> Iterator[Slice]:
    start, end = period.moments(key)
    if not by_clock:
        yield Slice(key, start, end, 0, clients, others)
        return
    for begins, ends in _stretches(start, end, key):
        yield Slice(key, begins, ends, _offset(begins, key), clients, others)


def _stretches(start: datetime, end: datetime, key: str) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) cut at each change of the zone's offset."""
    at = start
    while at < end:
        following = min(at + DAY, end)
        if _offset(following, key) != _offset(at, key):
            quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
            while _offset(quarter, key) == _offset(at, key):
                quarter += STEP
            if quarter < end:
                yield start, quarter
                start = following = quarter
        at = following
    if start < end:
        yield start, end


def _offset(moment: datetime, key: str) -> int:
    offset = moment.astimezone(zone(key)).utcoffset()
    return int(offset.total_seconds()) // 60 if offset is not None else 0
