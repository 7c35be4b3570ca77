"""Endpoints sent to our contexts, by lines at the end of the admin's pjsip.conf: phones, and trunks with what comes in."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.errors import Invalid
from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import DESK, INBOUND
from telephony.pbx_setup.files import PbxConfigRefused, append, cut, read_config, refuse_exec
from telephony.pbx_setup.probe import PbxConfigFailed, require
from telephony.pbx_setup.state import context_of

PJSIP = "pjsip.conf"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,79}")
_VERIFY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Moves:
    """The endpoints that an admin asked us to move: `phones` by what they dial, `inbound` by what comes in over them."""

    phones: Sequence[str] = ()
    inbound: Sequence[str] = ()

    def __post_init__(self) -> None:
        for field, names in (("phones", self.phones), ("inbound", self.inbound)):
            for name in names:
                if not _NAME.fullmatch(name):
                    raise Invalid(
                        f"{name!r} is not the name of a PJSIP endpoint", [{"field": field, "message": "not a name"}]
                    )

    def wanted(self) -> dict[str, str]:
        """The context that each of them should have."""
        return dict.fromkeys(self.phones, DESK) | dict.fromkeys(self.inbound, INBOUND)

    def require_known(self, pbx: str, phones: Mapping[str, str], trunks: Mapping[str, str]) -> None:
        """Raise Invalid for an endpoint that the PBX does not have as what it was named."""
        unknown = [phone for phone in self.phones if phone not in phones]
        if unknown:
            raise Invalid(
                f"PBX {pbx} has no such phone: {', '.join(unknown)}", [{"field": "phones", "message": "unknown"}]
            )
        unknown = [trunk for trunk in self.inbound if trunk not in trunks]
        if unknown:
            raise Invalid(
                f"PBX {pbx} has no such trunk: {', '.join(unknown)}", [{"field": "inbound", "message": "unknown"}]
            )


async def trunk_contexts(link: AmiLink) -> dict[str, str]:
    """Every PJSIP endpoint that is no phone (nobody logs in there with a password), with its context."""
    listed = require(await link.send("PJSIPShowEndpoints"), "PJSIPShowEndpoints", "system")
    trunks = [event["ObjectName"] for event in listed.events if not event.get("Auths") or event.get("OutboundAuths")]
    return {trunk: await context_of(link, trunk) for trunk in trunks if _NAME.fullmatch(trunk)}


async def refuse_strangers(link: AmiLink, moving: Mapping[str, str]) -> None:
    """Raise PbxConfigRefused for endpoints that are not set up in pjsip.conf: lines there would make others of them."""
    if not moving:
        return
    await refuse_exec(link, PJSIP)
    known = await read_config(link, PJSIP)
    for name, context in moving.items():
        if known is None or name not in known.names():
            raise PbxConfigRefused(
                f"{name}: not set up in {PJSIP}, so set context={context} where it is, then apply again."
            )


async def move(link: AmiLink, moving: Mapping[str, str]) -> None:
    """Give each endpoint its context, and prove it; brought back where the PBX does not take it (PbxConfigFailed)."""
    lines = [line for name, context in moving.items() for line in (f"[{name}](+type=endpoint)", f"context={context}")]
    size = await append(link, PJSIP, ["; Ringfence: what these endpoints send passes its contexts", *lines])
    deadline = asyncio.get_running_loop().time() + _VERIFY_SECONDS
    await link.send("Reload", {"Module": "res_pjsip.so"}, timeout=30)
    while stayed := [name for name, context in moving.items() if await context_of(link, name) != context]:
        if asyncio.get_running_loop().time() > deadline:
            await cut(link, PJSIP, size)
            await link.send("Reload", {"Module": "res_pjsip.so"}, timeout=30)
            raise PbxConfigFailed(
                f"{', '.join(stayed)} did not take context={moving[stayed[0]]}, so {PJSIP} was brought back: set it by "
                "hand."
            )
        await asyncio.sleep(0.2)
