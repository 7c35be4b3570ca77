"""The AMI link against a real Asterisk: what a fake server cannot prove."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from crm_bridge.demo.lab import Lab
from telephony.ami import AmiAccount, AmiLink, LinkState, PbxUnavailable
from telephony.ami_events import (
    AmiEvent,
    BridgeEnter,
    ChannelEvent,
    DialBegin,
    DialEnd,
    FullyBooted,
    Hangup,
    Newchannel,
    OriginateResponse,
    VarSet,
    parse,
)
from tests.support.ami_owner import Heard, linked
from tests.support.ami_proxy import AmiProxy
from tests.support.pbx_events import pbx_events

pytestmark = pytest.mark.flow


MILESTONES = [Newchannel, VarSet, DialBegin, DialEnd, BridgeEnter, Hangup]


def about(call: str, event: AmiEvent) -> bool:
    """Whether it is about a leg of that call."""
    if isinstance(event, OriginateResponse):
        return event.channel_id == call
    return isinstance(event, ChannelEvent) and call in (event.linkedid, getattr(event, "dest_linkedid", ""))


def account(lab: Lab, *, port: int = 0, secret: str = "") -> AmiAccount:
    pbx = lab.pbx
    return AmiAccount("lab", "127.0.0.1", port or pbx.ami_port, pbx.ami_username, SecretStr(secret or pbx.ami_secret))


@asynccontextmanager
async def up(lab: Lab, heard: Heard, port: int = 0) -> AsyncIterator[AmiLink]:
    async with linked(account(lab, port=port), heard) as link:
        await link.connected(10)
        yield link


async def test_a_real_pbx_lets_us_in_and_says_what_it_is(lab: Lab) -> None:
    async with up(lab, Heard()) as link:
        assert (await link.send("Ping")).fields["Ping"] == "Pong"
        [version] = (await link.command("core show version")).output
        assert version.startswith("Asterisk 22")
        async with asyncio.timeout(5):
            while not link.status.asterisk_version:
                assert (await link.send("Ping")).ok
        assert link.status.asterisk_version in version


async def test_a_real_pbx_refuses_a_wrong_secret_and_the_link_says_so(lab: Lab) -> None:
    async with linked(account(lab, secret="wrong")) as link:
        with pytest.raises(PbxUnavailable, match="refused the login as 'ringfence': Authentication failed"):
            await link.connected()


async def test_a_real_pbx_answers_with_errors_lists_and_text_of_any_script(lab: Lab) -> None:
    async with up(lab, Heard()) as link:
        assert not (await link.send("Hangup", {"Channel": "PJSIP/1001-ffffffff"})).ok
        assert "No such command" in (await link.command("nonsense")).output[0]
        text = "a & ${b} 关机 😀"
        for key in ("1", "2"):
            assert (await link.send("DBPut", {"Family": "ringfence/link", "Key": key, "Val": text + key})).ok
        entries = (await link.send("DBGetTree", {"Family": "ringfence/link"})).events
        assert {entry["Key"]: entry["Val"] for entry in entries} == {
            "/ringfence/link/1": text + "1",
            "/ringfence/link/2": text + "2",
        }
        assert (await link.send("DBDelTree", {"Family": "ringfence/link"})).ok


@pytest.mark.parametrize("chunk", [0, 1])
async def test_the_events_of_a_real_call_come_in_their_order(lab: Lab, chunk: int) -> None:
    heard = Heard()
    call = f"link-order-{chunk}"
    async with (
        pbx_events(lab.pbx) as oracle,
        AmiProxy("127.0.0.1", lab.pbx.ami_port) as proxy,
        up(lab, heard, proxy.port) as link,
    ):
        proxy.chunk = chunk
        answer = await link.originate(
            channel_id=call,
            endpoint="PJSIP/1001",
            context="phones",
            extension="1002",
            variables={"__RINGFENCE_CALL": call},
            caller_name="王小明",
        )
        assert answer.ok, answer.message
        await heard.until(lambda h: sum(isinstance(e, BridgeEnter) and e.linkedid == call for e in h.events) == 2, 20)
        assert (await link.send("Hangup", {"Channel": call})).ok
        await heard.until(lambda h: sum(isinstance(e, Hangup) and about(call, e) for e in h.events) == 2, 20)
        for hangup in [event for event in heard.events if isinstance(event, Hangup) and about(call, event)]:
            await oracle.of("Hangup", hangup.uniqueid)
    ours = [event for event in heard.events if about(call, event)]
    assert ours == [event for event in map(parse, oracle.seen) if event is not None and about(call, event)]
    happened = [kind for kind in dict.fromkeys(type(event) for event in ours) if kind in MILESTONES]
    assert happened == MILESTONES
    assert OriginateResponse in {type(event) for event in ours}


async def test_a_phone_that_is_not_registered_is_reported_under_our_id(lab: Lab) -> None:
    heard = Heard()
    async with up(lab, heard) as link:
        answer = await link.originate(
            channel_id="link-offline", endpoint="PJSIP/1011", context="phones", extension="1002"
        )
        assert answer.message == "Originate successfully queued"
        await heard.until(
            lambda h: any(isinstance(e, OriginateResponse) and e.channel_id == "link-offline" for e in h.events)
        )
        [response] = [event for event in heard.events if isinstance(event, OriginateResponse)]
        assert not response.ok


async def test_a_frozen_pbx_is_found_out_and_found_again(lab: Lab) -> None:
    heard = Heard()
    async with up(lab, heard) as link:
        lab.pbx.freeze()
        try:
            await heard.until(lambda h: LinkState.DOWN in h.states, 10)
            with pytest.raises(PbxUnavailable):
                await link.send("Ping")
        finally:
            lab.pbx.thaw()
        await link.connected(10)


@pytest.mark.parametrize("power_cut", [False, True])
async def test_after_a_restart_of_the_pbx_the_link_is_back_within_five_seconds(lab: Lab, power_cut: bool) -> None:
    heard = Heard()
    async with up(lab, heard) as link:
        if power_cut:
            await lab.pbx.kill()
        await lab.restart_pbx()
        await heard.until(lambda h: LinkState.DOWN in h.states)
        await link.connected(5)
        assert (await link.send("Ping")).ok
        await heard.until(lambda h: sum(isinstance(event, FullyBooted) for event in h.events) == 2)
