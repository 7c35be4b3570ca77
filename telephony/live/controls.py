"""What a collector does on a live call: hold, mute, digits. Commands go over this process's own link.

What they come to (`held`, `connected`) is written by who keeps the PBX's books, from its events; a command waits a moment
for that. AMI has no Hold: both legs are redirected, the outside party to a tone of ours, the collector to silence, and bridged
again later; neither recording loses a second by it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Row

from config import clock
from config.database import Database
from config.errors import Conflict, NotFound
from telephony.ami import AmiLink
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.live import handovers
from telephony.live.live_legs import Leg, LiveLegs, live_legs
from telephony.pbx import Pbx

SETTLES = 3.0
"""Seconds that a command waits for the books to say what it came to."""
DIGIT_MS = 160
DIGIT_GAP = 0.24
"""Seconds from one digit to the next: RFC 4733 events of 160 ms, and a pause that every receiver tells apart."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A call that talks or is held, with both its legs and the link to its PBX."""

    call: Row[Any]
    link: AmiLink
    agent: Leg
    customer: Leg


@dataclass(frozen=True, slots=True)
class Controls:
    """Acts on live calls of the PBXs it was given."""

    database: Database
    pbxs: Mapping[str, Pbx]

    async def hold(self, call: Row[Any]) -> Row[Any]:
        """The outside party waits and hears a tone; nothing happens to one that does. Raises Conflict, PbxUnavailable."""
        talk = await self.talk(call, State.CONNECTED, State.HELD)
        if talk.call.state == State.HELD:
            return talk.call
        _refuse_under_way(talk.call)
        await waits(talk.link, talk.agent, talk.customer)
        await waits(talk.link, talk.customer, talk.agent)
        await redirect_both(talk, ("ringfence-held", "agent"), ("ringfence-held", "customer"))
        return await self.until(call.id, lambda row: row.state != State.CONNECTED)

    async def unhold(self, call: Row[Any]) -> Row[Any]:
        """Both talk again; nothing happens where they do. Raises Conflict, PbxUnavailable."""
        talk = await self.talk(call, State.CONNECTED, State.HELD)
        if talk.call.state == State.CONNECTED:
            return talk.call
        _refuse_under_way(talk.call)
        await waits(talk.link, talk.agent, None)
        await waits(talk.link, talk.customer, None)
        await bridge(talk.link, talk.agent, talk.customer)
        return await self.until(call.id, lambda row: row.state != State.HELD)

    async def mute(self, call: Row[Any], by: str, *, on: bool) -> Row[Any]:
        """The outside party does not hear the collector, or does again. Raises Conflict, PbxUnavailable."""
        talk = await self.talk(call, State.CONNECTED, State.HELD)
        state = "on" if on else "off"
        # Only the collector's own leg: on the outside party's it would shorten the recording.
        await done(talk.link, "MuteAudio", {"Channel": talk.agent.uniqueid, "Direction": "in", "State": state})
        if talk.call.muted == on:
            return talk.call
        now = clock.now()
        async with self.database.write() as transaction:
            row = await call_records.note(transaction, call.id, now, muted=on)
            if row is not None:
                transaction.journal(call_records.entry("call.muted" if on else "call.unmuted", row, now, by))
        return row or talk.call

    async def digits(self, call: Row[Any], digits: str, by: str) -> Row[Any]:
        """Send digits (0-9 * # A-D) to the outside party; the journal says how many, never which: they may be a card's."""
        talk = await self.talk(call, State.CONNECTED)
        for number, digit in enumerate(digits):
            if number:
                await asyncio.sleep(DIGIT_GAP)
            fields = {"Channel": talk.customer.uniqueid, "Digit": digit, "Duration": str(DIGIT_MS)}
            await done(talk.link, "PlayDTMF", fields)
        now = clock.now()
        async with self.database.write() as transaction:
            told = call_records.entry("call.digits", talk.call, now, by)
            transaction.journal(replace(told, data={"count": len(digits)}))
        return talk.call

    async def talk(self, call: Row[Any], *states: State) -> Talk:
        """The call as it stands, in one of these states, with both its legs. Raises Conflict, PbxUnavailable."""
        pbx = self.pbxs[call.pbx]
        pbx.require_up()
        row, legs = await self.legs(call.id)
        if row.state not in states:
            raise Conflict(f"the call is {row.state}; this takes one that is {' or '.join(states)}", state=row.state)
        if legs.agent is None or legs.customer is None:
            raise Conflict("this call has nobody of ours on it any more", state=row.state)
        talk = Talk(row, pbx.link, legs.agent, legs.customer)
        if row.state == State.CONNECTED:
            await _require_bridge(talk)
        return talk

    async def legs(self, call_id: str) -> tuple[Row[Any], LiveLegs]:
        """The call and its living legs as the books have them. Raises NotFound."""
        async with self.database.read() as connection:
            row = await call_records.find(connection, call_id)
            if row is None:
                raise NotFound(f"there is no call {call_id}")
            return row, await live_legs(connection, call_id)

    async def until(self, call_id: str, reached: Callable[[Row[Any]], bool]) -> Row[Any]:
        """The call once the books say so, or as it stands after a moment."""
        deadline = asyncio.get_running_loop().time() + SETTLES
        while True:
            row, _ = await self.legs(call_id)
            if row.ended_at is not None or reached(row) or asyncio.get_running_loop().time() > deadline:
                return row
            await asyncio.sleep(0.03)


async def _require_bridge(talk: Talk) -> None:
    """An outside party that has just answered hears the announcement first: to redirect it then would lose it."""
    deadline = asyncio.get_running_loop().time() + SETTLES
    fields = {"Channel": talk.customer.uniqueid, "Variable": "BRIDGEPEER"}
    while not (await talk.link.send("Getvar", fields)).fields.get("Value"):
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict("the announcement is still being played, or they have hung up", state=talk.call.state)
        await asyncio.sleep(0.05)


def _refuse_under_way(call: Row[Any]) -> None:
    if handovers.under_way(call) is not None:
        raise Conflict("a transfer is under way; complete or cancel it first", state=call.state)


async def done(link: AmiLink, action: str, fields: Mapping[str, str]) -> None:
    """Do one action. Raises Conflict when the PBX refuses: the leg is not there any more."""
    answer = await link.send(action, fields)
    if not answer.ok:
        raise Conflict(f"the telephone system refused: {answer.message}")


async def waits(link: AmiLink, leg: Leg, other: Leg | None) -> None:
    """Write on a leg who is told when it hangs up."""
    await set_variable(link, leg, "RINGFENCE_WAITS", other.name if other is not None else "")


async def set_variable(link: AmiLink, leg: Leg, name: str, value: str) -> None:
    """Set a channel variable."""
    await done(link, "Setvar", {"Channel": leg.uniqueid, "Variable": name, "Value": value})


async def redirect(link: AmiLink, leg: Leg, place: tuple[str, str]) -> None:
    """Send one leg to (context, extension)."""
    context, extension = place
    fields = {"Channel": leg.uniqueid, "Context": context, "Exten": extension, "Priority": "1"}
    await done(link, "Redirect", fields)


async def redirect_both(talk: Talk, agent: tuple[str, str], customer: tuple[str, str]) -> None:
    """Send both legs to their (context, extension) in one action, so that neither is hung up with the other."""
    fields = {"Channel": talk.agent.uniqueid, "Context": agent[0], "Exten": agent[1], "Priority": "1"}
    extra = {"Channel": talk.customer.uniqueid, "Context": customer[0], "Exten": customer[1], "Priority": "1"}
    await done(talk.link, "Redirect", fields | {f"Extra{name}": value for name, value in extra.items()})


async def bridge(link: AmiLink, one: Leg, other: Leg) -> None:
    """Have two legs talk with each other."""
    await done(link, "Bridge", {"Channel1": one.uniqueid, "Channel2": other.uniqueid, "Tone": "no"})
