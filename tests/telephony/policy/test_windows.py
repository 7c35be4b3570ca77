"""Rolling windows against an independent reference that counts day by day and minute by minute, slowly and plainly."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.policy.engine import evaluate_document
from tests.support.policy_facts import contact, contacts, facts, rules, used, verdict

START = datetime(2028, 2, 20, tzinfo=UTC)
plain = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
seconds = st.integers(0, 30 * 86400)


def days_between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def counted_by_date(times: list[datetime], at: datetime, days: int, zone: str) -> int:
    local = ZoneInfo(zone)
    today = at.astimezone(local).date()
    window = days_between(today - timedelta(days=days - 1), today)
    return sum(1 for time in times for day in window if time.astimezone(local).date() == day)


@plain
@given(
    st.lists(seconds, max_size=15), seconds, st.integers(1, 5), st.integers(1, 10),
    st.sampled_from(["Asia/Shanghai", "America/New_York", "Pacific/Auckland", "America/St_Johns"]),
)  # fmt: skip
def test_days_are_counted_by_date_in_the_callees_zone(
    ago: list[int], when: int, limit: int, days: int, zone: str
) -> None:
    at = START + timedelta(days=30, seconds=when)
    times = [at - timedelta(seconds=gone) for gone in ago]
    given_facts = facts(
        at.isoformat(),
        party={"locations": [{"source": "address", "zone": zone}]},
        house={"caps": [{"limit": limit, "days": days}]},
        history=contacts(*(time.isoformat() for time in times)),
    )
    expected = counted_by_date(times, at, days, zone)
    document = evaluate_document(given_facts)
    assert used(document, "house/cap-1") == expected
    assert (document["verdict"] == "deny") == (expected >= limit)
    if document["verdict"] == "deny":
        retry = datetime.fromisoformat(document["retry_at"])
        assert counted_by_date(times, retry, days, zone) < limit
        for step in days_between(at.date(), retry.date()):
            between = datetime(step.year, step.month, step.day, 12, tzinfo=ZoneInfo(zone))
            assert not at <= between < retry or counted_by_date(times, between, days, zone) >= limit


@plain
@given(st.lists(st.integers(0, 9000), max_size=15), st.integers(1, 5), st.integers(1, 9000))
def test_minutes_are_counted_to_the_second_and_a_contact_one_window_ago_is_out(
    ago: list[int], limit: int, minutes: int
) -> None:
    at = START + timedelta(days=30)
    times = [at - timedelta(minutes=gone) for gone in ago]
    expected = sum(1 for gone in ago if gone < minutes)
    document = evaluate_document(
        facts(
            at.isoformat(),
            house={"caps": [{"limit": limit, "minutes": minutes}]},
            history=contacts(*(time.isoformat() for time in times)),
        )
    )
    assert used(document, "house/cap-1") == expected
    assert (document["verdict"] == "deny") == (expected >= limit)
    if document["verdict"] == "deny":
        retry = datetime.fromisoformat(document["retry_at"])
        assert sum(1 for time in times if retry - time < timedelta(minutes=minutes)) < limit


def test_a_leap_day_is_a_day_of_the_window() -> None:
    talk = [contact("2028-02-26T10:00:00-05:00", "conversation")]
    assert verdict("2028-03-03T10:00:00-05:00", "us-reg-f", history=talk)["verdict"] == "deny"
    assert verdict("2028-03-04T10:00:00-05:00", "us-reg-f", history=talk)["verdict"] == "allow"


def test_with_two_zones_the_stricter_day_counts() -> None:
    """00:30 in New York is still yesterday in Los Angeles, so there the call falls into the window one day longer."""
    talk = [contact("2026-06-02T00:30:00-04:00", "conversation")]
    coasts = {
        "locations": [{"source": "address", "zone": zone} for zone in ("America/New_York", "America/Los_Angeles")]
    }
    new_york = verdict("2026-06-08T12:00:00-04:00", "us-reg-f", history=talk)
    both = verdict("2026-06-08T12:00:00-04:00", "us-reg-f", history=talk, party=coasts)
    assert rules(new_york) == rules(both) == {"us-reg-f/after-conversation"}
    assert both["retry_at"] == "2026-06-09T08:00:00-07:00"


def test_a_calendar_day_is_the_rules_and_not_the_one_in_which_the_time_was_written() -> None:
    """Three talks on 1 June in Shanghai are on two dates in UTC; the cap resets at Shanghai's midnight."""
    talks = contacts("2026-05-31T17:00:00Z", "2026-06-01T01:00:00Z", "2026-06-01T02:00:00Z", outcome="conversation")
    same_day = verdict("2026-06-01T13:59:00Z", "cn-gbt-45251", history=talks)
    assert rules(same_day) == {"cn-gbt-45251/conversations-per-day"}
    assert same_day["retry_at"] == "2026-06-02T08:00:00+08:00"
    assert verdict("2026-06-02T00:00:00Z", "cn-gbt-45251", history=talks)["verdict"] == "allow"


def test_each_debt_of_a_call_has_a_count_of_its_own() -> None:
    def calls(debt: str, n: int) -> list[dict[str, Any]]:
        return contacts(*(f"2026-06-0{day}T10:00:00-04:00" for day in range(1, n + 1)), debts=[debt])

    both = {"debts": ["d1", "d2"]}
    assert (
        verdict("2026-06-07T11:00:00-04:00", "us-reg-f", **both, history=calls("d1", 6) + calls("d2", 6))["verdict"]
        == "allow"
    )
    denied = verdict("2026-06-07T11:00:00-04:00", "us-reg-f", **both, history=calls("d1", 6) + calls("d2", 7))
    assert rules(denied) == {"us-reg-f/seven-in-seven"}


def test_a_contact_about_no_named_debt_or_person_counts_with_every_one() -> None:
    unknown = [{"at": f"2026-06-0{day}T10:00:00-04:00", "outcome": "no_answer"} for day in range(1, 8)]
    assert rules(verdict("2026-06-07T11:00:00-04:00", "us-reg-f", history=unknown)) == {"us-reg-f/seven-in-seven"}


def test_a_hundred_thousand_contacts_are_counted_right() -> None:
    at = datetime(2026, 6, 8, 14, tzinfo=UTC)
    old = [contact((at - timedelta(days=30, seconds=n)).isoformat()) for n in range(100_000)]
    recent = [contact((at - timedelta(days=n)).isoformat()) for n in range(6)]
    allowed = verdict(at.isoformat(), "us-reg-f", history=old + recent)
    assert (allowed["verdict"], used(allowed, "us-reg-f/seven-in-seven")) == ("allow", 6)
    assert verdict(at.isoformat(), "us-reg-f", history=[*recent, *old, recent[0]])["verdict"] == "deny"
