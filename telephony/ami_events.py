"""AMI messages as typed events: pure, one dataclass an event, what a call tracker needs. Headers as in Asterisk 22.

https://docs.asterisk.org/Asterisk_22_Documentation/API_Documentation/AMI_Events/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Message = Mapping[str, str]
"""One AMI message, by header name."""

VARIABLE_PREFIX = "RINGFENCE_"
"""Channel variables of ours; VarSet of any other is not an event for us."""


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """Anything that a PBX reports."""


@dataclass(frozen=True, slots=True)
class ChannelEvent(AmiEvent):
    """Something about one channel. `uniqueid` never changes; `linkedid` does when a bridge merges two calls."""

    channel: str
    uniqueid: str
    linkedid: str


_PARSERS: dict[str, Callable[[Message], AmiEvent | None]] = {}
_Event = TypeVar("_Event", bound=AmiEvent)


def parse(message: Message) -> AmiEvent | None:
    """The event in an AMI message, or None for one that we do not follow. Missing headers are empty, never an error."""
    parser = _PARSERS.get(message.get("Event", ""))
    return parser(message) if parser is not None else None


def _headers(*names: str, **converted: Callable[[str], Any]) -> Callable[[type[_Event]], type[_Event]]:
    """Which headers feed the fields, in the fields' order; `converted` turns a field's text into its value."""

    def register(event: type[_Event]) -> type[_Event]:
        def parser(message: Message) -> AmiEvent:
            get = message.get
            return event(*[get(name, "") for name in names])

        def converting_parser(message: Message) -> AmiEvent:
            get = message.get
            return event(*[convert(get(name, "")) for name, convert in zip(names, converters, strict=True)])

        fields = list(event.__dataclass_fields__)
        converters = [converted.get(name, str) for name in fields]
        _PARSERS[event.__name__] = converting_parser if converted else parser
        return event

    return register


def _number(text: str) -> int:
    return int(text) if len(text) < 10 and text.isascii() and text.isdigit() else 0


def _succeeded(text: str) -> bool:
    return text == "Success"


def _yes(text: str) -> bool:
    return text.lower() in ("yes", "true", "1")


def _known(text: str) -> str:
    return "" if text == "<null>" else text


def _leg(prefix: str = "") -> tuple[str, str, str]:
    return f"{prefix}Channel", f"{prefix}Uniqueid", f"{prefix}Linkedid"


_LEG, _DEST = _leg(), _leg("Dest")


@_headers(*_LEG, "ChannelStateDesc", "CallerIDNum", "CallerIDName", "Context", "Exten")
@dataclass(frozen=True, slots=True)
class Newchannel(ChannelEvent):
    """A leg came into being. `state` is Down, Ring, Ringing, Up, ..."""

    state: str
    caller_number: str
    caller_name: str
    context: str
    extension: str


@_headers(*_LEG, "ChannelStateDesc", "ConnectedLineNum")
@dataclass(frozen=True, slots=True)
class Newstate(ChannelEvent):
    """A leg's state changed: Ringing, Up, ..."""

    state: str
    connected_number: str


@dataclass(frozen=True, slots=True)
class DialEvent(ChannelEvent):
    """`channel` (none for an Originate) dials, `dest_channel` is dialled."""

    dest_channel: str
    dest_uniqueid: str
    dest_linkedid: str


@_headers(*_LEG, *_DEST, "DialString")
@dataclass(frozen=True, slots=True)
class DialBegin(DialEvent):
    """A leg is being dialled."""

    dial_string: str


@_headers(*_LEG, *_DEST, "DialStatus")
@dataclass(frozen=True, slots=True)
class DialState(DialEvent):
    """RINGING, PROGRESS or PROCEEDING on the dialled leg; the first two mean that the callee was alerted."""

    status: str


@_headers(*_LEG, *_DEST, "DialStatus", "Forward")
@dataclass(frozen=True, slots=True)
class DialEnd(DialEvent):
    """Dialling is over. `status` is ANSWER or a guess (NOANSWER also for 404): the truth is in the leg's Hangup."""

    status: str
    forward: str


@_headers(*_LEG, "BridgeUniqueid", "BridgeNumChannels", members=_number)
@dataclass(frozen=True, slots=True)
class BridgeEnter(ChannelEvent):
    """A leg joined a bridge; `members` counts those in it, this one included."""

    bridge: str
    members: int


@_headers(*_LEG, "BridgeUniqueid", "BridgeNumChannels", members=_number)
@dataclass(frozen=True, slots=True)
class BridgeLeave(ChannelEvent):
    """A leg left a bridge; `members` counts those still in it."""

    bridge: str
    members: int


@_headers(*_LEG, "Cause", "Cause-txt", "TechCause", "ChannelStateDesc", cause=_number)
@dataclass(frozen=True, slots=True)
class Hangup(ChannelEvent):
    """A leg is gone. `cause` is Q.850 (0: none given), `tech_cause` the SIP status where it ended badly, else empty."""

    cause: int
    cause_txt: str
    tech_cause: str
    state: str


def _channel_id(action_id: str) -> str:
    return action_id.partition("/")[2]


@_headers(
    "ActionID",
    "ActionID",
    "Response",
    "Reason",
    "Channel",
    "Uniqueid",
    channel_id=_channel_id,
    ok=_succeeded,
    reason=_number,
    uniqueid=_known,
)
@dataclass(frozen=True, slots=True)
class OriginateResponse(AmiEvent):
    """How an asynchronous Originate went: `channel_id` is the one we gave, also if no channel was ever made.

    `reason`: 0 failed (busy, not registered), 1 hung up, 3 rang out, 4 answered, 5 busy, 8 congestion.
    """

    channel_id: str
    action_id: str
    ok: bool
    reason: int
    channel: str
    uniqueid: str


@dataclass(frozen=True, slots=True)
class VarSet(ChannelEvent):
    """A channel variable of ours was set; `name` without the underscores that make it inherited."""

    name: str
    value: str


@_headers(*_LEG)
@dataclass(frozen=True, slots=True)
class MixMonitorStart(ChannelEvent):
    """A recording began on this leg."""


@_headers(*_LEG)
@dataclass(frozen=True, slots=True)
class MixMonitorStop(ChannelEvent):
    """A recording on this leg ended; its file may still be open for a moment."""


@_headers(*_LEG)
@dataclass(frozen=True, slots=True)
class Hold(ChannelEvent):
    """The phone of this leg put the call on hold."""


@_headers(*_LEG)
@dataclass(frozen=True, slots=True)
class Unhold(ChannelEvent):
    """The phone of this leg took the call off hold."""


_BLIND = (*_leg("Transferer"), "Result", *_leg("Transferee")[:2], "Context", "Extension", "IsExternal")


@_headers(*_BLIND, ok=_succeeded, external=_yes)
@dataclass(frozen=True, slots=True)
class BlindTransfer(ChannelEvent):
    """`channel` sent the other side of its call, `transferee`, to `extension` in `context`."""

    ok: bool
    transferee_channel: str
    transferee_uniqueid: str
    context: str
    extension: str
    external: bool


_JOINED = ("TransfereeUniqueid", "TransferTargetUniqueid", "TransferTargetChannel", "DestType")
_ATTENDED = (*_leg("OrigTransferer"), "Result", *_leg("SecondTransferer")[:2], *_JOINED)


@_headers(*_ATTENDED, ok=_succeeded)
@dataclass(frozen=True, slots=True)
class AttendedTransfer(ChannelEvent):
    """A transferer joined its two calls; `channel` is its leg in the first, `second_channel` its leg in the second."""

    ok: bool
    second_channel: str
    second_uniqueid: str
    transferee_uniqueid: str
    target_uniqueid: str
    target_channel: str
    dest_type: str


@_headers("EndpointName", "AOR", "URI", "ContactStatus")
@dataclass(frozen=True, slots=True)
class ContactStatus(AmiEvent):
    """A registered contact was NonQualified, Reachable, Unreachable, Removed, ..."""

    endpoint: str
    aor: str
    uri: str
    status: str


@_headers("Device", "State")
@dataclass(frozen=True, slots=True)
class DeviceStateChange(AmiEvent):
    """A device (PJSIP/1001) is NOT_INUSE, INUSE, RINGING, UNAVAILABLE, ..."""

    device: str
    state: str


@_headers("Username", "Domain", "Status", "Cause")
@dataclass(frozen=True, slots=True)
class Registry(AmiEvent):
    """Our registration at a carrier: Registered, Unregistered or Rejected, with a cause."""

    username: str
    domain: str
    status: str
    cause: str


@dataclass(frozen=True, slots=True)
class UserEvent(ChannelEvent):
    """What our dialplan says by UserEvent(Ringfence..., Name: value); `values` are all its headers."""

    name: str
    values: Mapping[str, str]


@_headers("Uptime", uptime_s=_number)
@dataclass(frozen=True, slots=True)
class FullyBooted(AmiEvent):
    """The PBX is ready; `uptime_s` tells a restart from a mere reconnect."""

    uptime_s: int


@_headers("Restart", restart=_yes)
@dataclass(frozen=True, slots=True)
class Shutdown(AmiEvent):
    """The PBX is going away."""

    restart: bool


@_headers("Key", "Val")
@dataclass(frozen=True, slots=True)
class DBGetTreeResponse(AmiEvent):
    """One AstDB entry of a DBGetTree list (in `Answer.events`)."""

    key: str
    value: str


def _text(message: Message) -> tuple[str, str, str]:
    return message.get("Channel", ""), message.get("Uniqueid", ""), message.get("Linkedid", "")


def _var_set(message: Message) -> VarSet | None:
    name = message.get("Variable", "").lstrip("_")
    if not name.startswith(VARIABLE_PREFIX):
        return None
    return VarSet(*_text(message), name, message.get("Value", ""))


def _user_event(message: Message) -> UserEvent | None:
    name = message.get("UserEvent", "")
    if not name.lower().startswith("ringfence"):
        return None
    return UserEvent(*_text(message), name, dict(message))


_PARSERS |= {"UserEvent": _user_event, "VarSet": _var_set}
