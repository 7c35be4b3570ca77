"""Verdicts on people, complaints, overrides, clocks, house values and changes of the rules, beyond the table of cases."""

from typing import Any

import pytest

from tests.support.policy_facts import contact, contacts, rules, used, verdict

MORNING = "2026-06-01T10:00:00+08:00"
NY_MORNING = "2026-06-01T10:00:00-04:00"
LATE = "2026-06-01T21:30:00+08:00"
OVERRIDE = {"by": "sue", "reason": "asked for", "expires_at": "2026-06-01T22:00:00+08:00"}
SUPERVISOR = {"id": "sue", "role": "supervisor"}


def test_a_verdict_has_every_member_of_the_contract() -> None:
    document = verdict(MORNING, "cn-outsourcing", "us-reg-f@1")
    assert set(document) >= {
        "verdict",
        "rule",
        "pack",
        "reason",
        "retry_at",
        "denials",
        "warnings",
        "counts",
        "versions",
    }
    assert document["versions"] | {"tzdata": "", "holidays": ""} == {
        "cn-outsourcing": 2, "us-reg-f": 1, "house": 1, "tzdata": "", "holidays": "",
    }  # fmt: skip
    assert set(document["counts"][0]) >= {"rule", "used", "limit", "window"}


def test_a_denial_says_in_both_languages_why_until_when_and_who_can_lift_it() -> None:
    document = verdict(LATE, "cn-outsourcing")
    assert "08:00 to 21:00" in document["reason"]
    assert "2026-06-02 08:00:00" in document["reason"]
    assert "supervisor" in document["reason"]
    assert "主管" in document["reason_zh"]
    assert set(document["denials"][0]) >= {"rule", "pack", "reason", "retry_at", "hard"}


def test_every_denial_is_listed_and_the_call_may_be_made_when_all_rules_allow() -> None:
    document = verdict("2026-06-01T05:00:00-04:00", "us-reg-f", "us-ma", "au-rg96", house={"hours": "10:00-11:00"})
    assert rules(document) == {"us-reg-f/hours", "us-ma/hours", "au-rg96/hours", "house/hours"}
    assert document["retry_at"] == "2026-06-01T10:00:00-04:00"


def test_bands_that_never_meet_give_no_time_to_try_again() -> None:
    document = verdict(MORNING, "cn-outsourcing", house={"hours": "22:00-23:00"})
    assert (document["verdict"], document["retry_at"]) == ("deny", None)


@pytest.mark.parametrize(
    ("at", "allowed"),
    [("07:59:59", False), ("08:00:59", False), ("08:01:00", True), ("20:58:59", True), ("20:59:00", False)],
)
def test_the_guard_narrows_both_ends_of_the_band(at: str, allowed: bool) -> None:
    document = verdict(f"2026-06-01T{at}+08:00", "cn-outsourcing", house={"guard_seconds": 60})
    assert (document["verdict"] == "allow") == allowed


@pytest.mark.parametrize("skew", [90, -90])
def test_clocks_that_differ_narrow_the_band_and_are_named(skew: int) -> None:
    document = verdict("2026-06-01T20:59:00+08:00", "cn-outsourcing", clock_skew_seconds=skew)
    assert rules(document) == {"cn-outsourcing/hours", "house/clock-doubt"}
    assert document["rule"] == "house/clock-doubt"
    assert document["retry_at"] == "2026-06-02T08:01:30+08:00"
    plainly_late = verdict(LATE, "cn-outsourcing", clock_skew_seconds=skew)
    assert rules(plainly_late) == {"cn-outsourcing/hours"}


def agreed(kind: str, **when: str) -> dict[str, Any]:
    return {"agreements": [{"kind": kind, **when}]}


@pytest.mark.parametrize("pack", ["cn-outsourcing", "cn-gbt-45251", "cn-cba-2026", "cn-nifa-2024"])
def test_agreed_hours_open_the_chinese_night(pack: str) -> None:
    night = {"received": MORNING, "from": "2026-06-01T22:30:00+08:00", "until": "2026-06-01T23:00:00+08:00"}
    assert verdict("2026-06-01T22:30:00+08:00", pack, party=agreed("hours", **night))["verdict"] == "allow"
    assert verdict("2026-06-01T23:00:00+08:00", pack, party=agreed("hours", **night))["verdict"] == "deny"
    early = verdict("2026-06-01T22:00:00+08:00", pack, party=agreed("hours", **night))
    assert early["retry_at"] == "2026-06-01T22:30:00+08:00"
    assert verdict("2026-06-01T22:30:00+08:00", pack, party=agreed("call", **night))["verdict"] == "deny"


def test_agreed_hours_do_not_open_the_american_night() -> None:
    night = agreed("hours", received=NY_MORNING, until="2026-06-03T00:00:00-04:00")
    assert rules(verdict("2026-06-01T22:00:00-04:00", "us-reg-f", party=night)) == {"us-reg-f/hours"}


def test_reg_f_consent_ends_after_seven_days_though_it_names_no_end() -> None:
    calls = contacts(*(f"2026-06-0{day}T12:00:00-04:00" for day in range(1, 8)))
    party = agreed("call", received="2026-06-01T10:00:00-04:00", until="2026-07-01T00:00:00-04:00")
    last = verdict("2026-06-07T20:59:59-04:00", "us-reg-f", party=party, history=calls)
    assert (last["verdict"], last["consented"]) == ("allow", True)
    more = [*calls, *contacts("2026-06-07T15:00:00-04:00")]
    assert rules(verdict("2026-06-08T09:00:00-04:00", "us-reg-f", party=party, history=more)) == {
        "us-reg-f/seven-in-seven"
    }


def test_reg_f_consent_ends_with_the_conversation_it_led_to() -> None:
    party = agreed("call", received="2026-06-01T10:00:00-04:00", until="2026-06-06T00:00:00-04:00")
    before = [contact("2026-06-01T09:55:00-04:00", "conversation")]
    assert verdict("2026-06-02T10:00:00-04:00", "us-reg-f", party=party, history=before)["verdict"] == "allow"
    talked = [*before, contact("2026-06-02T10:00:00-04:00", "conversation", consented=True)]
    after = verdict("2026-06-02T15:00:00-04:00", "us-reg-f", party=party, history=talked)
    assert (rules(after), after["consented"]) == ({"us-reg-f/after-conversation"}, False)


def test_inconvenient_times_hold_in_every_zone_and_past_midnight() -> None:
    party = {"inconvenient": [{"days": ["mon"], "from": "20:00", "to": "09:00"}]}
    assert rules(verdict("2026-06-02T08:30:00+08:00", "cn-outsourcing", party=party)) == {"house/inconvenient"}
    assert (
        verdict("2026-06-02T08:30:00+08:00", "cn-outsourcing", party=party)["retry_at"] == "2026-06-02T09:00:00+08:00"
    )
    assert verdict("2026-06-03T08:30:00+08:00", "cn-outsourcing", party=party)["verdict"] == "allow"
    whole_days = {"inconvenient": [{"days": ["sat", "sun"]}]}
    assert (
        verdict("2026-06-06T12:00:00+08:00", "cn-outsourcing", party=whole_days)["retry_at"]
        == "2026-06-08T08:00:00+08:00"
    )


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"number": {"do_not_call": True}}, "do-not-call"),
        ({"number": {"status": "invalid"}}, "invalid-number"),
        ({"party": {"locations": [{"source": "address"}]}}, "unknown-zone"),
        ({"party": {"refused_at": "2026-05-01T10:00:00+08:00"}}, "refused"),
        ({"party": {"cease_at": MORNING}}, "cease"),
        ({"party": {"attorney": True}}, "attorney"),
        ({"party": {"deceased": True}}, "deceased"),
        ({"party": {"minor": True}}, "minor"),
        ({"case": {"state": "suspended"}}, "suspended"),
        ({"case": {"state": "settled"}}, "settled"),
        ({"case": {"state": "payment_pending"}}, "payment-pending"),
        ({"case": {"state": "closed"}}, "closed"),
        ({"case": {"state": "returned"}}, "returned"),
        ({"case": {"mandate_until": "2026-05-31"}}, "mandate-expired"),
        ({"case": {"dispute": True}}, "dispute"),
        ({"case": {"fraud_statement": True}}, "fraud-statement"),
        ({"case": {"complaint": {"state": "open"}}}, "complaint-open"),
        ({"case": {"complaint": {"state": "closed"}}}, "complaint-not-instructed"),
        ({"case": {"complaint": {"state": "closed", "instructed": True, "former_agent": "ann"}}}, "complaint-former-agent"),
        ({"recorder_healthy": False}, "recorder-unhealthy"),
    ],
)  # fmt: skip
def test_each_house_rule_denies_by_its_own_name_whatever_the_packs(changes: dict[str, Any], rule: str) -> None:
    for packs in ((), ("cn-outsourcing",), ("house",)):
        document = verdict(MORNING, *packs, **changes)
        assert rules(document) == {f"house/{rule}"}
        assert document["retry_at"] is None


def test_another_collector_calls_on_after_the_instruction_to_resume() -> None:
    complaint = {"state": "closed", "instructed": True, "former_agent": "bob"}
    assert verdict(MORNING, "cn-outsourcing", case={"complaint": complaint})["verdict"] == "allow"
    nobody = verdict(MORNING, "cn-outsourcing", case={"complaint": complaint}, agent={"id": None, "role": "collector"})
    assert rules(nobody) == {"house/complaint-former-agent"}


@pytest.mark.parametrize("state", ["open", "closed"])
def test_only_a_supervisor_on_purpose_complaint_calls_before_the_instruction(state: str) -> None:
    case = {"state": "suspended", "complaint": {"state": state}}
    for role, purpose in (
        ("collector", "complaint"),
        ("admin", "complaint"),
        ("qa", "complaint"),
        ("supervisor", "collect"),
    ):
        document = verdict(MORNING, "cn-outsourcing", case=case, agent={"id": "x", "role": role}, purpose=purpose)
        assert f"house/complaint-{'open' if state == 'open' else 'not-instructed'}" in rules(document)
    assert verdict(MORNING, "cn-outsourcing", case=case, agent=SUPERVISOR, purpose="complaint")["verdict"] == "allow"
    night = verdict(LATE, "cn-outsourcing", case=case, agent=SUPERVISOR, purpose="complaint")
    assert rules(night) == {"cn-outsourcing/hours"}


def test_a_mandate_ends_with_its_last_day_and_no_waiting_brings_it_back() -> None:
    late = verdict("2026-06-30T21:30:00+08:00", "cn-outsourcing", case={"mandate_until": "2026-06-30"})
    assert (rules(late), late["retry_at"]) == ({"cn-outsourcing/hours"}, None)
    assert late["denials"][0]["retry_at"] == "2026-07-01T08:00:00+08:00"


def test_an_override_lifts_house_rules_until_it_expires_and_says_so() -> None:
    document = verdict(LATE, "cn-outsourcing", override=OVERRIDE)
    assert (document["verdict"], document["denials"]) == ("allow", [])
    assert [denial["rule"] for denial in document["lifted"]] == ["cn-outsourcing/hours"]
    assert "Overridden by sue" in document["warnings"][0]["reason"]
    assert verdict("2026-06-01T22:00:00+08:00", "cn-outsourcing", override=OVERRIDE)["verdict"] == "deny"


def test_an_override_never_lifts_a_hard_rule() -> None:
    document = verdict(LATE, "cn-outsourcing", override=OVERRIDE, party={"cease_at": MORNING})
    assert rules(document) == {"house/cease"}
    assert [denial["rule"] for denial in document["lifted"]] == ["cn-outsourcing/hours"]


def test_the_smallest_gap_is_between_attempts_to_the_person_or_the_number() -> None:
    gap = {"min_gap_minutes": 30}
    for row in ({"number": "+8613900139000"}, {"party": "p2"}):
        history = [contact("2026-06-01T09:45:00+08:00", **row)]
        document = verdict(MORNING, "cn-outsourcing", house=gap, history=history)
        assert rules(document) == {"house/min-gap"}
        assert document["retry_at"] == "2026-06-01T10:15:00+08:00"
    stranger = [contact("2026-06-01T09:45:00+08:00", party="p2", number="+8613900139000")]
    assert verdict(MORNING, "cn-outsourcing", house=gap, history=stranger)["verdict"] == "allow"


@pytest.mark.parametrize(
    "hours", ["09:00-10:00", ["09:00", "10:00"], {"from": "09:00", "to": "10:00"}, [{"days": ["tue"]}]]
)
def test_house_hours_are_stricter_than_the_packs(hours: object) -> None:
    assert rules(verdict(MORNING, "cn-outsourcing", house={"hours": hours})) == {"house/hours"}


def test_new_york_citys_rule_changes_with_the_day_of_the_call() -> None:
    two = [contact("2026-08-28T10:00:00-04:00"), contact("2026-08-29T10:00:00-04:00")]
    before = verdict("2026-08-31T23:59:59-04:00", "us-nyc", history=two)
    assert (rules(before), before["versions"]["us-nyc"]) == ({"us-nyc/contacts-in-seven-days"}, 1)
    assert before["retry_at"] == "2026-09-01T00:00:00-04:00"
    after = verdict("2026-09-01T00:00:00-04:00", "us-nyc", history=two)
    assert (after["verdict"], after["versions"]["us-nyc"]) == ("allow", 2)
    pinned = verdict("2026-08-31T23:59:59-04:00", "us-nyc@2", history=two)
    assert (pinned["verdict"], pinned["versions"]["us-nyc"]) == ("allow", 2)
    assert any(warning["rule"] == "us-nyc/ships-off" for warning in before["warnings"])


def test_a_rule_that_comes_into_force_before_the_next_allowed_time_is_reckoned_with() -> None:
    """The client's hours end at 22:00 on the 29th and begin at 07:00; from the 30th the association's 08:00 holds too."""
    document = verdict("2026-01-29T23:00:00+08:00", "cn-cba-2026", house={"hours": "07:00-22:00"})
    assert rules(document) == {"house/hours"}
    assert document["retry_at"] == "2026-01-30T08:00:00+08:00"
    assert any(warning["rule"] == "cn-cba-2026/not-in-force" for warning in document["warnings"])


def test_a_third_person_is_located_once_and_has_a_count_of_its_own() -> None:
    third = {"id": "k1", "relation": "contact"}
    debtors = contacts(*(f"2026-06-0{day}T12:00:00-04:00" for day in range(1, 8)))
    asked = {"party": third, "purpose": "location"}
    document = verdict("2026-06-07T15:00:00-04:00", "us-reg-f", **asked, history=debtors)
    assert (document["verdict"], used(document, "us-reg-f/seven-in-seven")) == ("allow", 0)
    assert rules(verdict(NY_MORNING, "us-reg-f", party=third, purpose="message")) == {"us-reg-f/third-party"}
    spoken = [contact("2025-01-02T12:00:00-05:00", "conversation", party="k1")]
    again = verdict("2026-06-07T15:00:00-04:00", "us-reg-f", **asked, history=spoken)
    assert (rules(again), again["retry_at"]) == ({"us-reg-f/one-communication"}, None)
    wanted = third | agreed("call", received="2026-06-06T12:00:00-04:00")
    assert (
        verdict("2026-06-07T15:00:00-04:00", "us-reg-f", party=wanted, purpose="location", history=spoken)["verdict"]
        == "allow"
    )


@pytest.mark.parametrize(
    ("pack", "relation", "purpose", "allowed"),
    [
        ("us-reg-f", "spouse", "collect", True), ("us-reg-f", "guarantor", "collect", True),
        ("us-reg-f", "employer", "collect", False), ("us-reg-f", "unrelated", "location", True),
        ("cn-gbt-45251", "guarantor", "collect", True), ("cn-gbt-45251", "spouse", "collect", False),
        ("cn-gbt-45251", "unrelated", "message", False), ("au-rg96", "spouse", "collect", False),
        ("cn-outsourcing", "unrelated", "message", False), ("cn-outsourcing", "spouse", "message", True),
        ("uk-conc", "contact", "location", True), ("in-rbi@2", "contact", "location", False),
        ("in-rbi@2", "guarantor", "collect", True),
    ],
)  # fmt: skip
def test_the_relation_decides_for_what_a_person_may_be_called(
    pack: str, relation: str, purpose: str, allowed: bool
) -> None:
    noon = "2026-06-01T12:00:00-04:00" if pack.startswith("us-") else "2026-06-01T12:00:00+08:00"
    lost = {"debtor_reachable": False}
    document = verdict(noon, pack, party={"id": "x", "relation": relation}, purpose=purpose, case=lost)
    assert (document["verdict"] == "allow") == allowed, document["reason"]


def test_massachusetts_counts_the_household_and_another_debt_apart() -> None:
    home = {"household": "h1"}
    history = [
        contact("2026-06-05T10:00:00-04:00", party="p2", number="+16175550199", household="h1"),
        contact("2026-06-06T10:00:00-04:00", "unknown", channel="sms"),
    ]
    denied = verdict("2026-06-08T10:00:00-04:00", "us-ma", party=home, history=history)
    assert rules(denied) == {"us-ma/two-in-seven-days"}
    assert (
        verdict("2026-06-08T10:00:00-04:00", "us-ma", party=home, debts=["d9"], history=history)["verdict"] == "allow"
    )
    work = {"e164": "+16175550111", "kind": "work"}
    elsewhere = contacts(
        "2026-05-10T10:00:00-04:00", "2026-05-20T10:00:00-04:00", number=work["e164"], number_kind="work"
    )
    at_work = verdict("2026-06-08T10:00:00-04:00", "us-ma", number=work, history=elsewhere)
    assert rules(at_work) == {"us-ma/two-in-thirty-days-elsewhere"}


def test_other_clients_and_robots_count_where_the_rule_says_so_and_not_under_reg_f() -> None:
    robots = contacts(*(f"2026-06-01T1{n}:00:00-04:00" for n in range(7)), by="client")
    assert verdict("2026-06-02T10:00:00-04:00", "us-reg-f", history=robots)["verdict"] == "allow"
    assert rules(verdict("2026-06-02T10:00:00-04:00", "us-dc", history=robots)) == {"us-dc/calls-in-seven-days"}


@pytest.mark.parametrize(
    ("pack", "zone", "when", "allowed"),
    [
        ("br-sp", "America/Sao_Paulo", "2026-06-06T13:59:59-03:00", True),
        ("br-sp", "America/Sao_Paulo", "2026-06-06T14:00:00-03:00", False),
        ("br-sp", "America/Sao_Paulo", "2026-06-07T10:00:00-03:00", False),
        ("br-sp", "America/Sao_Paulo", "2026-07-09T10:00:00-03:00", False),
        ("br-rj", "America/Sao_Paulo", "2026-06-02T08:59:00-03:00", False),
        ("br-am", "America/Manaus", "2026-06-02T18:59:00-04:00", True),
        ("uk-conc", "Europe/London", "2026-06-02T20:59:00+01:00", True),
        ("us-wa", "America/Los_Angeles", "2026-06-02T07:30:00-07:00", True),
        ("us-fl", "America/Chicago", "2026-06-02T21:00:00-05:00", False),
        ("us-wv", "America/New_York", "2026-06-02T20:59:59-04:00", True),
    ],
)  # fmt: skip
def test_the_hours_of_the_other_packs(pack: str, zone: str, when: str, allowed: bool) -> None:
    document = verdict(when, pack, party={"locations": [{"source": "address", "zone": zone}]})
    assert (document["verdict"] == "allow") == allowed, document["reason"]


def test_an_australian_workplace_closes_earlier_and_never_opens_at_weekends() -> None:
    work = {"number": {"kind": "work"}, "party": {"locations": [{"source": "address", "zone": "Australia/Perth"}]}}
    assert verdict("2026-06-02T16:59:00+08:00", "au-rg96", **work)["verdict"] == "allow"
    assert verdict("2026-06-02T17:00:00+08:00", "au-rg96", **work)["verdict"] == "deny"
    assert verdict("2026-06-06T12:00:00+08:00", "au-rg96", **work)["retry_at"] == "2026-06-08T09:00:00+08:00"


def test_a_calendar_that_is_about_to_run_out_warns() -> None:
    sydney = {"locations": [{"source": "address", "zone": "Australia/Sydney"}]}
    soon = verdict("2027-12-01T12:00:00+11:00", "au-rg96", party=sydney)
    assert [warning["rule"] for warning in soon["warnings"]] == ["au-rg96/holidays-run-out"]
    assert verdict("2027-06-01T12:00:00+10:00", "au-rg96", party=sydney)["warnings"] == []
