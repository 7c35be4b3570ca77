"""What calling engines are known to get wrong (section 3 of the rules), one test for each that facts alone decide."""

import pytest

from tests.support.policy_facts import contact, contacts, used, verdict

SEVEN = "us-reg-f/seven-in-seven"
NOON = "2026-06-03T12:00:00-04:00"


def test_the_bucket_is_the_person_and_not_the_number() -> None:
    elsewhere = contacts("2026-06-01T12:00:00-04:00", number="+12125550188")
    assert used(verdict(NOON, "us-reg-f", history=elsewhere), SEVEN) == 1


def test_a_voicemail_is_no_conversation_and_an_inbound_conversation_is_one() -> None:
    voicemail = contacts("2026-06-01T12:00:00-04:00", outcome="voicemail")
    assert verdict(NOON, "us-reg-f", history=voicemail)["verdict"] == "allow"
    inbound = contacts("2026-06-01T12:00:00-04:00", outcome="conversation", direction="inbound")
    assert verdict(NOON, "us-reg-f", history=inbound)["verdict"] == "deny"


def test_seven_days_are_dates_and_not_an_interval_of_168_hours() -> None:
    talk = [contact("2026-06-01T20:59:00-04:00", "conversation")]
    assert verdict("2026-06-08T08:00:00-04:00", "us-reg-f", history=talk)["verdict"] == "allow"


def test_the_zone_is_the_callees_and_not_the_one_in_which_the_request_was_written() -> None:
    assert verdict("2026-06-01T23:00:00+08:00", "us-reg-f")["verdict"] == "allow"


def test_a_number_alone_does_not_open_the_hours_that_an_address_closes() -> None:
    west = {
        "locations": [
            {"source": "number", "zone": "America/New_York"},
            {"source": "address", "zone": "Pacific/Honolulu"},
        ]
    }
    assert verdict("2026-06-01T09:00:00-04:00", "us-reg-f", party=west)["verdict"] == "deny"


@pytest.mark.parametrize(("at", "expected"), [("2026-03-07T12:30:00Z", "deny"), ("2026-03-08T12:00:00Z", "allow")])
def test_local_hours_follow_the_clock_changes_and_not_a_winter_date(at: str, expected: str) -> None:
    assert verdict(at, "us-reg-f")["verdict"] == expected


def test_a_daily_cap_resets_at_the_rules_midnight_and_not_the_servers() -> None:
    talks = contacts(*(f"2026-06-01T{h}:00:00+08:00" for h in (15, 16, 17)), outcome="conversation")
    assert verdict("2026-06-01T21:59:59+08:00", "cn-gbt-45251", history=talks)["verdict"] == "deny"
    assert verdict("2026-06-02T08:00:00+08:00", "cn-gbt-45251", history=talks)["verdict"] == "allow"


def test_a_call_dialled_by_hand_that_names_no_case_counts() -> None:
    by_hand = [{"at": "2026-06-02T12:00:00-04:00", "number": "+8613800138000", "outcome": "no_answer"}]
    assert used(verdict(NOON, "us-reg-f", history=by_hand), SEVEN) == 1


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        ("conversation", 1), ("voicemail", 1), ("no_answer", 1), ("dropped", 1), ("rejected", 1), ("live", 1),
        ("reserved", 1), ("unknown", 1), ("busy", 0), ("not_in_service", 0), ("failed", 0), ("not_placed", 0),
    ],
)  # fmt: skip
def test_reg_f_counts_what_rang_or_may_have_and_never_what_was_not_placed(outcome: str, counted: int) -> None:
    history = contacts("2026-06-02T12:00:00-04:00", outcome=outcome)
    assert used(verdict(NOON, "us-reg-f", history=history), SEVEN) == counted


def test_someone_who_declined_was_called() -> None:
    declined = contacts("2026-06-01T12:00:00-04:00", "2026-06-02T12:00:00-04:00", outcome="rejected")
    assert verdict(NOON, "us-ma", history=declined)["verdict"] == "deny"


def test_a_request_that_timed_out_counts_until_it_is_known() -> None:
    six = contacts(*(f"2026-06-02T1{n}:00:00-04:00" for n in range(6)))
    unknown = contact("2026-06-03T11:58:00-04:00", "unknown", id="call-7")
    document = verdict(NOON, "us-reg-f", history=[*six, unknown])
    assert (document["rule"], document["denials"][0]["competing"]) == (SEVEN, ["call-7"])
    never_left = contact("2026-06-03T11:58:00-04:00", "not_placed", id="call-7")
    assert verdict(NOON, "us-reg-f", history=[*six, never_left])["verdict"] == "allow"


def test_a_live_call_may_become_the_conversation_after_which_there_is_rest() -> None:
    live = contacts("2026-06-03T11:58:00-04:00", outcome="live", id="call-8")
    document = verdict(NOON, "us-reg-f", history=live)
    assert (document["rule"], document["denials"][0]["competing"]) == ("us-reg-f/after-conversation", ["call-8"])
