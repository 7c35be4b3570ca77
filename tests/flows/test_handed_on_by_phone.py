"""A phone's own transfer (REFER) to a colleague: the call stays one call, every leg is recorded, and it is the colleague's."""

import asyncio

import pytest

from crm_bridge.demo.behaviours import number_tone
from tests.flows.test_hold import incidents, journal_kinds, talk
from tests.flows.test_transfers import CUSTOMER, connected, sounds
from tests.support.floor import PATIENCE, Floor
from tests.support.heard_calls import tone_of

pytestmark = pytest.mark.flow


async def refer(floor: Floor, phone: str, to: str) -> None:
    """That phone sends its newest living call to `to`, as its transfer key does."""
    world = floor.lab.world
    living = [call for call in await world.calls_seen(phone) if call.ended is None]
    target = f"PJSIP/sip:{to}@127.0.0.1:{floor.lab.pbx.sip_port}"
    await world.asterisk.console(f"dialplan add extension s,1,Transfer,{target} into refer-{to}")
    await world.asterisk.console(f"dialplan add extension s,2,Wait,20 into refer-{to}")
    place = {"Channel": living[-1].channel, "Context": f"refer-{to}", "Exten": "s", "Priority": "1"}
    await world.asterisk.action("Redirect", place)


async def test_a_phone_sends_its_call_to_a_colleague(floor: Floor) -> None:
    call = await connected(floor)
    await refer(floor, "1001", "1002")
    now = await floor.until(call, lambda now: now["current_agent"] == "other")
    assert (now["agent"], now["transfer"]["kind"], now["transfer"]["state"]) == ("collector", "blind", "done")
    await talk()
    await floor.lab.world.hangup("1002")
    ended = await floor.ended(call)
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    await sounds(floor, call, [tone_of("1001"), tone_of("1002")], [number_tone(CUSTOMER)], 3)
    assert (await journal_kinds(floor, call)).count("call.transferred") == 1
    assert await incidents(floor) == []


async def test_a_colleague_who_is_busy_gives_it_back_to_the_phone(floor: Floor) -> None:
    call = await connected(floor)
    before = len(await floor.lab.world.calls_seen("1001"))
    await refer(floor, "1001", "1009")
    async with asyncio.timeout(PATIENCE):
        while True:
            if len(await floor.lab.world.calls_seen("1001")) > before:
                break
            await asyncio.sleep(0.05)
    await talk()
    assert (await floor.show(call))["current_agent"] == "collector"
    await talk()
    await floor.hangup(call)
    await sounds(floor, call, [tone_of("1001")], [number_tone(CUSTOMER)], 3)
    assert "call.transferred" not in await journal_kinds(floor, call)
