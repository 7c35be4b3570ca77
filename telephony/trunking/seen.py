"""What a PBX says of a trunk's endpoint now: is it there, does its carrier answer, is it registered. Asks, changes nothing.

AMI PJSIPShowEndpoint and PJSIPShowRegistrationsOutbound; both carry passwords, so an answer is never kept or logged whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from telephony.ami import AmiLink
from telephony.ami.answers import Headers
from telephony.pbx_setup.probe import require

REACHABLE, UNREACHABLE = "Reachable", "Unreachable"
REGISTERED, REJECTED = "Registered", "Rejected"


@dataclass(frozen=True, slots=True)
class Contact:
    """Where calls are sent. `status` as Asterisk names it: Reachable, Unreachable, NonQualified, Unknown, …"""

    uri: str
    status: str
    round_trip_ms: float | None


@dataclass(frozen=True, slots=True)
class Registration:
    """An outbound registration: Registered, Unregistered, Rejected, Stopped."""

    name: str
    endpoint: str
    auth: str
    server: str
    status: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """An endpoint as the PBX has it; `there` false: it has none of that name. `objects` are its details by kind."""

    there: bool
    contacts: tuple[Contact, ...] = ()
    registration: Registration | None = None
    objects: Mapping[str, Sequence[Headers]] = field(default_factory=dict, repr=False)

    def detail(self, kind: str) -> Headers:
        """The first object of that kind (`EndpointDetail`, `AorDetail`, `AuthDetail`, `IdentifyDetail`), or nothing."""
        found = self.objects.get(kind, ())
        return found[0] if found else {}

    def document(self) -> dict[str, Any]:
        """For people: no secret."""
        return {
            "endpoint": self.there,
            "contacts": [
                {"uri": one.uri, "status": one.status, "round_trip_ms": one.round_trip_ms} for one in self.contacts
            ],
            "registration": self.registration.status if self.registration else None,
        }


async def registrations(link: AmiLink) -> list[Registration]:
    """Every outbound registration of the PBX. Needs the AMI class `system`."""
    answer = await link.send("PJSIPShowRegistrationsOutbound")
    if not answer.ok and "permission" in answer.message.lower():
        require(answer, "PJSIPShowRegistrationsOutbound", "system")
    return [
        Registration(
            event.get("ObjectName", ""),
            event.get("Endpoint", ""),
            event.get("OutboundAuth", ""),
            event.get("ServerUri", ""),
            event.get("Status", ""),
        )
        for event in answer.events
        if event.get("Event") == "OutboundRegistrationDetail"
    ]


async def look(link: AmiLink, endpoint: str, known: Sequence[Registration]) -> Sighting:
    """The endpoint, with the registration among `known` that is for it (by its `endpoint`, or by the login they share)."""
    answer = await link.send("PJSIPShowEndpoint", {"Endpoint": endpoint})
    if not answer.ok:
        if "permission" in answer.message.lower():
            require(answer, "PJSIPShowEndpoint", "system")
        return Sighting(False)
    objects: dict[str, list[Headers]] = {}
    for event in answer.events:
        objects.setdefault(event.get("Event", ""), []).append(event)
    contacts = tuple(_contact(event) for event in objects.get("ContactStatusDetail", []))
    auth = objects.get("EndpointDetail", [{}])[0].get("OutboundAuth", "")
    registration = next(
        (one for one in known if one.endpoint == endpoint or (not one.endpoint and auth and one.auth == auth)), None
    )
    return Sighting(True, contacts, registration, objects)


def _contact(event: Headers) -> Contact:
    micros = event.get("RoundtripUsec", "")
    took = round(int(micros) / 1000, 1) if micros.isdigit() and int(micros) > 0 else None
    status = event.get("Status", "")
    return Contact(event.get("URI", ""), status, took if status == REACHABLE else None)
