"""What the PBX wrote down for us in AstDB while nobody was listening, and may forget once we have it.

Keys (docs/dialplan.md): `/ringfence/gate/<call>`, `/ringfence/leg/<call>/<role>/<uniqueid>`, `/ringfence/emergency/<uniqueid>`;
values are `name=value` pairs parted by commas, moments as RFC 3339 UTC.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from config.identifiers import PATTERN
from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import FAMILY
from telephony.pbx_setup.lists import read_list

LEGS = "leg"
"""The part of the family that hang-up handlers write."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LegMarker:
    """The end of one leg, by the hangup handler on it."""

    call_id: str
    role: str
    uniqueid: str
    ended_at: datetime
    started_at: datetime | None
    answered_at: datetime | None
    cause: int | None
    tech_cause: str | None
    dial_status: str | None = None
    """Of Dial(), on the agent leg."""
    alerted: bool = False
    """On the agent leg: whether the dialled one rang or sent early media."""
    announced: str | None = None
    """On the customer leg: how the recording announcement went, SUCCESS or FAILED; None where there was none to play."""
    inbound: bool = False
    """On the customer leg: whether the customer called us."""


@dataclass(frozen=True, slots=True)
class EmergencyMarker:
    """An emergency number was dialled; it passed without the gate."""

    uniqueid: str
    at: datetime
    number: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class InboundMarker:
    """A call came in. `did` and `caller` are digits as the carrier sent them; `alone`: the service did not answer in time."""

    call_id: str
    uniqueid: str
    at: datetime
    did: str
    caller: str
    carrier: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Markers:
    """All markers of one PBX."""

    legs: tuple[LegMarker, ...] = ()
    gates: frozenset[str] = frozenset()
    emergencies: tuple[EmergencyMarker, ...] = ()
    inbounds: tuple[InboundMarker, ...] = ()
    picks: Mapping[str, str] = field(default_factory=dict)  # Uniqueid of a phone's leg that answered a call -> endpoint
    keys: Mapping[str, str] = field(default_factory=dict)  # AstDB key without the family -> call id, or "" for none

    def legs_of(self, call_id: str) -> list[LegMarker]:
        """The ended legs of a call, in the order of their ends."""
        return sorted((leg for leg in self.legs if leg.call_id == call_id), key=lambda leg: leg.ended_at)

    def passed_the_gate(self, call_id: str) -> bool:
        """Whether the dialplan got as far as Dial() for this call."""
        return call_id in self.gates

    async def delete(self, link: AmiLink, keep: Iterable[str] = ()) -> None:
        """Have the PBX forget them, but for those of the calls to `keep`: they are still going on."""
        kept = set(keep)
        await _forget(link, (key for key, call_id in self.keys.items() if call_id not in kept))

    async def delete_of(self, link: AmiLink, call_ids: Iterable[str]) -> None:
        """Have the PBX forget what it wrote of these calls, and that they passed the gate."""
        over = set(call_ids)
        await _forget(link, [key for key, call_id in self.keys.items() if call_id in over])
        came_in = [leg for leg in self.legs if leg.inbound and leg.call_id in over]
        await _forget(link, [key for leg in came_in for key in (f"inbound/{leg.uniqueid}", f"picked/{leg.call_id}")])
        await _forget(link, (f"gate/{call_id}" for call_id in over))


async def _forget(link: AmiLink, keys: Iterable[str]) -> None:
    for key in keys:
        await link.send("DBDel", {"Family": FAMILY, "Key": key})


async def read_markers(link: AmiLink, part: str = "") -> Markers:
    """Read every marker, or those of a `part` (`leg`); one that cannot be read is left where it is and logged.

    Raises PbxUnavailable when not all of them came through.
    """
    fields = {"Family": FAMILY, "Key": part} if part else {"Family": FAMILY}
    entries = await read_list(link, "DBGetTree", fields, by="Key")
    legs: list[LegMarker] = []
    gates: set[str] = set()
    emergencies: list[EmergencyMarker] = []
    inbounds: list[InboundMarker] = []
    picks: dict[str, str] = {}
    keys: dict[str, str] = {}
    for event in entries.values():
        parts = event.get("Key", "").strip("/").split("/")[1:]
        try:
            match parts:
                case ["gate", call_id]:
                    gates.add(call_id)
                    keys["/".join(parts)] = call_id
                case ["leg", call_id, "agent" | "customer" as role, uniqueid]:
                    legs.append(_leg(call_id, role, uniqueid, _pairs(event.get("Val", ""))))
                    keys["/".join(parts)] = call_id
                case ["emergency", uniqueid]:
                    emergencies.append(_emergency(uniqueid, _pairs(event.get("Val", ""))))
                    keys["/".join(parts)] = ""
                case ["inbound", uniqueid]:
                    inbounds.append(_inbound(uniqueid, _pairs(event.get("Val", ""))))
                    keys["/".join(parts)] = inbounds[-1].call_id
                case ["picked", call_id]:
                    picked = _pairs(event.get("Val", ""))
                    picks[picked["leg"]] = picked["phone"]
                    keys["/".join(parts)] = call_id
                case ["gate" | "leg" | "emergency" | "inbound" | "picked", *_]:
                    raise ValueError("not a key that the dialplan writes")
        except (KeyError, ValueError) as error:
            log.error("markers.unreadable", key="/".join(parts), error=str(error))
    return Markers(tuple(legs), frozenset(gates), tuple(emergencies), tuple(inbounds), picks, keys)


def _pairs(value: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)


def read_moment(text: str) -> datetime:
    """A moment as the dialplan writes it; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} carries no offset")
    return moment.astimezone(UTC)


def _leg(call_id: str, role: str, uniqueid: str, values: Mapping[str, str]) -> LegMarker:
    return LegMarker(
        call_id=call_id,
        role=role,
        uniqueid=uniqueid,
        ended_at=read_moment(values["ended"]),
        started_at=read_moment(values["started"]) if values.get("started") else None,
        answered_at=read_moment(values["answered"]) if values.get("answered") else None,
        cause=int(values["cause"]) if values.get("cause", "").isdigit() else None,
        tech_cause=values["tech"][:64] if values.get("tech") else None,
        dial_status=values["dial"][:16] if values.get("dial") else None,
        alerted=bool(values.get("ring_ms") or values.get("progress_ms")),
        announced=values.get("announced") or None,
        inbound=values.get("inbound") == "yes",
    )


def _emergency(uniqueid: str, values: Mapping[str, str]) -> EmergencyMarker:
    return EmergencyMarker(
        uniqueid=uniqueid,
        at=read_moment(values["at"]),
        number=values.get("number", ""),
        endpoint=values.get("from", ""),
    )


def _inbound(uniqueid: str, values: Mapping[str, str]) -> InboundMarker:
    if not PATTERN.fullmatch(values["call"]):
        raise ValueError("not an id of a call")
    return InboundMarker(
        call_id=values["call"],
        uniqueid=uniqueid,
        at=read_moment(values["at"]),
        did=values.get("did", "")[:20],
        caller=values.get("from", "")[:20],
        carrier=values.get("by", "")[:64],
        alone=values.get("alone") == "yes",
    )
