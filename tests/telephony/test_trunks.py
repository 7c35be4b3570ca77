"""How a number is written on a trunk, and that no two trunks are one."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from config.database import Database
from config.errors import Conflict
from telephony import tables
from telephony.trunking import trunks
from telephony.trunking.trunks import prefix_length, written

MOBILE = "+8613800138000"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROW: dict[str, Any] = {
    "name": "a", "pbx": "main", "endpoint": "carrier-a", "dial_format": "national", "prefixes": ["+86"], "priority": 10,
    "weight": 1, "capacity": 0, "caller_ids": ["+8637100001"], "enabled": True,
}  # fmt: skip


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


def test_the_best_prefix_counts_and_none_takes_everything() -> None:
    assert prefix_length(MOBILE, ["+86", "+8613"]) == 5
    assert prefix_length(MOBILE, []) == 0
    assert prefix_length(MOBILE, ["+1"]) is None


@pytest.mark.parametrize(
    "other",
    [{"name": "A", "endpoint": "elsewhere"}, {"name": "b"}, {"name": "b", "endpoint": "CARRIER-A"}],
)
async def test_a_colliding_name_or_endpoint_is_refused(database: Database, other: dict[str, Any]) -> None:
    async with database.write() as transaction:
        await trunks.create(transaction, ROW, actor="root", now=NOW)
    with pytest.raises(Conflict):
        async with database.write() as transaction:
            await trunks.create(transaction, ROW | other, actor="root", now=NOW)
    async with database.write() as transaction:
        await trunks.create(transaction, ROW | {"name": "b", "pbx": "second"}, actor="root", now=NOW)


async def test_emergency_calls_may_still_leave_by_a_trunk_that_is_drained(database: Database) -> None:
    off = {"enabled": False}
    async with database.write() as transaction:
        for row in (ROW, ROW | off | {"name": "b", "endpoint": "b"}, ROW | off | {"name": "c", "endpoint": "c"}):
            await trunks.create(transaction, row, actor="root", now=NOW)
        drained = update(tables.trunks).where(tables.trunks.c.name == "c").values(draining_since=NOW)
        await transaction.execute(drained)
    async with database.read() as connection:
        assert await trunks.endpoints_of(connection, "main") == ["carrier-a", "c"]
