"""What looks after the trunks, made in one place for the composition root: changing them, their health, and its alarm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config import clock
from config.database import Database, Transaction
from config.journal import Entry
from config.sealing import Seal
from config.settings import Settings
from crm_bridge.workers import Tick, Ticker
from recordings.incidents import close_incidents, open_incident
from telephony.pbx import Pbx
from telephony.trunking.desk import PURPOSE, TrunkDesk
from telephony.trunking.health import HealthWatch

LOOK_SECONDS = 5
TRUNK_DOWN = "trunk-down"


@dataclass(frozen=True, slots=True)
class TrunkServices:
    """`desk` changes trunks, `jobs` watch over them."""

    desk: TrunkDesk
    jobs: Sequence[Ticker]


def trunk_services(settings: Settings, database: Database, pbxs: Mapping[str, Pbx], process: str) -> TrunkServices:
    """The services for the trunks of these PBXs."""
    desk = TrunkDesk(database=database, pbxs=pbxs, seal=Seal(settings.keys, PURPOSE), process=process)
    jobs = []
    for name, pbx in pbxs.items():
        watch = HealthWatch(pbx=pbx, database=database)
        jobs.append(Ticker(name=f"trunk health {name}", tick=_look(watch), seconds=LOOK_SECONDS))
        jobs.append(Ticker(name=f"trunk set-up {name}", tick=_recover(desk, name), seconds=LOOK_SECONDS))
    return TrunkServices(desk, jobs)


def _look(watch: HealthWatch) -> Tick:
    return lambda: watch.look(clock.now())


def _recover(desk: TrunkDesk, pbx: str) -> Tick:
    return lambda: desk.recover(pbx, clock.now())


async def alarm_trunk(transaction: Transaction, entry: Entry) -> None:
    """A subscriber to `trunk.state`: an incident while a trunk that is in use is down or degraded; closed when it is well."""
    told = entry.data
    subject = f"{told['pbx']}/{told['trunk']}"
    if told["state"] in ("down", "degraded") and told["enabled"]:
        detail = {
            key: told.get(key) for key in ("pbx", "trunk", "state", "reason", "registration", "contact", "congestion")
        }
        await open_incident(transaction, entry.at, TRUNK_DOWN, subject, detail)
    elif told["state"] == "up":
        await close_incidents(transaction, entry.at, subject, "the trunk is up again", (TRUNK_DOWN,))
