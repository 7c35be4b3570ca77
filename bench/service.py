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
from crm_bridge.cli_pbx import linked
from crm_bridge.demo.floor import free_port
from crm_bridge.demo.lab import Lab
from crm_bridge.people import credentials, users
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.pbx_setup.plan import apply

PBX = "lab"


@dataclass(frozen=True)
class Prepared:
    """A configured, migrated service with a collector and an admin, that has not been started."""

    config: Path
    port: int
    tokens: dict[str, str]

    @property
    def database_path(self) -> Path:
        """Its SQLite file."""
        return self.config.with_name("bench.db")

    @property
    def database_url(self) -> str:
        """The same as SQLAlchemy names it."""
        return f"sqlite+aiosqlite:///{self.database_path}"


@dataclass(frozen=True)
class Running:
    """A started service: a session with the collector's token, and the process."""

    http: aiohttp.ClientSession
    process: asyncio.subprocess.Process


def configure(folder: Path, ami_port: int, username: str, secret: str, spool_pbx: str, spool_local: Path) -> Path:
    """Write its configuration."""
    gate = free_port()
    config = folder / "ringfence.toml"
    config.write_text(
        f"""[server]
port = {free_port()}
[database]
url = "sqlite+aiosqlite:///bench.db"
[gate]
port = {gate}
advertise = "127.0.0.1:{gate}"
[[pbx]]
name = "{PBX}"
port = {ami_port}
username = "{username}"
secret = "{secret}"
spool_pbx = "{spool_pbx}"
spool_local = "{spool_local}"
[archive]
url = "file://{folder}/archive"
[keys]
master = "master.key"
"""
    )
    return config


async def hire(config: Path, extension: str) -> Prepared:
    """Migrate, and add a collector with that phone and an admin."""
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
    return Prepared(config, settings.server.port, tokens)


async def prepare(lab: Lab, folder: Path, *, ami_port: int, extension: str) -> Prepared:
    """All of it on the lab's PBX, whose AMI the service reaches on `ami_port`."""
    spool = Path(lab.pbx.spool_local) / "ringfence"
    spool.mkdir(exist_ok=True)
    spool_pbx = f"{lab.pbx.spool_pbx}/ringfence"
    prepared = await hire(
        configure(folder, ami_port, lab.pbx.ami_username, lab.pbx.ami_secret, spool_pbx, spool), extension
    )
    settings = load_settings(prepared.config)
    async with linked(settings.pbx[0].model_copy(update={"port": lab.pbx.ami_port})) as link:
        await apply(link, dialplan_settings(settings, PBX))
    return prepared


@asynccontextmanager
async def running_service(prepared: Prepared, *, furnished: bool = True) -> AsyncIterator[Running]:
    """The service; `furnished` waits until it is ready and gives it a trunk and a case."""
    command = [sys.executable, "-m", "crm_bridge.cli", "serve", "--config", str(prepared.config)]
    log = prepared.config.with_suffix(".log").open("wb")
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{prepared.port}"
    try:
        async with _session(base, prepared.tokens["admin"]) as admin:
            await _until(admin, process, "/readyz" if furnished else "/healthz")
            if furnished:
                await _furnish(admin)
        async with _session(base, prepared.tokens["collector"]) as collector:
            yield Running(collector, process)
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
            await process.wait()


def _session(base: str, token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(base, headers={"Authorization": f"Bearer {token}"})


async def _until(admin: aiohttp.ClientSession, process: asyncio.subprocess.Process, path: str) -> None:
    async with asyncio.timeout(60):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the service ended with {process.returncode}")
            try:
                async with admin.get(path) as answer:
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
