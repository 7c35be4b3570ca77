"""Everything a handler may take from the application or the request; read only within `crm_bridge.web`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from config.database import Database
from config.settings import Settings
from crm_bridge.people.credentials import Credential
from crm_bridge.people.users import User

if TYPE_CHECKING:
    from crm_bridge.connectors.registry import Connectors
    from crm_bridge.drain import Drain
    from crm_bridge.inbound.desk import InboundDesk
    from crm_bridge.live import LiveStream
    from crm_bridge.pbxs.desk import PbxDesk
    from crm_bridge.system_state import SystemState
    from crm_bridge.web.api import Operation
    from crm_bridge.webhooks.webhooks import Webhooks
    from recordings.bundle import Bundles
    from recordings.deletion import Deletion
    from recordings.replay import Replay
    from telephony.dialling.decisions import Decider
    from telephony.dialling.dialer import Dialer
    from telephony.live.controls import Controls
    from telephony.live.listening import Listening
    from telephony.live.pauses import Pauses
    from telephony.live.transfers import Transfers
    from telephony.pbx import Pbx
    from telephony.trunking.desk import TrunkDesk
    from telephony.upkeep import Upkeep

DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
DECIDER: "web.AppKey[Decider]" = web.AppKey("decider")
DIALER: "web.AppKey[Dialer]" = web.AppKey("dialer")
CONTROLS: "web.AppKey[Controls]" = web.AppKey("controls")
TRANSFERS: "web.AppKey[Transfers]" = web.AppKey("transfers")
LISTENING: "web.AppKey[Listening]" = web.AppKey("listening")
PAUSES: "web.AppKey[Pauses]" = web.AppKey("pauses")
LIVE: "web.AppKey[LiveStream]" = web.AppKey("live")
PBXS: "web.AppKey[Mapping[str, Pbx]]" = web.AppKey("pbxs")
PBX_DESK: "web.AppKey[PbxDesk]" = web.AppKey("pbx_desk")
TRUNK_DESK: "web.AppKey[TrunkDesk]" = web.AppKey("trunk_desk")
UPKEEPS: "web.AppKey[Mapping[str, Upkeep]]" = web.AppKey("upkeeps")
INBOUND_DESK: "web.AppKey[InboundDesk]" = web.AppKey("inbound_desk")
DRAIN: "web.AppKey[Drain]" = web.AppKey("drain")
STATE: "web.AppKey[SystemState]" = web.AppKey("state")
REPLAY: "web.AppKey[Replay]" = web.AppKey("replay")
BUNDLES: "web.AppKey[Bundles]" = web.AppKey("bundles")
DELETION: "web.AppKey[Deletion]" = web.AppKey("deletion")
CONNECTORS: "web.AppKey[Connectors]" = web.AppKey("connectors")
WEBHOOKS: "web.AppKey[Webhooks]" = web.AppKey("webhooks")
OPERATIONS: "web.AppKey[tuple[Operation, ...]]" = web.AppKey("operations", tuple)

USER: web.RequestKey[User] = web.RequestKey("user", User)
CREDENTIAL: web.RequestKey[Credential] = web.RequestKey("credential", Credential)
