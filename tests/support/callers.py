"""Customers who call in: a trunk whose calls are ours, routes, and what the service makes of a call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.cli_pbx import linked
from crm_bridge.demo.lab import Lab
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.pbx_setup.plan import apply
from tests.support.floor import PATIENCE, PBX, Floor

CARRIER = "carrier-a"
DID = "+861055550000"
CALLER = "+8613800138002"


@dataclass(frozen=True)
class Callers:
    """A floor whose trunk brings its calls to us."""

    floor: Floor

    @property
    def lab(self) -> Lab:
        """The PBX and the world."""
        return self.floor.lab

    async def route(self, did: str = DID, status: int = 201, **route: Any) -> dict[str, Any]:
        """Where calls to a number go."""
        body = {"did": did, "to": "owner", **route}
        document: dict[str, Any] = await self.floor.expect(
            status, "POST", "/v1/inbound-routes", user="admin", body=body
        )
        return document

    async def group(self, name: str, *members: str, ring: str = "together") -> None:
        """A group of users."""
        body = {"name": name, "members": list(members), "ring": ring}
        await self.floor.expect(201, "POST", "/v1/groups", user="admin", body=body)

    async def call(self, caller: str = CALLER, did: str = "01055550000") -> str:
        """Call in; the world's id of the caller's channel."""
        return await self.lab.world.call_in(CARRIER, caller, did)

    async def inbound(self, which: int = 0, user: str = "admin") -> dict[str, Any]:
        """The inbound call that came as the `which`th, once it is known."""
        found = await self.until(lambda items: len(items) > which, user)
        return found[which]

    async def until(self, reached: Callable[[list[dict[str, Any]]], bool], user: str = "admin") -> list[dict[str, Any]]:
        """The inbound calls, oldest first, once `reached`."""
        async with asyncio.timeout(PATIENCE):
            while True:
                page = await self.floor.expect(200, "GET", "/v1/calls", user=user)
                found = [call for call in reversed(page["items"]) if call["direction"] == "inbound"]
                if reached(found):
                    return found
                await asyncio.sleep(0.05)

    async def until_outbound(self) -> dict[str, Any]:
        """The newest call that was made, once there is one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                page = await self.floor.expect(200, "GET", "/v1/calls", user="admin")
                made: list[dict[str, Any]] = [call for call in page["items"] if call["direction"] == "outbound"]
                if made:
                    return made[0]
                await asyncio.sleep(0.05)

    async def show(self, call: dict[str, Any]) -> dict[str, Any]:
        """The call as it stands."""
        document: dict[str, Any] = await self.floor.expect(200, "GET", f"/v1/calls/{call['id']}", user="admin")
        return document

    async def reached(self, call: dict[str, Any], test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The call once `test` holds of it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                document = await self.show(call)
                if test(document):
                    return document
                await asyncio.sleep(0.05)

    async def state(self, call: dict[str, Any], state: str) -> dict[str, Any]:
        """The call once it is in that state."""
        return await self.reached(call, lambda document: document["state"] == state)

    async def journal(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The journal's entries of a kind, oldest first, once there are so many."""
        async with asyncio.timeout(PATIENCE):
            while True:
                page = await self.floor.expect(200, "GET", f"/v1/journal?kind={kind}", user="admin")
                items: list[dict[str, Any]] = page["items"]
                if len(items) >= count:
                    return items[::-1]
                await asyncio.sleep(0.05)


@pytest.fixture
async def callers(floor: Floor) -> AsyncIterator[Callers]:
    """A floor on SQLite with a trunk whose incoming calls are ours; its PBX is as it was afterwards."""
    async for opened in opened_to_callers(floor):
        yield opened


@pytest.fixture
async def either_callers(either_floor: Floor) -> AsyncIterator[Callers]:
    """The same on SQLite, then on PostgreSQL."""
    async for opened in opened_to_callers(either_floor):
        yield opened


async def opened_to_callers(floor: Floor) -> AsyncIterator[Callers]:
    """`pbx apply --inbound`, taken back afterwards."""
    pjsip = Path(floor.lab.pbx.etc) / "pjsip.conf"
    before = pjsip.read_bytes()
    async with linked(floor.settings.pbx[0]) as link:
        await apply(link, dialplan_settings(floor.settings, PBX), inbound=[CARRIER])
    yield Callers(floor)
    await floor.lab.world.hangup_all()
    await floor.lab.pbx.console("channel request hangup all")
    # What this test's calls left must not be taken in by the next test's service, which never heard of them.
    for part in ("inbound", "picked"):
        await floor.lab.pbx.console(f"database deltree ringfence {part}")
    pjsip.write_bytes(before)
    await floor.lab.pbx.console("module reload res_pjsip.so")
