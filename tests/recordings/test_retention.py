"""How long things are kept: the cases every build must decide right (T52, T53) and the calendar's corners."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.retention import SHIPPED, Due, RetentionClass, Subject, add_months, delete_after

CALLED = date(2026, 6, 1)
DAYS = st.dates(date(1990, 1, 1), date(2150, 12, 31))


def made(name: str, years: int, **fields: object) -> RetentionClass:
    return RetentionClass(id=name, kind="recording", months=12 * years, **fields)


def shipped(name: str, **changes: object) -> RetentionClass:
    (found,) = [one for one in SHIPPED if one.id == name]
    return RetentionClass(**{field: getattr(found, field) for field in found.__dataclass_fields__} | changes)


def until(subject: Subject, classes: object, activity: date | None = None) -> date | None:
    due = delete_after(subject, classes, activity)
    return due.delete_after if due else None


def test_t52_a_card_contract_of_three_years_beats_the_law_of_two() -> None:
    contract = made("north-contract", 3, clients=("north",), basis="contract")
    due = delete_after(Subject("recording", CALLED, "north"), [*SHIPPED, contract])
    assert due is not None
    assert (due.delete_after, due.decided_by) == (date(2029, 6, 1), "north-contract")
    assert until(Subject("recording", CALLED, "south"), [*SHIPPED, contract]) == date(2028, 6, 1)


def test_t52_consumer_finance_is_kept_five_years() -> None:
    law = shipped("cn-consumer-finance", clients=("anytime",))
    classes = [one for one in SHIPPED if one.id != law.id] + [law]
    assert until(Subject("recording", CALLED, "anytime"), classes) == date(2031, 6, 1)
    assert until(Subject("recording", CALLED, "north"), classes) == date(2028, 6, 1)


def test_t53_reg_f_keeps_records_by_last_activity_and_recordings_by_the_call() -> None:
    called, worked = date(2022, 3, 10), date(2026, 5, 4)
    packs = frozenset({"us-reg-f"})
    assert until(Subject("records", called, "harbor", packs), SHIPPED, worked) == date(2029, 5, 4)
    assert until(Subject("recording", called, "harbor", packs), SHIPPED, worked) == date(2025, 3, 10)
    assert until(Subject("recording", called, "harbor"), SHIPPED, worked) == date(2024, 3, 10)


def test_a_leap_day_and_a_year_is_the_next_day_that_exists() -> None:
    assert add_months(date(2024, 2, 29), 12) == date(2025, 3, 1)
    assert add_months(date(2024, 2, 29), 48) == date(2028, 2, 29)
    assert add_months(date(2024, 1, 31), 1) == date(2024, 3, 1)
    assert add_months(date(2024, 12, 31), 2) == date(2025, 3, 1)
    assert add_months(date(2024, 11, 30), 1) == date(2024, 12, 30)


@given(DAYS, st.integers(0, 1200))
def test_months_never_end_early_and_at_most_three_days_late(day: date, months: int) -> None:
    end = add_months(day, months)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    assert end.day == day.day or end.day == 1
    assert timedelta(0) <= end - first <= timedelta(days=31)
    assert add_months(day, months + 1) > end or day.day > 28


@given(DAYS, st.lists(st.integers(1, 240), min_size=1, max_size=6))
def test_another_class_never_makes_it_earlier(day: date, lengths: list[int]) -> None:
    classes = [RetentionClass(str(at), "recording", months) for at, months in enumerate(lengths)]
    subject = Subject("recording", day)
    dates = [until(subject, classes[: count + 1]) for count in range(len(classes))]
    assert dates == sorted(dates, key=str)
    assert until(subject, reversed(classes)) == dates[-1]


def test_activity_before_the_call_does_not_shorten() -> None:
    worked = made("worked", 2, anchor="last_activity")
    assert until(Subject("recording", CALLED), [worked], date(2020, 1, 1)) == date(2028, 6, 1)
    assert until(Subject("recording", CALLED), [worked]) == date(2028, 6, 1)
    assert until(Subject("recording", CALLED), [worked], date(2027, 1, 1)) == date(2029, 1, 1)


def test_what_no_class_covers_has_no_date() -> None:
    assert delete_after(Subject("recording", CALLED), []) is None
    assert delete_after(Subject("recording", CALLED), [made("off", 2, enabled=False)]) is None
    assert delete_after(Subject("unanswered", CALLED), [made("talk", 2)]) is None


def test_a_privacy_maximum_never_beats_a_minimum_but_is_told() -> None:
    short = made("pipl", 1, privacy_max_months=18, basis="house")
    due = delete_after(Subject("recording", CALLED), [*SHIPPED, short])
    assert due == Due(date(2028, 6, 1), "default", ("default", "pipl"), CALLED, date(2027, 12, 1))
    assert due is not None
    assert due.conflict
    assert due.document()["conflict"] is True


@pytest.mark.parametrize("found", SHIPPED, ids=lambda found: found.id)
def test_every_shipped_class_names_its_source(found: RetentionClass) -> None:
    assert found.source
    assert found.months >= 24
