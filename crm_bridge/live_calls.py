"""What acts on live calls, made together: the composition root holds it as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from config.database import Database
from config.settings import Settings
from telephony.dialling.decisions import Decider
from telephony.live.controls import Controls
from telephony.live.listening import Listening
from telephony.live.pauses import Pauses
from telephony.live.transfers import Transfers
from telephony.pbx import Pbx


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """Hold, mute and digits; pauses of recordings; transfers; listening in."""

    controls: Controls
    pauses: Pauses
    transfers: Transfers
    listening: Listening

    @classmethod
    def made(cls, settings: Settings, database: Database, pbxs: Mapping[str, Pbx], decider: Decider) -> Self:
        """All of them, as the settings say."""
        live = settings.live_calls
        controls = Controls(database, pbxs)
        pauses = Pauses(database, pbxs, controls, live.longest_pause_seconds)
        transfers = Transfers(controls, pauses, decider, live.transfer_ring_seconds)
        listening = Listening(database, pbxs, settings.dialing.agent_ring_seconds)
        return cls(controls, pauses, transfers, listening)
