"""Putting everything back after a fault, and the service with a clock that can be moved."""

import asyncio
import contextlib
import signal
from pathlib import Path

from crm_bridge.demo.instance import InstanceFailed
from tests.chaos.stage import Stage

HOUR_BACK, IN_TIME = "-3600s", "+0s"


async def hang_up(stage: Stage, number: str) -> None:
    """That number or phone hangs up, if it is on a call; what is gone already needs nothing."""
    with contextlib.suppress(Exception):
        await stage.lab.world.hangup(number)


async def mend(stage: Stage) -> None:
    """Put everything back: links, disks, PBX and service. Raises what keeps the service from getting ready."""
    stage.wire.calm()
    stage.ami.delay, stage.ami.chunk, stage.ami.repeat = 0.0, 0, 1
    for proxy in (stage.ami, stage.gate):
        proxy.thaw()
    if not stage.ami.accepting:
        await stage.ami.listen()
    stage.lab.pbx.thaw()
    if not stage.lab.pbx.running:
        await _restart_pbx(stage)
    if stage.postgres is not None and not stage.postgres.running:
        stage.postgres.start()
        await asyncio.to_thread(stage.postgres.await_ready)
    for service in stage.services:
        service.signal(signal.SIGCONT)
        service.start()
    for service in stage.services:
        await service.ready(stage.http)


async def _restart_pbx(stage: Stage) -> None:
    """Start Asterisk again; on a busy machine its phones may need a second start to be found."""
    with contextlib.suppress(InstanceFailed):
        return await stage.lab.restart_pbx()
    await stage.lab.restart_pbx()


def faketime_library() -> Path | None:
    """The library that misleads a process about the time (Debian's faketime), None where it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def clock_file(stage: Stage) -> Path:
    """What the misled service reads its clock's error from."""
    return stage.folder / "clock"


async def mislead(stage: Stage) -> None:
    """Run the service with a clock that `clock_file` moves."""
    clock_file(stage).write_text(IN_TIME)
    await stage.service.drain()
    environment = {
        "LD_PRELOAD": str(faketime_library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock_file(stage)),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # its repair of waiting threads costs 10 ms a wait: no gate answers so
        "NO_FAKE_STAT": "1",
    }
    stage.service.start(environment)
    await stage.service.ready(stage.http)
