"""A real S3 server for the tests: SeaweedFS, on loopback, with Object Lock."""

import json
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from recordings.s3_store import Lock, S3Store

START_SECONDS = 60
ACCESS, SECRET = "tests", "tests-secret"


@dataclass
class S3Server:
    """A running server; `stop` and `start` play an outage."""

    folder: Path
    ports: dict[str, int]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    def client(self) -> Any:
        """botocore's own client, for what the store's tests look at behind its back."""
        return botocore.session.Session().create_client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET, config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def bucket(self, *, lock: bool = True) -> str:
        """A new bucket's name."""
        name = f"b{uuid.uuid4().hex[:20]}"
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        return name

    def store(self, work: Path, *, bucket: str | None = None, lock: Lock = "governance", **fields: Any) -> S3Store:
        """A store in that bucket, else in a new one."""
        name = bucket or self.bucket(lock=lock != "none")
        credentials = {"access_key": ACCESS, "secret_key": SECRET} | fields
        return S3Store(f"s3://{name}/calls", work=work, endpoint=self.endpoint, lock=lock, **credentials)

    def start(self) -> None:
        """Start, and come back when it answers."""
        ports = self.ports
        options = [
            f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=200", "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false", "-filer", "-s3", f"-s3.config={self.folder / 's3.json'}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-volume.minFreeSpacePercent=0",
        ]  # fmt: skip
        for name, port in ports.items():
            plain = name.removesuffix(".grpc")
            options.append(f"-{plain}.port={port}" if plain == name else f"-{plain}.port.grpc={port}")
        weed = Path(sysconfig.get_path("scripts")) / "weed"
        with (self.folder / "log").open("ab") as log:
            command = ["setpriv", "--pdeathsig", "KILL", str(weed), "server", *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client().list_buckets()
                return
            except (BotoCoreError, ClientError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"the S3 server did not start: {(self.folder / 'log').read_text()[-2000:]}"
                    ) from None
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop; what is stored stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def _ports() -> dict[str, int]:
    names = ("master", "volume", "filer", "s3")
    with ExitStack() as stack:
        held = {}
        for name in (*names, *(f"{name}.grpc" for name in names)):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            held[name] = listener.getsockname()[1]
        return held


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server with an empty folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ringfence-s3-"))
    identity = {"name": "tests", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    server = S3Server(folder, _ports())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for the whole run."""
    with running_s3() as server:
        yield server
