"""A supervisor listens in and whispers on a real call: who hears what by the tones, who may, what is kept of it."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from crm_bridge.demo.behaviours import number_tone
from tests.support.floor import PATIENCE, PEOPLE, Floor
from tests.support.heard_calls import CONVERSATION, audio_of, tone_of
from tests.support.tones import share_of

pytestmark = pytest.mark.flow

ANSWERS, OTHERS = "+8613800138002", "+8613800138102"
SUPERVISORS = "1003"


async def listen(floor: Floor, call: dict[str, Any], mode: str = "listen", status: int = 201) -> dict[str, Any]:
    body = {"mode": mode, "reason": "a new collector"}
    path = f"/v1/calls/{call['id']}/listen"
    document: dict[str, Any] = await floor.expect(status, "POST", path, user="supervisor", body=body)
    return document


async def give_phone(floor: Floor, extension: str) -> None:
    """The supervisor gets that phone, and who had it has none."""
    for name, _, has in PEOPLE:
        if has == extension:
            await floor.expect(200, "PATCH", f"/v1/users/{name}", user="admin", body={"extension": None})
    await floor.expect(200, "PATCH", "/v1/users/supervisor", user="admin", body={"extension": extension})


async def listeners(floor: Floor, call: dict[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, Any] = await floor.expect(200, "GET", f"/v1/calls/{call['id']}/listen", user="admin")
    return list(found["items"])


async def until_state(floor: Floor, call: dict[str, Any], state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await listeners(floor, call))[-1]
            if found["state"] == state:
                return found
            await asyncio.sleep(0.1)


class Ears:
    """What a phone or number of the world hears, from now until `stop`."""

    def __init__(self, floor: Floor, who: str) -> None:
        self._world, self._who = floor.lab.world, who

    async def start(self) -> "Ears":
        self._channel = (await self._world.wait_for_call(self._who)).channel
        name = f"ears-{self._who.lstrip('+')}-{self._channel.rpartition('-')[2]}.wav"
        self._file: Path = self._world.asterisk.spool_local / name
        heard = self._world.asterisk.spool_pbx / name
        fields = {"Channel": self._channel, "File": f"{heard}.both.wav", "Options": f"r({heard})"}
        await self._world.asterisk.action("MixMonitor", fields)
        return self

    async def shares(self, *tones: float) -> list[float]:
        """How much of what was heard each tone is, 0..1, once a piece of conversation has passed."""
        await asyncio.sleep(CONVERSATION)
        await self._world.asterisk.action("StopMixMonitor", {"Channel": self._channel})
        async with asyncio.timeout(PATIENCE):
            while True:
                samples = soundfile.read(self._file)[0] if self._file.exists() else np.zeros(0)
                if len(samples) > 4000:
                    return [share_of(samples, 8000, tone) for tone in tones]
                await asyncio.sleep(0.1)


async def heard_by(floor: Floor, who: str, *tones: float) -> list[bool]:
    """Whether each tone is among what somebody hears now."""
    ears = await Ears(floor, who).start()
    return [share > 0.05 for share in await ears.shares(*tones)]


async def kinds(floor: Floor, call: dict[str, Any]) -> list[dict[str, Any]]:
    listed = await floor.expect(200, "GET", f"/v1/journal?call_id={call['id']}&kind=call.l&limit=50", user="admin")
    assert listed["items"] == []
    listed = await floor.expect(200, "GET", f"/v1/journal?call_id={call['id']}&limit=200", user="admin")
    found = [entry for entry in listed["items"] if entry["kind"].startswith("call.listen")]
    return sorted(found, key=lambda entry: entry["id"])


async def test_the_supervisor_hears_both_and_a_whisper_reaches_the_collector_alone(floor: Floor) -> None:
    collector, customer, supervisor = tone_of("1001"), number_tone(ANSWERS), tone_of(SUPERVISORS)
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    asked = await listen(floor, call)
    assert (asked["listener"], asked["extension"], asked["state"]) == ("supervisor", SUPERVISORS, "calling")
    await until_state(floor, call, "listening")
    assert await heard_by(floor, SUPERVISORS, collector, customer) == [True, True]
    assert await heard_by(floor, "1001", customer, supervisor) == [True, False]
    assert await heard_by(floor, ANSWERS, collector, supervisor) == [True, False]

    changed = await listen(floor, call, "whisper", 200)
    assert (changed["id"], changed["mode"]) == (asked["id"], "whisper")
    assert await heard_by(floor, "1001", customer, supervisor) == [True, True]
    assert await heard_by(floor, ANSWERS, collector, supervisor) == [True, False]
    assert await heard_by(floor, SUPERVISORS, collector, customer) == [True, True]

    path = f"/v1/calls/{call['id']}/listen"
    await floor.expect(204, "DELETE", path, user="supervisor")
    over = await until_state(floor, call, "ended")
    assert over["mode"] == "whisper"
    assert (await floor.show(call))["state"] == "connected"
    await floor.expect(204, "DELETE", path, user="supervisor")
    ended = await floor.hangup(call)
    assert ended["outcome"] == "conversation"
    entries = await kinds(floor, call)
    assert [entry["kind"] for entry in entries] == [
        "call.listened", "call.listen_began", "call.listen_mode", "call.listen_ended",
    ]  # fmt: skip
    assert (entries[0]["actor"], entries[0]["data"]["reason"]) == ("supervisor", "a new collector")
    assert (entries[-1]["data"]["heard"], entries[-1]["data"]["seconds"] > 0) == (True, True)

    # The recording is that of a call nobody listened to: two legs, and no third voice.
    archived = await floor.archived(call)
    assert len(archived["recordings"]) == 2
    samples, rate = await audio_of(floor, call)
    assert all(share_of(samples[:, side], rate, supervisor) < 0.05 for side in (0, 1))
    listed = await floor.expect(200, "GET", "/v1/incidents", user="qa")
    assert listed["items"] == []


async def test_the_end_of_the_call_ends_the_listening_also_while_the_phone_rings(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await listen(floor, call)
    await until_state(floor, call, "listening")
    await floor.lab.world.hangup(ANSWERS)
    await floor.ended(call)
    await until_state(floor, call, "ended")
    assert (await floor.lab.world.wait_for_call(SUPERVISORS, ended=True)).ended_by == "pbx"

    await give_phone(floor, "1010")
    call = await floor.call(OTHERS)
    await floor.until(call, "connected")
    assert (await listen(floor, call))["extension"] == "1010"
    await floor.hangup(call)
    never = await until_state(floor, call, "ended")
    assert never["began_at"] is None
    assert (await kinds(floor, call))[-1]["data"] == {
        "listening_id": never["id"], "listener": "supervisor", "extension": "1010", "mode": "listen",
        "heard": False, "seconds": 0.0,
    }  # fmt: skip


async def test_who_may_not_and_when_there_is_nothing_to_hear(floor: Floor) -> None:
    call = await floor.call(ANSWERS)
    path = f"/v1/calls/{call['id']}/listen"
    await floor.until(call, "connected")
    for user in ("collector", "other", "qa", "crm"):
        await floor.expect(403, "POST", path, user=user, body={})
        await floor.expect(403, "GET", path, user=user)
    await floor.expect(422, "POST", path, user="supervisor", body={"mode": "barge"})
    unset = await floor.expect(409, "POST", path, user="admin", body={})  # an admin without a phone
    assert unset["type"] == "/problems/agent-unavailable"
    for extension, problem in (("1011", "agent-unavailable"), ("1001", "conflict")):
        await give_phone(floor, extension)
        refused = await listen(floor, call, status=409)
        assert refused["type"] == f"/problems/{problem}"
    for name, team in (("collector", "north"), ("supervisor", "south")):
        await floor.expect(200, "PATCH", f"/v1/users/{name}", user="admin", body={"team": team})
    await floor.expect(200, "PUT", f"/v1/cases/{call['case_id']}", user="crm", body=_owned(call))
    hidden = await listen(floor, call, status=404)
    assert hidden["type"] == "/problems/call-not-found"
    await floor.expect(
        200, "PATCH", "/v1/users/supervisor", user="admin", body={"team": "north", "extension": SUPERVISORS}
    )
    await floor.hangup(call)
    await listen(floor, call, status=409)
    assert await listeners(floor, call) == []


def _owned(call: dict[str, Any]) -> dict[str, Any]:
    """The call's case as before, now the collector's own."""
    party = {
        "id": call["party_id"], "relation": "debtor", "name": "测试 Debtor",
        "locations": [{"source": "address", "zone": "Asia/Shanghai"}],
        "numbers": [{"e164": call["number"], "kind": "mobile"}],
    }  # fmt: skip
    return {"client": "anytime", "state": "open", "debts": ["d"], "collector": "collector", "parties": [party]}


async def test_a_listeners_phone_that_forwards_hears_nothing(floor: Floor) -> None:
    await give_phone(floor, "1012")
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await listen(floor, call)
    over = await until_state(floor, call, "ended")
    assert over["began_at"] is None
    assert await floor.lab.world.calls_seen("13900000077") == []
    await floor.hangup(call)
