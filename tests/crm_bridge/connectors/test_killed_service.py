"""The whole service beside a real Tryton: cases come in, notes go out by themselves, also when it is killed around them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from config import clock
from config.database import Database
from config.migrate import upgrade
from crm_bridge.people import credentials, users
from crm_bridge.people.users import NewUser
from tests.chaos.service import ServiceProcess
from tests.support.crm_proxy import SILENT, Fault, crm_proxy
from tests.support.floor import free_port
from tests.support.tryton import Tryton

LOST = Fault(pass_on=False, silent=True)
"""The request is on its way and never gets there."""
PATIENCE = 150.0
"""An item of a process that died is taken up when its claim ends, after 45 s."""


class Running:
    """The service as a process, and an admin's session."""

    def __init__(self, process: ServiceProcess, http: aiohttp.ClientSession) -> None:
        self.process, self.http = process, http

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer."""
        async with self.http.request(method, self.process.base + path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def healthy(self) -> bool:
        """Whether it answers. One that ended by itself fails the test, with what it said."""
        assert self.process.running, self.process.log.read_text()[-3000:]
        try:
            async with self.http.get(f"{self.process.base}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def case_is_there(self, number: str) -> bool:
        """Whether the case came in."""
        async with self.http.get(f"{self.process.base}/v1/cases/{number}") as answer:
            return answer.status == 200

    async def synced(self) -> int:
        """How many notes arrived at the CRM, as the service says."""
        found = await self.ask("GET", "/v1/journal?kind=note.synced")
        return len(found["items"])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    """A service without a PBX."""
    url, port = f"sqlite+aiosqlite:///{folder / 'ringfence.db'}", free_port()
    database = Database(url)
    await upgrade(database)
    now = clock.now()
    async with database.write() as transaction:
        await users.add_user(transaction, NewUser(name="root", role="admin"), actor="tests", now=now)
        _, token = await credentials.create_token(
            transaction, "root", label="tests", expires_at=None, actor="tests", now=now
        )
    await database.close()
    sections: dict[str, dict[str, Any]] = {
        "server": {"port": port},
        "database": {"url": url},
        "gate": {"port": free_port()},
        "archive": {"url": f"file://{folder / 'archive'}"},
        "keys": {"master": str(folder / "keys" / "master.key")},
        "outbox": {"allow_networks": ["127.0.0.0/8"]},
    }
    lines = [
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for name, values in sections.items()
    ]
    (folder / "ringfence.toml").write_text("".join(lines))
    process = ServiceProcess(folder / "ringfence.toml", port)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
        service = Running(process, http)
        process.start()
        try:
            await until(service.healthy)
            yield service
        finally:
            await process.kill()


async def test_notes_reach_the_crm_once_though_the_service_is_killed_around_them(
    tryton: Tryton, tmp_path: Path
) -> None:
    works = [await tryton.people.work("Loan", await tryton.people.debtor("王", "13800138000")) for _ in range(3)]
    cases = [await tryton.people.number(work) for work in works]
    async with crm_proxy(tryton.url) as proxy, running(tmp_path) as service:
        mapping = {"domain": tryton.people.mine()}
        about = {"url": proxy.url, "database": tryton.database, "token": tryton.token, "client": "bank"}
        await service.ask("POST", "/v1/connectors", {"name": "Agency", **about, "mapping": mapping, "minutes": 60})
        for case_id in cases:
            await until(lambda case_id=case_id: service.case_is_there(case_id))
        # By itself, as long as nothing goes wrong.
        await service.ask("POST", f"/v1/cases/{cases[0]}/notes", {"text": "all is well"})
        await until(lambda: _is(service.synced, 1))
        # The CRM has the note and we die before its answer; we die before the CRM has the note.
        proxy.matches = lambda line: line.startswith("POST") and "ir.note" in line
        for case_id, fault in zip(cases[1:], (SILENT, LOST), strict=True):
            proxy.faults = [fault]
            proxy.faulted.clear()
            await service.ask("POST", f"/v1/cases/{case_id}/notes", {"text": "killed"})
            await asyncio.wait_for(proxy.faulted.wait(), PATIENCE)
        await service.process.kill()
        service.process.start()
        await until(service.healthy)
        await until(lambda: _is(service.synced, 3))
    for work in works:
        assert len(await tryton.people.notes(work)) == 1


async def _is(count: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await count() == wanted
