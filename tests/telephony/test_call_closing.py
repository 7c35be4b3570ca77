"""A call's end is closed with the PBX's own times, however late its events come, and whichever of them are lost."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from config import clock
from config.errors import Fault
from telephony.ami_events import Hangup
from telephony.calls.call_tracker import CallTracker
from telephony.pbx_setup.lists import TRIES
from telephony.tables import legs
from tests.support.ami_server import Action, a_hangup, error, message, success
from tests.support.dial_core import PBX, DialCore
from tests.support.outage import LEG, Away, moment

HOUR = timedelta(hours=1)


@pytest.fixture
async def away(core: DialCore) -> Away:
    """A connected PBX; no call yet."""
    await core.start()
    return Away(core)


def _talked(away: Away) -> None:
    """What the hang-up handlers of a conversation wrote."""
    fake = away.core.fake
    fake.mark(f"gate/{away.id}", at=moment(away.at(-55)))
    away.ended(
        "customer", -12, cause="16", tech="SIP 200 OK", started=moment(away.at(-50)), answered=moment(away.at(-40))
    )
    away.ended("agent", -11, cause="16", started=moment(away.at(-58)), dial="ANSWER")


async def _hang_up(away: Away) -> None:
    for uniqueid, role in ((away.id, "agent"), (LEG, "customer")):
        away.core.pbx.tracker.follow(uniqueid, away.id, role)
    await away.core.fake.server.say(a_hangup(LEG) + a_hangup(away.id))


async def test_events_that_come_late_do_not_make_the_call_longer(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    _talked(away)
    await _hang_up(away)
    call = await away.core.reaches(away.id, "ended")
    assert (call.end_reason, call.outcome, call.hangup_cause) == ("completed", "conversation", 16)
    assert (call.connected_at, call.ended_at) == (away.at(-40), away.at(-11))
    agent, customer = sorted(await away.core.legs(away.id), key=lambda leg: leg.role)
    assert (agent.answered_at, agent.ended_at) == (away.at(-58), away.at(-11))
    assert (customer.answered_at, customer.ended_at) == (away.at(-40), away.at(-12))
    (entry,) = await away.core.journal("call.ended")
    assert entry.data["call"]["connected_at"] == away.at(-40).isoformat()
    await away.core.fake.server.got("DBDel", 3)
    await away.core.until(lambda: away.core.fake.astdb == {})


async def test_what_was_written_down_late_is_put_in_order(away: Away) -> None:
    await away.call("connected", age=20, roles=("agent", "customer"))
    _talked(away)
    await _hang_up(away)
    call = await away.core.reaches(away.id, "ended")
    assert (call.calling_customer_at, call.connected_at, call.ended_at) == (away.at(-40), away.at(-40), away.at(-11))


async def test_an_answer_that_was_never_heard_of_is_found_in_the_marker(away: Away) -> None:
    await away.call("calling_customer", roles=("agent", "customer"))
    _talked(away)
    await _hang_up(away)
    call = await away.core.reaches(away.id, "ended")
    assert (call.end_reason, call.outcome, call.connected_at) == ("completed", "conversation", away.at(-40))
    states = [entry.data["call"]["state"] for entry in await away.core.journal("call.state")]
    assert "connected" in states


async def test_a_leg_without_a_handler_keeps_the_moment_of_its_event(away: Away) -> None:
    await away.call("calling_agent", roles=("agent",))
    before = clock.now()
    away.core.pbx.tracker.follow(away.id, away.id, "agent")
    await away.core.fake.server.say(a_hangup(away.id))
    call = await away.core.reaches(away.id, "ended")
    assert (call.end_reason, call.outcome) == ("agent_no_answer", "not_placed")
    assert before <= call.ended_at <= clock.now()


async def test_while_the_markers_cannot_be_read_the_call_stays_open_and_is_settled_later(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    _talked(away)
    whole = away.core.fake.server.answers["DBGetTree"]
    away.core.fake.server.answers["DBGetTree"] = lambda action: error(action, "Permission denied")
    await _hang_up(away)
    await away.core.fake.server.got("DBGetTree", 2)
    assert (await away.core.call(away.id)).state == "connected"
    away.core.fake.server.answers["DBGetTree"] = whole
    await away.core.until(lambda: not away.core.pbx.tracker.has_over)
    await away.core.pbx.keep_books(clock.now(), afresh_after=HOUR, doubt_after=HOUR)
    call = await away.core.call(away.id)
    assert (call.end_reason, call.ended_at) == ("completed", away.at(-11))


async def test_endings_heard_of_before_the_link_broke_are_not_lost(away: Away) -> None:
    """A phone that never answered has no handler: what its Hangup told is all there is."""
    await away.call("calling_agent", age=3, roles=("agent",))
    async with away.core.database.write() as transaction:
        tracker = CallTracker(PBX)
        tracker.follow(away.id, away.id, "agent")
        await tracker.apply(transaction, Hangup("PJSIP/agent-1", away.id, away.id, 17, "", "", "Down"), away.at(-1))
    call = await away.settle()
    assert (call.end_reason, call.outcome, call.ended_at) == ("agent_busy", "not_placed", away.at(-1))


@pytest.mark.parametrize("action", ["CoreShowChannels", "DBGetTree"])
async def test_a_list_of_which_an_entry_was_lost_is_not_believed(away: Away, action: str) -> None:
    """A lost entry would pass for a channel that is gone, or for an ending that nobody wrote."""
    await away.call("connected", roles=("agent", "customer"))

    def short(asked: Action) -> bytes:
        return success(asked, EventList="start") + message(
            Event="ListComplete", EventList="Complete", ListItems="2", ActionID=asked["ActionID"]
        )

    before = len(away.core.fake.server.named(action))
    away.core.fake.server.answers[action] = short
    with pytest.raises(Fault, match="did not come through whole"):
        await away.settle()
    assert len(away.core.fake.server.named(action)) == before + TRIES
    assert (await away.core.call(away.id)).state == "connected"


async def test_an_entry_that_came_twice_counts_once(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    entry = {"Channel": "PJSIP/agent-1", "Uniqueid": away.id, "Linkedid": away.id, "ChannelStateDesc": "Up"}

    def doubled(asked: Action) -> bytes:
        twice = message(Event="CoreShowChannel", ActionID=asked["ActionID"], **entry) * 2
        end = message(Event="ListComplete", EventList="Complete", ListItems="1", ActionID=asked["ActionID"])
        return success(asked, EventList="start") + twice + end

    away.core.fake.server.answers["CoreShowChannels"] = doubled
    assert (await away.settle()).state == "connected"


async def test_a_call_answered_while_we_were_away_keeps_the_moment_of_its_answer(away: Away) -> None:
    await away.call("calling_customer", roles=("agent",))
    away.channel("agent", "Up")
    away.channel("customer", "Up")
    told = {"PJSIP/agent-1": ("RINGFENCE_STARTED", -58), "PJSIP/customer-1": ("RINGFENCE_ANSWERED", -40)}

    def value(asked: Action) -> bytes:
        variable, second = told.get(asked["Channel"], ("", 0))
        return success(asked, Value=moment(away.at(second)) if asked["Variable"] == variable else "")

    away.core.fake.server.answers["Getvar"] = value
    call = await away.settle()
    assert (call.state, call.connected_at) == ("connected", away.at(-40))
    assert {leg.role: leg.answered_at for leg in await away.core.legs(away.id)} == {
        "agent": away.at(-58),
        "customer": away.at(-40),
    }
    away.core.fake.server.received.clear()
    await away.settle()
    assert away.core.fake.server.named("Getvar") == []


async def test_a_channel_that_cannot_say_when_it_was_answered_was_answered_now(away: Away) -> None:
    await away.call("calling_customer", roles=("agent",))
    away.channel("agent", "Up")
    away.channel("customer", "Up")
    away.core.fake.server.answers["Getvar"] = lambda asked: error(asked, "No such channel")
    assert (await away.settle()).connected_at == away.now


async def test_a_leg_counts_once_whatever_is_told_of_it(away: Away) -> None:
    await away.call("connected", roles=("agent", "customer"))
    _talked(away)
    await _hang_up(away)
    await away.core.reaches(away.id, "ended")
    async with away.core.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(legs)) == 2


def _answers(away: Away) -> bytes:
    """The customer answers: as the PBX says it, however late we hear it."""
    agent = {"Channel": "PJSIP/agent-1", "Uniqueid": away.id, "Linkedid": away.id}
    leg = {"DestChannel": "PJSIP/customer-1", "DestUniqueid": LEG, "DestLinkedid": away.id}
    return message(Event="DialEnd", **agent, **leg, DialStatus="ANSWER")


async def test_an_answer_that_is_heard_of_late_gets_its_own_moment_while_the_call_goes_on(away: Away) -> None:
    await away.call("calling_customer", roles=("agent", "customer"))
    away.core.pbx.tracker.follow(LEG, away.id, "customer")
    told = moment(away.at(-9))
    away.core.fake.server.answers["Getvar"] = lambda asked: success(asked, Value=told)
    await away.core.fake.server.say(_answers(away))
    async with asyncio.timeout(5):
        while True:
            call = await away.core.call(away.id)
            if call.connected_at == away.at(-9):
                break
            await asyncio.sleep(0.01)
    assert call.state == "connected"
    (asked,) = away.core.fake.server.named("Getvar")
    assert (asked["Channel"], asked["Variable"]) == ("PJSIP/customer-1", "RINGFENCE_ANSWERED")
    assert [leg.answered_at for leg in await away.core.legs(away.id) if leg.uniqueid == LEG] == [away.at(-9)]


async def test_an_answer_that_is_heard_of_in_time_stays_as_it_was_heard(away: Away) -> None:
    await away.call("calling_customer", roles=("agent", "customer"))
    away.core.pbx.tracker.follow(LEG, away.id, "customer")
    away.core.fake.server.answers["Getvar"] = lambda asked: success(asked, Value=moment(clock.now()))
    await away.core.fake.server.say(_answers(away))
    heard = (await away.core.reaches(away.id, "connected")).connected_at
    await away.core.fake.server.got("Getvar")
    assert (await away.core.call(away.id)).connected_at == heard
