"""The service as a benchmark runs it: a process of its own, on a prepared PBX, with one collector and one case."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from config import clock
from config.database import Database
from config.migrate import upgrade
from config.settings import load_settings
from crm_bridge import credentials, users
from crm_bridge.cli_pbx import linked
from crm_bridge.demo.floor import free_port
from crm_bridge.demo.lab import Lab
from telephony.dialplan import dialplan_settings
from telephony.pbx_config import apply

PBX = "lab"


@dataclass(frozen=True)
class Prepared:
    """A configured, migrated, furnished service that has not been started."""

    config: Path
    database_path: Path
    port: int
    tokens: dict[str, str]

    @classmethod
    async def make(cls, lab: Lab, folder: Path, *, ami_port: int, extension: str) -> "Prepared":
        """Prepare it in `folder`; AMI is reached on `ami_port`, and the collector's phone is `extension`."""
        spool = Path(lab.pbx.spool_local) / "ringfence"
        spool.mkdir(exist_ok=True)
        gate, port = free_port(), free_port()
        config = folder / "ringfence.toml"
        config.write_text(
            f"""[server]
port = {port}
[database]
url = "sqlite+aiosqlite:///bench.db"
[gate]
port = {gate}
advertise = "127.0.0.1:{gate}"
[[pbx]]
name = "{PBX}"
port = {ami_port}
username = "{lab.pbx.ami_username}"
secret = "{lab.pbx.ami_secret}"
spool_pbx = "{lab.pbx.spool_pbx}/ringfence"
spool_local = "{spool}"
[archive]
url = "file://{folder}/archive"
[keys]
master = "master.key"
"""
        )
        settings = load_settings(config)
        database = Database(settings.database.url)
        await upgrade(database)
        tokens = {}
        async with database.write() as transaction:
            for name, role, phone in (("collector", "collector", extension), ("admin", "admin", None)):
                new = users.read_new({"name": name, "role": role, "extension": phone})
                await users.add_user(transaction, new, actor="bench", now=clock.now())
                _, tokens[name] = await credentials.create_token(
                    transaction, name, label="bench", expires_at=None, actor="bench", now=clock.now()
                )
        await database.close()
        async with linked(settings.pbx[0].model_copy(update={"port": lab.pbx.ami_port})) as link:
            await apply(link, dialplan_settings(settings, PBX))
        return cls(config, folder / "bench.db", port, tokens)


@asynccontextmanager
async def running_service(prepared: Prepared) -> AsyncIterator[aiohttp.ClientSession]:
    """The service, ready; a session with the collector's token."""
    command = [sys.executable, "-m", "crm_bridge.cli", "serve", "--config", str(prepared.config)]
    log = prepared.config.with_suffix(".log").open("wb")
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{prepared.port}"
    try:
        async with _session(base, prepared.tokens["admin"]) as admin:
            await _until_ready(admin, process)
            await _furnish(admin)
        async with _session(base, prepared.tokens["collector"]) as collector:
            yield collector
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
            await process.wait()


def _session(base: str, token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(base, headers={"Authorization": f"Bearer {token}"})


async def _until_ready(admin: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the service ended with {process.returncode}")
            try:
                async with admin.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


async def _furnish(admin: aiohttp.ClientSession) -> None:
    party = {"id": "bench-person", "relation": "debtor", "name": "bench", "numbers": [{"e164": "+8613800138002"}]}
    case = {"client": "bench", "state": "open", "debts": ["d"], "collector": "collector", "parties": [party]}
    for method, path, body in (
        ("PUT", "/v1/policies/bench", {"packs": ["house"], "house": {}, "zone": "Asia/Shanghai"}),
        ("POST", "/v1/trunks", {"name": "main", "pbx": PBX, "endpoint": "carrier-a"}),
        ("PUT", "/v1/cases/bench", case),
    ):
        async with admin.request(method, path, json=body) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{path}: {await answer.text()}")
