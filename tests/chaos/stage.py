"""A stage: two Asterisks, a proxy before AMI and one before the gate, the service as a process, eight collectors.

A `pair` has two service processes on one PostgreSQL instead of one on SQLite.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from config import clock
from config.database import Database
from config.settings import Settings, load_settings
from crm_bridge.demo.lab import Lab
from crm_bridge.demo.world import SeenCall
from crm_bridge.people import credentials, users
from tests.chaos.calls import PHONES, Click
from tests.chaos.service import ServiceFailedError, ServiceProcess
from tests.chaos.wire import Wire
from tests.support.ami_proxy import AmiProxy
from tests.support.floor import ALWAYS, PBX, free_port, prepare_pbx
from tests.support.postgres import ServerProcess

ARCHIVE_MIB = 64
CUSTOMER_RING = 5
LOOK_EVERY = 0.25


@dataclass
class Stage:
    """Everything that can break, and the hands that break it."""

    name: str
    folder: Path
    lab: Lab
    settings: Settings
    database: Database
    services: list[ServiceProcess]
    wire: Wire
    ami: AmiProxy
    gate: AmiProxy
    http: aiohttp.ClientSession
    tokens: dict[str, str]
    spooled: dict[str, int] = field(default_factory=dict)
    """Every file ever seen in the spool, with the largest size seen."""
    postgres: ServerProcess | None = None
    """The database's own process, on the stage of a pair."""
    turn: int = 0
    lag: float = 0.0
    """Seconds by which this process was late at worst in this round: on a busy machine everybody is."""

    @property
    def is_pair(self) -> bool:
        """Whether two processes serve here."""
        return len(self.services) > 1

    @property
    def service(self) -> ServiceProcess:
        """The process that things happen to, where it does not matter which."""
        return self.services[0]

    async def leader(self) -> ServiceProcess:
        """The process that keeps the PBX's books; any, while none says so."""
        for service in self.services:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self.http.get(f"{service.base}/metrics", timeout=aiohttp.ClientTimeout(total=1)) as answer:
                    if f'ringfence_pbx_lease_held{{pbx="{PBX}"}} 1.0' in await answer.text():
                        return service
        return self.service

    @property
    def spool(self) -> Path:
        """Where the PBX leaves recordings."""
        return self.settings.pbx[0].spool_local

    @property
    def archive(self) -> Path:
        """Where they are kept: a small file system of its own, so that it can be full."""
        return self.folder / "archive"

    async def request(
        self, method: str, path: str, *, user: str, body: Any = None, key: str | None = None, seconds: float = 12.0
    ) -> tuple[int, Any]:
        """Status and JSON, or (0, why) when there was no answer. Of a pair, each process is asked in its turn."""
        self.turn += 1
        headers = {"Authorization": f"Bearer {self.tokens[user]}"} | ({"Idempotency-Key": key} if key else {})
        timeout = aiohttp.ClientTimeout(total=seconds)
        url = self.services[self.turn % len(self.services)].base + path
        try:
            async with self.http.request(method, url, json=body, headers=headers, timeout=timeout) as answer:
                text = await answer.text()
                return answer.status, json.loads(text) if answer.content_type.endswith("json") else text
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, repr(error)

    async def must(self, method: str, path: str, *, user: str, body: Any = None) -> Any:
        """The JSON of a request that has to succeed; raises ServiceFailedError."""
        status, document = await self.request(method, path, user=user, body=body)
        if status not in (200, 201):
            raise ServiceFailedError(f"{method} {path} answered {status}: {document}")
        return document

    async def open_cases(self, clicks: Sequence[Click]) -> None:
        """One case with one debtor and one number for each click."""
        for click in clicks:
            party = {
                "id": click.party,
                "relation": "debtor",
                "name": "测试 Debtor",
                "locations": [{"source": "address", "zone": "Asia/Shanghai"}],
                "numbers": [{"e164": click.number, "kind": "mobile"}],
            }
            body = {"client": "anytime", "state": "open", "debts": [click.case], "account": click.case}
            await self.must("PUT", f"/v1/cases/{click.case}", user="crm", body={**body, "parties": [party]})

    async def seen(self, number: str) -> list[SeenCall]:
        """What the world saw of calls to a number or a phone."""
        return await self.lab.world.calls_seen(number)

    async def watch(self) -> None:
        """Remember the files that are in the spool, and how late this process itself is, for ever."""
        while True:
            with contextlib.suppress(OSError), os.scandir(self.spool) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        self.spooled[entry.name] = max(self.spooled.get(entry.name, 0), entry.stat().st_size)
            began = time.monotonic()
            await asyncio.sleep(LOOK_EVERY)
            self.lag = max(self.lag, time.monotonic() - began - LOOK_EVERY)


CONFIGURATION = """[server]
port = {port}
[database]
url = "{database}"
[gate]
port = {gate}
advertise = "127.0.0.1:{gate_proxy}"
[[pbx]]
name = "{pbx}"
port = {ami}
username = "{username}"
secret = "{secret}"
spool_pbx = "{spool_pbx}/ringfence"
spool_local = "{spool_local}/ringfence"
[archive]
url = "file://{archive}"
[keys]
master = "master.key"
[policy]
packs = ["house"]
[dialing]
agent_ring_seconds = 8
customer_ring_seconds = {ring}
"""


@contextlib.asynccontextmanager
async def open_stage(
    name: str, folder: Path, wire: Wire, *, pair: bool = False, say: Callable[[str], None] = lambda line: None
) -> AsyncIterator[Stage]:
    """A stage in `folder`, ready for calls."""
    async with contextlib.AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab(say))
        for instance in (lab.pbx, lab.world.asterisk):
            stack.callback(shutil.copy, instance.log, folder / f"{instance.name}.log")
        postgres = await _start_postgres(stack) if pair else None
        gate_port = free_port()
        ami = await stack.enter_async_context(AmiProxy("127.0.0.1", lab.pbx.ami_port, treat=wire.treatments))
        gate = await stack.enter_async_context(AmiProxy("127.0.0.1", gate_port))
        stack.enter_context(_small_disk(folder / "archive"))
        url = postgres.server.url("postgres") if postgres else f"sqlite+aiosqlite:///{folder}/ringfence.db"
        ports = {"ami": ami.port, "gate": gate_port, "gate_proxy": gate.port}
        configs = [_configuration(folder, part, lab, url, **ports) for part in (("one", "two") if pair else ("one",))]
        settings = load_settings(configs[0], {})
        settings.pbx[0].spool_local.mkdir()
        database = Database(settings.database.url)
        stack.push_async_callback(database.close)
        await _migrate(configs[0])
        tokens = await _hire(database)
        await prepare_pbx(settings)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        services = [ServiceProcess(config, load_settings(config, {}).server.port) for config in configs]
        for service in services:
            stack.push_async_callback(service.kill)
        stage = Stage(name, folder, lab, settings, database, services, wire, ami, gate, http, tokens, postgres=postgres)
        await _furnish(stage)
        watching = asyncio.create_task(stage.watch())
        stack.callback(watching.cancel)
        yield stage


async def _start_postgres(stack: contextlib.AsyncExitStack) -> ServerProcess:
    postgres = await asyncio.to_thread(ServerProcess)
    stack.callback(postgres.close)
    postgres.start()
    await asyncio.to_thread(postgres.await_ready)
    return postgres


def _configuration(folder: Path, part: str, lab: Lab, url: str, **ports: int) -> Path:
    config = folder / f"{part}.toml"
    config.write_text(
        CONFIGURATION.format(
            port=free_port(),
            database=url,
            pbx=PBX,
            username=lab.pbx.ami_username,
            secret=lab.pbx.ami_secret,
            spool_pbx=lab.pbx.spool_pbx,
            spool_local=lab.pbx.spool_local,
            archive=folder / "archive",
            ring=CUSTOMER_RING,
            **ports,
        )
    )
    return config


async def _migrate(config: Path) -> None:
    """In a process of its own, as on any machine: two migrations in one process would disturb each other."""
    command = [sys.executable, "-m", "crm_bridge.cli", "migrate", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(f"the database of {config} could not be made")


async def _furnish(stage: Stage) -> None:
    for service in stage.services:
        service.start()
    for service in stage.services:
        await service.ready(stage.http)
    await stage.must("PUT", "/v1/policies/anytime", user="admin", body=ALWAYS)
    trunk = {"name": "main", "pbx": PBX, "endpoint": "carrier-a", "caller_ids": ["+861055550000"]}
    await stage.must("POST", "/v1/trunks", user="admin", body=trunk)


async def _hire(database: Database) -> dict[str, str]:
    people: list[tuple[str, str, str | None]] = [("admin", "admin", None), ("crm", "crm", None)]
    people += [(phone, "collector", phone) for phone in PHONES]
    tokens: dict[str, str] = {}
    async with database.write() as transaction:
        for name, role, extension in people:
            new = users.read_new({"name": name, "role": role, "extension": extension})
            await users.add_user(transaction, new, actor="chaos", now=clock.now())
            _, tokens[name] = await credentials.create_token(
                transaction, name, label="chaos", expires_at=None, actor="chaos", now=clock.now()
            )
    return tokens


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A file system of ARCHIVE_MIB at `folder`; an ordinary folder where mounting is not allowed."""
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={ARCHIVE_MIB}m", "ringfence-chaos", str(folder)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
