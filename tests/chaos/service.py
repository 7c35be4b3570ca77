"""The service as it is run in earnest: a process of its own, which can be killed, frozen, told to stop, and misled."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

READY_SECONDS = 150.0
"""The claim of a process that was killed or stopped at its work lasts 120 s, and an overdue recording is a problem."""
DRAIN_SECONDS = 15.0


class ServiceFailedError(Exception):
    """The service did not start, or did not end when told to; the message says which."""


class ServiceProcess:
    """`ringfence serve --config`. It dies with the process that began it; its output is appended to `log`."""

    def __init__(self, config: Path, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.log = config.with_suffix(".log")
        self.starts = 0
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives; a frozen one does."""
        return self._process is not None and self._process.poll() is None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Begin it and return at once; `ready` waits."""
        if self.running:
            return
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "crm_bridge.cli", "serve"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.starts += 1

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """End it as a crash does."""
        self.signal(signal.SIGKILL)
        await self._gone(DRAIN_SECONDS)

    async def drain(self) -> int:
        """Tell it to stop, as an init system does; its exit code. Raises ServiceFailedError when it does not heed."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if not await self._gone(DRAIN_SECONDS):
            await self.kill()
            raise ServiceFailedError(f"not gone {DRAIN_SECONDS:.0f} s after SIGTERM")
        return self._process.returncode if self._process is not None else 0

    async def ready(self, http: aiohttp.ClientSession, seconds: float = READY_SECONDS) -> None:
        """Wait for /readyz. Raises ServiceFailedError with what it says is missing."""
        deadline, said = time.monotonic() + seconds, "nothing"
        while time.monotonic() < deadline:
            if not self.running:
                raise ServiceFailedError(f"the service ended by itself; see {self.log}")
            try:
                async with http.get(f"{self.base}/readyz", timeout=aiohttp.ClientTimeout(total=3)) as answer:
                    if answer.status == 200:
                        return
                    said = await answer.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                said = repr(error)
            await asyncio.sleep(0.1)
        raise ServiceFailedError(f"not ready after {seconds:.0f} s: {said}")

    async def _gone(self, seconds: float) -> bool:
        if self._process is not None:
            try:
                await asyncio.to_thread(self._process.wait, seconds)
            except subprocess.TimeoutExpired:
                return False
        return True
