"""Every transition of a call, legal or not, held together with what the tables allow."""

import itertools

from sqlalchemy import update

from config import clock
from telephony.calls import call_records
from telephony.calls.call_states import BEFORE_THE_GATE, TRANSITIONS, EndReason, State, sources_of
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.tables import calls
from tests.support.dial_core import DialCore

LEGAL = {
    "queued": "calling_agent calling_customer unknown ended",
    "calling_agent": "calling_customer connected unknown ended",
    "calling_customer": "connected unknown ended",
    "connected": "held unknown ended",
    "held": "connected unknown ended",
    "unknown": "calling_agent calling_customer connected held ended",
    "ended": "",
}


def test_the_transitions_are_those_of_the_contract() -> None:
    assert {source: " ".join(t for t in State if t in targets) for source, targets in TRANSITIONS.items()} == {
        source: " ".join(t for t in State if t in targets.split()) for source, targets in LEGAL.items()
    }


def test_every_state_is_reachable_and_ends() -> None:
    reached = {State.QUEUED}
    while new := {target for state in reached for target in TRANSITIONS[state]} - reached:
        reached |= new
    assert reached == set(State)
    assert set(sources_of(State.ENDED)) == set(State) - {State.ENDED}


def test_no_call_that_rang_a_customer_is_before_the_gate() -> None:
    for state in (State.CALLING_CUSTOMER, State.CONNECTED, State.HELD, State.ENDED):
        assert state not in BEFORE_THE_GATE
    assert State.QUEUED not in {target for targets in TRANSITIONS.values() for target in targets}


async def test_the_row_moves_along_legal_transitions_only(core: DialCore) -> None:
    call = await core.reserved()
    for source, target in itertools.permutations(State, 2):
        if target is State.ENDED:
            continue
        async with core.database.write() as transaction:
            await transaction.execute(update(calls).values(state=source))
        async with core.database.write() as transaction:
            moved = await call_records.move(transaction, call.id, target, clock.now())
        assert (moved is not None) == (target in TRANSITIONS[source])
        assert (await core.call(call.id)).state == (target if moved else source)


async def test_a_moment_stays_that_of_the_first_time(core: DialCore) -> None:
    call = await core.reserved()
    answered = clock.now()
    steps = (State.CALLING_AGENT, State.CALLING_CUSTOMER, State.CONNECTED, State.HELD, State.CONNECTED, State.UNKNOWN)
    for step in (*steps, State.CONNECTED):
        async with core.database.write() as transaction:
            moved = await call_records.move(
                transaction, call.id, step, answered if step == "connected" else clock.now()
            )
        assert moved is not None
        answered = moved.connected_at or answered
        if moved.connected_at:
            assert moved.connected_at == (await core.call(call.id)).connected_at == answered
    row = await core.call(call.id)
    assert row.created_at <= row.calling_agent_at <= row.calling_customer_at


async def test_a_call_ends_once(core: DialCore) -> None:
    call = await core.reserved()
    first, later = Ending(EndReason.BUSY, "busy"), Ending(EndReason.LOST, NOT_PLACED)
    async with core.database.write() as transaction:
        assert await call_records.end(transaction, call.id, clock.now(), first, hangup_cause=17)
    ended = await core.call(call.id)
    async with core.database.write() as transaction:
        assert await call_records.end(transaction, call.id, clock.now(), later) is None
        assert await call_records.note(transaction, call.id, clock.now(), hangup_by="li") is None
        assert await call_records.move(transaction, call.id, State.CONNECTED, clock.now()) is None
    assert await core.call(call.id) == ended
    assert await core.outcome(call.id) == "busy"
    assert len(await core.journal("call.ended")) == 1
