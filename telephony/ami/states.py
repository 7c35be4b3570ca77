"""The states of a link."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LinkState(StrEnum):
    """connecting (not up so far) -> up <-> down; refused: the PBX does not want us; closed: by us, for good."""

    CONNECTING = "connecting"
    UP = "up"
    REFUSED = "refused"
    DOWN = "down"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How a link is right now; `round_trip_s` is that of the last answered ping, in seconds."""

    name: str
    state: LinkState
    reason: str
    since: datetime
    asterisk_version: str
    round_trip_s: float | None
