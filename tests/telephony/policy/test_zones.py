"""Bands of the local day in every zone of the tz database, around every change of its clock."""

from datetime import UTC, datetime, time, timedelta

import pytest

from telephony.policy.facts import Band
from telephony.policy.hours import first_open, weekly
from telephony.policy.zones import known_zones, local_date, spans, start_of_day, zone

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
DAYTIME = weekly([Band.model_validate({"from": "08:00", "to": "21:00"})])
NIGHT = weekly([Band.model_validate({"from": "23:30", "to": "03:00"})])


def changes(key: str) -> list[datetime]:
    """The seconds at which the zone's offset changes, found by steps of a day and then by halving."""
    found, low = [], FIRST
    while low < LAST:
        high = low + timedelta(days=1)
        if offset(low, key) != offset(high, key):
            left, right = low, high
            while right - left > timedelta(seconds=1):
                middle = left + (right - left) // 2
                left, right = (left, middle) if offset(middle, key) != offset(low, key) else (middle, right)
            found.append(right.replace(microsecond=0))
        low = high
    return found


def offset(moment: datetime, key: str) -> timedelta | None:
    return moment.astimezone(zone(key)).utcoffset()


@pytest.mark.parametrize("key", sorted(known_zones()))
def test_a_moment_is_open_exactly_when_the_wall_clock_is_within_the_band(key: str) -> None:
    day = first_open(key, lambda date: DAYTIME[date.weekday()], timedelta())
    night = first_open(key, lambda date: NIGHT[date.weekday()], timedelta())
    moments = [FIRST + timedelta(days=789, hours=hour) for hour in range(0, 48, 5)]
    for change in changes(key)[:4]:
        moments += [change + timedelta(minutes=minutes) for minutes in range(-1500, 1501, 97)]
        moments += [change + timedelta(seconds=seconds) for seconds in (-1, 0, 1)]
    for moment in moments:
        clock = moment.astimezone(zone(key)).time()
        assert (day(moment) == moment) == (time(8) <= clock < time(21)), (key, moment)
        assert (night(moment) == moment) == (clock >= time(23, 30) or clock < time(3)), (key, moment)


@pytest.mark.parametrize("key", sorted(known_zones()))
def test_a_day_starts_at_the_first_second_that_shows_its_date(key: str) -> None:
    days = {change.date() for change in changes(key)[:4]} | {datetime(2028, 2, 29, tzinfo=UTC).date()}
    for day in sorted(days):
        start = start_of_day(key, day)
        assert local_date(start, key) == day
        assert local_date(start - timedelta(seconds=1), key) < day


def test_a_band_that_the_clock_skips_does_not_exist_that_day() -> None:
    spring = datetime(2026, 3, 8, tzinfo=UTC).date()
    assert spans("America/New_York", spring, 120, 180) == ()


def test_a_band_in_which_the_clock_is_set_back_is_as_much_longer() -> None:
    autumn = datetime(2026, 11, 1, tzinfo=UTC).date()
    ((start, end),) = spans("America/New_York", autumn, 0, 180)
    assert end - start == timedelta(hours=4)


def test_a_day_that_a_zone_never_had_starts_with_the_next() -> None:
    """Samoa went from 29 to 31 December 2011."""
    skipped = datetime(2011, 12, 30, tzinfo=UTC).date()
    assert local_date(start_of_day("Pacific/Apia", skipped), "Pacific/Apia") == skipped + timedelta(days=1)


def test_a_zone_that_the_shipped_database_lacks_is_no_zone() -> None:
    with pytest.raises(KeyError):
        zone("../../etc/passwd")
