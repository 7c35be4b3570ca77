"""The header that makes a desk phone pick up by itself reaches the collector's phone, and nobody else."""

import pytest

from crm_bridge.demo.world import SeenCall
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

CUSTOMER = "+8613800138002"
HEADERS = ("Call-Info", "Alert-Info")


async def headers_of(floor: Floor, call: SeenCall) -> dict[str, str]:
    """What the phone or the carrier was sent with the INVITE of a living call."""
    found = {}
    for name in HEADERS:
        asked = {"Channel": call.channel, "Variable": f"PJSIP_HEADER(read,{name})"}
        answer = await floor.lab.world.asterisk.action("Getvar", asked)
        found[name] = answer["Value"]
    return found


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        ("call-info", {"Call-Info": "<sip:ringfence>;answer-after=0", "Alert-Info": ""}),
        ("alert-info", {"Call-Info": "", "Alert-Info": "<http://127.0.0.1>;info=alert-autoanswer;delay=0"}),
        ("none", {"Call-Info": "", "Alert-Info": ""}),
    ],
)
async def test_the_phone_is_asked_to_pick_up_and_the_customer_is_not(
    floor: Floor, setting: str, sent: dict[str, str]
) -> None:
    await floor.expect(200, "PATCH", "/v1/users/collector", user="admin", body={"auto_answer": setting})
    call = await floor.until(await floor.call(CUSTOMER), "connected")
    phone = await floor.lab.world.wait_for_call("1001")
    customer = await floor.lab.world.wait_for_call(CUSTOMER)
    assert await headers_of(floor, phone) == sent
    assert await headers_of(floor, customer) == {"Call-Info": "", "Alert-Info": ""}
    await floor.hangup(call)
