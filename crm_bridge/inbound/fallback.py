"""Which phones a PBX rings by itself while the service is away: those of the route of every other number.

It cannot see who is ready or which hours it is, so it rings all of them; a phone that should not ring is switched off.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import NotFound
from crm_bridge.inbound import routes as inbound_routes
from crm_bridge.inbound.routes import EVERY_OTHER
from crm_bridge.people import groups
from telephony.inbound.fallback import Fallback

MOST_ROUTES = 1000


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """Reads what each PBX should do. Users without a PBX of their own are at the first one."""

    first_pbx: str

    async def of(self, connection: AsyncConnection, pbx: str) -> Fallback:
        """Where the route of every other number leads, else the first route that leads to a group or phone."""
        for route in await _in_order(connection):
            steps = [step for way in _ways(route) for step in await self._steps(connection, way, pbx)]
            if steps:
                return Fallback(tuple(steps), route.ring_seconds, route.announcement or "")
        return Fallback()

    async def _steps(self, connection: AsyncConnection, way: dict[str, Any], pbx: str) -> list[tuple[str, ...]]:
        if way["to"] == "extension":
            return [(way["target"],)]
        if way["to"] != "group":
            return []
        try:
            group = await groups.find(connection, way["target"])
        except NotFound:
            return []
        people = await groups.people(connection, group.members)
        here = [one.extension for one in people if (one.pbx or self.first_pbx) == pbx]
        return [(endpoint,) for endpoint in here] if group.ring == "in_turn" else [tuple(here)] if here else []


async def _in_order(connection: AsyncConnection) -> list[Row[Any]]:
    rows = [row for row in await inbound_routes.listing(connection, "", MOST_ROUTES) if row.enabled]
    return sorted(rows, key=lambda row: row.did != EVERY_OTHER)


def _ways(route: Row[Any]) -> list[dict[str, Any]]:
    return [{"to": route.to, "target": route.target}, *route.overflow]
