"""Events to states, moments and endings: in order, late, repeated, reordered, of several calls at once."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from config import clock
from telephony.ami_events import (
    AmiEvent,
    DialBegin,
    DialEnd,
    DialState,
    Hangup,
    Newchannel,
    Newstate,
    OriginateResponse,
)
from telephony.calls import call_records
from telephony.calls.call_closing import close_calls
from telephony.calls.call_states import State
from telephony.calls.call_tracker import CallTracker
from telephony.calls.markers import Markers
from telephony.calls.outcomes import NOT_PLACED
from tests.support.dial_core import PBX, DialCore


class Told:
    """Events about one call, and the tracker that they are told to a second apart."""

    def __init__(self, core: DialCore, call_id: str, tracker: CallTracker | None = None, leg: str = "1718.1") -> None:
        self.core, self.id, self.leg = core, call_id, leg
        self.tracker = tracker or CallTracker(PBX)
        self.start = clock.now()
        self.second = 0
        self.doubtful: list[str] = []
        self.agent = (f"PJSIP/1001-{leg[-2:]}", call_id, call_id)
        self.customer = (f"PJSIP/carrier-a-{leg[-2:]}", leg, call_id)

    def at(self, second: int) -> datetime:
        return self.start + timedelta(seconds=second)

    async def tell(self, *events: AmiEvent) -> None:
        for event in events:
            self.second += 1
            if self.tracker.concerns(event):
                async with self.core.database.write() as transaction:
                    await self.tracker.apply(transaction, event, self.at(self.second))
                    _, doubtful = await close_calls(transaction, PBX, self.tracker.take_over(), Markers())
                    self.doubtful += doubtful

    async def pass_the_gate(self) -> None:
        async with self.core.database.write() as transaction:
            await call_records.move(transaction, self.id, State.CALLING_CUSTOMER, self.at(self.second))
            await call_records.set_contact(transaction, self.id, outcome="live")

    def rings(self) -> Newchannel:
        return Newchannel(*self.agent, "Down", "", "", "ringfence-click", "s")

    def agent_up(self) -> Newstate:
        return Newstate(*self.agent, "Up", "")

    def dials(self) -> DialBegin:
        return DialBegin(*self.agent, *self.customer, "carrier-a/+8613800138000")

    def dial_state(self, status: str) -> DialState:
        return DialState(*self.agent, *self.customer, status)

    def dial_end(self, status: str) -> DialEnd:
        return DialEnd(*self.agent, *self.customer, status, "")

    def agent_gone(self, cause: int = 16) -> Hangup:
        return Hangup(*self.agent, cause, "", "", "Up")

    def customer_gone(self, cause: int = 16, tech: str = "") -> Hangup:
        return Hangup(*self.customer, cause, "", tech, "Up")

    async def to_the_ring(self) -> None:
        await self.tell(self.rings(), self.agent_up())
        await self.pass_the_gate()
        await self.tell(self.dials(), self.dial_state("RINGING"))

    async def now(self) -> Any:
        return await self.core.call(self.id)


@pytest.fixture
async def told(core: DialCore) -> Told:
    """A call that was reserved, and what its PBX tells."""
    return Told(core, (await core.reserved()).id)


@pytest.mark.parametrize("agent_first", [True, False])
async def test_a_conversation_from_ring_to_end(told: Told, agent_first: bool) -> None:
    await told.to_the_ring()
    await told.tell(told.dial_state("RINGING"), told.dial_end("ANSWER"))
    assert (await told.now()).state == "connected"
    gone: list[AmiEvent] = [told.agent_gone(), told.customer_gone()]
    await told.tell(*(gone if agent_first else reversed(gone)))
    call = await told.now()
    assert (call.state, call.end_reason, call.outcome, call.hangup_cause) == ("ended", "completed", "conversation", 16)
    assert (call.calling_agent_at, call.alerted_at) == (told.at(1), told.at(4))
    assert (call.connected_at, call.ended_at) == (told.at(6), told.at(8))
    agent, customer = await told.core.legs(told.id)
    assert (agent.role, agent.created_at, agent.answered_at) == ("agent", told.at(1), told.at(2))
    assert (customer.role, customer.created_at, customer.answered_at) == ("customer", told.at(3), told.at(6))
    assert {agent.ended_at, customer.ended_at} == {told.at(7), told.at(8)}
    assert await told.core.outcome(told.id) == "conversation"


@pytest.mark.parametrize(
    ("status", "cause", "tech", "end_reason", "outcome"),
    [
        ("BUSY", 17, "SIP 486 Busy Here", "busy", "busy"),
        ("NOANSWER", 1, "SIP 404 Not Found", "failed", "not_in_service"),
        ("NOANSWER", 19, "", "no_answer", "no_answer"),
        ("CHANUNAVAIL", 21, "SIP 403 Forbidden", "rejected", "rejected"),
        ("CONGESTION", 34, "SIP 503 Service Unavailable", "failed", "no_answer"),
        ("CANCEL", 16, "SIP 487 Request Terminated", "canceled", "no_answer"),
    ],
)
async def test_the_legs_own_cause_decides(
    told: Told, status: str, cause: int, tech: str, end_reason: str, outcome: str
) -> None:
    await told.to_the_ring()
    await told.tell(told.dial_end(status), told.customer_gone(cause, tech), told.agent_gone(34))
    call = await told.now()
    assert (call.end_reason, call.outcome, call.hangup_cause) == (end_reason, outcome, cause)
    assert await told.core.outcome(told.id) == outcome


async def test_repeated_and_late_events_change_nothing_any_more(told: Told) -> None:
    story = [told.rings(), told.agent_up(), told.dials(), told.dial_state("RINGING"), told.dial_end("ANSWER")]
    await told.tell(*story[:2])
    await told.pass_the_gate()
    await told.tell(*story[2:])
    before = await told.now(), [leg.created_at for leg in await told.core.legs(told.id)]
    await told.tell(*story[:1], *story[2:4])
    assert (await told.now(), [leg.created_at for leg in await told.core.legs(told.id)]) == before
    await told.tell(told.customer_gone(), told.agent_gone())
    ended = await told.now()
    told.tracker.forget_all()
    await told.tell(*story, told.customer_gone(), told.agent_gone())
    told.tracker.follow(told.id, told.id, "agent")  # as if the settlement had taken it up once more
    await told.tell(told.agent_gone(17))
    assert await told.now() == ended
    assert len(await told.core.journal("call.ended")) == 1


async def test_two_calls_at_once_do_not_mix(core: DialCore) -> None:
    await core.case("p2", "+8613900139000")
    tracker = CallTracker(PBX)
    one = Told(core, (await core.reserved()).id, tracker, "1718.1")
    row = await core.reserved("wu", "p2", "1002", "+8613900139000")
    two = Told(core, row.id, tracker, "1718.2")
    for told in (one, two):
        await told.tell(told.rings(), told.agent_up())
        await told.pass_the_gate()
    for first, second in itertools.zip_longest(
        [one.dials(), one.dial_state("RINGING"), one.dial_end("ANSWER")],
        [two.dials(), two.dial_end("BUSY"), two.customer_gone(17), two.agent_gone(17)],
    ):
        if first:
            await one.tell(first)
        if second:
            await two.tell(second)
    assert ((await one.now()).state, (await two.now()).end_reason) == ("connected", "busy")
    assert {leg.call_id for leg in await core.legs(one.id)} == {one.id}


@pytest.mark.parametrize(
    ("reason", "end_reason"),
    [(5, "agent_busy"), (0, "agent_no_answer"), (3, "agent_no_answer"), (8, "agent_no_answer")],
)
async def test_an_originate_that_made_no_channel_ends_the_call(told: Told, reason: int, end_reason: str) -> None:
    event = OriginateResponse(told.id, f"r/{told.id}", False, reason, "PJSIP/1001", "")
    await told.tell(event, event)
    call = await told.now()
    assert (call.end_reason, call.outcome) == (end_reason, NOT_PLACED)
    assert await told.core.outcome(told.id) == NOT_PLACED


async def test_a_failed_originate_with_a_channel_waits_for_its_hangup(told: Told) -> None:
    await told.tell(told.rings(), OriginateResponse(told.id, "x", False, 3, "PJSIP/1001", told.id))
    assert (await told.now()).state == "calling_agent"
    await told.tell(told.agent_gone(19))
    assert (await told.now()).end_reason == "agent_no_answer"


async def test_the_collectors_phone_rejecting_is_agent_busy(told: Told) -> None:
    await told.tell(told.rings(), told.agent_gone(17))
    assert ((await told.now()).end_reason, await told.core.outcome(told.id)) == ("agent_busy", NOT_PLACED)


async def test_a_hang_up_before_the_phone_rings_stops_it_when_it_does(told: Told) -> None:
    async with told.core.database.write() as transaction:
        await call_records.note(transaction, told.id, clock.now(), hangup_by="li")
    await told.tell(told.rings())
    assert told.tracker.take_strays() == [told.id]
    assert told.tracker.take_strays() == []
    await told.tell(told.agent_gone(16))
    assert ((await told.now()).end_reason, (await told.now()).outcome) == ("canceled", NOT_PLACED)


async def test_a_channel_of_an_ended_or_unknown_call_is_a_stray_and_no_leg(told: Told) -> None:
    await told.tell(OriginateResponse(told.id, "x", False, 0, "", ""), told.rings())
    stranger = Newchannel("PJSIP/1001-9", "f" * 32, "f" * 32, "Down", "", "", "", "")
    await told.tell(stranger, Newchannel("PJSIP/1001-8", "1718.8", "1718.8", "Down", "", "", "", ""))
    assert told.tracker.take_strays() == [told.id, "f" * 32]
    assert await told.core.legs(told.id) == []


async def test_a_hang_up_during_the_busy_tone_does_not_hide_that_it_was_busy(told: Told) -> None:
    await told.to_the_ring()
    await told.tell(told.dial_end("BUSY"), told.customer_gone(17, "SIP 486 Busy Here"))
    async with told.core.database.write() as transaction:
        await call_records.note(transaction, told.id, clock.now(), hangup_by="li")
    await told.tell(told.agent_gone())
    assert ((await told.now()).end_reason, (await told.now()).outcome) == ("busy", "busy")


async def test_no_customer_leg_after_the_gates_yes_is_for_the_markers_to_judge(told: Told) -> None:
    """The news of the customer's leg may have been lost: nothing is given back on events alone."""
    await told.tell(told.rings(), told.agent_up())
    await told.pass_the_gate()
    await told.tell(told.agent_gone(34))
    assert (await told.now()).ended_at is None
    assert told.doubtful == [told.id]
    assert await told.core.outcome(told.id) == "live"


async def test_an_answered_agent_whose_gate_stayed_silent_is_told_so(told: Told) -> None:
    await told.tell(told.rings(), told.agent_up(), told.agent_gone(21))
    call = await told.now()
    assert (call.end_reason, call.denial["rule"]) == ("denied_at_dial", "gate/silent")


async def test_a_carriers_endless_reason_phrase_breaks_nothing(told: Told) -> None:
    await told.to_the_ring()
    await told.tell(told.customer_gone(17, "SIP 486 " + "Busy " * 60), told.agent_gone())
    assert (await told.now()).end_reason == "busy"


async def test_the_flood_of_other_events_costs_no_query(told: Told) -> None:
    other = ("PJSIP/x-1", "1700.1", "1700.1")
    for event in (
        Newchannel(*other, "Down", "", "", "", ""),
        Newstate(*other, "Up", ""),
        DialBegin(*other, "PJSIP/y-1", "1700.2", "1700.1", ""),
        DialEnd(*other, *other, "ANSWER", ""),
        Hangup(*other, 16, "", "", ""),
        OriginateResponse("not-ours", "x", False, 0, "", ""),
    ):
        assert not told.tracker.concerns(event)
