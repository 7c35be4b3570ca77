"""Who talks with whom, by the PBX's events: held or connected, whose call it is, strangers, outside targets, after silence."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.identifiers import new_id
from telephony.ami_events import (
    AmiEvent,
    AttendedTransfer,
    BlindTransfer,
    BridgeEnter,
    BridgeLeave,
    DialBegin,
    DialEnd,
    Hangup,
    Hold,
    Newchannel,
    Newstate,
    Unhold,
    UserEvent,
)
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.calls.call_tracker import CallTracker
from telephony.dialling.reservations import TRANSFER
from telephony.gate.asking import Collector
from telephony.tables import calls, meetings
from tests.support.dial_core import PBX, DialCore

AGENT, CUSTOMER, COLLEAGUE, TARGET = "agent", "customer", "colleague", "target"
PEOPLE = {"1001": "li", "1002": "wang"}


async def who_has(_: AsyncConnection, extension: str, pbx: str) -> Collector | None:
    name = PEOPLE.get(extension)
    return Collector(name, "collector") if name and pbx == PBX else None


class Stage:
    """A call that talks, and events about its legs, a second apart."""

    def __init__(self, core: DialCore, call_id: str) -> None:
        self.core, self.id = core, call_id
        self.tracker = CallTracker(PBX, who_has)
        self.start, self.second = clock.now(), 0
        self.legs = {
            AGENT: ("PJSIP/1001-0000000a", call_id, call_id),
            CUSTOMER: ("PJSIP/carrier-a-0000000b", "1.2", call_id),
            COLLEAGUE: ("PJSIP/1002-0000000c", "1.3", call_id),
            TARGET: ("PJSIP/carrier-a-0000000d", "1.4", call_id),
        }

    def at(self, second: int) -> datetime:
        return self.start + timedelta(seconds=second)

    async def tell(self, *events: AmiEvent) -> None:
        """As they come in: what the queue would not take is not told."""
        for event in events:
            self.second += 1
            if self.tracker.may_concern(event) and self.tracker.concerns(event):
                async with self.core.database.write() as transaction:
                    await self.tracker.apply(transaction, event, self.at(self.second))

    async def bridge(self, name: str, *who: str) -> None:
        await self.tell(*(BridgeEnter(*self.legs[one], name, place + 1) for place, one in enumerate(who)))

    async def leave(self, name: str, *who: str) -> None:
        await self.tell(*(BridgeLeave(*self.legs[one], name, len(who) - place - 1) for place, one in enumerate(who)))

    async def leg(self, who: str, role: str, call_id: str | None = None) -> None:
        """A leg says whose it is, and is answered."""
        values = {"Call": call_id or self.id, "Role": role}
        await self.tell(UserEvent(*self.legs[who], "RingfenceLeg", values))
        await self.tell(DialEnd(*self.legs[CUSTOMER], *self.legs[who], "ANSWER", ""))

    async def held(self) -> None:
        await self.leave("b1", AGENT, CUSTOMER)
        await self.tell(UserEvent(*self.legs[CUSTOMER], "RingfenceHeld", {"Call": self.id}))

    async def talks(self) -> None:
        await self.tell(Newchannel(*self.legs[AGENT], "Down", "", "", "", "s"), Newstate(*self.legs[AGENT], "Up", ""))
        async with self.core.database.write() as transaction:
            await call_records.move(transaction, self.id, State.CALLING_CUSTOMER, self.at(self.second))
        await self.tell(DialBegin(*self.legs[AGENT], *self.legs[CUSTOMER], ""))
        await self.tell(DialEnd(*self.legs[AGENT], *self.legs[CUSTOMER], "ANSWER", ""))
        await self.bridge("b1", AGENT, CUSTOMER)

    async def asks(self, call_id: str | None = None, **transfer: Any) -> None:
        """A transfer from the page, as its request wrote it."""
        asked = {"kind": "blind", "to": "wang", "by": "li", "leg": self.id, "state": "ringing", **transfer}
        async with self.core.database.write() as transaction:
            row = update(calls).where(calls.c.id == self.id)
            await transaction.execute(row.values(transfer=asked | ({"call_id": call_id} if call_id else {})))

    async def outside(self) -> str:
        """The call of an outside target, its leg talking with nobody yet."""
        row = await self.core.call(self.id)
        target = new_id(clock.now())
        values = {**row._mapping, "id": target, "origin": TRANSFER, "transferred_from": self.id, "state": "calling_customer",
                  "number": "+8613900000000", "uniqueid": "1.2", "connected_at": None}  # fmt: skip
        async with self.core.database.write() as transaction:
            await call_records.create(transaction, values, clock.now())
        await self.leg(TARGET, "customer", target)
        return target

    async def now(self) -> Any:
        return await self.core.call(self.id)

    async def told_of(self, kind: str) -> list[dict[str, Any]]:
        return [entry.data for entry in await self.core.journal(kind)]


@pytest.fixture
async def stage(core: DialCore) -> Stage:
    """A call in conversation."""
    made = Stage(core, (await core.reserved()).id)
    await made.talks()
    return made


async def test_a_conversation_is_not_written_twice(stage: Stage) -> None:
    before = len(await stage.core.journal("call.state"))
    await stage.leave("b1", AGENT, CUSTOMER)
    await stage.bridge("b2", CUSTOMER, AGENT)
    assert len(await stage.core.journal("call.state")) == before
    assert (await stage.now()).current_agent == "li"


async def test_hold_and_resume(stage: Stage) -> None:
    await stage.held()
    call = await stage.now()
    assert (call.state, call.held_at) == ("held", stage.at(stage.second))
    await stage.bridge("b2", AGENT, CUSTOMER)
    call = await stage.now()
    assert (call.state, call.held_at) == ("connected", None)


async def test_a_phone_that_holds_by_itself(stage: Stage) -> None:
    await stage.tell(Hold(*stage.legs[AGENT]))
    assert (await stage.now()).state == "held"
    await stage.tell(Unhold(*stage.legs[AGENT]))
    assert (await stage.now()).state == "connected"
    await stage.tell(Hold(*stage.legs[CUSTOMER]))
    assert (await stage.now()).state == "connected", "a customer's own hold is theirs"


@pytest.mark.parametrize("asked", [True, False], ids=["from the page", "by the phone"])
async def test_a_colleague_has_the_call(stage: Stage, asked: bool) -> None:
    if asked:
        await stage.asks(targets={"1002": "wang"})
        await stage.held()
    else:
        channel = stage.legs[AGENT]
        await stage.tell(BlindTransfer(*channel, True, *stage.legs[CUSTOMER][:2], "ringfence-desk", "1002", True))
        await stage.leave("b1", AGENT, CUSTOMER)
    await stage.leg(COLLEAGUE, "agent")
    await stage.bridge("b2", COLLEAGUE, CUSTOMER)
    call = await stage.now()
    assert (call.state, call.agent, call.current_agent) == ("connected", "li", "wang")
    assert (call.transfer["state"], call.transfer["kind"]) == ("done", "blind")
    (told,) = await stage.told_of("call.transferred")
    assert (told["from"], told["to"], told["kind"]) == ("li", "wang", "blind")
    await stage.tell(Hangup(*stage.legs[AGENT], 16, "", "", "Up"))
    assert len(await stage.told_of("call.transferred")) == 1


@pytest.mark.parametrize(
    ("result", "reason"), [("BUSY", "busy"), ("NOANSWER", "no_answer"), ("CONGESTION", "unreachable")]
)
async def test_nobody_took_it(stage: Stage, result: str, reason: str) -> None:
    await stage.asks(targets={"1002": "wang"})
    await stage.held()
    await stage.tell(UserEvent(*stage.legs[CUSTOMER], "RingfenceTransfer", {"Call": stage.id, "Result": result}))
    await stage.bridge("b2", AGENT, CUSTOMER)
    call = await stage.now()
    assert (call.state, call.current_agent, call.transfer["state"]) == ("connected", "li", "failed")
    (told,) = await stage.told_of("call.transfer_failed")
    assert (told["to"], told["reason"]) == ("wang", reason)


async def test_a_consultation_and_its_end(stage: Stage) -> None:
    await stage.asks(kind="attended", targets={"1002": "wang"})
    await stage.held()
    await stage.leg(COLLEAGUE, "agent")
    await stage.bridge("b2", COLLEAGUE, AGENT)
    call = await stage.now()
    assert (call.state, call.transfer["state"], call.current_agent) == ("held", "consulting", "li")
    await stage.leave("b2", COLLEAGUE)
    await stage.bridge("b3", CUSTOMER, COLLEAGUE)
    call = await stage.now()
    assert (call.state, call.transfer["state"], call.current_agent) == ("connected", "done", "wang")


async def test_a_phone_that_joins_by_itself_is_a_leg_from_then_on(stage: Stage) -> None:
    """Attended REFER with Replaces: the colleague's channel comes from a call of its own."""
    await stage.leave("b1", AGENT)
    await stage.tell(BridgeEnter(*stage.legs[COLLEAGUE], "b1", 2))
    (stranger,) = stage.tracker.conversations.take_strangers()
    assert (stranger.uniqueid, stranger.call_id) == ("1.3", stage.id)
    assert [(leg.uniqueid, leg.role) for leg in await stage.core.legs(stage.id)][-1] == ("1.3", "agent")
    assert (await stage.now()).current_agent == "wang"


async def test_an_outside_party_that_is_moved_to_a_strangers_bridge(stage: Stage) -> None:
    agent, colleague = stage.legs[AGENT], stage.legs[COLLEAGUE]
    joined = AttendedTransfer(*agent, True, "PJSIP/1001-0000000e", "1.5", "1.2", colleague[1], colleague[0], "Bridge")
    await stage.tell(joined)
    assert (await stage.now()).current_agent == "wang"
    (told,) = await stage.told_of("call.transferred")
    assert told["kind"] == "attended"


async def test_an_outside_target_is_met_and_left(stage: Stage) -> None:
    target = await stage.outside()
    await stage.asks(target, to="+8613900000000")
    await stage.held()
    await stage.bridge("b2", TARGET, CUSTOMER)
    call = await stage.now()
    assert (call.state, call.current_agent, call.transfer["state"]) == ("connected", None, "done")
    assert (await stage.core.call(target)).current_agent is None
    await stage.leave("b2", TARGET, CUSTOMER)
    async with stage.core.database.read() as connection:
        rows = (await connection.execute(select(meetings))).all()
    assert {(row.call_id, row.uniqueid) for row in rows} == {(stage.id, "1.4"), (target, "1.2")}
    assert all(row.until is not None for row in rows)


async def test_a_target_that_was_never_dialled_ends_with_the_refusal(stage: Stage) -> None:
    target = new_id(clock.now())
    row = {**(await stage.now())._mapping, "id": target, "origin": TRANSFER, "transferred_from": stage.id, "state": "queued",
           "calling_customer_at": None, "connected_at": None, "denial": {"rule": "house/refused"}}  # fmt: skip
    async with stage.core.database.write() as transaction:
        await call_records.create(transaction, row, clock.now())
    await stage.asks(target, to="+8613900000000")
    await stage.held()
    told = {"Call": stage.id, "Result": "", "Why": "denied"}
    await stage.tell(UserEvent(*stage.legs[CUSTOMER], "RingfenceTransfer", told))
    assert (await stage.core.call(target)).end_reason == "denied_at_dial"
    assert (await stage.now()).transfer["denial"] == {"rule": "house/refused"}


async def test_the_last_leg_of_ours_speaks_when_the_one_that_spoke_is_gone(stage: Stage) -> None:
    """A feature code joins by Local channels: no bridge holds the colleague and the outside party together."""
    await stage.leg(COLLEAGUE, "agent")
    await stage.tell(Hangup(*stage.legs[AGENT], 16, "", "", "Up"))
    assert (await stage.now()).current_agent == "wang"


@pytest.mark.parametrize(
    ("bridge", "context", "state"),
    [("", "ringfence-held", "held"), ("", "ringfence-transfer", "held"), ("b9", "ringfence-held", "connected")],
)
async def test_what_is_so_after_silence_is_read_from_the_bridges(
    stage: Stage, bridge: str, context: str, state: str
) -> None:
    if state == "connected":
        await stage.held()
    stage.tracker.forget_all()
    for who, role in ((AGENT, "agent"), (CUSTOMER, "customer")):
        stage.tracker.follow(stage.legs[who][1], stage.id, role, stage.legs[who][0])
    channels = {
        stage.legs[who][1]: {"Channel": stage.legs[who][0], "BridgeId": bridge, "Context": context}
        for who in (AGENT, CUSTOMER)
    }
    async with stage.core.database.write() as transaction:
        await stage.tracker.conversations.found(transaction, channels, clock.now())
    assert (await stage.now()).state == state
    assert (await stage.now()).current_agent == "li"
