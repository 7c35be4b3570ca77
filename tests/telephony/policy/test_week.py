"""The week's strip says at every moment what the verdict says, and tells stretches, not moments."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.policy.engine import evaluate
from telephony.policy.facts import read_facts
from telephony.policy.week import Stretch, strip

ASK: dict[str, Any] = {
    "at": "2026-06-01T12:00:00+08:00", "packs": ["cn-outsourcing"], "purpose": "collect", "agent": {"role": "collector"},
    "party": {"id": "p", "relation": "debtor", "locations": [{"source": "address", "zone": "Asia/Shanghai"}]},
    "number": {"e164": "+8613800138000"}, "debts": ["d"], "case": {"state": "open"},
}  # fmt: skip


def _strip(days: int = 7, **changes: Any) -> list[Stretch]:
    return strip(read_facts({**ASK, **changes}), days)


def _clock(moment: datetime, offset: int = 8) -> str:
    return (moment + timedelta(hours=offset)).strftime("%d %H:%M")


def test_a_week_of_calling_hours() -> None:
    found = _strip()
    assert [stretch.allowed for stretch in found] == [True, False] * 7 + [True]
    assert [(_clock(one.start), _clock(one.end)) for one in found[:3]] == [
        ("01 12:00", "01 21:00"), ("01 21:00", "02 08:00"), ("02 08:00", "02 21:00"),
    ]  # fmt: skip
    assert found[1].rule == "cn-outsourcing/hours"
    assert (found[0].start, found[-1].end) == (read_facts(ASK).at, read_facts(ASK).at + timedelta(days=7))


def test_a_cap_closes_the_rest_of_the_day_and_a_refusal_the_week() -> None:
    capped = _strip(house={"caps": [{"limit": 1, "days": 1}]}, history=[{"at": "2026-06-01T11:00:00+08:00"}])
    assert (_clock(capped[0].end), capped[0].rule, _clock(capped[1].end)) == ("01 21:00", "house/cap-1", "02 08:00")
    assert capped[2].allowed
    (refused,) = _strip(party=ASK["party"] | {"refused_at": "2026-05-01T00:00:00Z"})
    assert (refused.allowed, refused.hard, refused.rule) == (False, True, "house/refused")


def test_a_band_of_minutes_within_the_day_is_not_overlooked() -> None:
    party = ASK["party"] | {"inconvenient": [{"days": ["tue"], "from": "13:07", "to": "13:11"}]}
    assert ("02 13:07", "02 13:11") in [(_clock(one.start), _clock(one.end)) for one in _strip(party=party)]


def test_the_guard_narrows_every_stretch() -> None:
    found = _strip(house={"guard_seconds": 90})
    assert found[0].end == datetime.fromisoformat("2026-06-01T20:58:30+08:00")
    assert found[1].end == datetime.fromisoformat("2026-06-02T08:01:30+08:00")


PARTIES = (
    {
        "locations": [
            {"source": "address", "zone": "America/New_York"},
            {"source": "number", "zone": "America/Los_Angeles"},
        ]
    },
    {"inconvenient": [{"days": ["mon", "thu"], "from": "22:30", "to": "09:10"}]},
    {"agreements": [{"kind": "hours", "from": "2026-06-02T22:00:00+08:00", "until": "2026-06-03T01:17:00+08:00"}]},
    {"locations": [{"source": "address", "zone": "Asia/Kolkata"}]},
)
HOUSES = (
    {},
    {"guard_seconds": 60},
    {"hours": "10:15-19:45"},
    {"min_gap_minutes": 95},
    {"caps": [{"limit": 2, "minutes": 600}]},
)


@settings(max_examples=60, deadline=None)
@given(
    party=st.sampled_from(PARTIES),
    house=st.sampled_from(HOUSES),
    packs=st.sampled_from([["cn-outsourcing"], ["us-reg-f", "us-ma"], ["br-sp"], ["au-rg96", "in-rbi"]]),
    start=st.datetimes(datetime.fromisoformat("2026-02-25"), datetime.fromisoformat("2026-11-05")),
    later=st.lists(st.integers(0, 3 * 86400 - 1), min_size=20, max_size=20),
)
def test_the_strip_says_what_the_verdict_says(
    party: dict[str, Any], house: dict[str, Any], packs: list[str], start: datetime, later: list[int]
) -> None:
    history = [
        {"at": (start - timedelta(minutes=gap)).isoformat() + "Z", "outcome": "no_answer"} for gap in (3, 80, 500)
    ]
    changes = {"party": ASK["party"] | party, "house": house, "packs": packs, "history": history}
    facts = read_facts({**ASK, **changes, "at": start.isoformat() + "Z"})
    found = strip(facts, 3)
    assert all(one.end == two.start for one, two in pairwise(found))
    moments = [facts.at + timedelta(seconds=seconds) for seconds in later]
    moments += [
        stretch.end - timedelta(seconds=1) for stretch in found if stretch.end - stretch.start > timedelta(seconds=1)
    ]
    for moment in moments:
        stretch = next(one for one in found if one.start <= moment < one.end)
        verdict = evaluate(facts.model_copy(update={"at": moment}))
        assert (stretch.allowed, stretch.rule) == (verdict.allowed, verdict.rule), moment


@pytest.mark.parametrize("days", [1, 31])
def test_other_lengths(days: int) -> None:
    assert _strip(days)[-1].end == read_facts(ASK).at + timedelta(days=days)
