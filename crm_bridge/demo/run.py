"""`make demo`: a PBX, a world of phones and carriers, the service with a small floor of cases, and one real call."""

import asyncio
import contextlib
import json
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from telephony.dialplan import dialplan_settings
from telephony.pbx_config import apply

from config import clock
from config.database import Database, Transaction
from config.errors import Fault, NotFound
from config.migrate import upgrade
from config.settings import Settings, load_settings
from crm_bridge import users
from crm_bridge.app import Services
from crm_bridge.demo.cases import CASES, POLICIES
from crm_bridge.demo.lab import Lab
from crm_bridge.serving import running

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
TALK_SECONDS = 6
TALKATIVE = ("02", "05", "12", "07", "06")
"""Last digits of the demo's numbers that answer and talk."""
CALL_TIMEOUT = 90


class DemoFailed(Fault):
    """A step of the demo did not do what it must."""

    code = "demo-failed"


console = Console(highlight=False, soft_wrap=True)


def _step(text: str) -> None:
    console.print(f"[bold]==>[/bold] {text}")


async def run_demo(*, once: bool) -> int:
    """Run it; returns the exit code. Ctrl-C ends the serving and leaves nothing running."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_demo(once=once, stop=stop))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done() and not once:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(work), 0.5)
    if not work.done():
        work.cancel()
    stopped.cancel()
    try:
        await work
    except asyncio.CancelledError:
        return 130
    except Fault as fault:
        console.print(f"[red]the demo failed:[/red] {fault.detail}")
        return 1
    return 0


async def _demo(*, once: bool, stop: asyncio.Event) -> None:
    started = time.monotonic()
    _step("starting a PBX and the world around it (the first time this fetches Asterisk)")
    async with Lab(progress=lambda line: console.print(f"    {line}")) as lab:
        settings = load_settings(_write_configuration(lab))
        password = secrets.token_urlsafe(9)
        _step("creating the database and one user a role")
        await _prepare_database(settings, password)
        base = f"http://{settings.server.host}:{settings.server.port}"
        _step(f"starting the service on {base}")
        async with running(settings) as services:
            await _until_ready(services)
            _step("applying over AMI what the PBX needs")
            plan = await apply(services.pbxs[PBX].link, dialplan_settings(settings, PBX))
            console.print("    " + plan.text().splitlines()[0])
            async with _logged_in(base, "admin", password) as admin, _logged_in(base, "crm", password) as crm:
                await _load(admin, crm)
            async with _logged_in(base, "collector", password) as collector:
                await _one_call(collector)
            console.print(f"[green]done in {time.monotonic() - started:.1f} s[/green]")
            if not once:
                _invite(base, password)
                await stop.wait()
        _step("stopping")


def _write_configuration(lab: Lab) -> Path:
    """The demo's ringfence.toml, also for use with the other commands while the demo runs."""
    HOME.mkdir(parents=True, exist_ok=True)
    spool = Path(lab.pbx.spool_local) / "ringfence"
    spool.mkdir(parents=True, exist_ok=True)
    gate = _free_port()
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
"""
    )
    path.chmod(0o600)
    return path


def _free_port() -> int:
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
            return _free_port()
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
    for _ in range(200):
        if all(pbx.ready for pbx in services.pbxs.values()) and services.health.latest.healthy:
            return
        await asyncio.sleep(0.05)
    raise DemoFailed(f"the service is not ready: {services.pbxs[PBX].link.status}, {services.health.latest}")


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
async def _logged_in(base: str, name: str, password: str) -> AsyncIterator[Desk]:
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
    console.print(f"    {len(POLICIES)} clients, {len(CASES)} cases")


async def _one_call(desk: Desk) -> None:
    body, call = await _first_allowed(desk)
    _step(f"calling {body['number']} of case {body['case_id']}: allowed, decision {call['decision_id']}")
    shown: set[str] = set()
    deadline = time.monotonic() + CALL_TIMEOUT
    connected: float | None = None
    while time.monotonic() < deadline:
        call = await desk.must("GET", f"/v1/calls/{call['id']}")
        if call["state"] not in shown:
            shown.add(call["state"])
            console.print(f"    {clock.now():%H:%M:%S.%f}"[:-3] + f"  {call['state']}")
        if call["state"] == "connected" and connected is None:
            connected = time.monotonic()
        if connected is not None and time.monotonic() - connected > TALK_SECONDS and not call["hangup_by"]:
            await desk.must("POST", f"/v1/calls/{call['id']}/hangup")
        if call["ended_at"] and sum(item["state"] == "archived" for item in call["recordings"]) == len(BOTH_LEGS):
            break
        await asyncio.sleep(0.1)
    else:
        raise DemoFailed(f"the call did not come to its end in {CALL_TIMEOUT} s: {json.dumps(call)}")
    await _show_what_is_left(desk, call)


BOTH_LEGS = ("agent", "customer")


async def _first_allowed(desk: Desk) -> tuple[dict[str, Any], dict[str, Any]]:
    """Click down the list until the rules allow one; the demo loosens none of them."""
    for case in CASES:
        party = case.people[0]
        number = party.numbers[0]
        if not number.endswith(TALKATIVE):
            continue
        body = {"case_id": case.id, "party_id": party.id, "number": number}
        status, document = await desk.ask("POST", "/v1/calls", body, Idempotency_Key=secrets.token_hex(8))
        if status == 201:
            return body, document
        if status != 403:
            raise DemoFailed(f"calling {number} answered {status}: {document}")
        console.print(f"    {case.id} {number}: not now, {document['reason']}")
    raise DemoFailed("no case may be called now")


async def _show_what_is_left(desk: Desk, call: dict[str, Any]) -> None:
    if call["outcome"] != "conversation":
        raise DemoFailed(f"the call ended {call['end_reason']} ({call['outcome']}), a conversation was expected")
    console.print(f"    ended: {call['end_reason']}, hangup cause {call['hangup_cause']}")
    for recording in call["recordings"]:
        console.print(
            f"    recording {recording['leg']:<8} {recording['duration']:.1f} s, archived, "
            f"sha256 {recording['sha256'][:16]}…, pcm {recording['pcm_sha256'][:16]}…"
        )
        if recording["flags"]:
            raise DemoFailed(f"the recording of the {recording['leg']} leg is flagged {recording['flags']}")
    notes = await desk.must("GET", f"/v1/cases/{call['case_id']}/notes")
    mine = [note for note in notes["items"] if note["call_id"] == call["id"]]
    if not mine:
        raise DemoFailed("no note was drafted for the call")
    console.print(f"    note {mine[0]['id']} drafted for {mine[0]['number']} ({mine[0]['relation']})")


def _invite(base: str, password: str) -> None:
    console.print(
        f"\nThe desk is at [bold]{base}[/bold] until Ctrl-C. The password of each is [bold]{password}[/bold]:"
    )
    for name, role, extension in PEOPLE:
        console.print(f"    {name:<12} {role}" + (f", phone {extension}" if extension else ""))
