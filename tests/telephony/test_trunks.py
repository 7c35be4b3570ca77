"""Which trunk carries a number, how it is written there, and which number it shows."""

import random
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from config.database import Database
from telephony import trunks
from telephony.trunks import caller_id_for, order, routes_for, written

MOBILE = "+8613800138000"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def trunk(name: str, **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"name": name, "prefixes": [], "priority": 10, "weight": 1, "enabled": True, **fields})


def names(rows: list[Any]) -> list[str]:
    return [row.name for row in rows]


@pytest.mark.parametrize(
    ("e164", "dial_format", "dialled"),
    [
        (MOBILE, "e164", MOBILE),
        (MOBILE, "digits", "8613800138000"),
        (MOBILE, "national", "13800138000"),
        ("+8637165551234", "national", "037165551234"),
        ("+12025550123", "national", "2025550123"),
        ("+442079460000", "national", "02079460000"),
    ],
)
def test_a_number_is_written_as_the_trunk_wants_it(e164: str, dial_format: Any, dialled: str) -> None:
    assert written(e164, dial_format) == dialled


def test_the_longest_prefix_wins_then_the_lower_priority() -> None:
    rows = [
        trunk("any", priority=1),
        trunk("china", prefixes=["+86"], priority=5),
        trunk("mobile", prefixes=["+8613", "+8615"], priority=9),
        trunk("mobile-too", prefixes=["+8613"], priority=8),
        trunk("america", prefixes=["+1"]),
        trunk("off", prefixes=["+86138"], enabled=False),
    ]
    assert names(order(rows, MOBILE, random.Random(1))) == ["mobile-too", "mobile", "china", "any"]
    assert order([trunk("america", prefixes=["+1"])], MOBILE, random.Random(1)) == []


def test_weights_share_out_the_first_place_and_a_weight_of_none_comes_last() -> None:
    rows, chance = [trunk("three", weight=3), trunk("one", weight=1), trunk("none", weight=0)], random.Random(7)
    drawn = [names(order(rows, MOBILE, chance)) for _ in range(4000)]
    first = Counter(ordered[0] for ordered in drawn)
    assert 0.7 < first["three"] / 4000 < 0.8
    assert {ordered[2] for ordered in drawn} == {"none"}


def test_the_same_person_always_sees_the_same_caller_id_and_persons_are_spread() -> None:
    pool = ["+8637100001", "+8637100002", "+8637100003"]
    shown = [caller_id_for(f"+861380013{last:04d}", pool) for last in range(300)]
    assert shown == [caller_id_for(f"+861380013{last:04d}", pool) for last in range(300)]
    assert all(70 < count < 130 for count in Counter(shown).values())
    assert caller_id_for(MOBILE, []) is None


async def test_routes_are_those_of_the_pbx_that_dials(database: Database) -> None:
    row = {
        "pbx": "main", "endpoint": "carrier-a", "dial_format": "national", "prefixes": ["+86"], "priority": 10, "weight": 1,
        "capacity": 0, "caller_ids": ["+8637100001"], "enabled": True,
    }  # fmt: skip
    async with database.write() as transaction:
        await trunks.create(transaction, row | {"name": "a"}, actor="root", now=NOW)
        await trunks.create(transaction, row | {"name": "elsewhere", "pbx": "second"}, actor="root", now=NOW)
        await trunks.create(transaction, row | {"name": "off", "enabled": False}, actor="root", now=NOW)
    async with database.read() as connection:
        routes = await routes_for(connection, "main", MOBILE)
        assert await routes_for(connection, "main", "+12025550123") == []
    assert routes == [trunks.Route("a", "carrier-a", "13800138000", "+8637100001")]
