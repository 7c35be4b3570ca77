"""More cases of the kinds in section 4, with other numbers, zones, dates and packs: each expected by reading the rules alone."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.policy_facts import LOS_ANGELES, contact, contacts, rules, verdict

REG_F, MA, AU = "us-reg-f", "us-ma", "au-rg96"
REST, SEVEN = f"{REG_F}/after-conversation", f"{REG_F}/seven-in-seven"


def at(zone: str, **party: Any) -> dict[str, Any]:
    """A party who lives in that zone."""
    return {"locations": [{"source": "address", "zone": zone}], **party}


LONDON, SYDNEY, LORD_HOWE, SAO_PAULO, KATHMANDU, PENSACOLA, URUMQI, SEATTLE = (
    at(zone)
    for zone in (
        "Europe/London", "Australia/Sydney", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "America/Chicago",
        "Asia/Urumqi", "America/Los_Angeles",
    )
)  # fmt: skip
WORK = {"e164": "+12125550199", "kind": "work"}
AU_WORK = {"kind": "work"}
TEN_ON_31_JANUARY = [contact(f"2028-01-31T{hour:02}:00:00+11:00", "voicemail") for hour in range(9, 19)]
TEN_IN_2027 = [contact(f"2027-01-31T{hour:02}:00:00+11:00", "voicemail") for hour in range(9, 19)]
AT_WORK_IN_MAY = contacts(
    "2026-05-02T10:00:00-04:00", "2026-05-02T15:00:00-04:00", number=WORK["e164"], number_kind="work"
)
AT_HOME_IN_MAY = contacts("2026-05-30T10:00:00-04:00", "2026-05-31T15:00:00-04:00")
SEVEN_ON_3_JUNE = [contact(f"2026-06-03T{hour:02}:00:00-04:00") for hour in range(9, 16)]
CONSENT = {"agreements": [{"kind": "call", "received": "2026-06-01T10:00:00-04:00"}]}
HOUSEMATE = contacts(
    "2026-06-02T10:00:00-04:00", "2026-06-03T10:00:00-04:00", party="p2", number="+16175550111", household="h1"
)
NEIGHBOUR = {"id": "k1", "relation": "contact"}
SPOKE_ONCE = [contact("2024-06-01T10:00:00-04:00", "conversation", party="k1")]
CLOSED = {"state": "closed", "instructed": True, "former_agent": "ann"}
UNINSTRUCTED = {"state": "closed", "instructed": False}
BOB, SUE = {"id": "bob", "role": "collector"}, {"id": "sue", "role": "supervisor"}
SIX = [contact(f"2026-06-01T{hour:02}:00:00+08:00") for hour in range(9, 15)]
FOUR_BUSY = [contact(f"2026-06-0{day}T10:00:00-04:00", "busy") for day in (1, 2, 3, 4)]
TWO_IN_AUGUST = contacts("2026-08-30T10:00:00-04:00", "2026-08-31T09:00:00-04:00")
LETTERS = [contact(f"2026-06-0{day}T10:00:00-07:00", channel="letter") for day in (1, 2, 3)]
TALKS = [contact(f"2026-06-01T{hour:02}:00:00+08:00", "conversation") for hour in (9, 10, 11)]
OVERRIDE = {"by": "sue", "reason": "asked for a call", "expires_at": "2026-06-03T20:00:00-04:00"}
NIGHT = {"inconvenient": [{"from": "20:00", "to": "09:00"}]}
MONDAYS = {"inconvenient": [{"days": ["mon"], "from": "12:00", "to": "13:30"}]}
TONIGHT = {"agreements": [{"kind": "hours", "received": "2026-06-01T09:00:00+08:00", "from": "2026-06-01T22:00:00+08:00",
                           "until": "2026-06-01T23:00:00+08:00"}]}  # fmt: skip
GAP = {"min_gap_minutes": 45}


@dataclass(frozen=True)
class Case:
    """`rule`: that denies first, None when the call is allowed."""

    id: str
    at: str
    packs: tuple[str, ...]
    rule: str | None
    changes: dict[str, Any]


def case(id: str, at: str, packs: str, rule: str | None, **changes: Any) -> Case:
    return Case(id, at, tuple(packs.split()), rule, changes)


# fmt: off
CASES = [
    # The clock changes.
    case("summer time ends: 07:59 in London", "2026-10-25T07:59:59+00:00", "uk-conc", "uk-conc/hours", party=LONDON),
    case("summer time ends: 08:00 in London", "2026-10-25T08:00:00+00:00", "uk-conc", None, party=LONDON),
    case("the day before: 08:00 in London", "2026-10-24T07:00:00+00:00", "uk-conc", None, party=LONDON),
    case("summer time starts: 08:59 in Sydney", "2026-10-03T21:59:59+00:00", AU, f"{AU}/hours", party=SYDNEY),
    case("summer time starts: 09:00 in Sydney", "2026-10-03T22:00:00+00:00", AU, None, party=SYDNEY),
    case("half an hour of summer time: 07:29", "2026-10-04T20:29:59+00:00", AU, f"{AU}/hours", party=LORD_HOWE),
    case("half an hour of summer time: 07:30", "2026-10-04T20:30:00+00:00", AU, None, party=LORD_HOWE),
    case("a quarter of an hour: 07:59 in Kathmandu", "2026-06-01T02:14:59+00:00", "cn-outsourcing", "cn-outsourcing/hours",
         party=KATHMANDU),
    case("a quarter of an hour: 08:00 in Kathmandu", "2026-06-01T02:15:00+00:00", "cn-outsourcing", None, party=KATHMANDU),
    case("Florida's west keeps Central time: 20:59", "2026-06-01T20:59:59-05:00", "us-fl", None, party=PENSACOLA),
    case("Florida's west keeps Central time: 21:00", "2026-06-01T21:00:00-05:00", "us-fl", "us-fl/hours", party=PENSACOLA),
    # Versions by the day of the call.
    case("20:30 in Urumqi, the zone of version 2", "2026-06-01T20:30:00+06:00", "cn-outsourcing", None, party=URUMQI),
    case("20:30 in Urumqi, Beijing's time of version 1", "2026-06-01T20:30:00+06:00", "cn-outsourcing@1",
         "cn-outsourcing/hours", party=URUMQI),
    case("the day before CBA", "2026-01-29T22:30:00+08:00", "cn-cba-2026", None),
    case("the first day of CBA", "2026-01-30T22:30:00+08:00", "cn-cba-2026", "cn-cba-2026/hours"),
    case("New York City's last day of two", "2026-08-31T15:00:00-04:00", "us-nyc", "us-nyc/contacts-in-seven-days",
         history=TWO_IN_AUGUST),
    case("New York City's first day of three", "2026-09-01T15:00:00-04:00", "us-nyc", None, history=TWO_IN_AUGUST),
    # Holidays.
    case("Good Friday", "2026-04-03T11:00:00+11:00", AU, f"{AU}/hours", party=SYDNEY),
    case("Anzac Day on a Saturday", "2026-04-25T11:00:00+10:00", AU, f"{AU}/hours", party=SYDNEY),
    case("a state's Labour Day is not national", "2026-10-05T11:00:00+11:00", AU, None, party=SYDNEY),
    case("São Paulo's own holiday", "2026-07-09T11:00:00-03:00", "br-sp", "br-sp/hours", party=SAO_PAULO),
    case("Independence Day", "2026-09-07T11:00:00-03:00", "br-sp", "br-sp/hours", party=SAO_PAULO),
    case("Saturday 13:59", "2026-06-06T13:59:59-03:00", "br-sp", None, party=SAO_PAULO),
    case("Saturday 14:00", "2026-06-06T14:00:00-03:00", "br-sp", "br-sp/hours", party=SAO_PAULO),
    case("at work until 17:00", "2026-06-01T16:59:59+10:00", AU, None, party=SYDNEY, number=AU_WORK),
    case("at work from 17:00", "2026-06-01T17:00:00+10:00", AU, f"{AU}/hours", party=SYDNEY, number=AU_WORK),
    case("a make-up workday changes nothing", "2026-02-14T10:00:00+08:00", "cn-outsourcing cn-gbt-45251", None),
    # Windows by date.
    case("thirty days over a leap day: the last", "2028-02-29T12:00:00+11:00", AU, f"{AU}/ten-in-thirty-days", party=SYDNEY,
         history=TEN_ON_31_JANUARY),
    case("thirty days over a leap day: free", "2028-03-01T12:00:00+11:00", AU, None, party=SYDNEY, history=TEN_ON_31_JANUARY),
    case("thirty days without one: the last", "2027-03-01T12:00:00+11:00", AU, f"{AU}/ten-in-thirty-days", party=SYDNEY,
         history=TEN_IN_2027),
    case("thirty days without one: free", "2027-03-02T12:00:00+11:00", AU, None, party=SYDNEY, history=TEN_IN_2027),
    case("two at work, day 30", "2026-05-31T10:00:00-04:00", MA, f"{MA}/two-in-thirty-days-elsewhere", number=WORK,
         history=AT_WORK_IN_MAY),
    case("two at work, day 31", "2026-06-01T10:00:00-04:00", MA, None, number=WORK, history=AT_WORK_IN_MAY),
    case("two at home say nothing of work", "2026-06-01T10:00:00-04:00", MA, None, number=WORK, history=AT_HOME_IN_MAY),
    case("two at home", "2026-06-01T10:00:00-04:00", MA, f"{MA}/two-in-seven-days", history=AT_HOME_IN_MAY),
    case("four in a week, busy lines too", "2026-06-07T10:00:00-04:00", "us-dc", "us-dc/calls-in-seven-days", history=FOUR_BUSY),
    case("another account", "2026-06-07T10:00:00-04:00", "us-dc", None, history=FOUR_BUSY, account="a2"),
    case("a week later", "2026-06-08T10:00:00-04:00", "us-dc", None, history=FOUR_BUSY),
    case("letters count in Washington", "2026-06-07T10:00:00-07:00", "us-wa", "us-wa/three-in-seven-days", party=SEATTLE,
         history=LETTERS),
    case("07:30 in Washington", "2026-06-08T07:30:00-07:00", "us-wa", None, party=SEATTLE),
    case("07:30 in Washington under Reg F too", "2026-06-08T07:30:00-07:00", "us-wa us-reg-f", f"{REG_F}/hours", party=SEATTLE),
    case("168 hours ago is out", "2026-06-08T10:00:00-04:00", "house", None, party={"locations": [LOS_ANGELES]},
         history=contacts("2026-06-01T10:00:00-04:00"), house={"caps": [{"limit": 1, "minutes": 10080}]}),
    case("a second less is in", "2026-06-08T09:59:59-04:00", "house", "house/cap-1", party={"locations": [LOS_ANGELES]},
         history=contacts("2026-06-01T10:00:00-04:00"), house={"caps": [{"limit": 1, "minutes": 10080}]}),
    # The day of a conversation is day 1.
    case("a talk before summer time, day 7", "2026-03-10T10:00:00-04:00", REG_F, REST,
         history=[contact("2026-03-04T20:00:00-05:00", "conversation")]),
    case("a talk before summer time, day 8", "2026-03-11T08:00:00-04:00", REG_F, None,
         history=[contact("2026-03-04T20:00:00-05:00", "conversation")]),
    case("a talk before a leap day, day 7", "2028-02-29T10:00:00-05:00", REG_F, REST,
         history=[contact("2028-02-23T10:00:00-05:00", "conversation")]),
    case("a talk before a leap day, day 8", "2028-03-01T10:00:00-05:00", REG_F, None,
         history=[contact("2028-02-23T10:00:00-05:00", "conversation")]),
    case("a talk about another debt", "2026-06-03T10:00:00-04:00", REG_F, None,
         history=[contact("2026-06-01T10:00:00-04:00", "conversation", debts=["d9"])]),
    case("the bank's own talk is not ours", "2026-06-03T10:00:00-04:00", REG_F, None,
         history=[contact("2026-06-01T10:00:00-04:00", "conversation", by="client")]),
    # Consent.
    case("consent, the seventh day", "2026-06-07T20:00:00-04:00", REG_F, None, party=CONSENT, history=SEVEN_ON_3_JUNE),
    case("consent, the eighth day", "2026-06-08T10:00:00-04:00", REG_F, SEVEN, party=CONSENT, history=SEVEN_ON_3_JUNE),
    case("consent ends with the conversation", "2026-06-03T10:00:00-04:00", REG_F, REST, party=CONSENT,
         history=[contact("2026-06-02T10:00:00-04:00", "conversation")]),
    case("agreed hours hold", "2026-06-01T22:30:00+08:00", "cn-gbt-45251", None, party=TONIGHT),
    case("agreed hours end", "2026-06-01T23:00:00+08:00", "cn-gbt-45251", "cn-gbt-45251/hours", party=TONIGHT),
    case("six unanswered, agreed", "2026-06-01T15:00:00+08:00", "cn-cba-2026", None, history=SIX,
         party={"agreements": [{"kind": "call", "received": "2026-06-01T08:00:00+08:00"}]}),
    case("five unanswered and a talk", "2026-06-01T15:00:00+08:00", "cn-cba-2026", None,
         history=[*SIX[1:], contact("2026-06-01T14:30:00+08:00", "conversation")]),
    # Who.
    case("a housemate about the same debt", "2026-06-04T10:00:00-04:00", MA, f"{MA}/two-in-seven-days",
         party={"household": "h1"}, history=HOUSEMATE),
    case("a housemate about another debt", "2026-06-04T10:00:00-04:00", MA, None, party={"household": "h1"}, debts=["d7"],
         account="a7", history=HOUSEMATE),
    case("a neighbour may be asked where", "2026-06-04T10:00:00-04:00", REG_F, None, party=NEIGHBOUR, purpose="location"),
    case("a neighbour takes no message", "2026-06-04T10:00:00-04:00", REG_F, f"{REG_F}/third-party", party=NEIGHBOUR,
         purpose="message"),
    case("a neighbour is asked once", "2026-06-04T10:00:00-04:00", REG_F, f"{REG_F}/one-communication", party=NEIGHBOUR,
         purpose="location", history=SPOKE_ONCE),
    case("a neighbour who asks for a call", "2026-06-04T10:00:00-04:00", REG_F, None, purpose="location", history=SPOKE_ONCE,
         party=NEIGHBOUR | {"agreements": [{"kind": "call", "received": "2026-06-03T10:00:00-04:00"}]}),
    case("a spouse is the consumer", "2026-06-04T10:00:00-04:00", REG_F, None, party={"relation": "spouse"}),
    case("a spouse is a third person in Australia", "2026-06-04T10:00:00+10:00", AU, f"{AU}/third-party",
         party=SYDNEY | {"relation": "spouse"}),
    case("a spouse is a third person in China", "2026-06-04T10:00:00+08:00", "cn-gbt-45251", "cn-gbt-45251/third-party",
         party={"relation": "spouse"}),
    case("a guarantor owes", "2026-06-04T10:00:00+08:00", "cn-gbt-45251", None, party={"relation": "guarantor"}),
    case("inbound talks are not ours to count", "2026-06-01T15:00:00+08:00", "cn-gbt-45251", None,
         history=[row | {"direction": "inbound"} for row in TALKS]),
    case("three talks", "2026-06-01T15:00:00+08:00", "cn-gbt-45251", "cn-gbt-45251/conversations-per-day", history=TALKS),
    case("an attorney, for a supervisor too", "2026-06-04T10:00:00-04:00", REG_F, "house/attorney", purpose="complaint",
         party={"attorney": "Lin & Co"}, agent=SUE, case={"complaint": {"state": "open"}}),
    case("the draft of India", "2026-07-02T10:00:00+05:30", "in-rbi@2", "in-rbi/third-party", purpose="location",
         party=at("Asia/Kolkata", relation="contact")),
    # Gaps, hours of the party, guard.
    case("45 minutes less a second", "2026-06-04T10:44:59-04:00", REG_F, "house/min-gap", house=GAP,
         history=contacts("2026-06-04T10:00:00-04:00", number="+12125550188")),
    case("45 minutes", "2026-06-04T10:45:00-04:00", REG_F, None, house=GAP,
         history=contacts("2026-06-04T10:00:00-04:00", number="+12125550188")),
    case("somebody else on this number", "2026-06-04T10:30:00-04:00", REG_F, "house/min-gap", house=GAP,
         history=contacts("2026-06-04T10:00:00-04:00", party="p2")),
    case("never placed", "2026-06-04T10:30:00-04:00", REG_F, None, house=GAP,
         history=contacts("2026-06-04T10:00:00-04:00", outcome="not_placed")),
    case("not before 09:00, asked for", "2026-06-04T08:59:59+08:00", "cn-outsourcing", "house/inconvenient", party=NIGHT),
    case("09:00", "2026-06-04T09:00:00+08:00", "cn-outsourcing", None, party=NIGHT),
    case("Monday noon", "2026-06-01T12:30:00+08:00", "cn-outsourcing", "house/inconvenient", party=MONDAYS),
    case("Tuesday noon", "2026-06-02T12:30:00+08:00", "cn-outsourcing", None, party=MONDAYS),
    case("90 s of guard at the opening", "2026-06-01T08:01:29+08:00", "cn-gbt-45251", "cn-gbt-45251/hours",
         house={"guard_seconds": 90}),
    case("90 s of guard are over", "2026-06-01T08:01:30+08:00", "cn-gbt-45251", None, house={"guard_seconds": 90}),
    case("clocks 30 s apart", "2026-06-01T21:59:40+08:00", "cn-gbt-45251", "house/clock-doubt", clock_skew_seconds=-30),
    # The case.
    case("the mandate's last evening in the west", "2026-06-30T20:59:00-07:00", REG_F, None, party=SEATTLE,
         case={"mandate_until": "2026-06-30"}),
    case("the morning after", "2026-07-01T08:00:00-07:00", REG_F, "house/mandate-expired", party=SEATTLE,
         case={"mandate_until": "2026-06-30"}),
    case("a mandate over a leap day", "2028-02-29T12:00:00+08:00", "cn-outsourcing", None, case={"mandate_until": "2028-02-29"}),
    case("the collector complained about", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/complaint-former-agent",
         case={"complaint": CLOSED}),
    case("another collector", "2026-06-01T10:00:00+08:00", "cn-outsourcing", None, case={"complaint": CLOSED}, agent=BOB),
    case("closed, nobody said go on", "2026-06-01T10:00:00+08:00", "cn-outsourcing", "house/complaint-not-instructed",
         case={"complaint": UNINSTRUCTED}, agent=BOB),
    case("closed, the supervisor reports the ruling", "2026-06-01T10:00:00+08:00", "cn-outsourcing", None,
         case={"complaint": UNINSTRUCTED}, agent=SUE, purpose="complaint"),
    case("a complaint does not open the night", "2026-06-01T22:30:00+08:00", "cn-gbt-45251", "cn-gbt-45251/hours",
         case={"complaint": {"state": "open"}}, agent=SUE, purpose="complaint"),
    # Overrides.
    case("an override lifts the presumption", "2026-06-03T19:59:59-04:00", REG_F, None, override=OVERRIDE,
         history=[row | {"at": row["at"].replace("06-03", "06-02")} for row in SEVEN_ON_3_JUNE]),
    case("an override has ended", "2026-06-03T20:00:00-04:00", REG_F, SEVEN, override=OVERRIDE,
         history=[row | {"at": row["at"].replace("06-03", "06-02")} for row in SEVEN_ON_3_JUNE]),
    case("an override never opens the night", "2026-06-03T07:30:00-04:00", REG_F, f"{REG_F}/hours", override=OVERRIDE),
    case("one place unknown", "2026-06-03T12:00:00-04:00", REG_F, "house/unknown-zone",
         party={"locations": [LOS_ANGELES, {"source": "statement", "region": "US"}]}),
]
# fmt: on


@pytest.mark.parametrize("given", CASES, ids=lambda given: given.id)
def test_the_verdict_is_what_the_rules_say(given: Case) -> None:
    document = verdict(given.at, *given.packs, **given.changes)
    assert (document["verdict"], document["rule"]) == ("deny" if given.rule else "allow", given.rule), document[
        "reason"
    ]
    if given.rule:
        assert given.rule in rules(document)


@pytest.mark.parametrize(
    ("when", "packs", "changes", "retry"),
    [
        ("2026-06-01T15:00:00+08:00", ["cn-gbt-45251"], {"history": TALKS}, "2026-06-02T08:00:00+08:00"),
        ("2026-10-24T21:30:00+01:00", ["uk-conc"], {"party": LONDON}, "2026-10-25T08:00:00+00:00"),
        ("2026-06-06T14:00:00-03:00", ["br-sp"], {"party": SAO_PAULO}, "2026-06-08T08:00:00-03:00"),
        ("2026-04-03T11:00:00+11:00", [AU], {"party": SYDNEY}, "2026-04-04T09:00:00+11:00"),
        ("2028-02-29T12:00:00+11:00", [AU], {"party": SYDNEY, "history": TEN_ON_31_JANUARY}, "2028-03-01T07:30:00+11:00"),
        ("2026-03-10T10:00:00-04:00", [REG_F], {"history": [contact("2026-03-04T20:00:00-05:00", "conversation")]},
         "2026-03-11T08:00:00-04:00"),
        ("2026-08-31T15:00:00-04:00", ["us-nyc"], {"history": TWO_IN_AUGUST}, "2026-09-01T00:00:00-04:00"),
        ("2026-07-01T08:00:00-07:00", [REG_F], {"party": SEATTLE, "case": {"mandate_until": "2026-06-30"}}, None),
    ],
)  # fmt: skip
def test_the_next_allowed_moment_is_the_one_that_the_rules_say(
    when: str, packs: list[str], changes: dict[str, Any], retry: str | None
) -> None:
    assert verdict(when, *packs, **changes)["retry_at"] == retry
