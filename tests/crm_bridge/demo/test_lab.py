"""PBX and world together."""

import asyncio

from crm_bridge.demo.behaviours import PHONES, UNREGISTERED_PHONE
from crm_bridge.demo.lab import Lab
from crm_bridge.demo.pbx import CARRIERS


async def test_all_phones_but_one_are_registered_and_both_carriers_answer(lab: Lab) -> None:
    await lab.all_registered()
    assert await lab.registered() == {*PHONES, *CARRIERS}
    endpoints = await lab.pbx.console("pjsip show endpoints")
    assert f"Endpoint:  {UNREGISTERED_PHONE}/{UNREGISTERED_PHONE}" in endpoints


async def test_the_stock_pbx_loads_its_dialplan_and_has_nothing_of_ours(lab: Lab) -> None:
    contexts = await lab.pbx.console("dialplan show")
    assert "[ Context 'phones'" in contexts
    assert "[ Context 'from-carrier'" in contexts
    assert "[ Context 'default'" in contexts
    assert "ringfence" not in contexts


async def test_a_second_lab_runs_beside_the_first_and_the_record_outlives_the_pbx(lab: Lab) -> None:
    async with Lab() as other:
        assert other.pbx.sip_port != lab.pbx.sip_port
        headers = {"Channel": "PJSIP/13912345601@carrier-a", "Application": "Wait", "Data": "60", "Async": "true"}
        await other.pbx.action("Originate", headers)
        await other.world.wait_for_call("13912345601")
        await other.pbx.kill()
        living = await other.world.wait_for_call("13912345601")
        assert living.ended is None
        await other.restart_pbx()
        assert (await other.world.wait_for_call("13912345601", ended=True)).at == "carrier-a"
        pids = [other.pbx.pid, other.world.asterisk.pid]
    assert None not in pids
    assert not other.pbx.running
    assert not other.world.asterisk.running
    assert lab.pbx.running


def test_a_lab_started_in_one_loop_serves_another(lab: Lab) -> None:
    for _ in range(2):
        assert "phones" in asyncio.run(lab.pbx.console("dialplan show phones"))
