"""The gate fails closed: without its own yes of this very moment no customer leg leaves the PBX."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from crm_bridge.demo.ami_action import ActionFailed
from crm_bridge.demo.lab import Lab
from tests.support.floor import Floor, furnished_floor, open_floor, prepare_pbx

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138002"


async def _no_customer_leg(floor: Floor, place: Callable[[], Awaitable[None]]) -> None:
    before = len(await floor.lab.world.calls_seen(ANSWERS))
    await place()
    assert len(await floor.lab.world.calls_seen(ANSWERS)) == before


async def test_a_complaint_after_the_click_stops_the_call_at_the_gate(floor: Floor) -> None:
    for attempt in range(5):
        number = f"+86138001381{attempt}2"
        complaint = {"case_id": await floor.case(number), "severity": "major", "text": "投诉"}
        call = await floor.call(number)
        await floor.expect(201, "POST", "/v1/complaints", user="supervisor", body=complaint)
        reached = await floor.until(call, lambda shown: shown["state"] in ("connected", "ended"))
        if reached["calling_customer_at"] is None:
            assert (reached["end_reason"], reached["outcome"]) == ("denied_at_dial", "not_placed")
            assert reached["denial"]["rule"] == "house/complaint-open"
            assert reached["attempts_counted"] == 0
            assert await floor.lab.world.calls_seen(number) == []
            return
        # The collector's phone was quicker than the complaint: it is the next one's turn.
        if reached["state"] == "connected":
            await floor.hangup(call)
    pytest.fail("no complaint came before its call had passed the gate")


async def test_a_gate_that_is_not_there_lets_nothing_through(floor: Floor) -> None:
    await floor.services.gate.close()

    async def place() -> None:
        ended = await floor.ended(await floor.call(ANSWERS))
        assert (ended["end_reason"], ended["outcome"]) == ("denied_at_dial", "not_placed")
        assert ended["denial"]["rule"] == "gate/silent"

    await _no_customer_leg(floor, place)


@pytest.mark.parametrize("behaviour", ["accepts and closes", "accepts and stays silent"])
async def test_something_else_on_the_gates_port_lets_nothing_through(floor: Floor, behaviour: str) -> None:
    await floor.services.gate.close()

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if behaviour == "accepts and stays silent":
            await reader.read()
        writer.close()

    server = await asyncio.start_server(impostor, "127.0.0.1", floor.settings.gate.port)

    async def place() -> None:
        ended = await floor.ended(await floor.call(ANSWERS))
        assert (ended["end_reason"], ended["outcome"]) == ("denied_at_dial", "not_placed")

    try:
        await _no_customer_leg(floor, place)
    finally:
        server.close()


async def test_an_originate_past_the_service_finds_no_way_out(floor: Floor) -> None:
    async def place() -> None:
        await floor.lab.pbx.console("channel originate PJSIP/1004 extension s@ringfence-click")
        phone = await floor.lab.world.wait_for_call("1004", ended=True)
        assert phone.answered is not None

    await _no_customer_leg(floor, place)


async def test_a_settled_call_is_not_dialled_again_by_a_late_originate(floor: Floor) -> None:
    ended = await floor.ended(await floor.call("+8613800138086"))
    before = len(await floor.lab.world.calls_seen("+8613800138086"))
    link = floor.services.pbxs["lab"].link
    answer = await link.originate(
        channel_id=ended["id"],
        endpoint="PJSIP/1001",
        context="ringfence-click",
        extension="s",
        variables={"__RINGFENCE_CALL": ended["id"]},
    )
    assert answer.ok
    await floor.lab.world.wait_for_call("1001", ended=True)
    assert len(await floor.lab.world.calls_seen("+8613800138086")) == before
    assert (await floor.show(ended))["end_reason"] == "busy"


async def test_emergency_numbers_pass_with_the_service_down_and_are_journalled_afterwards(
    lab: Lab, tmp_path: Path, gate_port: int
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    async with furnished_floor(lab, tmp_path, gate_port, url) as floor:
        await prepare_pbx(floor.settings, phones=["1005"])
        settings, tokens = floor.settings, floor.tokens
    before = len(await lab.world.calls_seen("110"))
    await lab.world.dial("1005", "110", wait=True)
    assert len(await lab.world.calls_seen("110")) == before + 1
    await lab.world.hangup("110")
    await lab.world.wait_for_call("110", ended=True)
    async with open_floor(lab, settings, tokens) as floor:
        journal = await floor.expect(200, "GET", "/v1/journal?kind=call.emergency", user="admin")
        assert [(entry["actor"], entry["data"]["number"]) for entry in journal["items"]] == [("1005", "110")]


async def test_a_number_typed_on_a_phone_of_ours_finds_no_way_out_without_a_case(floor: Floor) -> None:
    await prepare_pbx(floor.settings, phones=["1006"])

    async def place() -> None:
        with pytest.raises(ActionFailed):
            await floor.lab.world.dial("1006", "13800138002", wait=True)

    await _no_customer_leg(floor, place)
