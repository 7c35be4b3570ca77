"""A real Tryton 8.2 for the tests, installed by the test run itself into an environment of its own in the user's cache.

The first run installs it with uv from the locked `tryton-requirements.txt` and fills one database (about a minute); later
runs copy that database. One server serves a whole run.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tryton_records import Records

HERE = Path(__file__).parent
REQUIREMENTS, FILL = HERE / "tryton-requirements.txt", HERE / "tryton_fill.py"
CRM_KEY, ADMIN_KEY = "ringfence-" + "k" * 40, "administrator-" + "a" * 40
"""Keys of its REST API: the connector's user, and the administrator."""
START_SECONDS = 120
FAILED = "the tests need a real Tryton, and it could not be installed or started"


@dataclass(frozen=True)
class Tryton:
    """One database of the running server: what a connector is told of it, and the people at the CRM."""

    url: str
    database: str
    token: str
    people: Records


@dataclass(frozen=True)
class TrytonServer:
    """The running server."""

    url: str
    folder: Path
    template: Path

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The name of a database that only this test uses."""
        name = f"crm_{uuid.uuid4().hex}"
        path = self.folder / f"{name}.sqlite"
        shutil.copyfile(self.template, path)
        try:
            yield name
        finally:
            path.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def tryton_server() -> Iterator[TrytonServer]:
    """Tryton, for the whole run; it ends with the tests, also when they are killed."""
    home = _installed()
    folder = Path(tempfile.mkdtemp(prefix="ringfence-tryton-"))
    try:
        with _running(home, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_crm(tryton_server: TrytonServer) -> Iterator[str]:
    """The name of a database for all tests that do not change what others rely on."""
    with tryton_server.fresh() as name:
        yield name


@pytest.fixture
async def tryton(tryton_server: TrytonServer, shared_crm: str) -> AsyncIterator[Tryton]:
    """A Tryton whose records of this test have a tag of their own; its keys and rights stay as they are."""
    async with Records(tryton_server.url, shared_crm, ADMIN_KEY) as people:
        yield Tryton(tryton_server.url, shared_crm, CRM_KEY, people)


@pytest.fixture
async def lone_tryton(tryton_server: TrytonServer) -> AsyncIterator[Tryton]:
    """A Tryton database that only this test uses, whatever it does to it (some three seconds)."""
    with tryton_server.fresh() as name:
        async with Records(tryton_server.url, name, ADMIN_KEY) as people:
            yield Tryton(tryton_server.url, name, CRM_KEY, people)


def _installed() -> Path:
    """The folder of the environment and the filled database, made first if need be; several at once make it once."""
    told = hashlib.sha256(REQUIREMENTS.read_bytes() + FILL.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = Path(cache).absolute() / "ringfence" / f"tryton-{told}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            _install(home)
            (home / "ready").touch()
    return home


def _install(home: Path) -> None:
    print("Tryton: installing it for the tests, once; about a minute")
    uv, python = Path(sys.prefix) / "bin" / "uv", home / "venv" / "bin" / "python"
    no_downloads = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    _run([uv, "venv", "--quiet", "--python", sys.executable, home / "venv"], no_downloads)
    locked = ["--quiet", "--require-hashes", "--python", python, "-r", REQUIREMENTS]
    _run([uv, "pip", "install", *locked], no_downloads)
    (home / "password").write_text(f"{uuid.uuid4().hex}\n")
    configuration = _configure(home, home, port=0)
    (home / "template.sqlite").touch()
    modules = ["-u", "party", "project", "--activate-dependencies", "--email", "root@example.org"]
    password = {**os.environ, "TRYTONPASSFILE": str(home / "password")}
    _run([home / "venv/bin/trytond-admin", "-c", configuration, "-d", "template", *modules], password)
    _run([python, FILL, configuration, "template", CRM_KEY, ADMIN_KEY], dict(os.environ))


def _run(command: list[str | Path], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shown = " ".join(str(part) for part in command[:3])
        pytest.fail(f"{FAILED}: {shown} …\n{done.stdout[-2000:]}{done.stderr[-3000:]}", pytrace=False)


def _configure(home: Path, databases: Path, port: int) -> Path:
    """`session.timeout` 0: the list of databases is read anew each time, so that new copies are seen at once."""
    path = (home if port == 0 else databases) / "trytond.conf"
    path.write_text(
        f"[database]\nuri = sqlite://\npath = {databases}\n[web]\nlisten = 127.0.0.1:{port}\n[session]\ntimeout = 0\n"
    )
    return path


@contextmanager
def _running(home: Path, folder: Path) -> Iterator[TrytonServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = _configure(home, folder, port)
    command: list[str | Path] = ["setpriv", "--pdeathsig", "TERM", home / "venv/bin/trytond", "-c", configuration]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _await_ready(url, process, folder)
        yield TrytonServer(url, folder, home / "template.sqlite")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{FAILED}:\n{(folder / 'log').read_text()[-3000:]}", pytrace=False)
            time.sleep(0.1)
