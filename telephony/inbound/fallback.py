"""What a PBX does with inbound calls while the service is away: written to its AstDB as soon as it changes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from telephony.ami import AnswerUnknown, LinkState, PbxUnavailable
from telephony.pbx import Pbx
from telephony.pbx_setup.dialplan import FAMILY

log = structlog.get_logger(__name__)

KEY = "inbound-fallback"
LONGEST_VALUE = 250
"""AstDB hands out 255 bytes at most (over AMI); what does not fit is left out."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """The phones to ring (`steps` of endpoints, in turn), for how long each step, and what is played before."""

    steps: tuple[tuple[str, ...], ...] = ()
    ring_seconds: int = 30
    announcement: str = ""

    def value(self) -> str:
        """As the dialplan reads it: `1001+1002/1003:20:custom/recorded`."""
        plan, rest = "", f":{self.ring_seconds}:{self.announcement}"
        for endpoint, separator in _parted(self.steps):
            if len(plan + separator + endpoint + rest) > LONGEST_VALUE:
                break
            plan += (separator if plan else "") + endpoint
        return plan + rest


def _parted(steps: tuple[tuple[str, ...], ...]) -> list[tuple[str, str]]:
    return [(endpoint, "+" if index else "/") for step in steps for index, endpoint in enumerate(step)]


FallbackOf = Callable[[AsyncConnection, str], Awaitable[Fallback]]
"""Reads what a PBX of that name should do by itself."""


@dataclass
class FallbackTeller:
    """Tells one PBX; `tell` is called every second or two."""

    pbx: Pbx
    database: Database
    fallback_of: FallbackOf
    _told: str | None = field(default=None)

    async def tell(self) -> None:
        """Write it where it has changed, and after each time the PBX was away."""
        if self.pbx.link.state is not LinkState.UP:
            self._told = None
            return
        async with self.database.read() as connection:
            value = (await self.fallback_of(connection, self.pbx.name)).value()
        if value == self._told:
            return
        try:
            await self.pbx.link.send("DBPut", {"Family": FAMILY, "Key": KEY, "Val": value})
            self._told = value
        except (PbxUnavailable, AnswerUnknown) as error:
            log.warning("inbound.fallback_untold", pbx=self.pbx.name, detail=error.detail)
