"""The last attempt is given once, also to fifty clicks from two processes on one PostgreSQL, and what holds it is named."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from config import clock
from config.database import Database
from crm_bridge.tables import cases
from telephony.calls import call_records
from telephony.calls.call_states import EndReason
from telephony.calls.outcomes import NOT_PLACED, Ending
from tests.support.dial_core import NUMBER, DialCore

ROOT = Path(__file__).parents[2]
LAST = [{"limit": 1, "days": 1, "per": ["person"]}]
PATIENCE = 60


async def _raced(url: str, counts: tuple[int, ...], people: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What processes with so many clicks each were told, all let go at once."""
    processes = []
    for index, count in enumerate(counts):
        command = [sys.executable, "-m", "tests.support.racing_clicks", url, str(index * 30), str(count), *people]
        processes.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT))
    async with asyncio.timeout(PATIENCE):
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [told for out, _ in answers for told in json.loads(out)]


@pytest.mark.parametrize("limit", [1, 2])
async def test_fifty_clicks_of_two_processes_share_what_is_left(core: DialCore, database: Database, limit: int) -> None:
    """On SQLite the second process is one that should not be there; even so the file's lock keeps the count."""
    await core.policy(caps=[{"limit": limit, "days": 1, "per": ["person"]}])
    told = await _raced(database.url, (25, 25))
    placed = sorted(one["call"] for one in told if "call" in one)
    denied = [one for one in told if "rule" in one]
    assert (len(placed), len(denied)) == (limit, 50 - limit)
    assert {tuple(sorted(one["competing"])) for one in denied} == {tuple(placed)}
    assert {one["rule"] for one in denied} == {"house/cap-1"}
    assert sorted(call.id for call in await core.calls()) == placed


@pytest.mark.parametrize("shared", ["account", "household"])
async def test_different_people_share_the_last_attempt_of_their_account_or_household(
    core: DialCore, database: Database, shared: str
) -> None:
    """No person or number is common to two of them: what they share is locked by itself."""
    people = {f"q{index}": f"+86138001390{index:02}" for index in range(10)}
    for party, number in people.items():
        await core.case(party, number, **({"household": "h1"} if shared == "household" else {}))
    if shared == "account":
        async with database.write() as transaction:
            await transaction.execute(update(cases).values(account="a1"))
    await core.policy(caps=[{"limit": 1, "days": 1, "per": [shared]}])
    told = await _raced(database.url, (5, 5), tuple(f"{party}={number}" for party, number in people.items()))
    placed = [one["call"] for one in told if "call" in one]
    denied = [one for one in told if "rule" in one]
    assert (len(placed), len(denied)) == (1, 9)
    assert {tuple(one["competing"]) for one in denied} == {tuple(placed)}


async def test_a_reservation_whose_invite_was_never_sent_is_given_back_and_kept_on_record(core: DialCore) -> None:
    """T38: not counted, and its call, decision and journal entries are all still there."""
    await core.policy(caps=LAST)
    call = await core.reserved()
    assert (await _verdict(core)).rule == "house/cap-1"
    async with core.database.write() as transaction:
        await call_records.end(transaction, call.id, clock.now(), Ending(EndReason.FAILED, NOT_PLACED))
    assert (await _verdict(core)).allowed
    assert (await core.call(call.id)).outcome == "not_placed"
    assert [entry.call_id for entry in await core.journal("call.created", "call.ended")] == [call.id, call.id]


async def test_two_debts_of_one_person_wait_for_a_live_call(core: DialCore) -> None:
    """T35: two talks today and one call live; it may become the third."""
    await core.policy(caps=[{"limit": 3, "minutes": 600, "per": ["person"], "counts": "conversations"}])
    now = clock.now()
    for minutes in (1, 2):
        await core.contact(now - timedelta(minutes=minutes), id=f"talk{minutes}", outcome="conversation")
    live = await core.reserved("li")
    verdict = await _verdict(core)
    assert (verdict.rule, verdict.denials[0].competing) == ("house/cap-1", (live.id,))


async def _verdict(core: DialCore) -> Any:
    async with core.database.read() as connection:
        return (await core.decider.decide(connection, core.subject("wu", number=NUMBER), clock.now())).verdict
