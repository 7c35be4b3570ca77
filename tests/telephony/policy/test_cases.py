"""Every case of the rules' section 4 that facts alone decide, in one table; 2026-06-01 is a Monday."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.policy_facts import LOS_ANGELES, NEW_YORK, contact, contacts, rules, used, verdict

REG_F = "us-reg-f"
SEVEN = "us-reg-f/seven-in-seven"
REST = "us-reg-f/after-conversation"
LANDLINE = {"e164": "+862112345678", "kind": "landline"}
WORK = {"e164": "+12125550177", "kind": "work"}
BOTH_COASTS = {"locations": [{"source": "number", "zone": "America/New_York"}, LOS_ANGELES]}
MELBOURNE = {"locations": [{"source": "address", "zone": "Australia/Melbourne", "region": "AU-VIC"}]}
KOLKATA = {"locations": [{"source": "address", "zone": "Asia/Kolkata"}]}
NOT_AT_ONE = KOLKATA | {"inconvenient": [{"from": "13:00", "to": "14:00"}]}
DAILY = [f"2026-06-0{day}T10:00:00-04:00" for day in range(1, 8)]
WEEKEND = [f"2026-06-06T1{n}:00:00-04:00" for n in range(4)] + [f"2026-06-07T1{n}:00:00-04:00" for n in range(3)]
MAY_31 = [f"2026-05-31T1{n}:00:00-04:00" for n in range(7)]
CONSENT = {
    "agreements": [{"kind": "call", "received": "2026-06-01T10:00:00-04:00", "until": "2026-06-04T00:00:00-04:00"}]
}
CONSENTED = [f"2026-06-0{day}T{hour}:00:00-04:00" for day in range(1, 8) for hour in ("10", "15")][:9]
THREE_TALKS = [f"2026-06-01T{hour}:00:00+08:00" for hour in ("09", "10", "11")]
SIX = [f"2026-06-01T{hour:02}:00:00+08:00" for hour in range(9, 15)]
TALK_MONDAY = [contact("2026-06-01T15:00:00-04:00", "conversation")]
RANG_IN = [contact("2026-06-01T15:00:00-04:00", "conversation", direction="inbound", debts=["A", "B"])]
NYC_THREE = [
    contact("2026-09-05T10:00:00-04:00"),
    contact("2026-09-07T10:00:00-04:00", "voicemail"),
    contact("2026-09-09T10:00:00-04:00", channel="sms", outcome="unknown"),
]
AU_THREE = [
    contact("2026-06-01T10:00:00+10:00", "dropped"),
    contact("2026-06-02T10:00:00+10:00", "voicemail"),
    contact("2026-06-03T10:00:00+10:00", "unknown", channel="sms"),
]
AU_RINGS = contacts("2026-06-01T10:00:00+10:00", "2026-06-02T10:00:00+10:00")
ROBOT = [
    contact("2026-06-01T09:00:00+08:00", "conversation", by="client"),
    contact("2026-06-01T10:00:00+08:00", "conversation", by="client"),
    contact("2026-06-01T11:00:00+08:00", "conversation"),
]
SPOUSE_A = contacts(*WEEKEND, party="A", debts=["dA"], account="aA")
SIX_COUNTED = contacts(*DAILY[1:7])
OPEN_COMPLAINT = {"complaint": {"state": "open"}}
CONTACT = {"id": "k1", "relation": "contact"}
REFUSED = CONTACT | {"refused_at": "2026-05-20T10:00:00+08:00"}
SUPERVISOR = {"id": "sue", "role": "supervisor"}


@dataclass(frozen=True)
class Case:
    """`id`: T number; `rule`: that denies, None when the call is allowed; `count`: (rule, used)."""

    id: str
    at: str
    packs: tuple[str, ...]
    rule: str | None
    changes: dict[str, Any]
    count: tuple[str, int] | None = None


def case(id: str, at: str, packs: str, rule: str | None, count: tuple[str, int] | None = None, **changes: Any) -> Case:
    return Case(id, at, tuple(packs.split()), rule, changes, count)


# fmt: off
CASES = [
    case("T1-20:59:00", "2026-06-01T20:59:00+08:00", "cn-outsourcing", None),
    case("T1-21:00:00", "2026-06-01T21:00:00+08:00", "cn-outsourcing", "cn-outsourcing/hours"),
    case("T1-08:00:00", "2026-06-01T08:00:00+08:00", "cn-outsourcing", None),
    case("T2-21:30", "2026-06-01T21:30:00+08:00", "cn-gbt-45251", None),
    case("T2-22:00:00", "2026-06-01T22:00:00+08:00", "cn-gbt-45251", "cn-gbt-45251/hours"),
    case("T2-07:59:59", "2026-06-01T07:59:59+08:00", "cn-gbt-45251", "cn-gbt-45251/hours"),
    case("T3-guard", "2026-06-01T20:59:30-04:00", REG_F, "us-reg-f/hours", house={"guard_seconds": 60}),
    case("T4-10:30", "2026-06-01T10:30:00-04:00", REG_F, "us-reg-f/hours", party=BOTH_COASTS),
    case("T4-11:00", "2026-06-01T11:00:00-04:00", REG_F, None, party=BOTH_COASTS),
    case("T4-20:59", "2026-06-01T20:59:00-04:00", REG_F, None, party=BOTH_COASTS),
    case("T4-21:00", "2026-06-01T21:00:00-04:00", REG_F, "us-reg-f/hours", party=BOTH_COASTS),
    case("T6-11:59Z", "2026-03-08T11:59:00+00:00", REG_F, "us-reg-f/hours"),
    case("T6-12:00Z", "2026-03-08T12:00:00+00:00", REG_F, None),
    case("T7-12:30Z", "2026-11-01T12:30:00+00:00", REG_F, "us-reg-f/hours"),
    case("T9", "2026-06-01T12:00:00-04:00", REG_F, "house/unknown-zone", party={"locations": []}),
    case("T11-saturday", "2026-06-06T08:30:00+10:00", "au-rg96", "au-rg96/hours", party=MELBOURNE),
    case("T11-national", "2026-01-26T11:00:00+11:00", "au-rg96", "au-rg96/hours", party=MELBOURNE),
    case("T11-cup-day", "2026-11-03T11:00:00+11:00", "au-rg96", None, party=MELBOURNE),
    case("T12-18:59", "2026-06-01T18:59:00+05:30", "in-rbi", None, party=KOLKATA),
    case("T12-19:00", "2026-06-01T19:00:00+05:30", "in-rbi", "in-rbi/hours", party=KOLKATA),
    case("T12-13:30", "2026-06-01T13:30:00+05:30", "in-rbi", "house/inconvenient", party=NOT_AT_ONE),
    case("T14-first", "2026-06-08T09:00:00-04:00", REG_F, None, (SEVEN, 6), history=contacts(*DAILY)),
    case("T14-again", "2026-06-08T11:00:00-04:00", REG_F, SEVEN, (SEVEN, 7),
         history=contacts(*DAILY, "2026-06-08T09:00:00-04:00")),
    case("T15", "2026-06-08T10:00:00-04:00", REG_F, SEVEN, history=contacts(*WEEKEND)),
    case("T17-06-07", "2026-06-07T15:00:00-04:00", REG_F, REST, history=TALK_MONDAY),
    case("T17-06-08", "2026-06-08T09:00:00-04:00", REG_F, None, history=TALK_MONDAY),
    case("T18", "2026-06-03T10:00:00-04:00", REG_F, REST, debts=["B"], history=RANG_IN),
    case("T19", "2026-06-02T10:00:00-04:00", REG_F, None, (SEVEN, 1), history=contacts(DAILY[0], outcome="voicemail")),
    *[
        case(f"T20-{outcome}", "2026-06-02T10:00:00-04:00", REG_F, None, (SEVEN, n),
             history=contacts(DAILY[0], outcome=outcome))
        for outcome, n in (("busy", 0), ("not_in_service", 0), ("no_answer", 1), ("dropped", 1))
    ],
    case("T21-06-03", "2026-06-03T10:00:00-04:00", REG_F, None, (SEVEN, 7), party=CONSENT, history=contacts(*MAY_31)),
    case("T21-06-04", "2026-06-04T10:00:00-04:00", REG_F, SEVEN, (SEVEN, 7), party=CONSENT, history=contacts(*MAY_31)),
    case("T21-nine", "2026-06-08T10:00:00-04:00", REG_F, None, (SEVEN, 0),
         history=contacts(*CONSENTED, consented=True)),
    case("T23", "2026-06-08T10:00:00-04:00", REG_F, SEVEN, number=WORK,
         history=[*SIX_COUNTED, contact("2026-06-07T12:00:00-04:00", number="+12125550188", number_kind="landline")]),
    case("T25", "2026-06-01T15:00:00+08:00", "cn-gbt-45251", "cn-gbt-45251/conversations-per-day", debts=["Y"],
         account="y", history=contacts(*THREE_TALKS, outcome="conversation", debts=["X"], account="x")),
    case("T26", "2026-06-01T15:00:00+08:00", "cn-nifa-2024", "cn-nifa-2024/connected-per-day", history=ROBOT),
    case("T28-mobile", "2026-06-01T15:00:00+08:00", "cn-cba-2026", "cn-cba-2026/attempts-per-number",
         history=contacts(*SIX)),
    case("T28-landline", "2026-06-01T15:00:00+08:00", "cn-cba-2026", None, number=LANDLINE, history=contacts(*SIX)),
    case("T28-house-cap", "2026-06-01T15:00:00+08:00", "cn-cba-2026", "house/cap-1", number=LANDLINE,
         history=contacts(*SIX), house={"caps": [{"limit": 6, "days": 1}]}),
    case("T30", "2026-06-08T10:00:00-04:00", REG_F, None, (SEVEN, 0), party={"id": "B"}, debts=["dB"], account="aB",
         history=SPOUSE_A),
    case("T31", "2026-06-05T10:00:00-04:00", "us-ma", "us-ma/two-in-seven-days",
         history=contacts("2026-06-02T10:00:00-04:00", "2026-06-03T10:00:00-04:00")),
    case("T32", "2026-09-10T10:00:00-04:00", "us-nyc", "us-nyc/contacts-in-seven-days", history=NYC_THREE),
    case("T32-calls-only", "2026-09-10T10:00:00-04:00", "us-nyc", None, history=NYC_THREE[:2]),
    case("T33-contacts", "2026-06-04T10:00:00+10:00", "au-rg96", "au-rg96/three-in-seven-days", party=MELBOURNE,
         history=AU_THREE),
    case("T33-ring-outs", "2026-06-04T10:00:00+10:00", "au-rg96", None, party=MELBOURNE, history=AU_RINGS),
    case("T34-first", "2026-06-08T10:00:00-04:00", REG_F, None, (SEVEN, 6), history=SIX_COUNTED),
    case("T34-second", "2026-06-08T10:00:00-04:00", REG_F, SEVEN, (SEVEN, 7),
         history=[*SIX_COUNTED, contact("2026-06-08T10:00:00-04:00", "reserved", id="r1")]),
    case("T35", "2026-06-01T15:00:00+08:00", "cn-gbt-45251", "cn-gbt-45251/conversations-per-day", debts=["Y"],
         history=[*contacts(*THREE_TALKS[:2], outcome="conversation", debts=["X"]),
                  contact("2026-06-01T14:59:00+08:00", "live", debts=["X"])]),
    case("T37-recount", "2026-06-08T10:00:00-04:00", REG_F, SEVEN,
         history=[*SIX_COUNTED, contact("2026-06-03T18:00:00-04:00")]),
    case("T38", "2026-06-08T10:00:00-04:00", REG_F, None, (SEVEN, 6),
         history=[*SIX_COUNTED, contact("2026-06-08T09:00:00-04:00", "not_placed")]),
    case("T39", "2026-06-08T10:00:00-04:00", REG_F, SEVEN, (SEVEN, 7),
         history=[*SIX_COUNTED, contact("2026-06-08T09:00:00-04:00", "unknown")]),
    *[
        row
        for pack in ("cn-gbt-45251", "cn-cba-2026")
        for row in (
            case(f"T44-{pack}-reachable", "2026-06-01T10:00:00+08:00", pack, f"{pack}/third-party", party=CONTACT,
                 purpose="message"),
            case(f"T44-{pack}-lost", "2026-06-01T10:00:00+08:00", pack, None, party=CONTACT, purpose="message",
                 case={"failed_contacts": 3}),
            case(f"T44-{pack}-lost-collect", "2026-06-01T10:00:00+08:00", pack, f"{pack}/third-party", party=CONTACT,
                 case={"failed_contacts": 3}),
            case(f"T44-{pack}-refused", "2026-06-01T10:00:00+08:00", pack, "house/refused", party=REFUSED,
                 purpose="message", case={"failed_contacts": 3}),
        )
    ],
    case("T45-agent", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/complaint-open", case=OPEN_COMPLAINT),
    case("T45-agent-complaint", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/complaint-open",
         case=OPEN_COMPLAINT, purpose="complaint"),
    case("T45-supervisor-collect", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/complaint-open",
         case=OPEN_COMPLAINT, agent=SUPERVISOR),
    case("T45-supervisor-complaint", "2026-06-01T10:00:00+08:00", "cn-outsourcing", None,
         case=OPEN_COMPLAINT | {"state": "suspended"}, agent=SUPERVISOR, purpose="complaint"),
    case("T48-settled", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/settled", case={"state": "settled"}),
    case("T48-payment", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/payment-pending",
         case={"state": "payment_pending"}),
    case("T48-mandate", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/mandate-expired",
         case={"mandate_until": "2026-05-31"}),
    case("T48-last-day", "2026-05-31T20:00:00+08:00", "cn-outsourcing", None, case={"mandate_until": "2026-05-31"}),
    case("T49-before", "2026-06-01T09:59:58-04:00", REG_F, None, party={"cease_at": "2026-06-01T10:00:00-04:00"}),
    case("T49-at-dial", "2026-06-01T10:00:01-04:00", REG_F, "house/cease",
         party={"cease_at": "2026-06-01T10:00:00-04:00"}),
    case("T50", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/recorder-unhealthy", recorder_healthy=False),
    case("T50-configured", "2026-06-01T10:00:00+08:00", "cn-outsourcing", None, recorder_healthy=False,
         house={"recorder_required": False}),
]
# fmt: on


@pytest.mark.parametrize("given", CASES, ids=lambda given: given.id)
def test_the_verdict_is_the_one_the_rules_ask_for(given: Case) -> None:
    document = verdict(given.at, *given.packs, **given.changes)
    assert (document["verdict"], document["rule"]) == ("deny" if given.rule else "allow", given.rule), document[
        "reason"
    ]
    if given.rule:
        assert document["pack"] == given.rule.partition("/")[0]
        assert given.rule in rules(document)
    if given.count:
        assert used(document, given.count[0]) == given.count[1]


def test_t30_warns_of_the_pattern_on_the_shared_number() -> None:
    document = verdict(
        "2026-06-08T10:00:00-04:00", REG_F, party={"id": "B"}, debts=["dB"], account="aB", history=SPOUSE_A
    )
    assert "us-reg-f/number-seven-in-seven" in {warning["rule"] for warning in document["warnings"]}


def test_t34_names_the_competing_reservation() -> None:
    history = [*SIX_COUNTED, contact("2026-06-08T10:00:00-04:00", "reserved", id="r1")]
    document = verdict("2026-06-08T10:00:00-04:00", REG_F, history=history)
    seven = next(denial for denial in document["denials"] if denial["rule"] == SEVEN)
    assert seven["competing"] == ["r1"]
    assert "not known yet, counted as the worst they may become: 1" in seven["reason"]


def test_t44_an_allowed_contact_is_told_that_the_debt_stays_unsaid() -> None:
    lost = {"party": CONTACT, "purpose": "message", "case": {"failed_contacts": 3}}
    document = verdict("2026-06-01T10:00:00+08:00", "cn-gbt-45251", **lost)
    assert any("never speak of the debt" in warning["reason"] for warning in document["warnings"])


def test_t48_a_payment_awaiting_reconciliation_is_a_hold_and_not_a_prohibition() -> None:
    document = verdict("2026-06-01T10:00:00+08:00", "cn-outsourcing", case={"state": "payment_pending"})
    assert [denial["hard"] for denial in document["denials"]] == [False]


def test_t4_says_when_both_coasts_are_open_again() -> None:
    document = verdict("2026-06-01T21:00:00-04:00", REG_F, party=BOTH_COASTS)
    assert document["retry_at"] == "2026-06-02T08:00:00-07:00"
    assert NEW_YORK["zone"] in document["reason"]
