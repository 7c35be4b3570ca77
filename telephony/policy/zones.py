"""Time zones from the `tzdata` package (never the system's), and local days and bands as intervals of UTC moments."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
Interval = tuple[datetime, datetime]
_REACH = timedelta(hours=15)


@cache
def known_zones() -> frozenset[str]:
    """Every zone key that the shipped tz database holds."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zone(key: str) -> ZoneInfo:
    """The zone of that key out of the shipped tz database; `KeyError` when it holds none."""
    if key not in known_zones():
        raise KeyError(key)
    with files("tzdata").joinpath("zoneinfo", *key.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=key)


@cache
def tzdata_version() -> str:
    """The version of the tz database, stored with every verdict."""
    return version("tzdata")


def local_date(moment: datetime, key: str) -> date:
    """The calendar day of a moment in a zone."""
    return moment.astimezone(zone(key)).date()


@lru_cache(maxsize=65536)
def spans(key: str, day: date, start: int, end: int) -> tuple[Interval, ...]:
    """The UTC intervals in which the zone's wall clock shows `day` and a time in [start, end) minutes past midnight.

    Usually one; none when the clock skips the band; two or a longer one when the clock is set back inside it.
    """
    midnight = datetime.combine(day, time())
    first, last = midnight + timedelta(minutes=start), midnight + timedelta(minutes=end)
    before, after = _offset(key, first - _REACH), _offset(key, last + _REACH)
    if before == after:
        return (_interval(first - before, last - before),)
    change = _transition(key, first - _REACH - before, last + _REACH - after, before)
    pieces = ((first - before, min(last - before, change)), (max(first - after, change), last - after))
    return _merge([_interval(*piece) for piece in pieces if piece[0] < piece[1]])


def start_of_day(key: str, day: date) -> datetime:
    """The first moment of a local day; of the next one where the zone skipped that day."""
    while not (found := spans(key, day, 0, DAY_MINUTES)):
        day += timedelta(days=1)
    return found[0][0]


def merged(intervals: list[Interval]) -> list[Interval]:
    """Intervals sorted, with those that overlap or touch made one."""
    return list(_merge(sorted(intervals)))


def _offset(key: str, local: datetime) -> timedelta:
    offset = local.replace(tzinfo=zone(key)).utcoffset()
    return offset if offset is not None else timedelta()


def _interval(start: datetime, end: datetime) -> Interval:
    return start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)


def _transition(key: str, low: datetime, high: datetime, before: timedelta) -> datetime:
    """The second (naive UTC) at which the zone leaves the offset `before`, found by halving."""
    target = zone(key)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.replace(tzinfo=UTC).astimezone(target).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _merge(intervals: list[Interval]) -> tuple[Interval, ...]:
    result: list[Interval] = []
    for start, end in intervals:
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)
