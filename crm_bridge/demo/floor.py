"""The demo's floor: lab, configuration, database with people, the running service, and the cases of two client banks."""

import asyncio
import contextlib
import fcntl
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from config import clock
from config.database import Database, Transaction
from config.errors import Fault, NotFound
from config.migrate import upgrade
from config.settings import Settings, load_settings
from crm_bridge.app import Services
from crm_bridge.cli_pbx import linked
from crm_bridge.demo.cases import CASES, POLICIES
from crm_bridge.demo.lab import Lab
from crm_bridge.people import users
from crm_bridge.serving import running
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.pbx_setup.plan import apply

HOME = Path("var/demo")
PBX = "main"
PEOPLE = (
    ("collector", "collector", "1001"),
    ("collector2", "collector", "1002"),
    ("supervisor", "supervisor", "1003"),
    ("qa", "qa", None),
    ("admin", "admin", None),
    ("crm", "crm", None),
)
Say = Callable[[str], None]


class DemoFailed(Fault):
    """A step of the demo did not do what it must."""

    code = "demo-failed"


@contextlib.asynccontextmanager
async def demo_floor(
    password: str, step: Say = lambda line: None, detail: Say = lambda line: None
) -> AsyncIterator[str]:
    """Everything running on a fresh database, with `password` for everyone; the address of the desk."""
    with _only_demo():
        async with _floor(password, step, detail) as base:
            yield base


@contextlib.contextmanager
def _only_demo() -> Iterator[None]:
    """Clear away what the last demo left, since its calls would count against this one's; refuse a second at a time."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed("another demo is running in this folder; end it first") from None
        shutil.rmtree(HOME, ignore_errors=True)
        yield


@contextlib.asynccontextmanager
async def _floor(password: str, step: Say, detail: Say) -> AsyncIterator[str]:
    step("starting a PBX and the world around it (the first time this fetches Asterisk)")
    async with Lab(progress=detail) as lab:
        settings = load_settings(_write_configuration(lab))
        step("creating the database and one user a role")
        await _prepare_database(settings, password)
        base = f"http://{settings.server.host}:{settings.server.port}"
        step("applying over AMI what the PBX needs")
        async with linked(settings.pbx[0]) as link:
            plan = await apply(link, dialplan_settings(settings, PBX))
        detail("written: " + ", ".join(change.where for change in plan.changes))
        step(f"starting the service on {base}")
        async with running(settings) as services:
            await _until_ready(services)
            async with logged_in(base, "admin", password) as admin, logged_in(base, "crm", password) as crm:
                await _load(admin, crm)
            detail(f"{len(POLICIES)} clients, {len(CASES)} cases")
            yield base
        step("stopping")


def _write_configuration(lab: Lab) -> Path:
    """The demo's ringfence.toml, also for use with the other commands while the demo runs."""
    HOME.mkdir(parents=True, exist_ok=True)
    spool = Path(lab.pbx.spool_local) / "ringfence"
    spool.mkdir(parents=True, exist_ok=True)
    gate = free_port()
    path = HOME / "ringfence.toml"
    path.write_text(
        f"""# Written by `make demo`; its PBX lives only as long as the demo runs.
[server]
port = {_preferred_port(8080)}

[database]
url = "sqlite+aiosqlite:///ringfence.db"

[gate]
port = {gate}
advertise = "127.0.0.1:{gate}"

[[pbx]]
name = "{PBX}"
port = {lab.pbx.ami_port}
username = "{lab.pbx.ami_username}"
secret = "{lab.pbx.ami_secret}"
spool_pbx = "{lab.pbx.spool_pbx}/ringfence"
spool_local = "{spool}"

[archive]
url = "file://{(HOME / "archive").resolve()}"

[keys]
master = "master.key"

[embed]
origins = ["http://127.0.0.1:8090"]     # examples/crm
"""
    )
    path.chmod(0o600)
    return path


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _preferred_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port


async def _prepare_database(settings: Settings, password: str) -> None:
    database = Database(settings.database.url)
    try:
        await upgrade(database)
        async with database.write() as transaction:
            for name, role, extension in PEOPLE:
                await _hire(transaction, name, role, extension, password)
    finally:
        await database.close()


async def _hire(transaction: Transaction, name: str, role: str, extension: str | None, password: str) -> None:
    """The person, new or from an earlier demo, with this run's password."""
    try:
        await users.find_user(transaction.connection, name)
    except NotFound:
        new = users.read_new({"name": name, "role": role, "extension": extension, "password": password})
        await users.add_user(transaction, new, actor="demo", now=clock.now())
    else:
        change = users.UserChange(password=password)
        await users.change_user(transaction, name, change, actor="demo", now=clock.now())


async def _until_ready(services: Services) -> None:
    for _ in range(400):
        problems = await services.state.problems(clock.now())
        if not problems:
            return
        await asyncio.sleep(0.05)
    raise DemoFailed(f"the service is not ready: {problems}")


class Desk:
    """One person's session with the API, as the pages use it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.request(method, path, json=body, headers=named) as answer:
            return answer.status, await answer.json() if answer.content_type.endswith("json") else None

    async def must(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a request that has to succeed. Raises DemoFailed."""
        status, document = await self.ask(method, path, body, **headers)
        if status >= 400:
            raise DemoFailed(f"{method} {path} answered {status}: {document}")
        return document


@contextlib.asynccontextmanager
async def logged_in(base: str, name: str, password: str) -> AsyncIterator[Desk]:
    """A person's session."""
    # The service is addressed by its IP address, whose cookies a jar keeps only when told so.
    async with aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        desk = Desk(http)
        await desk.must("POST", "/v1/session", {"name": name, "password": password})
        yield desk


async def _load(admin: Desk, crm: Desk) -> None:
    """Policies, trunks and cases, as an admin and a CRM would send them."""
    for client, policy in POLICIES.items():
        await admin.must("PUT", f"/v1/policies/{client}", policy)
    for name, priority in (("carrier-a", 1), ("carrier-b", 2)):
        trunk = {"name": name, "pbx": PBX, "endpoint": name, "priority": priority, "caller_ids": ["+861065550000"]}
        status, document = await admin.ask("POST", "/v1/trunks", trunk)
        if status not in (201, 409):
            raise DemoFailed(f"trunk {name} was refused: {document}")
    today = clock.now().date()
    for index, case in enumerate(CASES):
        collector = "collector2" if index % 7 == 6 else "collector"
        await crm.must("PUT", f"/v1/cases/{case.id}", case.document(collector, today))
