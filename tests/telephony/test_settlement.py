"""After silence the books are put right from what the PBX knows: its living channels and what its dialplan wrote down."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from telephony.ami import PbxUnavailable
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.tables import legs
from tests.support.ami_server import a_hangup, error
from tests.support.dial_core import DialCore
from tests.support.outage import LEG, Away, moment

DAY = timedelta(days=1)


@pytest.fixture
async def away(core: DialCore) -> Away:
    """A connected PBX; no call yet."""
    await core.start()
    return Away(core)


async def test_a_call_that_is_alive_is_followed_on(away: Away) -> None:
    await away.call("unknown")
    away.channel("agent", "Up")
    away.channel("customer", "Ringing")
    assert (await away.settle()).state == "calling_customer"
    away.core.fake.channels[1]["ChannelStateDesc"] = "Up"
    assert (await away.settle()).state == "connected"
    assert {leg.role: leg.answered_at for leg in await away.core.legs(away.id)} == {
        "agent": away.now,
        "customer": away.now,
    }
    await away.core.fake.server.say(a_hangup(LEG) + a_hangup(away.id))
    assert (await away.core.reaches(away.id, "ended")).end_reason == "completed"


async def test_a_ringing_agent_is_calling_agent(away: Away) -> None:
    await away.call("unknown")
    away.channel("agent", "Ringing")
    assert (await away.settle()).state == "calling_agent"


async def test_a_living_conversation_keeps_the_moment_of_its_answer(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    before = await away.core.call(away.id)
    away.channel("agent", "Up")
    away.channel("customer", "Up")
    assert (await away.settle()).connected_at == before.connected_at == away.at(-51)


async def test_a_conversation_that_ended_while_away_has_its_own_times_and_cause(away: Away) -> None:
    await away.call("calling_customer", roles=("agent",))
    away.core.fake.mark(f"gate/{away.id}", at=moment(away.at(-55)))
    away.ended("customer", -12, cause="16", tech="", answered=moment(away.at(-40)), started=moment(away.at(-50)))
    away.ended("agent", -11, cause="16")
    call = await away.settle()
    assert (call.state, call.end_reason, call.outcome, call.hangup_cause) == ("ended", "completed", "conversation", 16)
    assert (call.connected_at, call.ended_at) == (away.at(-40), away.at(-11))
    agent, customer = sorted(await away.core.legs(away.id), key=lambda leg: leg.role)
    assert (customer.created_at, customer.answered_at, customer.ended_at) == (away.at(-50), away.at(-40), away.at(-12))
    assert agent.ended_at == away.at(-11)
    assert away.core.fake.astdb == {}


@pytest.mark.parametrize(
    ("cause", "tech", "end_reason", "outcome"),
    [
        ("17", "SIP 486 Busy Here", "busy", "busy"),
        ("1", "SIP 404 Not Found", "failed", "not_in_service"),
        ("21", "SIP 403 Forbidden", "rejected", "rejected"),
        ("", "SIP 180 Ringing", "no_answer", "no_answer"),
        ("x", "", "no_answer", "no_answer"),
    ],
)
async def test_an_ending_while_away_is_judged_by_the_markers_cause(
    away: Away, cause: str, tech: str, end_reason: str, outcome: str
) -> None:
    await away.call("calling_customer")
    away.ended("customer", -12, cause=cause, tech=tech)
    away.ended("agent", -11, cause="17")
    call = await away.settle()
    assert (call.end_reason, call.outcome, call.ended_at) == (end_reason, outcome, away.at(-11))
    assert await away.core.outcome(away.id) == outcome


@pytest.mark.parametrize(
    ("dial", "end_reason", "outcome"),
    [
        ({"dial": "CONGESTION", "ring_ms": "1800"}, "failed", "no_answer"),
        ({"dial": "CONGESTION", "progress_ms": "300"}, "failed", "no_answer"),
        ({"dial": "CONGESTION", "ring_ms": "", "progress_ms": ""}, "failed", "failed"),
        ({"dial": "CANCEL", "ring_ms": "900"}, "canceled", "no_answer"),
    ],
)
async def test_the_agent_legs_marker_tells_whether_the_callee_was_alerted(
    away: Away, dial: dict[str, str], end_reason: str, outcome: str
) -> None:
    await away.call("calling_customer")
    away.ended("customer", -12, cause="34", tech="SIP 503 Service Unavailable")
    away.ended("agent", -11, cause="34", **dial)
    call = await away.settle()
    assert (call.end_reason, call.outcome) == (end_reason, outcome)


@pytest.mark.parametrize("state", ["queued", "unknown", "calling_agent"])
async def test_a_call_the_pbx_knows_nothing_of_was_never_placed(away: Away, state: str) -> None:
    await away.call(state)
    call = await away.settle()
    assert (call.state, call.end_reason, call.outcome) == ("ended", "failed", "not_placed")
    assert away.core.fake.server.named("Originate") == []


@pytest.mark.parametrize("state", ["queued", "unknown", "calling_agent"])
async def test_a_young_call_may_have_its_originate_on_the_way(away: Away, state: str) -> None:
    await away.call(state, age=3)
    assert (await away.settle()).state == state
    assert await away.core.outcome(away.id) == "reserved"


async def test_a_call_whose_agent_leg_was_there_and_is_gone_without_a_trace_is_lost(away: Away) -> None:
    await away.call("calling_agent", roles=("agent",))
    call = await away.settle()
    assert (call.end_reason, call.outcome) == ("lost", "not_placed")
    assert all(leg.ended_at == away.now for leg in await away.core.legs(away.id))


@pytest.mark.parametrize("told_by", ["the call's state", "the gate's marker alone"])
async def test_asterisk_killed_after_the_gate_counts_as_unknown(away: Away, told_by: str) -> None:
    await away.call("calling_customer" if told_by == "the call's state" else "calling_agent", roles=("agent",))
    away.core.fake.mark(f"gate/{away.id}", at=moment(away.at(-55)))
    call = await away.settle()
    assert (call.end_reason, call.outcome) == ("lost", "unknown")
    assert await away.core.outcome(away.id) == "unknown"


async def test_asterisk_killed_in_a_conversation_counts_as_one(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    async with away.core.database.write() as transaction:
        await transaction.execute(update(legs).values(answered_at=away.at(-51)))
    call = await away.settle()
    assert (call.end_reason, call.outcome) == ("lost", "conversation")


async def test_a_leg_of_a_living_call_that_vanished_does_not_keep_it_open_for_ever(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    away.core.pbx.tracker.forget_all()
    away.channel("agent", "Up")
    assert (await away.settle()).state == "connected"
    await away.core.fake.server.say(a_hangup(away.id))
    await away.core.reaches(away.id, "ended")


async def test_a_known_leg_is_alive_also_under_another_linkedid(away: Away) -> None:
    """A bridge that merges two calls gives the channels of one the Linkedid of the other."""
    await away.call("connected", roles=("agent", "customer"))
    away.channel("customer", "Up")
    away.core.fake.channels[0]["Linkedid"] = "1718.99"
    assert (await away.settle()).state == "connected"
    agent, customer = sorted(await away.core.legs(away.id), key=lambda leg: leg.role)
    assert (agent.ended_at, customer.ended_at) == (away.now, None)


async def test_a_call_that_began_after_the_snapshot_is_left_to_its_events(away: Away) -> None:
    await away.call("calling_agent", age=3, roles=("agent",))
    away.core.pbx.tracker.follow(away.id, away.id, "agent")
    assert (await away.settle()).state == "calling_agent"


async def test_a_call_let_through_while_the_snapshot_was_on_its_way_is_left_alone(away: Away) -> None:
    await away.call("calling_customer", age=3, roles=("agent",))
    assert (await away.settle()).state == "calling_customer"


async def test_a_followed_call_that_is_gone_from_the_pbx_is_closed(away: Away) -> None:
    """Its last event was lost, and no other will come."""
    await away.call("connected", roles=("agent", "customer"))
    away.core.pbx.tracker.follow(away.id, away.id, "agent")
    away.ended("agent", -20, cause="16", dial="ANSWER")
    away.ended("customer", -20, cause="16", answered=moment(away.at(-40)))
    call = await away.settle()
    assert (call.end_reason, call.outcome, call.ended_at) == ("completed", "conversation", away.at(-20))
    assert not away.core.pbx.tracker.follows(away.id)


@pytest.mark.parametrize(
    ("gate", "cause", "dial", "end_reason", "outcome"),
    [
        (True, "34", "CHANUNAVAIL", "failed", "not_placed"),
        (False, "21", "", "denied_at_dial", "not_placed"),
        (True, "16", "ANSWER", "lost", "unknown"),
    ],
)
async def test_without_any_customer_leg_the_markers_judge(
    away: Away, gate: bool, cause: str, dial: str, end_reason: str, outcome: str
) -> None:
    """34: Dial() found no way out; 21: the gate's answer came too late; with a Dial() that ran, the customer was called."""
    await away.call("calling_customer", roles=("agent",))
    away.ended("agent", -20, cause=cause, dial=dial, answered=moment(away.at(-50)))
    if gate:
        away.core.fake.mark(f"gate/{away.id}", at=moment(away.at(-50)))
    call = await away.settle()
    assert (call.end_reason, call.outcome) == (end_reason, outcome)


async def test_markers_of_living_calls_stay_and_others_go(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    away.channel("agent", "Up")
    away.core.fake.mark(f"gate/{away.id}", at=moment(away.now))
    away.core.fake.mark(f"gate/{'e' * 32}", at=moment(away.now))
    await away.settle()
    assert set(away.core.fake.astdb) == {f"/ringfence/gate/{away.id}"}


async def test_markers_are_deleted_only_after_the_books_are_written(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    await away.call("calling_customer")
    away.ended("customer", -12, cause="17")

    async def full_disk(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(call_records, "end", full_disk)
        with pytest.raises(OSError, match="no space"):
            await away.settle()
    assert len(away.core.fake.astdb) == 1
    assert (await away.core.call(away.id)).state == "calling_customer"
    assert (await away.settle()).end_reason == "busy"
    assert away.core.fake.astdb == {}


async def test_malformed_markers_are_kept(away: Away) -> None:
    await away.call("unknown")
    bad = {
        f"/ringfence/leg/{away.id}/agent/{away.id}": "cause=16",
        f"/ringfence/leg/{away.id}/customer/1.1": "ended=yesterday,cause=16",
        f"/ringfence/leg/{away.id}/customer/1.2": "ended=2026-06-01T10:00:00,cause=16",
        f"/ringfence/leg/{away.id}/somebody/1.3": f"ended={moment(away.now)}",
        "/ringfence/emergency/1.4": "number=110",
        "/ringfence/leg/x": "",
        "/ringfence/emergency-trunks": "carrier-a",
        "/ringfence/probe/token": "open",
    }
    away.core.fake.astdb.update(bad)
    assert (await away.settle()).end_reason == "failed"
    assert away.core.fake.astdb == bad


async def test_an_emergency_is_journalled_once_even_when_its_marker_cannot_be_deleted(away: Away) -> None:
    await away.call("unknown", age=1)
    away.core.fake.mark("emergency/1718.9", at=moment(away.at(-99)), number="110", **{"from": "1001"})
    delete = away.core.fake.server.answers["DBDel"]
    away.core.fake.server.answers["DBDel"] = lambda action: error(action, "Database busy")
    await away.settle()
    away.core.fake.server.answers["DBDel"] = delete
    away.core.fake.mark("emergency/1718.10", at=moment(away.at(-9)), number="120", **{"from": "1002"})
    await away.settle()
    told = await away.core.journal("call.emergency")
    assert [(entry.data["number"], entry.actor, entry.at) for entry in told] == [
        ("110", "1001", away.at(-99)),
        ("120", "1002", away.at(-9)),
    ]
    assert away.core.fake.astdb == {}


async def test_a_pbx_that_does_not_show_its_channels_settles_nothing(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    away.core.fake.server.answers["CoreShowChannels"] = lambda action: error(action, "Permission denied")
    with pytest.raises(PbxUnavailable, match="Permission denied"):
        await away.settle()
    assert (await away.core.call(away.id)).state == State.CONNECTED


async def test_after_a_reconnect_everything_is_settled_before_calls_are_taken(away: Away) -> None:
    await away.call("calling_customer")
    away.ended("customer", -12, cause="17", tech="SIP 486 Busy Here")
    away.ended("agent", -11, cause="17")
    away.core.fake.server.hang_up()
    await away.core.until(lambda: not away.core.pbx.ready)
    await away.core.until(lambda: away.core.pbx.ready)
    assert (await away.core.call(away.id)).end_reason == "busy"


@pytest.mark.parametrize("state", ["queued", "unknown", "calling_agent"])
async def test_a_call_in_doubt_is_settled_without_a_reconnect(away: Away, state: str) -> None:
    await away.call(state, age=60)
    await away.core.pbx.keep_books(away.now, afresh_after=DAY, doubt_after=timedelta(seconds=90))
    assert (await away.core.call(away.id)).state == state
    await away.core.pbx.keep_books(away.now, afresh_after=DAY, doubt_after=timedelta(seconds=15))
    assert (await away.core.call(away.id)).state == "ended"
