"""The PJSIP endpoints of a PBX as it has them: which are phones, which lead outside, and where what they dial goes."""

import re
from dataclasses import dataclass

from telephony.ami import AmiLink
from telephony.pbx_setup.probe import require

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,79}")


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. `state` is its device state as Asterisk names it; `contexts` the others it may enter by a transfer."""

    name: str
    context: str
    state: str
    is_phone: bool
    """It logs in with a password and we do not log in there, as with phones; with trunks it is not so."""
    others: tuple[str, ...] = ()


async def read_endpoints(link: AmiLink) -> list[Endpoint]:
    """All endpoints, by name. Needs the AMI class `system`; raises PbxConfigFailed without it."""
    listed = require(await link.send("PJSIPShowEndpoints"), "PJSIPShowEndpoints", "system")
    found = []
    for event in sorted(listed.events, key=lambda one: one.get("ObjectName", "")):
        name = event.get("ObjectName", "")
        if _NAME.fullmatch(name):
            context, others = await _contexts(link, name)
            is_phone = bool(event.get("Auths")) and not event.get("OutboundAuths")
            found.append(Endpoint(name, context, event.get("DeviceState", ""), is_phone, others))
    return found


async def _contexts(link: AmiLink, name: str) -> tuple[str, tuple[str, ...]]:
    shown = await link.send("PJSIPShowEndpoint", {"Endpoint": name})
    detail = next((event for event in shown.events if event.get("Event") == "EndpointDetail"), {})
    # Messages are not calls; a transfer goes where the channel variable says, if the endpoint sets it.
    others = re.findall(r"(?:^|,)_*TRANSFER_CONTEXT=([^,]+)", detail.get("SetVar", ""))
    return detail.get("Context", ""), tuple(others)
