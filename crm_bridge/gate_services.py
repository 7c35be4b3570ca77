"""What stands at the way out, made in one place for the composition root: typed numbers, the trunks' watch, ringing calls."""

from collections.abc import Mapping, Sequence

from config import clock
from config.database import Database
from config.settings import Settings
from crm_bridge.cases.facts import case_facts
from crm_bridge.no_way_round import Endpoints
from crm_bridge.typed_numbers import PhoneBook, holders
from crm_bridge.workers import Tick, Ticker
from telephony.calls.ring_limits import RingLimits
from telephony.dialling.decisions import Decider
from telephony.gate.gate import Gate
from telephony.gate.typed import DeskBook, TypedNumbers
from telephony.pbx import Pbx
from telephony.trunking.stray_calls import Strays
from telephony.trunking.trunk_watch import TrunkWatch


def _first(settings: Settings) -> str:
    return settings.pbx[0].name if settings.pbx else ""


def desk_book(settings: Settings) -> DeskBook:
    """Whose phone it is, and who holds a number."""
    return DeskBook(who_has=PhoneBook(_first(settings)).who_has, holders=holders)


def the_gate(settings: Settings, database: Database, decider: Decider) -> Gate:
    """The one gate."""
    typed = TypedNumbers(
        decider=decider, book=desk_book(settings), region=settings.policy.region, only_pbx=_first(settings)
    )
    return Gate(database=database, decider=decider, ring_seconds=settings.dialing.customer_ring_seconds, typed=typed)


def gate_jobs(settings: Settings, database: Database, pbxs: Mapping[str, Pbx], decider: Decider) -> Sequence[Ticker]:
    """The watch on each PBX's trunks, and on the calls that ring."""
    strays = Strays(
        book=desk_book(settings),
        case_facts=case_facts,
        region=settings.policy.region,
        emergency=frozenset(settings.gate.emergency),
    )
    limits = RingLimits(database=database, decider=decider, pbxs=pbxs)
    jobs = [Ticker(name="ringing calls", tick=limits.look, seconds=0.05)]
    for name, pbx in pbxs.items():
        watch = TrunkWatch(pbx=pbx, database=database, strays=strays, endpoints=Endpoints(database))
        jobs.append(Ticker(name=f"stray legs {name}", tick=watch.act, seconds=0.02))
        jobs.append(Ticker(name=f"trunks {name}", tick=_look(watch), seconds=1))
    return jobs


def _look(watch: TrunkWatch) -> Tick:
    return lambda: watch.look(clock.now())
