"""`pbx check` on a real Asterisk whose admin left several ways round the gate."""

from collections.abc import AsyncIterator

import pytest

from crm_bridge.demo.asterisk_root import ensure_root
from crm_bridge.demo.instance import AsteriskInstance
from crm_bridge.demo.pbx import stock_pbx
from telephony.pbx_setup.check import LOOKS, Finding, Severity, check
from telephony.pbx_setup.plan import apply
from tests.support.agi_stub import AgiStub
from tests.telephony.test_pbx_check import settings, spool, up

pytestmark = pytest.mark.flow

DIALPLAN = """
[globals](+)
OUT = PJSIP/carrier-b

[phones](+)
include => long-distance
exten => _7XXX,1,Goto(directors,${EXTEN},1)

[long-distance]
exten => _9X.,1,Dial(PJSIP/${EXTEN:1}@carrier-a,60)
exten => _8X.,1,Dial(${OUT}/${EXTEN:1},60)

[directors]
exten => _7XXX,1,GotoIf($["${DB(fwd/${EXTEN})}" != ""]?away)
 same => n,Dial(PJSIP/${FILTER(0-9,${EXTEN})})
 same => n,Hangup()
 same => n(away),Dial(${DB(fwd/${EXTEN})})

[from-carrier](+)
exten => 888,1,Goto(ivr,s,1)

[ivr]
exten => s,1,Background(vm-enter-num-to-call)
exten => _0X.,1,Dial(Local/${EXTEN:1}@hidden/n)

[hidden]
exten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)

[transfers]
exten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-b)

[legacy]
exten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-b)
"""
INCLUDED = "\n[long-distance](+)\nexten => _6X.,1,Gosub(ringfence-emergency,s,1(${EXTEN:1}))\n"
PHONES = "\n[1003](+type=endpoint)\nset_var = TRANSFER_CONTEXT=transfers\n"
FEATURES = "\n[applicationmap](+)\nescape => *9,self,Dial,PJSIP/13800138002@carrier-a\n"
MANAGERS = """
[dialer]
secret = not-ours
read = system
write = originate,call
[watcher]
secret = not-ours
read = system
write = reporting
"""


@pytest.fixture
async def findings() -> AsyncIterator[list[Finding]]:
    """What is found on such a PBX, once ours is applied and 1003 was moved."""
    pbx: AsteriskInstance = stock_pbx(ensure_root(), carrier_port=5999, phone_secret="not-used")
    pbx.append("extensions.conf", f'{DIALPLAN}\n#include "more.conf"\n')
    pbx.write("more.conf", INCLUDED)
    pbx.append("pjsip.conf", PHONES)
    pbx.append("features.conf", FEATURES)
    pbx.append("manager.d/ringfence.conf", MANAGERS)
    try:
        await pbx.start()
        async with up(pbx) as link, AgiStub({}) as gate:
            ours = settings(pbx, gate.address)
            await apply(link, ours, phones=["1003"])
            heard: list[tuple[str, int]] = []
            yield await check(
                link,
                ours,
                spool_local=spool(pbx),
                trunks=["carrier-a", "carrier-b"],
                progress=lambda look, done: heard.append((look, done)),
            )
            assert heard == [(look, done) for done, look in enumerate(LOOKS)]
    finally:
        await pbx.close()


async def test_every_way_round_is_found_and_its_mend_shown(findings: list[Finding]) -> None:
    by_place = {(finding.code, finding.where): finding for finding in findings}
    straight = by_place["way-round", "dialplan, long-distance,_9X.,1"]
    assert straight.severity is Severity.ERROR
    assert "1001, 1002, 1004" in straight.message
    assert "1003" not in straight.message
    assert "phones > long-distance" in straight.message
    assert "ringfence pbx apply lab --phones 1001 --phones 1002" in straight.mend
    assert "Goto(ringfence-desk,${EXTEN:1},1)" in straight.mend
    assert "the trunk carrier-b" in by_place["way-round", "dialplan, long-distance,_8X.,1"].message
    assert "emergency" in by_place["way-round", "dialplan, long-distance,_6X.,1"].message
    assert "What 1003 dials" in by_place["way-round", "dialplan, transfers,_X.,1"].message
    unclear = by_place["way-unclear", "dialplan, phones"]
    assert unclear.severity is Severity.WARNING
    assert "DB(fwd/" in unclear.message
    assert "At run time" in unclear.mend
    inbound = by_place["trunk-way-round", "dialplan, hidden,_X.,1"]
    assert inbound.severity is Severity.ERROR
    assert "carrier-a, carrier-b" in inbound.message
    assert "from-carrier > ivr > hidden" in inbound.message
    assert "--inbound carrier-a" in inbound.mend
    assert by_place["way-unused", "dialplan, legacy"].severity is Severity.WARNING
    assert "escape" in by_place["way-unused", "features.conf, escape"].where
    assert "originate" in by_place["manager-may-call", "manager.conf [dialer]"].message
    assert ("manager-may-call", "manager.conf [watcher]") not in by_place
    expected = {"way-round", "way-unclear", "trunk-way-round", "way-unused", "manager-may-call"}
    assert {finding.code for finding in findings} - expected == {"trunk-unreachable", "emergency-trunks-missing"}
