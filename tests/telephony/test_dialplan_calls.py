"""The dialplan at work: real calls through a real Asterisk, a gate that does as it is told, and a world that keeps count."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from config import clock
from config.identifiers import new_id
from crm_bridge.demo.lab import Lab
from telephony.ami import AmiAccount, AmiLink
from telephony.pbx_setup.dialplan import CLICK, FAMILY, DialplanSettings
from telephony.pbx_setup.plan import apply
from tests.support.agi_stub import AgiStub
from tests.support.ami_owner import linked

pytestmark = pytest.mark.flow

DESK_PHONE = "1008"
"""The one phone that was moved into our context."""


class Floor:
    """A lab whose PBX has our dialplan, with the gate expected at `gate_port`."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.gate_port: int = free.getsockname()[1]
        self.lab = Lab(print)

    async def start(self) -> None:
        await self.lab.start()
        spool = f"{self.lab.pbx.spool_pbx}/ringfence"
        settings = DialplanSettings(
            gate=f"127.0.0.1:{self.gate_port}", spool=spool, emergency_trunks=("not-there", "carrier-a")
        )
        async with self.link() as link:
            await apply(link, settings, phones=[DESK_PHONE])

    @asynccontextmanager
    async def link(self) -> AsyncIterator[AmiLink]:
        pbx = self.lab.pbx
        account = AmiAccount("lab", "127.0.0.1", pbx.ami_port, pbx.ami_username, SecretStr(pbx.ami_secret))
        async with linked(account) as link:
            await link.connected(10)
            yield link

    def recordings(self, call: str) -> list[tuple[str, int]]:
        """(role, bytes) of each file of that call."""
        folder = self.lab.pbx.spool_local / "ringfence"
        return sorted((path.name.split(".")[1], path.stat().st_size) for path in folder.glob(f"{call}.*.raw"))


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    loop = asyncio.new_event_loop()
    floor = Floor()
    try:
        loop.run_until_complete(floor.start())
        yield floor
    finally:
        loop.run_until_complete(floor.lab.stop())
        loop.close()


@pytest.fixture
async def link(floor: Floor) -> AsyncIterator[AmiLink]:
    async with floor.link() as link:
        yield link
        await link.command("channel request hangup all")


@pytest.fixture
async def gate(floor: Floor) -> AsyncIterator[AgiStub]:
    async with AgiStub(port=floor.gate_port) as gate:
        yield gate


def allow(number: str, **changed: str) -> dict[str, str]:
    answer = {"DIAL": f"PJSIP/{number}@carrier-a", "CALLERID": "861088889999", "RING": "10", "ANNOUNCE": ""}
    return {f"RINGFENCE_{name}": value for name, value in {**answer, **changed, "VERDICT": "allow"}.items()}


async def click(link: AmiLink, phone: str = "1001") -> str:
    """Ring that phone as a click does; the call's id."""
    call = new_id(clock.now())
    answer = await link.originate(
        channel_id=call,
        endpoint=f"PJSIP/{phone}",
        context=CLICK,
        extension="s",
        variables={"__RINGFENCE_CALL": call},
    )
    assert answer.ok
    return call


Values = dict[str, str]


async def eventually(read: Callable[[], Awaitable[Values]], seconds: float = 15.0) -> Values:
    """What `read` gives, once it gives something."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (got := await read()):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    return got


async def written(link: AmiLink, prefix: str) -> dict[str, Values]:
    """AstDB entries of ours whose key begins so, by the rest of their key."""
    answer = await link.send("DBGetTree", {"Family": FAMILY})
    entries = {event["Key"].removeprefix(f"/{FAMILY}/"): event["Val"] for event in answer.events}
    return {
        key.removeprefix(prefix): dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)
        for key, value in entries.items()
        if key.startswith(prefix)
    }


async def ended(link: AmiLink, call: str, role: str = "agent") -> Values:
    """How that leg ended, once it has."""

    async def read() -> Values:
        return next(iter((await written(link, f"leg/{call}/{role}/")).values()), {})

    return await eventually(read)


async def test_every_ending_is_written_down_as_it_was(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    expected = {
        "13800130086": ("17", "SIP 486 Busy Here", "Down", "BUSY"),
        "13800130004": ("1", "SIP 404 Not Found", "Down", "CHANUNAVAIL"),
        "13800130023": ("21", "SIP 403 Forbidden", "Ringing", "CHANUNAVAIL"),
        "13800130063": ("21", "SIP 603 Decline", "Down", "CHANUNAVAIL"),
        "13800130040": ("19", "SIP 480 Temporarily Unavailable", "Down", "NOANSWER"),
        "13800130048": ("19", "SIP 480 Temporarily Unavailable", "Down", "NOANSWER"),
        "13800130025": ("34", "SIP 503 Service Unavailable", "Ringing", "CONGESTION"),
        "13800130080": ("0", "SIP 180 Ringing", "Ringing", "NOANSWER"),
    }
    numbers: dict[str, str] = {}
    gate.answer = lambda arguments: allow(numbers[arguments[0]], RING="4")
    for phone, number in zip(range(1001, 1009), expected, strict=True):
        numbers[await click(link, str(phone))] = number
    seen = {}
    alerted = {}
    for call, number in numbers.items():
        agent, customer = await ended(link, call), await ended(link, call, "customer")
        assert customer["started"] < customer["ended"] <= agent["ended"]
        assert (agent["why"], customer["answered"], customer["announced"]) == ("", "", "")
        seen[number] = (customer["cause"], customer["tech"], customer["state"], agent["dial"])
        alerted[number[-2:]] = (bool(agent["ring_ms"]), bool(agent["progress_ms"]))
        [marker] = (await written(link, f"gate/{call}")).values()
        assert (marker["trunk"], marker["agent"]) == ("carrier-a", call)
    assert seen == expected
    assert {suffix for suffix, (rang, _) in alerted.items() if rang} == {"23", "25", "80"}
    assert {suffix for suffix, (_, early) in alerted.items() if early} == {"48"}


@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_an_answered_call_is_recorded_on_both_legs_and_ends_with_either(
    floor: Floor, link: AmiLink, gate: AgiStub, who: str
) -> None:
    number = f"138001311{'20' if who == 'agent' else '30'}"
    gate.answer = allow(number)
    call = await click(link)

    async def talking() -> Values:
        sizes = floor.recordings(call)
        return {"all": "there"} if len(sizes) == 2 and min(size for _, size in sizes) > 16_000 else {}

    seen = await floor.lab.world.wait_for_call(number)
    await eventually(talking)
    await floor.lab.world.hangup(number if who == "customer" else "1001")
    customer, agent = await ended(link, call, "customer"), await ended(link, call)
    assert (customer["cause"], customer["tech"], customer["state"]) == ("16", "SIP 200 OK", "Up")
    assert customer["started"] < customer["answered"] < customer["ended"]
    assert agent["dial"] == "ANSWER"
    assert [role for role, _ in floor.recordings(call)] == ["agent", "customer"]
    assert seen.caller_id == "861088889999"


async def test_the_collectors_extension_never_shows_outside(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    gate.answer = allow("13800130071", CALLERID="")
    await ended(link, await click(link, "1003"))
    assert "1003" not in (await floor.lab.world.wait_for_call("13800130071")).caller_id


async def test_the_announcement_plays_before_the_two_can_talk(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    gate.answer = allow("13800130175", ANNOUNCE="hello-world")
    call = await click(link)
    customer = await ended(link, call, "customer")
    assert customer["announced"] == "SUCCESS"
    gate.answer = allow("13800130271", ANNOUNCE="no-such-sound")
    assert (await ended(link, await click(link), "customer"))["announced"] == "FAILED"


@pytest.mark.parametrize(
    ("manner", "why"),
    [("absent", "silent"), ("closes", "silent"), ("silent", "late"), ("late", "late"), ("deny", "denied")],
)
async def test_without_a_yes_in_two_seconds_no_customer_leg_leaves(
    floor: Floor, link: AmiLink, gate: AgiStub, manner: str, why: str
) -> None:
    number = "13800130301"
    gate.answer = None if manner == "silent" else allow(number)
    gate.closes, gate.delay = manner == "closes", 8.0 if manner == "late" else 0.0
    if manner == "deny":
        gate.answer = {"RINGFENCE_PROMPT": "hello-world", "RINGFENCE_VERDICT": "deny"}
    if manner == "absent":
        gate.leave()
    call = await click(link)
    agent = await ended(link, call)
    if manner in ("silent", "late"):
        async with asyncio.timeout(10):
            await gate.dropped.wait()
    assert (agent["why"], agent["dial"], agent["cause"]) == (why, "", "21")
    assert await written(link, f"gate/{call}") == {}
    assert await floor.lab.world.calls_seen(number) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"DIAL": "PJSIP/13800130401@carrier-a&PJSIP/13800130401@carrier-b"},
        {"DIAL": "PJSIP/13800130401@carrier-a,60,G(x)"},
        {"DIAL": "PJSIP/${EXTEN}13800130401@carrier-a"},
        {"DIAL": "Local/13800130401@from-carrier;x"},
        {"DIAL": ""},
        {"RING": ""},
        {"RING": "0"},
        {"VERDICT": "allowed"},
        {"VERDICT": "ALLOW"},
    ],
)
async def test_an_answer_that_is_not_wholly_right_dials_nothing(
    floor: Floor, link: AmiLink, gate: AgiStub, changed: dict[str, str]
) -> None:
    gate.answer = {**allow("13800130401"), **{f"RINGFENCE_{name}": value for name, value in changed.items()}}
    call = await click(link)

    async def refused() -> Values:
        agent = (await link.send("Getvar", {"Channel": call, "Variable": "RINGFENCE_WHY"})).fields.get("Value", "")
        return {"why": agent} if agent else {}

    assert (await eventually(refused))["why"] in ("malformed", "silent")
    assert await written(link, f"gate/{call}") == {}
    assert await floor.lab.world.calls_seen("13800130401") == []


async def test_a_verdict_serves_one_dial(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    gate.answer = allow("13800130575")
    call = await click(link)
    await floor.lab.world.wait_for_call("13800130575")
    spent = (await link.send("Getvar", {"Channel": call, "Variable": "dial"})).fields.get("Value", "")
    assert spent == ""
    gate.answer, gate.closes = None, True
    fields = {"Channel": call, "Context": "ringfence-gate", "Exten": "s", "Priority": "1"}
    assert (await link.send("Redirect", fields)).ok
    assert (await ended(link, call))["why"] == "silent"
    assert len(await floor.lab.world.calls_seen("13800130575")) == 1


async def test_a_called_party_that_forwards_is_not_followed(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    gate.answer = allow("", DIAL="PJSIP/1012")
    call = await click(link)
    assert (await ended(link, call, "customer"))["tech"] == "SIP 302 Moved Temporarily"
    await ended(link, call)
    assert await floor.lab.world.calls_seen("13900000077") == []


async def test_a_call_without_an_id_is_refused_unasked(link: AmiLink, gate: AgiStub) -> None:
    channel = new_id(clock.now())
    await link.originate(channel_id=channel, endpoint="PJSIP/1001", context=CLICK, extension="s")

    async def refused() -> Values:
        answer = await link.send("Getvar", {"Channel": channel, "Variable": "RINGFENCE_WHY"})
        return {"why": answer.fields["Value"]} if answer.fields.get("Value") else {}

    assert await eventually(refused) == {"why": "ticket"}
    assert gate.asked == []


async def test_a_number_typed_on_a_moved_phone_passes_the_same_gate(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    gate.answer = {"RINGFENCE_VERDICT": "deny"}
    await floor.lab.world.dial(DESK_PHONE, "013800130601")

    async def asked() -> Values:
        return {"path": gate.asked[0][0]} if gate.asked else {}

    await eventually(asked)
    [(path, arguments)] = gate.asked
    assert (path, arguments[:5]) == ("gate", ["", "013800130601", "", "", ""])
    call = new_id(clock.now())
    gate.answer = allow("13800130671", LEG=call)
    await floor.lab.world.dial(DESK_PHONE, "+8613800130671")
    assert (await ended(link, call))["dial"] == "ANSWER"
    assert [role for role, _ in floor.recordings(call)] == ["agent", "customer"]
    assert await floor.lab.world.calls_seen("013800130601") == []


async def test_a_moved_phone_still_reaches_its_colleagues(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    await floor.lab.world.dial(DESK_PHONE, "1002", wait=True)
    assert (await floor.lab.world.wait_for_call("1002")).at == "phones"
    assert gate.asked == []


async def test_an_emergency_number_passes_with_the_service_down(floor: Floor, link: AmiLink, gate: AgiStub) -> None:
    gate.leave()
    await floor.lab.world.dial(DESK_PHONE, "110", wait=True)
    seen = await floor.lab.world.wait_for_call("110")
    assert seen.at == "carrier-a"
    [marker] = (await written(link, "emergency/")).values()
    assert (marker["number"], marker["from"]) == ("110", DESK_PHONE)
    await floor.lab.world.hangup("110")
    assert (await ended(link, marker["call"]))["dial"] == "ANSWER"
    assert [role for role, _ in floor.recordings(marker["call"])] == ["agent", "customer"]


async def test_emergency_trunks_are_taken_from_what_the_service_wrote(
    floor: Floor, link: AmiLink, gate: AgiStub
) -> None:
    await link.send("DBPut", {"Family": FAMILY, "Key": "emergency-trunks", "Val": "carrier-b,carrier-a"})
    await floor.lab.world.dial(DESK_PHONE, "120", wait=True)
    assert (await floor.lab.world.wait_for_call("120")).at == "carrier-b"
