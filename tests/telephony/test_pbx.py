"""One PBX as the service lives with it: its phones, its events in order, and what happens when they cannot be written."""

from typing import Any

import pytest

from config.errors import Fault
from telephony.ami import PbxUnavailable
from telephony.calls import call_records
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from tests.support.ami_server import a_hangup, error, message
from tests.support.dial_core import DialCore


def _newchannel(uniqueid: str) -> bytes:
    return message(
        Event="Newchannel", Channel="PJSIP/1001-1", Uniqueid=uniqueid, Linkedid=uniqueid, ChannelStateDesc="Down"
    )


def _device(name: str, state: str) -> bytes:
    return message(Event="DeviceStateChange", Device=name, State=state)


async def test_phones_are_read_at_the_start_and_followed_by_events(core: DialCore) -> None:
    core.fake.devices["PJSIP/1002"] = "UNAVAILABLE"
    await core.start()
    phones = core.pbx.phones
    phones.require_free("1001")
    with pytest.raises(AgentUnavailable, match="phone 1002 is not registered"):
        phones.require_free("1002")
    with pytest.raises(AgentUnavailable):
        phones.require_free("4711")
    await core.fake.server.say(_device("PJSIP/1001", "RINGING") + _device("PJSIP/1002", "NOT_INUSE"))
    await core.until(lambda: phones.state("1002") == "NOT_INUSE")
    phones.require_free("1002")
    with pytest.raises(AgentBusy):
        phones.require_free("1001")


async def test_phones_that_went_while_the_link_was_down_are_gone(core: DialCore) -> None:
    await core.start()
    core.fake.devices = {"PJSIP/1002": "NOT_INUSE"}
    core.fake.server.hang_up()
    await core.until(lambda: not core.pbx.ready)
    with pytest.raises(PbxUnavailable, match="PBX main is"):
        core.pbx.require_up()
    await core.until(lambda: core.pbx.ready)
    with pytest.raises(AgentUnavailable):
        core.pbx.phones.require_free("1001")


async def test_a_stray_channel_is_hung_up(core: DialCore) -> None:
    await core.start()
    await core.fake.server.say(_newchannel("f" * 32))
    (hangup,) = await core.fake.server.got("Hangup")
    assert hangup["Channel"] == "f" * 32


async def test_a_hang_up_before_the_phone_rings_is_done_when_it_does(core: DialCore) -> None:
    core.fake.server.answers["Hangup"] = lambda action: error(action, "No such channel")
    await core.start()
    call_id = (await core.click()).document["id"]
    await core.dialer.hangup(await core.call(call_id), "li")
    await core.fake.server.say(_newchannel(call_id))
    assert {action["Channel"] for action in await core.fake.server.got("Hangup", 2)} == {call_id}
    await core.fake.server.say(a_hangup(call_id))
    ended = await core.reaches(call_id, "ended")
    assert (ended.end_reason, ended.outcome, ended.hangup_by) == ("canceled", "not_placed", "li")


async def test_events_that_cannot_be_written_are_made_good_from_what_the_pbx_knows(
    core: DialCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await core.start()
    call_id = (await core.click()).document["id"]
    failed = []

    async def full_disk(*_: Any, **__: Any) -> None:
        failed.append(1)
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(core.pbx.tracker, "_handlers", dict.fromkeys(core.pbx.tracker._handlers, full_disk))
        core.fake.channels = [
            {"Channel": "PJSIP/1001-1", "Uniqueid": call_id, "Linkedid": call_id, "ChannelStateDesc": "Up"}
        ]
        await core.fake.server.say(_newchannel(call_id))
        await core.until(lambda: bool(failed))
    await core.until(lambda: core.pbx.ready and core.fake.server.connections == 2)
    assert [leg.role for leg in await core.legs(call_id)] == ["agent"]
    await core.fake.server.say(a_hangup(call_id))
    await core.reaches(call_id, "ended")


async def test_calls_are_taken_only_after_the_books_are_right(core: DialCore) -> None:
    core.fake.server.answers["CoreShowChannels"] = lambda action: error(action, "Permission denied")
    await core.pbx.start()
    await core.fake.server.connected(2)
    with pytest.raises(Fault):
        core.pbx.require_up()


async def test_the_life_of_the_link_is_in_the_journal(core: DialCore) -> None:
    await core.start()
    core.fake.server.hang_up()
    await core.until(lambda: not core.pbx.ready)
    await core.until(lambda: core.pbx.ready)
    await core.fake.server.say(_newchannel("e" * 32))
    await core.fake.server.got("Hangup")
    assert [entry.data["state"] for entry in await core.journal("pbx.state")] == ["up", "down", "up"]


async def test_a_phone_that_is_reserved_is_found_by_agent_and_by_extension(core: DialCore) -> None:
    call = await core.reserved()
    async with core.database.read() as connection:
        for agent, extension in (("li", "9"), ("x", "1001")):
            found = await call_records.open_call_of(connection, agent, "main", extension)
            assert found is not None
            assert found.id == call.id
        assert await call_records.open_call_of(connection, "x", "other", "1001") is None
