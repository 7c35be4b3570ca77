"""A storm of AMI events: 10,000 a second for ten seconds, replayed from captured calls, beside panoramisk alone.

One call in ten is ours (28 a second, what two cores of Asterisk carry); the rest is another tenant's. Told: how many endings
were written down, when the last one was, how long HTTP requests waited meanwhile, and how the process grew.
Run: ringfence bench events
"""

import asyncio
import contextlib
import os
import re
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import panoramisk
from sqlalchemy import func, insert, select

from bench.service import PBX, configure, hire, running_service
from config import clock
from config.database import Database
from config.identifiers import new_id
from telephony.tables import calls
from tests.support.ami_server import SECRET, AmiServer
from tests.support.dial_core import FakePbx

CAPTURED = Path("tests/telephony/captured/answered.txt")
SECONDS, RATE, SLICE = 10, 10_000, 0.05
OURS_ONE_IN = 10
PATIENCE = 120


@dataclass(frozen=True)
class Storm:
    """The bytes to send, in slices, and the ids of our calls in them."""

    slices: tuple[bytes, ...]
    ours: tuple[str, ...]
    events: int


def make_storm() -> Storm:
    """The captured call again and again, each time with channels of its own, many at once as on a busy PBX."""
    text = CAPTURED.read_text(encoding="utf-8")
    events = text.count("Event:")
    count = SECONDS * RATE // events
    ours: list[str] = []
    copies = []
    for index in range(count):
        identifier = f"other-{index}.1"
        if index % OURS_ONE_IN == 0:
            identifier = new_id(clock.now())
            ours.append(identifier)
        copy = text.replace("call-answered", identifier).replace("1795351168.1", f"{1795351168 + index}.{index}")
        for bridge in set(re.findall(r"BridgeUniqueid: (\S+)", copy)):
            copy = copy.replace(bridge, f"bridge-{index}")  # else all these calls would talk with each other
        copies.append(copy.replace("\r\n", "\n").strip().split("\n\n"))
    wire = _interleaved(copies, at_once=60)
    a_slice = max(1, int(RATE * SLICE))
    blobs = ["".join(message.replace("\n", "\r\n") + "\r\n\r\n" for message in wire[i : i + a_slice])
             for i in range(0, len(wire), a_slice)]  # fmt: skip
    return Storm(tuple(blob.encode() for blob in blobs), tuple(ours), len(wire))


def _interleaved(copies: list[list[str]], at_once: int) -> list[str]:
    """Messages of `at_once` calls in turn, each call's own in their order."""
    wire: list[str] = []
    for start in range(0, len(copies), at_once):
        group = copies[start : start + at_once]
        for step in range(max(len(copy) for copy in group)):
            wire += [copy[step] for copy in group if step < len(copy)]
    return wire


async def _send(server: AmiServer, storm: Storm) -> float:
    began = time.perf_counter()
    for index, blob in enumerate(storm.slices):
        await asyncio.sleep(max(0.0, began + index * SLICE - time.perf_counter()))
        await server.say(blob)
    return time.perf_counter() - began


async def panoramisk_alone(storm: Storm) -> None:
    """The baseline: the library's own manager, counting events."""
    async with AmiServer() as server:
        seen = 0
        arrived = asyncio.Event()

        def count(_manager: object, _message: object) -> None:
            nonlocal seen
            seen += 1
            if seen >= storm.events:
                arrived.set()

        manager = panoramisk.Manager(host="127.0.0.1", port=server.port, username="ringfence", secret=SECRET)
        manager.register_event("*", count)
        await manager.connect()
        await asyncio.sleep(1)
        seen = 0
        cpu = time.process_time()
        lasted = await _send(server, storm)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), 30)
        print(
            f"  panoramisk alone      {seen:>7,} of {storm.events:,} events seen, sent in {lasted:.1f} s, "
            f"{time.process_time() - cpu:.1f} CPU s with the sender"
        )
        manager.close()


async def _open_calls(url: str, storm: Storm) -> None:
    """Rows as a click leaves them. They are dated ahead, so that nothing settles them before their events come."""
    database = Database(url)
    now = clock.now() + timedelta(seconds=PATIENCE)
    row = {"direction": "outbound", "state": "queued", "agent": "bench", "role": "collector", "extension": "1001",
           "client": None, "case_id": None, "party_id": None, "number": "+8613800138002",
           "purpose": "collect", "pbx": PBX, "decision_id": "0" * 32, "created_at": now, "violations": []}  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(calls), [{**row, "id": call, "uniqueid": call} for call in storm.ours])
    await database.close()


async def _probe_http(http: aiohttp.ClientSession, stop: asyncio.Event) -> list[float]:
    waits = []
    while not stop.is_set():
        began = time.perf_counter()
        async with http.get("/v1/calls?limit=1") as answer:
            await answer.read()
        waits.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.02)
    return waits


async def _all_ended(url: str, wanted: int) -> float:
    """Seconds until every call of ours has ended."""
    database = Database(url)
    began = time.perf_counter()
    ended = select(func.count()).select_from(calls).where(calls.c.ended_at.is_not(None))
    try:
        while time.perf_counter() - began < PATIENCE:
            async with database.read() as connection:
                if (await connection.scalar(ended) or 0) >= wanted:
                    return time.perf_counter() - began
            await asyncio.sleep(0.1)
    finally:
        await database.close()
    raise RuntimeError("endings were lost")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def ours(storm: Storm) -> None:
    """The same storm through the service as it is run."""
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        async with AmiServer() as server:
            FakePbx(server, {"PJSIP/1001": "NOT_INUSE"})
            spool = Path(folder) / "spool"
            spool.mkdir()
            prepared = await hire(configure(Path(folder), server.port, "ringfence", SECRET, str(spool), spool), "1001")
            async with running_service(prepared, furnished=False) as running:
                http, process = running.http, running.process
                await asyncio.sleep(3)
                await _open_calls(prepared.database_url, storm)
                before = _resident_mb(process.pid)
                stop = asyncio.Event()
                probe = asyncio.create_task(_probe_http(http, stop))
                lasted = await _send(server, storm)
                behind = await _all_ended(prepared.database_url, len(storm.ours))
                stop.set()
                waits = sorted(await probe)
                grown = _resident_mb(process.pid) - before
    print(f"  ringfence serve       {len(storm.ours):>7,} of {len(storm.ours):,} endings written, sent in {lasted:.1f} s, "
          f"the last one {behind:.1f} s after")  # fmt: skip
    print(f"  HTTP meanwhile        p50 {statistics.median(waits):.0f} ms, p99 {waits[int(len(waits) * 0.99)]:.0f} ms, "
          f"longest {waits[-1]:.0f} ms over {len(waits)} requests; the process grew by {grown:.0f} MB")  # fmt: skip


async def main() -> None:
    """Run both."""
    storm = make_storm()
    print(f"{storm.events:,} events in {SECONDS} s, {len(storm.ours)} calls of ours, on {os.cpu_count()} cores")
    await panoramisk_alone(storm)
    await ours(storm)


if __name__ == "__main__":
    asyncio.run(main())
