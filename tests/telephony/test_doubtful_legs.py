"""News of a leg that is lost, late or doubled must not have a collector's rightful call cut off."""

import pytest
from sqlalchemy import update

from config import clock
from config.settings import Policy
from crm_bridge.cases.facts import case_facts
from crm_bridge.tables import numbers
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.calls.ring_limits import RingLimits
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Gathering
from telephony.gate.typed import DeskBook
from telephony.gate.typed_calls import Holder
from telephony.trunking.stray_calls import Strays
from telephony.trunking.trunk_watch import TrunkWatch
from tests.support.ami_server import Action, error, message, success
from tests.support.dial_core import PBX, DialCore
from tests.support.outage import LEG, Away, moment

TRUNK_LEG = "PJSIP/carrier-a-00000009"


@pytest.fixture
async def away(core: DialCore) -> Away:
    """A connected PBX; no call yet."""
    await core.start()
    return Away(core)


@pytest.fixture
async def watch(core: DialCore) -> TrunkWatch:
    """Watches the trunk carrier-a."""

    async def endpoints(_: str) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset({"carrier-a"}), frozenset()

    async def who_has(*_: object) -> None:
        return None

    async def holders(*_: object) -> list[Holder]:
        return []

    strays = Strays(DeskBook(who_has, holders), case_facts, "CN", frozenset({"110"}))
    watching = TrunkWatch(core.pbx, core.database, strays, endpoints)
    core.pbx.watched_trunks = frozenset({"carrier-a"})
    return watching


async def _leaves(away: Away) -> None:
    """A leg is made and dialled; its RingfenceLeg does not come."""
    leg = {"Channel": TRUNK_LEG, "Uniqueid": LEG, "Linkedid": away.id}
    agent = {"Channel": "PJSIP/1001-1", "Uniqueid": away.id, "Linkedid": away.id}
    destination = {f"Dest{name}": value for name, value in leg.items()}
    await away.core.fake.server.say(
        message(Event="Newchannel", **leg, ChannelStateDesc="Down")
        + message(Event="DialBegin", **agent, **destination, DialString="+8613800138000@carrier-a")
    )


def _says(away: Away, key: str | None) -> None:
    """What Getvar tells of the leg's own key; None: there is no such channel."""

    def answer(asked: Action) -> bytes:
        assert (asked["Channel"], asked["Variable"]) == (TRUNK_LEG, "RINGFENCE_KEY")
        return success(asked, Value=key) if key is not None else error(asked, "No such channel")

    away.core.fake.server.answers["Getvar"] = answer


async def test_a_leg_whose_word_was_lost_is_asked_whose_it_is(away: Away, watch: TrunkWatch) -> None:
    await away.call("calling_customer", roles=("agent",))
    _says(away, f"{away.id}/customer/{LEG}")
    await _leaves(away)
    await watch.act()
    assert away.core.fake.server.named("Hangup") == []
    assert [call.id for call in await away.core.calls()] == [away.id]


async def test_a_leg_that_is_gone_again_is_known_by_its_marker(away: Away, watch: TrunkWatch) -> None:
    await away.call("calling_customer", roles=("agent",))
    _says(away, None)
    away.core.fake.mark(f"leg/{away.id}/customer/{LEG}", ended=moment(away.now))
    await _leaves(away)
    await watch.act()
    assert [call.id for call in await away.core.calls()] == [away.id]


async def test_a_leg_that_the_books_know_is_no_stray_when_its_news_is_repeated(away: Away, watch: TrunkWatch) -> None:
    await away.call("calling_customer", roles=("agent", "customer"))
    _says(away, None)
    await _leaves(away)
    await watch.act()
    assert [call.id for call in await away.core.calls()] == [away.id]


async def test_a_leg_that_says_nothing_of_itself_is_hung_up(away: Away, watch: TrunkWatch) -> None:
    await away.call("calling_customer", roles=("agent",))
    _says(away, "")
    await _leaves(away)
    await watch.act()
    assert [action["Channel"] for action in await away.core.fake.server.got("Hangup")] == [TRUNK_LEG]
    assert len(await away.core.calls()) == 2


async def _ringing(core: DialCore) -> str:
    call: str = (await core.reserved()).id
    async with core.database.write() as transaction:
        await call_records.move(transaction, call, State.CALLING_CUSTOMER, clock.now())
    return call


async def test_a_recorder_that_is_not_proven_yet_calls_no_ringing_call_back(core: DialCore) -> None:
    await core.start()
    call = await _ringing(core)
    unproven = Decider(Gathering(case_facts, Policy(packs=["house"]), recorder_healthy=lambda: False))
    await RingLimits(core.database, unproven, {PBX: core.pbx}).look()
    assert (await core.call(call)).hangup_by is None


async def test_nothing_is_called_back_before_the_books_are_settled(core: DialCore) -> None:
    """What rang when the service died may be a conversation by now."""
    limits = RingLimits(core.database, core.decider, {PBX: core.pbx})
    call = await _ringing(core)
    async with core.database.write() as transaction:
        await transaction.execute(update(numbers).values(do_not_call=True))
    await limits.look()
    assert (await core.call(call)).hangup_by is None
    await core.start()
    await limits.look()
    assert (await core.call(call)).hangup_by == "policy"
