"""What answers inbound calls, made in one place for the composition root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.database import Database
from config.settings import Settings
from crm_bridge.inbound.calls import identify_adopted, name_agent
from crm_bridge.inbound.desk import InboundDesk
from crm_bridge.inbound.fallback import Fallbacks
from crm_bridge.workers import Reaction, Ticker
from telephony.inbound.arrivals import Inbound
from telephony.inbound.fallback import FallbackTeller
from telephony.pbx import Pbx


@dataclass(frozen=True, slots=True)
class InboundServices:
    """`desk` decides, `handler` answers the dialplan, `subscribers` and `jobs` do what follows."""

    desk: InboundDesk
    handler: Inbound
    subscribers: Mapping[str, Sequence[Reaction]]
    jobs: Sequence[Ticker]

    def before(self, others: Mapping[str, Sequence[Reaction]]) -> dict[str, Sequence[Reaction]]:
        """Its subscribers, then the others: whose call it is comes first, for notes and call-backs build on it."""
        kinds = [*others, *(kind for kind in self.subscribers if kind not in others)]
        return {kind: (*self.subscribers.get(kind, ()), *others.get(kind, ())) for kind in kinds}


def inbound_services(settings: Settings, database: Database, pbxs: Mapping[str, Pbx]) -> InboundServices:
    """The services for inbound calls of these PBXs."""
    first = next(iter(pbxs), "")
    desk = InboundDesk(
        region=settings.policy.region, first_pbx=first, phone_state=lambda pbx, phone: pbxs[pbx].phones.state(phone)
    )
    fallbacks = Fallbacks(first_pbx=first)
    tellers = [FallbackTeller(pbx=pbx, database=database, fallback_of=fallbacks.of) for pbx in pbxs.values()]
    return InboundServices(
        desk=desk,
        handler=Inbound(database=database, receive=desk.receive, pbxs=tuple(pbxs)),
        subscribers={
            "call.inbound": (identify_adopted(desk),),
            "call.state": (name_agent(desk),),
            "call.ended": (name_agent(desk),),
        },
        jobs=[Ticker(name=f"inbound fallback {one.pbx.name}", tick=one.tell, seconds=2) for one in tellers],
    )
