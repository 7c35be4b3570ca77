"""Which trunk takes a call: prefixes, priority, smooth weights, hours, room, and the number that may be shown."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from config.database import Database
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.trunking import caller_ids, trunks
from telephony.trunking.choosing import NoWay, Wanted, carrying, choose, is_open, live_calls, next_turn, ways_for
from telephony.trunking.trunks import Route

MOBILE = "+8613800138000"
NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # a Monday, noon in Shanghai
ROW: dict[str, Any] = {
    "name": "a", "pbx": "main", "endpoint": "carrier-a", "dial_format": "national", "prefixes": ["+86"], "priority": 10,
    "weight": 1, "capacity": 0, "caller_ids": ["+8637100001"], "enabled": True,
}  # fmt: skip


def trunk(name: str, **fields: Any) -> SimpleNamespace:
    known = {"name": name, "prefixes": [], "priority": 10, "weight": 1, "enabled": True, "turn": 0}
    return SimpleNamespace(**{**known, **fields})


async def add(database: Database, *rows: dict[str, Any]) -> None:
    async with database.write() as transaction:
        for row in rows:
            whole = ROW | {"endpoint": row.get("name", "carrier-a")} | row
            await trunks.create(transaction, whole, actor="root", now=NOW)


async def chosen(database: Database, e164: str = MOBILE, client: str | None = None, **options: Any) -> Route | NoWay:
    async with database.write() as transaction:
        return await choose(transaction, Wanted("main", e164, client, **options), NOW)


async def let_call(database: Database, call_id: str, name: str, **columns: Any) -> None:
    """An open call on a trunk."""
    values = {
        "id": call_id, "direction": "outbound", "state": State.CALLING_CUSTOMER, "agent": "li", "role": "collector",
        "extension": "1001", "number": MOBILE, "purpose": "collect", "pbx": "main", "uniqueid": call_id, "trunk": name,
        "decision_id": "", "created_at": NOW, "violations": [], **columns,
    }  # fmt: skip
    async with database.write() as transaction:
        await call_records.create(transaction, values, NOW)


def test_the_longest_prefix_wins_then_the_lower_priority() -> None:
    rows = [
        trunk("any", priority=1),
        trunk("china", prefixes=["+86"], priority=5),
        trunk("mobile", prefixes=["+8613", "+8615"], priority=9),
        trunk("mobile-too", prefixes=["+8613"], priority=8),
        trunk("america", prefixes=["+1"]),
        trunk("off", prefixes=["+86138"], enabled=False),
    ]
    assert [row.name for row in carrying(rows, MOBILE)] == ["mobile-too", "mobile", "china", "any"]
    assert carrying([trunk("america", prefixes=["+1"])], MOBILE) == []


def test_weights_are_kept_smoothly_and_a_weight_of_none_goes_only_alone() -> None:
    rows = [trunk("five", weight=5), trunk("two", weight=2), trunk("one", weight=1), trunk("none", weight=0)]
    gone = []
    for _ in range(80):
        row, turns = next_turn(rows)
        gone.append(row.name)
        for one in rows:
            one.turn = turns.get(one.name, one.turn)
    assert Counter(gone) == {"five": 50, "two": 20, "one": 10}
    assert all(Counter(gone[start : start + 8]) == {"five": 5, "two": 2, "one": 1} for start in range(0, 80, 8))
    assert "fivefivefive" not in "".join(gone)
    assert next_turn([trunk("none", weight=0)])[0].name == "none"


async def test_shares_hold_when_many_choose_at_once(database: Database) -> None:
    await add(database, {"name": "three", "weight": 3}, {"name": "one", "weight": 1}, {"name": "later", "priority": 11})
    routes = await asyncio.gather(*(chosen(database) for _ in range(20)))
    assert Counter(route.trunk for route in routes if isinstance(route, Route)) == {"three": 15, "one": 5}


async def test_what_was_tried_is_not_taken_again_and_another_pbx_never(database: Database) -> None:
    await add(database, {"name": "a"}, {"name": "b", "priority": 11}, {"name": "c", "pbx": "second", "priority": 1})
    assert await chosen(database) == Route("a", "a", "13800138000", "+8637100001")
    second = await chosen(database, without=["a"])
    assert isinstance(second, Route)
    assert second.trunk == "b"
    assert await chosen(database, without=["a", "b"]) is NoWay.NONE
    assert await chosen(database, "+12025550123") is NoWay.NONE


async def test_capacity_is_never_passed_however_many_choose_at_once(database: Database) -> None:
    await add(database, {"name": "a", "capacity": 3}, {"name": "b", "priority": 11, "capacity": 2})

    async def one(number: int) -> str:
        async with database.write() as transaction:
            route = await choose(transaction, Wanted("main", MOBILE, None), NOW)
            if isinstance(route, NoWay):
                return route
            values = {
                "id": f"c{number}", "direction": "outbound", "state": State.CALLING_CUSTOMER, "agent": f"li{number}",
                "role": "collector", "extension": f"{number}", "number": MOBILE, "purpose": "collect", "pbx": "main",
                "uniqueid": f"c{number}", "trunk": route.trunk, "decision_id": "", "created_at": NOW, "violations": [],
            }  # fmt: skip
            await call_records.create(transaction, values, NOW)
            return route.trunk

    taken = Counter(await asyncio.gather(*(one(number) for number in range(12))))
    assert taken == {"a": 3, "b": 2, NoWay.FULL: 7}
    async with database.read() as connection:
        assert await live_calls(connection, ["a", "b"]) == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("hours", "zone", "open_now"),
    [
        (None, None, True),
        ([{"days": ["mon"], "from": "09:00", "to": "18:00"}], "Asia/Shanghai", True),
        ([{"days": ["mon"], "from": "09:00", "to": "12:00"}], "Asia/Shanghai", False),
        ([{"days": ["tue"], "from": "00:00", "to": "24:00"}], "Asia/Shanghai", False),
        ([{"days": ["mon"], "from": "09:00", "to": "18:00"}], "Europe/London", False),
        ([], "Asia/Shanghai", False),
    ],
)
async def test_a_trunk_is_used_in_its_hours(database: Database, hours: Any, zone: str | None, open_now: bool) -> None:
    assert is_open(SimpleNamespace(hours=hours, zone=zone), NOW) is open_now
    await add(database, {"name": "a", "hours": hours, "zone": zone})
    assert isinstance(await chosen(database), Route) is open_now
    assert (await chosen(database) is NoWay.CLOSED) is not open_now


async def pool(database: Database, name: str, numbers: list[str], **fields: Any) -> None:
    values = {"client": None, "region": "+", "daily_limit": 0, "numbers": numbers, **fields}
    async with database.write() as transaction:
        await caller_ids.put_pool(transaction, name, values, "test", actor="root", now=NOW)


async def test_the_clients_own_pool_comes_first_then_the_nearest_region(database: Database) -> None:
    numbers = [f"+86371000{n:02d}" for n in range(5)]
    await add(database, {"name": "a", "caller_ids": numbers})
    await pool(database, "all", numbers[:1])
    await pool(database, "mobile", numbers[1:2], region="+861")
    await pool(database, "bank", numbers[2:3], client="bank")
    await pool(database, "bank-mobile", numbers[3:4], client="bank", region="+8613")

    async def shown(e164: str, client: str) -> str | None:
        route = await chosen(database, e164, client)
        assert isinstance(route, Route)
        return route.caller_id

    assert await shown("+8637165551234", "other") == numbers[0]
    assert await shown(MOBILE, "other") == numbers[1]
    assert await shown("+8637165551234", "bank") == numbers[2]
    assert await shown(MOBILE, "bank") == numbers[3]


async def test_only_a_trunk_that_may_show_a_number_of_the_pool_takes_the_call(database: Database) -> None:
    await add(
        database,
        {"name": "a", "priority": 1, "caller_ids": ["+8637100001"]},
        {"name": "b", "priority": 2, "caller_ids": ["8637100002"]},
        {"name": "c", "priority": 1, "caller_ids": []},
    )
    await pool(database, "bank", ["+8637100002"], client="bank")
    route = await chosen(database, MOBILE, "bank")
    assert route == Route("b", "b", "13800138000", "8637100002")  # as that trunk spells it
    await pool(database, "bank", ["+8637100003"], client="bank")
    assert await chosen(database, MOBILE, "bank") is NoWay.NO_CALLER_ID


async def test_a_number_rests_once_it_was_shown_often_enough_that_day(database: Database) -> None:
    numbers = ["+8637100001", "+8637100002"]
    await add(database, {"name": "a", "caller_ids": numbers})
    await pool(database, "all", numbers, daily_limit=2)
    shown = [await chosen(database) for _ in range(5)]
    counted = Counter(route.caller_id for route in shown if isinstance(route, Route))
    assert counted == {numbers[0]: 2, numbers[1]: 2}
    assert shown[4] is NoWay.NO_CALLER_ID
    async with database.read() as connection:
        assert sum((await caller_ids.shown_today(connection, numbers, NOW)).values()) == 4
        tomorrow = NOW.replace(day=2)
        assert isinstance(await ways_for(connection, Wanted("main", MOBILE, None), tomorrow), list)


def test_the_same_person_sees_the_same_number_and_persons_are_spread_also_when_one_goes() -> None:
    pool_ = ["+8637100001", "+8637100002", "+8637100003", "+8637100004"]
    people = [f"+861380013{last:04d}" for last in range(400)]
    first = {one: caller_ids.preferred(one, pool_)[0] for one in people}
    assert first == {one: caller_ids.preferred(one, list(reversed(pool_)))[0] for one in people}
    assert all(70 < count < 130 for count in Counter(first.values()).values())
    without = {one: caller_ids.preferred(one, pool_[:3])[0] for one in people}
    assert all(without[one] == first[one] for one in people if first[one] != pool_[3])


def test_a_day_is_that_of_the_numbers_own_country() -> None:
    evening = datetime(2026, 6, 1, 17, 0, tzinfo=UTC)
    assert caller_ids.day_of("+8637165551234", evening) == "2026-06-02"
    assert caller_ids.day_of("8637165551234", evening) == "2026-06-02"
    assert caller_ids.day_of("95588", evening) == "2026-06-01"
