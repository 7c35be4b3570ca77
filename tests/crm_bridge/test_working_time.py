"""Working time: holidays, make-up workdays, days that people entered, and hours that the clock skips or repeats."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.clocks.working_time import WorkingTime

SHANGHAI = WorkingTime("Asia/Shanghai")
NEW_YORK = WorkingTime("America/New_York", "US", opens=0, closes=24 * 60, weekdays=frozenset(range(7)))
NIGHT_SHIFT = WorkingTime("America/New_York", "US", opens=60, closes=5 * 60, weekdays=frozenset(range(7)))


def at(text: str, offset: str = "+08:00") -> datetime:
    return datetime.fromisoformat(f"{text}:00{offset}")


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-06-01T09:00", 120, "2026-06-01T11:00"),
        ("2026-06-01T17:00", 120, "2026-06-02T10:00"),  # over the night
        ("2026-06-01T20:00", 30, "2026-06-02T09:30"),  # begun after hours
        ("2026-06-01T06:00", 30, "2026-06-01T09:30"),  # begun before
        ("2026-06-05T17:30", 60, "2026-06-08T09:30"),  # over a weekend
        ("2026-06-01T09:00", 540, "2026-06-01T18:00"),  # a full day ends when it closes
        ("2026-09-30T17:00", 120, "2026-10-08T10:00"),  # over the National Day week
        ("2026-10-09T17:00", 120, "2026-10-10T10:00"),  # into the make-up Saturday
        ("2026-02-14T17:00", 120, "2026-02-24T10:00"),  # from the make-up Saturday over the Spring Festival
        ("2026-02-27T17:00", 60 * 9 + 60, "2026-02-28T18:00"),  # through the make-up Saturday to its end
    ],
)
def test_working_minutes_pass_only_in_working_hours(start: str, minutes: int, due: str) -> None:
    assert SHANGHAI.due(at(start), minutes, "working_minutes") == at(due)


def test_wall_clock_minutes_pass_at_night_too() -> None:
    assert SHANGHAI.due(at("2026-10-01T23:00"), 120, "minutes") == at("2026-10-02T01:00")


@pytest.mark.parametrize(
    ("start", "count", "due"),
    [
        ("2026-10-09T10:00", 1, "2026-10-11T00:00"),  # Friday: the make-up Saturday is the next working day
        ("2026-10-09T10:00", 2, "2026-10-13T00:00"),
        ("2026-09-19T10:00", 1, "2026-09-21T00:00"),  # Saturday: the make-up Sunday
        ("2026-09-24T10:00", 1, "2026-09-29T00:00"),  # over the Mid-Autumn weekend
    ],
)
def test_working_days_know_make_up_workdays(start: str, count: int, due: str) -> None:
    assert SHANGHAI.due(at(start), count, "working_days") == at(due)


def test_the_same_day_ends_at_the_local_midnight() -> None:
    assert SHANGHAI.due(at("2026-06-01T23:59"), 0, "days") == at("2026-06-02T00:00")
    assert SHANGHAI.due(datetime(2026, 6, 1, 16, 1, tzinfo=UTC), 0, "days") == at("2026-06-03T00:00")


def test_what_people_entered_wins_over_the_library() -> None:
    entered = WorkingTime("Asia/Shanghai", days={date(2026, 6, 6): True, date(2026, 6, 8): False})
    assert entered.due(at("2026-06-05T17:00"), 120, "working_minutes") == at("2026-06-06T10:00")
    assert entered.due(at("2026-06-06T17:00"), 120, "working_minutes") == at("2026-06-09T10:00")


def test_a_year_that_is_not_published_is_told_and_has_its_statutory_days_only() -> None:
    assert SHANGHAI.known_until() == date(2026, 12, 31)
    assert not SHANGHAI.is_working(date(2027, 10, 1))
    assert SHANGHAI.is_working(date(2027, 10, 6))  # most likely off, but nobody has said so: due earlier
    assert WorkingTime("Asia/Shanghai", days={date(2027, 10, 9): True}).known_until() == date(2027, 12, 31)
    assert WorkingTime("Asia/Shanghai", days={date(2028, 1, 1): False}).known_until() == date(2026, 12, 31)
    assert NEW_YORK.known_until() is None


def test_a_day_of_23_or_25_hours_loses_and_gains_nothing() -> None:
    before = at("2026-03-07T12:00", "-05:00")
    assert NEW_YORK.due(before, 24 * 60, "working_minutes") == before + timedelta(hours=24)
    assert NIGHT_SHIFT.between(at("2026-03-08T00:00", "-05:00"), at("2026-03-09T00:00", "-04:00")) == timedelta(hours=3)
    assert NIGHT_SHIFT.between(at("2026-11-01T00:00", "-04:00"), at("2026-11-02T00:00", "-05:00")) == timedelta(hours=5)
    assert NIGHT_SHIFT.due(at("2026-03-08T00:30", "-05:00"), 120, "working_minutes") == at("2026-03-08T04:00", "-04:00")
    assert NIGHT_SHIFT.due(at("2026-11-01T00:30", "-04:00"), 120, "working_minutes") == at("2026-11-01T02:00", "-05:00")


def test_the_end_of_the_day_on_which_the_clock_changes() -> None:
    assert NEW_YORK.due(at("2026-03-08T10:00", "-04:00"), 0, "days") == at("2026-03-09T00:00", "-04:00")
    assert NEW_YORK.due(at("2026-11-01T00:10", "-04:00"), 0, "days") == at("2026-11-02T00:00", "-05:00")


@given(
    start=st.datetimes(
        datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-12-31"), timezones=st.just(UTC)
    ),
    minutes=st.integers(1, 6000),
    calendar=st.sampled_from(
        [SHANGHAI, NIGHT_SHIFT, WorkingTime("Europe/London", "GB"), WorkingTime("America/Sao_Paulo", "BR")]
    ),
)
def test_exactly_the_asked_working_time_has_passed_when_it_is_due(
    start: datetime, minutes: int, calendar: WorkingTime
) -> None:
    due = calendar.due(start, minutes, "working_minutes")
    assert calendar.between(start, due) == timedelta(minutes=minutes)
    assert calendar.between(start, due - timedelta(seconds=1)) < timedelta(minutes=minutes)


def test_a_calendar_without_working_time_is_due_in_ten_years() -> None:
    never = WorkingTime("Asia/Shanghai", weekdays=frozenset(), country="XX")
    start = at("2026-06-01T09:00")
    assert never.due(start, 1, "working_minutes") == never.due(start, 1, "working_days") == start + timedelta(days=3660)
