"""What acts on live calls, made together: the composition root holds it as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from config.database import Database
from config.settings import Settings
from telephony.controls import Controls
from telephony.decisions import Decider
from telephony.pauses import Pauses
from telephony.pbx import Pbx
from telephony.transfers import Transfers


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """Hold, mute and digits; pauses of recordings; transfers."""

    controls: Controls
    pauses: Pauses
    transfers: Transfers

    @classmethod
    def made(cls, settings: Settings, database: Database, pbxs: Mapping[str, Pbx], decider: Decider) -> Self:
        """All of them, as the settings say."""
        live = settings.live_calls
        controls = Controls(database, pbxs)
        pauses = Pauses(database, pbxs, controls, live.longest_pause_seconds)
        return cls(controls, pauses, Transfers(controls, pauses, decider, live.transfer_ring_seconds))
