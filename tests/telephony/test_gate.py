"""The gate over a real FastAGI socket: its yes with everything that Dial() needs, and its no to whatever is not ours."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import delete, select, update

from config import clock
from config.identifiers import new_id
from crm_bridge.tables import numbers
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import Ending
from telephony.gate.fastagi import FastAgiServer
from telephony.tables import calls, decisions, policies, trunks
from tests.support.dial_core import NUMBER, DialCore

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


class Asterisk:
    """The PBX's side of AGI(): asks, takes every SET VARIABLE, and reads to the end."""

    def __init__(self, core: DialCore, port: int) -> None:
        self.core, self.port = core, port

    async def ask(self, call_id: str, *, uniqueid: str | None = None, channel: str = "PJSIP/1001-0000000a",
                  path: str = "/gate", arguments: tuple[str, ...] = ("",)) -> dict[str, str]:  # fmt: skip
        """The variables that the gate set, in their order."""
        given = [call_id, *arguments]
        lines = [
            "agi_network: yes", f"agi_request: agi://127.0.0.1:{self.port}{path}", f"agi_channel: {channel}",
            f"agi_uniqueid: {call_id if uniqueid is None else uniqueid}", "agi_context: ringfence-gate",
            *(f"agi_arg_{index}: {value}" for index, value in enumerate(given, 1)),
        ]  # fmt: skip
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(("\n".join(lines) + "\n\n").encode())
        variables: dict[str, str] = {}
        async with asyncio.timeout(10):
            while line := (await reader.readline()).decode():
                command, name, value = line.rstrip("\n").split(" ", 2)
                assert (command, name) == ("SET", "VARIABLE")
                variable, quoted = value.split(" ", 1)
                assert quoted[0] == quoted[-1] == '"'
                variables[variable] = quoted[1:-1]
                writer.write(b"200 result=1\n")
        writer.close()
        return variables

    async def denied(self, call_id: str, **options: Any) -> None:
        """Ask, and be refused without anything to dial."""
        variables = await self.ask(call_id, **options)
        assert variables.pop("RINGFENCE_VERDICT") == "deny"
        assert set(variables) <= {"RINGFENCE_PROMPT"}


@pytest.fixture
async def asterisk(core: DialCore) -> AsyncIterator[Asterisk]:
    """A gate that listens."""
    server = FastAgiServer("127.0.0.1", 0, core.gate)
    await server.start()
    yield Asterisk(core, server.port)
    await server.close()


async def _refusal(core: DialCore, call_id: str) -> tuple[Any, str, str]:
    call = await core.call(call_id)
    return call.denial and call.denial["rule"], call.state, await core.outcome(call_id)


async def test_a_yes_names_everything_and_its_verdict_last(core: DialCore, asterisk: Asterisk) -> None:
    await core.policy()
    async with core.database.write() as transaction:
        await transaction.execute(update(policies).values(announcement="ringfence/recorded"))
    call = await core.reserved()
    variables = await asterisk.ask(call.id)
    assert variables == {
        "RINGFENCE_DIAL": f"PJSIP/{NUMBER}@carrier-a",
        "RINGFENCE_CALLERID": "+861055550000",
        "RINGFENCE_RING": "45",
        "RINGFENCE_ANNOUNCE": "ringfence/recorded",
        "RINGFENCE_VERDICT": "allow",
    }
    assert list(variables)[-1] == "RINGFENCE_VERDICT"
    row = await core.call(call.id)
    assert (row.state, row.trunk, row.caller_id) == ("calling_customer", "main", "+861055550000")
    assert await core.outcome(call.id) == "live"
    async with core.database.read() as connection:
        kinds = list(await connection.scalars(select(decisions.c.kind).where(decisions.c.call_id == call.id)))
    assert sorted(kinds) == ["click", "gate"]


async def test_the_calls_own_reservation_does_not_count_against_it(core: DialCore, asterisk: Asterisk) -> None:
    await core.policy(caps=[{"limit": 1, "days": 1}], min_gap_minutes=60)
    call = await core.reserved()
    assert (await asterisk.ask(call.id))["RINGFENCE_VERDICT"] == "allow"


@pytest.mark.parametrize("call_id", ["", "x", "A" * 32, "'; DROP TABLE calls", "${EXTEN}", "../" * 10])
async def test_a_malformed_id_is_refused(asterisk: Asterisk, call_id: str) -> None:
    await asterisk.denied(call_id)


async def test_an_unknown_id_and_an_unknown_path_are_refused(core: DialCore, asterisk: Asterisk) -> None:
    await asterisk.denied(new_id(clock.now()))
    call = await core.reserved()
    for path in ("/", "", "/other", "/gate/x"):
        await asterisk.denied(call.id, path=path)
    assert (await core.call(call.id)).state == "queued"


async def test_a_settled_call_is_refused(core: DialCore, asterisk: Asterisk) -> None:
    call = await core.reserved()
    async with core.database.write() as transaction:
        await call_records.end(transaction, call.id, clock.now(), Ending(EndReason.LOST, "unknown"))
    await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == (None, "ended", "unknown")


async def test_a_second_pass_is_refused_and_does_not_disturb_the_first(core: DialCore, asterisk: Asterisk) -> None:
    call = await core.reserved()
    assert (await asterisk.ask(call.id))["RINGFENCE_VERDICT"] == "allow"
    await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == (None, "calling_customer", "live")
    async with core.database.write() as transaction:
        await call_records.move(transaction, call.id, State.UNKNOWN, clock.now())
    await asterisk.denied(call.id)


async def test_ten_passes_at_once_get_one_yes(core: DialCore, asterisk: Asterisk) -> None:
    call = await core.reserved()
    answers = await asyncio.gather(*(asterisk.ask(call.id) for _ in range(10)))
    assert sorted(answer["RINGFENCE_VERDICT"] for answer in answers) == ["allow"] + ["deny"] * 9


@pytest.mark.parametrize(
    "channel",
    ["PJSIP/1002-0000000a", "Local/1001@x-00000001;2", "PJSIP/10011-0000000a", "PJSIP/1001", "PJSIP/1001-1;2", ""],
)
async def test_a_foreign_or_local_channel_is_refused(core: DialCore, asterisk: Asterisk, channel: str) -> None:
    call = await core.reserved()
    await asterisk.denied(call.id, channel=channel)
    assert await _refusal(core, call.id) == (None, "queued", "reserved")


@pytest.mark.parametrize("uniqueid", ["", "1718.1", "f" * 32])
async def test_another_channel_of_the_same_phone_is_refused(core: DialCore, asterisk: Asterisk, uniqueid: str) -> None:
    call = await core.reserved()
    await asterisk.denied(call.id, uniqueid=uniqueid)


async def test_a_call_that_was_hung_up_meanwhile_is_refused(core: DialCore, asterisk: Asterisk) -> None:
    call = await core.reserved()
    async with core.database.write() as transaction:
        await call_records.note(transaction, call.id, clock.now(), hangup_by="li")
    await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == ("gate/hung-up", "queued", "not_placed")


async def test_what_was_withdrawn_since_the_click_is_refused_and_the_attempt_given_back(
    core: DialCore, asterisk: Asterisk
) -> None:
    await core.policy(caps=[{"limit": 1, "days": 1}])
    call = await core.reserved()
    async with core.database.write() as transaction:
        await transaction.execute(update(numbers).values(do_not_call=True))
    await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == ("house/do-not-call", "queued", "not_placed")
    denial = (await core.call(call.id)).denial
    assert denial["reason"]
    assert any("一" <= letter <= "鿿" for letter in denial["reason_zh"])
    (entry,) = await core.journal("call.denied")
    assert (entry.call_id, entry.data["rule"]) == (call.id, "house/do-not-call")
    async with core.database.write() as transaction:
        await transaction.execute(update(numbers).values(do_not_call=False))
        await call_records.end(transaction, call.id, clock.now(), Ending(EndReason.DENIED_AT_DIAL, "not_placed"))
    await core.reserved("wu", extension="1002")


async def test_a_number_that_was_taken_off_the_case_is_refused(core: DialCore, asterisk: Asterisk) -> None:
    call = await core.reserved()
    async with core.database.write() as transaction:
        await transaction.execute(delete(numbers))
    await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == ("gate/withdrawn", "queued", "not_placed")


async def test_without_a_trunk_there_is_no_way_out(core: DialCore, asterisk: Asterisk) -> None:
    call = await core.reserved()
    async with core.database.write() as transaction:
        await transaction.execute(update(trunks).values(enabled=False))
    await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == ("gate/no-trunk", "queued", "not_placed")


async def test_a_window_that_closes_in_three_seconds_is_closed(core: DialCore, asterisk: Asterisk) -> None:
    await core.policy(hours="08:00-21:00")
    with time_machine.travel(NOON.replace(hour=20, minute=59, second=57), tick=False):
        call = await core.reserved()
        await asterisk.denied(call.id)
    assert await _refusal(core, call.id) == ("gate/window-closing", "queued", "not_placed")


@pytest.mark.parametrize(("left", "ring"), [(20, 19), (6, 5), (45, 44), (46, 45), (3600, 45)])
async def test_the_ring_ends_with_the_window(core: DialCore, asterisk: Asterisk, left: int, ring: int) -> None:
    await core.policy(hours="08:00-21:00")
    with time_machine.travel(NOON.replace(hour=21) - timedelta(seconds=left), tick=False):
        answer = await asterisk.ask((await core.reserved()).id)
    assert answer["RINGFENCE_VERDICT"] == "allow"
    assert answer["RINGFENCE_RING"] == str(ring), "the last second of the ring lies before the end of the window"


async def test_a_policy_that_cannot_be_handed_over_gives_no_yes(core: DialCore, asterisk: Asterisk) -> None:
    await core.policy()
    async with core.database.write() as transaction:
        await transaction.execute(update(policies).values(announcement='x"\nSET VARIABLE RINGFENCE_VERDICT "allow'))
    answer = await asterisk.ask((await core.reserved()).id)
    assert "RINGFENCE_VERDICT" not in answer
    assert "RINGFENCE_DIAL" not in answer, "nothing is handed over unless all of it can be"


async def test_a_database_that_fails_gives_no_answer(
    core: DialCore, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await core.reserved()

    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as failing:
        failing.setattr(call_records, "set_contact", broken)
        assert await asterisk.ask(call.id) == {}
    assert await _refusal(core, call.id) == (None, "queued", "reserved")
    assert (await asterisk.ask(call.id))["RINGFENCE_VERDICT"] == "allow"


async def test_an_allowed_call_is_among_the_calls_before_the_pbx_hears_of_it(core: DialCore) -> None:
    """The yes is committed first: a crash after it leaves a call that counts, not a dialled one that nobody knows."""
    call = await core.reserved()
    seen: list[str] = []

    async def handler(request: Any) -> Any:
        answer = await core.gate(request)
        async with core.database.read() as connection:
            seen.append(str(await connection.scalar(select(calls.c.state).where(calls.c.id == call.id))))
        return answer

    server = FastAgiServer("127.0.0.1", 0, handler)
    await server.start()
    await Asterisk(core, server.port).ask(call.id)
    await server.close()
    assert seen == ["calling_customer"]
