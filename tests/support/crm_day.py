"""A day's stage: the floor, a real Tryton whose cases come in and whose notes go out, and the CRM's pages on another origin."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from config.settings import Embed, Outbox
from crm_bridge.demo.lab import Lab
from tests.support.crm_floor import example, serving
from tests.support.floor import Floor, floor_settings, free_port, furnish, hire, migrated, open_floor, prepare_pbx
from tests.support.tryton import Tryton

DEBTOR = "+8613911110002"
"""Answers in the lab's world, and calls in."""
SOON = 60.0
"""Seconds within which what must happen by itself happens; only a failing test waits so long."""


@dataclass
class Day:
    """One case, as Tryton and as the desk know it. `lifetimes` are the seconds of the next tokens; then the usual ones."""

    floor: Floor
    tryton: Tryton
    origin: str
    work: int
    case_id: str
    party_id: str
    lifetimes: list[int] = field(default_factory=list)
    minted: int = 0

    async def until_notes(self, count: int) -> list[str]:
        """The texts of the case's notes in Tryton, once there are so many."""
        found: list[str] = []

        async def there() -> bool:
            found[:] = await self.tryton.people.notes(self.work)
            return len(found) >= count

        await until(there)
        return found

    async def until_journal(self, kind: str, count: int) -> list[dict[str, Any]]:
        """The journal's entries of a kind, once there are so many."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            page = await self.floor.expect(200, "GET", f"/v1/journal?kind={kind}", user="admin")
            found[:] = page["items"]
            return len(found) >= count

        await until(there)
        return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll."""
    deadline = time.monotonic() + SOON
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


@asynccontextmanager
async def crm_day(lab: Lab, folder: Path, gate_port: int, tryton: Tryton) -> AsyncIterator[Day]:
    """A service that is connected to Tryton by its API, with Tryton's one case in, and the CRM's pages beside it."""
    url = f"sqlite+aiosqlite:///{folder / 'ringfence.db'}"
    port = free_port()
    origin = f"http://localhost:{port}"
    sections = {"embed": Embed(origins=[origin]), "outbox": Outbox(allow_networks=["127.0.0.0/8"])}
    settings = floor_settings(lab, folder, gate_port, url).model_copy(update=sections)
    database = await migrated(url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        day = await _case_in(floor, tryton, origin)
        async with serving(_pages(day).app(), (port,)):
            yield day


async def _case_in(floor: Floor, tryton: Tryton, origin: str) -> Day:
    """People at the CRM make a case, an admin connects the CRM, and the case is here."""
    party = await tryton.people.debtor("Wang Wei", DEBTOR)
    work = await tryton.people.work("Loan", party, comment="collector")
    mapping = {"domain": tryton.people.mine(), "debts": ["name"], "collector": "comment", "language": "en"}
    about = {"name": "Agency", "client": "anytime", "minutes": 60, "mapping": {**mapping, "owns": {"collector": "crm"}}}
    where = {"url": tryton.url, "database": tryton.database, "token": tryton.token}
    await floor.expect(201, "POST", "/v1/connectors", user="admin", body={**about, **where})
    case_id = await tryton.people.number(work)

    async def is_in() -> bool:
        return (await floor.request("GET", f"/v1/cases/{case_id}", user="crm"))[0] == 200

    await until(is_in)
    return Day(floor, tryton, origin, work, case_id, await tryton.people.code(party))


def _pages(day: Day) -> Any:
    """The example CRM's server, with Tryton's case instead of cases of its own, and tokens as short as the day wants them."""
    module = example()
    module.CASES.clear()
    crm = module.Crm(day.floor.base, day.floor.tokens["crm"], "collector", "anytime")

    async def cases(request: web.Request) -> web.Response:
        who = module.person(day.party_id, "Wang Wei", DEBTOR)
        return web.json_response([{"id": day.case_id, "parties": [who]}])

    async def token(request: web.Request) -> web.Response:
        day.minted += 1
        seconds = day.lifetimes.pop(0) if day.lifetimes else 600
        asked = {"agent": "collector", "origin": day.origin, "seconds": seconds}
        minted = await crm.say("POST", "/v1/widget-tokens", asked)
        return web.json_response({"token": minted["token"], "expires_at": minted["expires_at"]})

    crm.cases, crm.token = cases, token
    return crm
