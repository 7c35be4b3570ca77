"""What the collectors' phones are doing, from the PBX's device states: an unregistered one is refused before anything rings."""

from config.errors import Fault
from telephony.ami import AmiLink
from telephony.ami_events import DeviceStateChange


class AgentUnavailable(Fault):
    """The collector's phone can't ring: not registered, unknown to the PBX, or none is set for the user."""

    code = "agent-unavailable"
    status = 409
    title = "Your phone cannot be reached"


class AgentBusy(Fault):
    """The collector, or the collector's phone, is on a call already."""

    code = "agent-busy"
    status = 409
    title = "You are on a call already"


_UNREACHABLE = {"UNAVAILABLE", "INVALID"}
_ENGAGED = {"INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD"}


class Phones:
    """The device states of one PBX, read whole after each connect and kept by its events."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._news: dict[str, str] = {}

    async def read(self, link: AmiLink) -> None:
        """Ask for every device's state."""
        self._news.clear()
        answer = await link.send("DeviceStateList", {})
        self._states = {event["Device"]: event["State"] for event in answer.events} | self._news

    def changed(self, event: DeviceStateChange) -> None:
        """A device changed."""
        self._states[event.device] = self._news[event.device] = event.state

    def state(self, extension: str) -> str:
        """As Asterisk names it: NOT_INUSE, INUSE, UNAVAILABLE, …; INVALID for a phone the PBX does not have."""
        return self._states.get(f"PJSIP/{extension}", "INVALID")

    def require_free(self, extension: str) -> None:
        """Raise AgentUnavailable or AgentBusy unless the phone can ring now."""
        state = self.state(extension)
        if state in _UNREACHABLE:
            raise AgentUnavailable(
                f"phone {extension} is not registered: check that it is switched on and connected", extension=extension
            )
        if state in _ENGAGED:
            raise AgentBusy(f"phone {extension} is in use; hang up first", extension=extension)
