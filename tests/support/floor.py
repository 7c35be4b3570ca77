"""A whole call floor for the flow tests: the lab's PBX prepared by `pbx apply`, the service as it is run, and people in it."""

import asyncio
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from config import clock
from config.database import Database
from config.migrate import upgrade
from config.settings import Archive, DatabaseSettings, Dialing, Gate, Keys, Pbx, Policy, Server, Settings
from crm_bridge.app import Services
from crm_bridge.cli_pbx import linked
from crm_bridge.demo.lab import Lab
from crm_bridge.people import credentials, users
from crm_bridge.serving import running
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.pbx_setup.plan import apply
from tests.support.postgres import fresh_database

PBX = "lab"
PATIENCE = 30.0
"""Seconds a test waits for something that must happen; only a failing test waits so long."""

ALWAYS = {"packs": ["house"], "house": {}, "zone": "Asia/Shanghai"}
"""A policy without calling hours, so that flows run at any hour."""


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Floor:
    """What a test does: `await floor.call("+8613800138002")`, `await floor.until(call, "connected")`."""

    lab: Lab
    settings: Settings
    http: aiohttp.ClientSession
    tokens: dict[str, str]
    running: Services | None = None
    cases: int = 0
    numbers: dict[str, tuple[str, str]] = field(default_factory=dict)
    address: str | None = None

    @property
    def services(self) -> Services:
        """The services inside the process, where it is this one."""
        assert self.running is not None
        return self.running

    @property
    def base(self) -> str:
        """Where the service is served."""
        return self.address or f"http://127.0.0.1:{self.settings.server.port}"

    async def request(
        self,
        method: str,
        path: str,
        *,
        user: str = "collector",
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Status and JSON of one request made as `user`."""
        given = {"Authorization": f"Bearer {self.tokens[user]}", **(headers or {})}
        async with self.http.request(method, self.base + path, json=body, headers=given) as answer:
            is_json = answer.content_type.endswith("json")
            return answer.status, await answer.json() if is_json else await answer.read()

    async def expect(self, status: int, method: str, path: str, **options: Any) -> Any:
        """The JSON of a request that must answer `status`."""
        got, document = await self.request(method, path, **options)
        assert got == status, (got, document)
        return document

    async def case(self, *numbers: str, client: str = "anytime", case_id: str | None = None, **changes: Any) -> str:
        """A case of one debtor with these numbers, through the API."""
        self.cases += 1
        identifier = case_id or f"case-{self.cases}"
        party = {
            "id": f"party-{identifier}",
            "relation": "debtor",
            "name": "测试 Debtor",
            "locations": [{"source": "address", "zone": "Asia/Shanghai"}],
            "numbers": [{"e164": number, "kind": "mobile"} for number in numbers],
            **changes.pop("party", {}),
        }
        body = {"client": client, "state": "open", "debts": [f"debt-{identifier}"], "account": identifier}
        status, document = await self.request(
            "PUT", f"/v1/cases/{identifier}", user="crm", body={**body, "parties": [party], **changes}
        )
        assert status in (200, 201), document
        for number in numbers:
            self.numbers[number] = (identifier, party["id"])
        return identifier

    async def dial(
        self, number: str, *, user: str = "collector", key: str | None = None, **options: Any
    ) -> tuple[int, Any]:
        """Click a number of a case made with `case`; status and answer."""
        case_id, party_id = self.numbers[number]
        body = {"case_id": case_id, "party_id": party_id, "number": number, **options}
        headers = {"Idempotency-Key": key or secrets.token_hex(8)}
        return await self.request("POST", "/v1/calls", user=user, body=body, headers=headers)

    async def call(self, number: str, **options: Any) -> dict[str, Any]:
        """A call that must be taken."""
        if number not in self.numbers:
            await self.case(number)
        status, document = await self.dial(number, **options)
        assert status == 201, (status, document)
        call: dict[str, Any] = document
        return call

    async def show(self, call: dict[str, Any]) -> dict[str, Any]:
        """The call as it stands."""
        document: dict[str, Any] = await self.expect(200, "GET", f"/v1/calls/{call['id']}", user="supervisor")
        return document

    async def until(self, call: dict[str, Any], reached: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The call once it is in that state, or once `reached(call)`."""

        def there(document: dict[str, Any]) -> bool:
            return document["state"] == reached if isinstance(reached, str) else reached(document)

        async with asyncio.timeout(PATIENCE):
            while not there(document := await self.show(call)):
                assert document["state"] != "ended" or not isinstance(reached, str), document
                await asyncio.sleep(0.05)
        return document

    async def ended(self, call: dict[str, Any]) -> dict[str, Any]:
        """The call once it has ended."""
        return await self.until(call, "ended")

    async def hangup(self, call: dict[str, Any], user: str = "collector") -> dict[str, Any]:
        """Hang up from the page, and wait for the end."""
        await self.expect(200, "POST", f"/v1/calls/{call['id']}/hangup", user=user)
        return await self.ended(call)

    async def until_problem(self, component: str, said: str) -> None:
        """Wait until /readyz says this of that component."""
        async with asyncio.timeout(PATIENCE):
            while True:
                async with self.http.get(f"{self.base}/readyz") as answer:
                    if said in (await answer.json())["problems"].get(component, ""):
                        return
                await asyncio.sleep(0.05)

    async def archived(self, call: dict[str, Any], legs: int = 2) -> dict[str, Any]:
        """The call once so many of its recordings are archived."""

        def done(document: dict[str, Any]) -> bool:
            return sum(item["state"] == "archived" for item in document["recordings"]) >= legs

        return await self.until(call, done)


PEOPLE: tuple[tuple[str, str, str | None], ...] = (
    ("collector", "collector", "1001"),
    ("other", "collector", "1002"),
    ("busy", "collector", "1009"),
    ("silent", "collector", "1010"),
    ("unregistered", "collector", "1011"),
    ("supervisor", "supervisor", "1003"),
    ("qa", "qa", None),
    ("admin", "admin", None),
    ("crm", "crm", None),
)


async def hire(database: Database) -> dict[str, str]:
    """The people of PEOPLE; their tokens."""
    tokens: dict[str, str] = {}
    async with database.write() as transaction:
        for name, role, extension in PEOPLE:
            new = users.read_new({"name": name, "role": role, "extension": extension})
            await users.add_user(transaction, new, actor="tests", now=clock.now())
            _, tokens[name] = await credentials.create_token(
                transaction, name, label="tests", expires_at=None, actor="tests", now=clock.now()
            )
    return tokens


@pytest.fixture(scope="session")
def gate_port() -> int:
    """One gate port for the whole run, so that the PBX is prepared once."""
    return free_port()


def floor_settings(lab: Lab, folder: Path, gate_port: int, database_url: str) -> Settings:
    """The configuration of a floor; its spool is emptied first, and the world forgets the calls of the floor before."""
    lab.world.forget_calls()
    spool = Path(lab.pbx.spool_local) / "ringfence"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(parents=True)
    pbx = Pbx(
        name=PBX,
        port=lab.pbx.ami_port,
        username=lab.pbx.ami_username,
        secret=SecretStr(lab.pbx.ami_secret),
        spool_pbx=f"{lab.pbx.spool_pbx}/ringfence",
        spool_local=spool,
    )
    return Settings(
        server=Server(port=free_port()),
        database=DatabaseSettings(url=database_url),
        gate=Gate(port=gate_port, advertise=f"127.0.0.1:{gate_port}"),
        pbx=[pbx],
        archive=Archive(url=f"file://{folder / 'archive'}"),
        keys=Keys(master=folder / "keys" / "master.key"),
        policy=Policy(packs=["house"]),
        dialing=Dialing(agent_ring_seconds=8, customer_ring_seconds=8),
    )


async def prepare_pbx(settings: Settings, phones: Sequence[str] = ()) -> None:
    """`pbx apply`, as an admin would."""
    async with linked(settings.pbx[0]) as link:
        await apply(link, dialplan_settings(settings, PBX), phones=phones)


@asynccontextmanager
async def open_floor(
    lab: Lab, settings: Settings, tokens: dict[str, str], *, ready: bool = True
) -> AsyncIterator[Floor]:
    """The service running on prepared parts, until the block ends; `ready=False` where it must not become ready."""
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(running(settings))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        floor = Floor(lab, settings, http, tokens, services)
        if ready:
            await until_ready(floor)
        yield floor


async def until_ready(floor: Floor) -> None:
    """Wait for /readyz."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with floor.http.get(f"{floor.base}/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


async def furnish(floor: Floor) -> None:
    """A client that may be called at any hour, and a trunk."""
    await floor.expect(201, "PUT", "/v1/policies/anytime", user="admin", body=ALWAYS)
    trunk = {"name": "main", "pbx": PBX, "endpoint": "carrier-a", "caller_ids": ["+861055550000"]}
    await floor.expect(201, "POST", "/v1/trunks", user="admin", body=trunk)


async def migrated(url: str) -> Database:
    """A database brought to this version."""
    database = Database(url)
    await upgrade(database)
    return database


@asynccontextmanager
async def furnished_floor(lab: Lab, folder: Path, gate_port: int, database_url: str) -> AsyncIterator[Floor]:
    """A floor with people, a trunk and a client that may be called at any hour."""
    settings = floor_settings(lab, folder, gate_port, database_url)
    database = await migrated(database_url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        yield floor


@pytest.fixture
async def floor(lab: Lab, tmp_path: Path, gate_port: int) -> AsyncIterator[Floor]:
    """A floor on SQLite."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    async with furnished_floor(lab, tmp_path, gate_port, url) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
async def either_floor(
    request: pytest.FixtureRequest, lab: Lab, tmp_path: Path, gate_port: int
) -> AsyncIterator[Floor]:
    """A floor on SQLite, then one on PostgreSQL."""
    if request.param == "sqlite":
        async with furnished_floor(lab, tmp_path, gate_port, f"sqlite+aiosqlite:///{tmp_path / 'db'}") as opened:
            yield opened
        return
    async for url in fresh_database(request.getfixturevalue("postgres_server"), "template1"):
        async with furnished_floor(lab, tmp_path, gate_port, url) as opened:
            yield opened
