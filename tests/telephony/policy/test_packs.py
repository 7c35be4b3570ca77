"""Rule packs as data: what ships, what is refused, which version decides on which day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from config.errors import Invalid
from telephony.policy.applied import FLAGS
from telephony.policy.holiday_calendar import is_holiday
from telephony.policy.packs import (
    BrokenPack,
    available,
    history_horizon,
    listing,
    packs_for_regions,
    parse_pack,
    resolve,
)
from telephony.policy.rules import FlagRule, HolidayCalendar

SHIPPED = {
    "cn-outsourcing", "cn-gbt-45251", "cn-cba-2026", "cn-nifa-2024", "us-reg-f", "us-ma", "us-nyc", "us-dc", "us-wa",
    "us-wv", "us-fl", "uk-conc", "au-rg96", "in-rbi", "br-sp", "br-al", "br-rj", "br-es", "br-am", "house",
}  # fmt: skip
HOUSE = {
    "do-not-call", "unknown-zone", "clock-doubt", "complaint-open", "complaint-not-instructed", "complaint-former-agent",
    "suspended", "settled", "payment-pending", "mandate-expired", "returned", "closed", "dispute", "fraud-statement",
    "recorder-unhealthy", "refused", "cease", "attorney", "deceased", "minor", "inconvenient", "invalid-number", "min-gap",
}  # fmt: skip
PACK = """
id = "xx-test"
title = { en = "Test", zh = "测试" }
jurisdiction = "XX"
zone = "Europe/Dublin"
[[versions]]
version = 1
[[versions.rules]]
name = "hours"
kind = "hours"
hard = true
text = { en = "Hours", zh = "时段" }
source = "test"
confidence = "V"
bands = [{ from = "09:00", to = "20:00" }]
"""
SECOND = """[[versions]]
version = 2
from = 2026-02-01
rules = []
"""
DAY = date(2026, 6, 1)


def references(*names: str, on: date | datetime = DAY) -> list[str]:
    return [pack.reference for pack in resolve(list(names), on)]


def test_every_pack_of_the_contract_ships() -> None:
    assert {pack.id for pack in available()} == SHIPPED


def test_the_house_has_exactly_the_rules_of_the_contract_and_each_is_decided_somewhere() -> None:
    house = next(pack for pack in available() if pack.id == "house")
    names = {rule.name for rule in house.rules if isinstance(rule, FlagRule)}
    assert names == HOUSE
    assert names - set(FLAGS) == {"clock-doubt", "inconvenient", "min-gap"}
    assert set(FLAGS) < names


@pytest.mark.parametrize("pack", available(), ids=lambda pack: pack.reference)
def test_every_rule_says_what_it_is_where_it_comes_from_and_how_sure_it_is(pack) -> None:  # type: ignore[no-untyped-def]
    for rule in pack.rules:
        assert rule.text.en
        assert rule.text.zh
        assert rule.source
        assert rule.confidence != "M" or pack.status == "off"


def test_the_listing_names_each_rule_with_version_dates_and_source() -> None:
    nyc = next(row for row in listing(datetime(2026, 9, 1, 12, tzinfo=UTC)) if row["reference"] == "us-nyc@2")
    assert nyc["in_force"] is True
    rule = nyc["rules"][0]
    assert rule["id"] == "us-nyc/contacts-in-seven-days"
    assert (rule["version"], rule["from"], rule["until"], rule["limit"]) == (2, "2026-09-01", None, 3)
    assert set(rule) >= {"text", "source", "confidence", "hard"}


@pytest.mark.parametrize(
    ("broken", "names"),
    [
        (PACK.replace('source = "test"', 'source = "test"\ncolour = "red"'), "colour"),
        (PACK.replace("Europe/Dublin", "Europe/Atlantis"), "zone"),
        (PACK.replace('kind = "hours"', 'kind = "mood"'), "versions.0.rules.0"),
        (PACK.replace('"09:00"', '"9am"'), "bands"),
        (PACK.replace("hard = true\n", ""), "hard"),
        (PACK.replace(', zh = "时段"', ""), "text"),
        (PACK.replace("version = 1\n", "version = 1\nfrom = 2026-02-01\nuntil = 2026-01-01\n"), "versions.0"),
        (PACK.replace("version = 1\n", "version = 1\nuntil = 2026-02-02\n") + SECOND, "overlap"),
        (PACK + SECOND, "overlap"),
        (PACK + "[[versions]]\nversion = 1\nstatus = 'draft'\nrules = []\n", "number of its own"),
        ("id = ", "xx.toml"),
    ],
)  # fmt: skip
def test_a_broken_pack_is_refused_by_file_and_key(broken: str, names: str) -> None:
    with pytest.raises(BrokenPack, match=names) as caught:
        parse_pack(broken, "xx.toml")
    assert caught.value.detail.startswith("xx.toml: ")


def test_the_example_of_the_guide_is_a_pack() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "policy.md").read_text("utf-8")
    example = guide.split("```toml")[1].split("```")[0]
    (pack,) = parse_pack(example, "ie-example.toml")
    assert [rule.name for rule in pack.rules] == ["hours", "two-a-week", "third-party"]


def test_the_house_is_always_in_force_and_an_id_means_the_version_of_the_day() -> None:
    assert references("us-nyc", on=date(2026, 8, 31)) == ["house@1", "us-nyc@1"]
    assert references("us-nyc", on=date(2026, 9, 1)) == ["house@1", "us-nyc@2"]
    assert references("us-nyc", on=datetime(2026, 9, 1, 3, tzinfo=UTC)) == ["house@1", "us-nyc@1"]
    assert references("us-nyc@2", "house") == ["house@1", "us-nyc@2"]
    assert references("cn-cba-2026", on=date(2026, 1, 29)) == ["house@1"]
    assert references() == ["house@1"]


def test_a_draft_decides_only_when_it_is_pinned() -> None:
    assert references("in-rbi", on=date(2026, 8, 1)) == ["house@1", "in-rbi@1"]
    assert references("in-rbi@2") == ["house@1", "in-rbi@2"]


@pytest.mark.parametrize("reference", ["us-reg-g", "us-reg-f@9", "", "@1", "us-reg-f@1@1", "../us-reg-f"])
def test_an_unknown_pack_is_bad_input(reference: str) -> None:
    with pytest.raises(Invalid, match="not shipped"):
        resolve([reference], DAY)


def test_regions_add_packs_by_themselves_and_never_those_that_are_off() -> None:
    assert packs_for_regions(["US-MA"], DAY) == ["us-ma", "us-reg-f"]
    assert packs_for_regions(["us-ny-nyc"], DAY) == ["us-reg-f"]
    assert packs_for_regions(["US-NY-NYC"], date(2026, 9, 1)) == ["us-nyc", "us-reg-f"]
    assert packs_for_regions(["AU-VIC", "BR-SP"], DAY) == ["au-rg96", "br-sp"]
    assert packs_for_regions(["CN-31"], DAY) == []


def test_the_history_reaches_back_as_far_as_the_longest_window() -> None:
    assert history_horizon(["cn-gbt-45251"]) < timedelta(days=7)
    assert timedelta(days=30) < history_horizon(["us-ma"]) < timedelta(days=40)
    assert history_horizon(["us-reg-f"], "debtor") < timedelta(days=14)
    assert history_horizon(["us-reg-f"], "contact") > timedelta(days=3650)
    monthly = {"caps": [{"limit": 9, "days": 90}], "min_gap_minutes": 30}
    assert history_horizon(resolve(["cn-gbt-45251"], DAY), "debtor", monthly) > timedelta(days=90)


def test_national_holidays_are_not_a_states() -> None:
    cup_day, kings_birthday = date(2026, 11, 3), date(2026, 6, 8)
    nation, state = HolidayCalendar(country="AU"), HolidayCalendar(country="AU", subdivision="VIC")
    assert not is_holiday(nation, cup_day)
    assert is_holiday(state, cup_day)
    assert not is_holiday(nation, kings_birthday)
    assert is_holiday(nation, date(2026, 12, 25))
