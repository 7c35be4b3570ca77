"""Everything around the PBX: phones that register and answer, carriers whose numbers behave by their last two digits.

The world writes down every INVITE that reaches it, so that a test can audit the PBX from outside, also after its crash.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from config import clock
from config.errors import NotFound
from crm_bridge.demo.behaviours import (
    BEHAVIOURS,
    EMERGENCY_NUMBERS,
    FORWARDS_TO,
    ORDINARY,
    PHONE_TONES,
    PHONES,
    Behaviour,
    number_tone,
)
from crm_bridge.demo.instance import AsteriskInstance
from crm_bridge.demo.pbx import CARRIERS
from crm_bridge.demo.templates import rendered

ADDRESSES: dict[str, str] = {"phones": "127.0.0.1", **CARRIERS}
_RECORD = "calls.psv"
_NOW = "${STRFTIME(,UTC,%s.%6q)}"


@dataclass(frozen=True)
class SeenCall:
    """One INVITE that reached the world. Times are aware UTC; `cause` is the Q.850 hangup cause on the world's side.

    `at` is `phones`, `carrier-a` or `carrier-b`; `number` the request URI's user as the PBX sent it. `ended_by` is
    `world` or `pbx` (BYE or CANCEL), None while the call lives.
    """

    uniqueid: str
    at: str
    number: str
    caller_id: str
    channel: str
    sip_call_id: str
    invited: datetime
    answered: datetime | None = None
    ended: datetime | None = None
    cause: int | None = None
    ended_by: str | None = None


class World:
    """The world's Asterisk, and what a test makes it do."""

    def __init__(self, root: Path, *, pbx_port: int | None = None, phone_secret: str) -> None:
        self.asterisk = AsteriskInstance(root, "world", ami_username="world", ami_secret=secrets.token_urlsafe(18))
        self._phone_secret = phone_secret
        self._since = datetime.min.replace(tzinfo=UTC)
        if pbx_port is not None:
            self.face(pbx_port)

    def face(self, pbx_port: int) -> None:
        """Write the world's configuration, for a PBX at 127.0.0.1 and that SIP port. Before start."""
        steps = _Steps(forward=FORWARDS_TO, pbx=f"127.0.0.1:{pbx_port}")
        common = {"addresses": ADDRESSES, "phones": PHONES}
        self.asterisk.write(
            "pjsip.conf",
            rendered(
                "world-pjsip.conf",
                **common,
                sip_port=self.asterisk.sip_port,
                pbx_port=pbx_port,
                phone_secret=self._phone_secret,
            ),
        )
        self.asterisk.write(
            "extensions.conf",
            rendered(
                "world-extensions.conf",
                **common,
                record=self.asterisk.spool_pbx / _RECORD,
                now=_NOW,
                steps=steps,
                pbx=steps.pbx,
                phone_tones=PHONE_TONES,
                emergency_numbers=EMERGENCY_NUMBERS,
                behaviours={**BEHAVIOURS, "ordinary": ORDINARY},
            ),
        )
        self.asterisk.write(
            "manager.d/world.conf",
            rendered(
                "pbx-manager.conf",
                username=self.asterisk.ami_username,
                secret=self.asterisk.ami_secret,
                classes="system,call,command,originate",
            ),
        )

    def forget_calls(self) -> None:
        """From now on only calls that begin from now on were seen: what an earlier test left is not this one's."""
        self._since = clock.now()

    async def calls_seen(self, number: str | None = None) -> list[SeenCall]:
        """Every INVITE so far, oldest first; with `number`, those to it (any spelling that ends in it)."""
        path = self.asterisk.spool_local / _RECORD
        text = await asyncio.to_thread(path.read_text, encoding="utf-8") if path.exists() else ""
        seen = [call for call in _parse(text) if call.invited >= self._since]
        return [call for call in seen if number is None or call.number.endswith(number.lstrip("+"))]

    async def wait_for_call(self, number: str, *, seconds: float = 30.0, ended: bool = False) -> SeenCall:
        """The newest call to that number, once there is one (and it ended, if asked). Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            calls = await self.calls_seen(number)
            if calls and (calls[-1].ended or not ended):
                return calls[-1]
            await asyncio.sleep(0.05)
        raise TimeoutError(f"no {'finished ' if ended else ''}call to {number} reached the world in {seconds} s")

    async def hangup(self, number: str) -> None:
        """The called side (a carrier's number or a phone) hangs up its newest living call. Raises NotFound."""
        living = [call for call in await self.calls_seen(number) if call.ended is None]
        if not living:
            raise NotFound(f"No living call to {number} in the world.")
        channel = living[-1].channel
        await self.asterisk.action("Setvar", {"Channel": channel, "Variable": "ENDED_BY", "Value": "world"})
        await self.asterisk.action("Hangup", {"Channel": channel, "Cause": "16"})

    async def refer(self, phone: str, digits: str) -> None:
        """That phone transfers its newest living call blindly to `digits` at the PBX (REFER). Raises NotFound."""
        living = [call for call in await self.calls_seen(phone) if call.ended is None and call.at == "phones"]
        if not living:
            raise NotFound(f"No living call to phone {phone} in the world.")
        await self.refer_channel(living[-1].channel, digits)

    async def refer_channel(self, channel: str, digits: str) -> None:
        """Whoever holds that channel of the world sends the PBX's other side of it to `digits`."""
        await self.asterisk.action("Setvar", {"Channel": channel, "Variable": "REFER_TO", "Value": digits})
        await self.asterisk.action("Redirect", {"Channel": channel, "Context": "refer", "Exten": "s", "Priority": "1"})

    async def press(self, number: str, keys: str) -> None:
        """The called side presses keys on its newest living call; `w` among them waits half a second. Raises NotFound."""
        living = [call for call in await self.calls_seen(number) if call.ended is None]
        if not living:
            raise NotFound(f"No living call to {number} in the world.")
        channel = living[-1].channel
        await self.asterisk.action("Setvar", {"Channel": channel, "Variable": "KEYS", "Value": keys})
        await self.asterisk.action("Redirect", {"Channel": channel, "Context": "press", "Exten": "s", "Priority": "1"})

    async def hangup_all(self) -> None:
        """End every call the world has, e.g. those left over after the PBX was killed."""
        await self.asterisk.console("channel request hangup all")

    async def dial(self, phone: str, digits: str, *, wait: bool = False) -> None:
        """That registered phone dials digits at the PBX and speaks its tone once answered.

        With `wait`, returns when the PBX answered, and raises ActionFailed if it did not.
        """
        await self._originate(f"PJSIP/{digits}@phone-{phone}", phone, PHONE_TONES[phone], wait)

    async def call_in(self, carrier: str, caller: str, did: str, *, wait: bool = False) -> str:
        """A customer calls one of the PBX's numbers through a carrier, and speaks `number_tone(caller)`.

        A caller without a digit speaks 1 kHz. Returns the channel's id, for `give_up`.
        """
        tone = number_tone(caller) if caller[-6:].lstrip("+").isdigit() else 1000
        channel_id = f"in-{secrets.token_hex(6)}"
        await self._originate(f"PJSIP/{did}@from-{carrier}", caller, tone, wait, channel_id)
        return channel_id

    async def give_up(self, channel_id: str) -> None:
        """A customer who called in hangs up, answered or not."""
        await self.asterisk.action("Hangup", {"Channel": channel_id, "Cause": "16"})

    async def unregister(self, phone: str) -> None:
        """That phone tells the PBX it is gone."""
        await self.asterisk.console(f"pjsip send unregister phone-{phone}")

    async def register(self, phone: str) -> None:
        """That phone registers again."""
        await self.asterisk.console(f"pjsip send register phone-{phone}")

    async def _originate(self, channel: str, caller: str, tone: int, wait: bool, channel_id: str | None = None) -> None:
        headers = {"Channel": channel, "Context": "speak", "Exten": "s", "Priority": "1", "Timeout": "60000"}
        headers |= {"CallerID": f"<{caller}>", "Async": "false" if wait else "true", "Variable": f"TONE={tone}"}
        headers |= {"ChannelId": channel_id} if channel_id else {}
        await self.asterisk.action("Originate", headers)


@dataclass(frozen=True)
class _Steps:
    """Writes a behaviour's steps as dialplan lines, after the extension's first priority."""

    forward: str
    pbx: str

    def __call__(self, behaviour: Behaviour) -> str:
        return "\n".join(f" same => n,{application}" for step in behaviour.steps for application in self._of(step))

    def _of(self, step: str) -> list[str]:
        if step == "answer":
            return ["Gosub(answered,s,1)"]
        if step == "hangup":
            return ["Set(ENDED_BY=world)", "Hangup(16)"]
        step = step.replace("{forward}", self.forward).replace("{pbx}", self.pbx)
        by_world = ["Set(ENDED_BY=world)"] if step.startswith(("PJSIPHangup", "Transfer")) else []
        return [*by_world, step]


def _parse(text: str) -> list[SeenCall]:
    """The record's lines, `epoch|event|uniqueid|…`, gathered a call. A last line still being written is left out."""
    calls: dict[str, SeenCall] = {}
    for line in text.split("\n")[:-1]:
        epoch, event, uniqueid, *rest = line.split("|")
        when = datetime.fromtimestamp(float(epoch), UTC)
        if event == "invite":
            at, number, caller_id, channel, sip_call_id = rest
            calls[uniqueid] = SeenCall(uniqueid, at, number, caller_id, channel, sip_call_id, invited=when)
        elif event == "answer":
            calls[uniqueid] = replace(calls[uniqueid], answered=when)
        else:
            cause, by = rest
            calls[uniqueid] = replace(calls[uniqueid], ended=when, cause=int(cause or 0), ended_by=by or "pbx")
    return list(calls.values())
