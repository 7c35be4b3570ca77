"""The world does what its table says, seen from the PBX and from the world's own record."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from crm_bridge.demo.behaviours import BEHAVIOURS, ORDINARY, PHONE_TONES, Behaviour, number_tone
from crm_bridge.demo.lab import Lab
from crm_bridge.demo.world import SeenCall
from tests.support.pbx_events import Event, PbxEvents, pbx_events
from tests.support.tones import assert_silent, assert_tone, carries, heard

TABLE: dict[str, Behaviour] = {**BEHAVIOURS, "77": ORDINARY}
_ids = itertools.count()


@dataclass(frozen=True)
class Call:
    """One call as the PBX's AMI told it and as the world recorded it; `audio` is what the callee said, at 8 kHz."""

    events: list[Event]
    hangup: Event
    seen: SeenCall
    audio: NDArray[np.int16]

    def told(self, name: str, key: str) -> list[str]:
        """That header of each event of that name."""
        return [event[key] for event in self.events if event["Event"] == name and key in event]


async def call(lab: Lab, events: PbxEvents, number: str, *, carrier: str = "carrier-a", seconds: float = 7.0) -> Call:
    """Originate straight to the carrier, record what is heard, hang up after that long if nobody did before."""
    uniqueid = f"lab-test-{next(_ids)}"
    headers = {"Channel": f"PJSIP/{number}@{carrier}", "Application": "Wait", "Data": "60", "Async": "true"}
    await lab.pbx.action("Originate", {**headers, "ChannelId": uniqueid, "Timeout": "60000"})
    await events.of("Newchannel", uniqueid)
    audio = f"monitor/{uniqueid}-read.wav"
    mixed = {"File": f"{lab.pbx.spool_pbx}/monitor/{uniqueid}.wav", "Options": f"r({lab.pbx.spool_pbx}/{audio})"}
    recording = await recorded(lab, uniqueid, mixed)
    try:
        hangup = await events.of("Hangup", uniqueid, seconds=seconds)
    except TimeoutError:
        await lab.pbx.action("Hangup", {"Channel": uniqueid})
        hangup = await events.of("Hangup", uniqueid)
    seen = await lab.world.wait_for_call(number, ended=True)
    mine = [e for e in events.seen if uniqueid in (e.get("Uniqueid"), e.get("DestUniqueid")) and "Event" in e]
    path = lab.pbx.spool_local / audio
    samples = soundfile.read(path, dtype="int16")[0] if recording and path.exists() else np.zeros(0, np.int16)
    return Call(mine, hangup, seen, samples)


async def recorded(lab: Lab, uniqueid: str, mixed: dict[str, str]) -> bool:
    """Start recording; False if the call was over before that."""
    try:
        await lab.pbx.action("MixMonitor", {"Channel": uniqueid, **mixed})
    except Exception as refused:
        if "No such channel" not in str(refused):
            raise
        return False
    return True


@pytest.fixture(scope="module")
def outcomes(lab: Lab) -> Iterator[dict[str, Call]]:
    """Every behaviour of the table, called at once: by its two digits."""

    async def all_at_once() -> dict[str, Call]:
        async with pbx_events(lab.pbx) as events:
            calls = await asyncio.gather(*(call(lab, events, f"+86139123456{code}") for code in TABLE))
        return dict(zip(TABLE, calls, strict=True))

    loop = asyncio.new_event_loop()
    yield loop.run_until_complete(all_at_once())
    loop.close()


@pytest.mark.parametrize("code", [code for code, does in TABLE.items() if does.sip not in (200, 487)])
def test_a_refusing_number_gives_its_sip_status(outcomes: dict[str, Call], code: str) -> None:
    assert outcomes[code].hangup["TechCause"] == str(TABLE[code].sip)
    assert "Up" not in outcomes[code].told("Newstate", "ChannelStateDesc")
    assert outcomes[code].seen.answered is None
    assert outcomes[code].seen.ended_by == "world"


@pytest.mark.parametrize("code", [code for code, does in TABLE.items() if does.sip == 200])
def test_an_answering_number_answers(outcomes: dict[str, Call], code: str) -> None:
    assert "Up" in outcomes[code].told("Newstate", "ChannelStateDesc")
    assert outcomes[code].seen.answered is not None


@pytest.mark.parametrize("code", TABLE)
def test_the_callee_is_alerted_exactly_where_the_table_says(outcomes: dict[str, Call], code: str) -> None:
    states = outcomes[code].told("DialState", "DialStatus")
    assert bool({"RINGING", "PROGRESS"} & set(states)) is TABLE[code].alerts


@pytest.mark.parametrize("code", ["01", "13", "71", "75", "77"])
def test_an_answering_number_speaks_its_own_tone(outcomes: dict[str, Call], code: str) -> None:
    tone = number_tone(f"+86139123456{code}")
    assert carries(outcomes[code].audio, 8000, tone) >= (0.5 if code == "71" else 2.0)


def test_the_announcement_is_heard_before_any_answer(outcomes: dict[str, Call]) -> None:
    assert outcomes["48"].told("DialState", "DialStatus") == ["PROGRESS"]
    assert carries(outcomes["48"].audio, 8000, number_tone("+8613912345648")) >= 2.0


def test_a_silent_number_says_nothing(outcomes: dict[str, Call]) -> None:
    audio = outcomes["90"].audio
    assert not len(audio) or all(window.silent for window in heard(audio, 8000))


def test_voicemail_beeps_once(outcomes: dict[str, Call]) -> None:
    loud = [window for window in heard(outcomes["91"].audio, 8000, window=0.1) if not window.silent]
    assert 3 <= len(loud) <= 7
    assert all(abs(window.hz - 1000) < 15 for window in loud[1:-1])


@pytest.mark.parametrize(("code", "talk"), [("71", 1.0), ("75", 5.0)])
def test_a_customer_who_hangs_up_does_so_by_himself(outcomes: dict[str, Call], code: str, talk: float) -> None:
    seen = outcomes[code].seen
    assert (seen.ended_by, seen.cause) == ("world", 16)
    assert seen.answered is not None
    assert seen.ended is not None
    assert (seen.ended - seen.answered).total_seconds() == pytest.approx(talk, abs=0.5)


def test_a_number_rung_out_is_cancelled_by_the_pbx(outcomes: dict[str, Call]) -> None:
    assert outcomes["80"].seen.ended_by == "pbx"
    assert outcomes["80"].seen.answered is None


@pytest.mark.parametrize("number", ["110", "112", "119", "120", "911", "999"])
async def test_emergency_numbers_answer_on_either_carrier(lab: Lab, number: str) -> None:
    async with pbx_events(lab.pbx) as events:
        seen = (await call(lab, events, number, carrier="carrier-b", seconds=1.0)).seen
    assert seen.at == "carrier-b"
    assert seen.answered is not None


@pytest.mark.parametrize("number", ["13912340001", "013912340001", "8613912340001", "+8613912340001"])
async def test_a_number_is_known_in_every_spelling(lab: Lab, number: str) -> None:
    async with pbx_events(lab.pbx) as events:
        heard_call = await call(lab, events, number, seconds=1.5)
    assert heard_call.seen.number == number
    assert_tone(heard_call.audio, 8000, number_tone("13912340001"), 0.25, 1.0)


async def test_both_sides_of_a_bridged_call_keep_their_tones(lab: Lab) -> None:
    number = "13912350177"
    headers = {"Channel": "PJSIP/1002", "Application": "Dial", "Data": f"PJSIP/{number}@carrier-b"}
    async with pbx_events(lab.pbx) as events:
        await lab.pbx.action("Originate", {**headers, "Async": "true", "ChannelId": "bridged"})
        await events.first(lambda e: e.get("Event") == "BridgeEnter" and e.get("Uniqueid") == "bridged")
        folder = f"{lab.pbx.spool_pbx}/monitor"
        options = f"r({folder}/bridged-agent.wav)t({folder}/bridged-customer.wav)"
        await lab.pbx.action("MixMonitor", {"Channel": "bridged", "File": f"{folder}/bridged.wav", "Options": options})
        await asyncio.sleep(2)  # the length of what is recorded
        await lab.world.hangup(number)
        await events.of("Hangup", "bridged")
    for side, tone in (("agent", PHONE_TONES["1002"]), ("customer", number_tone(number))):
        audio, rate = soundfile.read(lab.pbx.spool_local / f"monitor/bridged-{side}.wav", dtype="int16")
        assert_tone(audio, rate, tone, 0.25, 1.75)
    seen = await lab.world.wait_for_call(number, ended=True)
    assert (seen.at, seen.ended_by) == ("carrier-b", "world")


async def test_a_desk_phone_reaches_another_through_the_pbx(lab: Lab) -> None:
    await lab.world.dial("1003", "1004", wait=True)
    seen = await lab.world.wait_for_call("1004")
    assert (seen.at, seen.caller_id) == ("phones", "1003")
    await lab.world.hangup("1004")
    assert (await lab.world.wait_for_call("1004", ended=True)).ended_by == "world"


async def test_a_customer_calls_in_through_a_carrier(lab: Lab) -> None:
    await lab.world.call_in("carrier-b", "13911112222", "02155550100", wait=True)
    seen = await lab.world.wait_for_call("1001")
    assert seen.caller_id == "13911112222"
    await lab.world.hangup("1001")


@pytest.mark.parametrize(("phone", "status"), [("1009", "486"), ("1012", "302")])
async def test_a_phone_that_does_not_take_calls_says_how(lab: Lab, phone: str, status: str) -> None:
    async with pbx_events(lab.pbx) as events:
        headers = {"Channel": f"PJSIP/{phone}", "Application": "Wait", "Data": "9", "Async": "true"}
        await lab.pbx.action("Originate", {**headers, "ChannelId": f"phone-{phone}"})
        assert (await events.of("Hangup", f"phone-{phone}"))["TechCause"] == status


async def test_an_unregistered_phone_cannot_be_reached_and_can_register_again(lab: Lab) -> None:
    await lab.world.unregister("1008")
    await until(lab, "1008", registered=False)
    await lab.world.register("1008")
    await until(lab, "1008", registered=True)


async def until(lab: Lab, phone: str, *, registered: bool) -> None:
    async with asyncio.timeout(5):
        while (phone in await lab.registered()) is not registered:  # noqa: ASYNC110 - the PBX is polled, nothing tells
            await asyncio.sleep(0.05)


def test_silence_is_told_from_sound() -> None:
    assert_silent(np.zeros(8000, np.int16), 8000, 0, 1)
    with pytest.raises(AssertionError, match="expected silence"):
        assert_silent((np.sin(np.arange(8000)) * 9000).astype(np.int16), 8000, 0, 1)
