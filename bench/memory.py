"""50,000 answered calls through link, tracker and closing, 50 at a time: what the process holds must not grow with them.

The wire is a manager port of this process that replays a call's events and hang-up markers; link, queue, tables and closing
are the service's own. No baseline: the figure is the slope. Run: ringfence bench memory (RINGFENCE_BENCH_CALLS for fewer)
"""

import asyncio
import os
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, insert, select

import recordings.tables  # noqa: F401  # fills the metadata
from config import clock
from config.database import Database
from config.identifiers import new_id
from config.migrate import upgrade
from config.settings import Pbx as PbxSettings
from telephony.pbx import Pbx
from telephony.tables import calls
from tests.support.ami_server import SECRET, AmiServer, message
from tests.support.dial_core import FakePbx

CALLS, AT_ONCE, STEPS = int(os.environ.get("RINGFENCE_BENCH_CALLS", "50000")), 50, 10
PBX = "bench"


def _events(call: str, number: int) -> bytes:
    """What an answered call says of itself."""
    agent = {"Channel": f"PJSIP/1001-{number:08x}", "Uniqueid": call, "Linkedid": call}
    leg = {"Channel": f"PJSIP/carrier-{number:08x}", "Uniqueid": f"c-{number}.1", "Linkedid": call}
    dial = agent | {f"Dest{name}": value for name, value in leg.items()}
    story: list[dict[str, str]] = [
        {"Event": "Newchannel", **agent, "ChannelStateDesc": "Down"},
        {"Event": "Newstate", **agent, "ChannelStateDesc": "Up"},
        {"Event": "DialBegin", **dial},
        {"Event": "DialState", **dial, "DialStatus": "RINGING"},
        {"Event": "DialEnd", **dial, "DialStatus": "ANSWER"},
        {"Event": "Hangup", **leg, "Cause": "16"},
        {"Event": "Hangup", **agent, "Cause": "16"},
    ]
    return b"".join(message(**event) for event in story)


def _mark(fake: FakePbx, call: str, number: int, now: datetime) -> None:
    """What the hang-up handlers wrote before those hang-ups were told."""
    started, ended = (f"{moment:%Y-%m-%dT%H:%M:%S}Z" for moment in (now - timedelta(seconds=60), now))
    fake.mark(f"gate/{call}", at=started)
    fake.mark(f"leg/{call}/agent/{call}", ended=ended, cause="16", started=started, dial="ANSWER")
    fake.mark(f"leg/{call}/customer/c-{number}.1", ended=ended, cause="16", started=started, answered=started)


def _row(call: str, now: datetime) -> dict[str, Any]:
    return {"id": call, "uniqueid": call, "direction": "outbound", "state": "calling_customer", "agent": "bench",
            "role": "collector", "extension": "1001", "number": "+8613800138002", "purpose": "collect", "pbx": PBX,
            "decision_id": call, "created_at": now, "calling_customer_at": now, "violations": []}  # fmt: skip


def resident_mb() -> float:
    """What this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


async def _batch(database: Database, fake: FakePbx, first: int) -> None:
    now = clock.now()
    numbered = [(new_id(now), first + offset) for offset in range(AT_ONCE)]
    async with database.write() as transaction:
        await transaction.execute(insert(calls), [_row(call, now) for call, _ in numbered])
    for call, number in numbered:
        _mark(fake, call, number, now)
    await fake.server.say(b"".join(_events(call, number) for call, number in numbered))
    still_open = select(func.count()).select_from(calls).where(calls.c.ended_at.is_(None))
    while True:
        async with database.read() as connection:
            if not await connection.scalar(still_open) and not fake.astdb:
                break
        await asyncio.sleep(0.01)
    fake.server.received.clear()


async def main() -> None:
    """Run them all."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        database = Database(f"sqlite+aiosqlite:///{folder}/bench.db")
        await upgrade(database)
        async with AmiServer() as server:
            fake = FakePbx(server)
            settings = PbxSettings(name=PBX, port=server.port, username="u", secret=SecretStr(SECRET))
            pbx = Pbx(settings, database, process="bench")
            await pbx.start()
            await _ready(pbx)
            await _measure(database, fake)
            await pbx.close()
        await database.close()


async def _ready(pbx: Pbx) -> None:
    async with asyncio.timeout(10):
        while True:
            if pbx.ready:
                return
            await asyncio.sleep(0.01)


async def _measure(database: Database, fake: FakePbx) -> None:
    began, warm = time.perf_counter(), 0.0
    for done in range(AT_ONCE, CALLS + 1, AT_ONCE):
        await _batch(database, fake, done)
        if done % (CALLS // STEPS) < AT_ONCE:
            warm = warm or resident_mb()
            print(f"  {done:>7,} calls  {resident_mb():6.1f} MB  {time.perf_counter() - began:5.0f} s", flush=True)
    calls_since = CALLS - CALLS // STEPS
    print(f"  growth after the first tenth: {(resident_mb() - warm) / calls_since * 1000:+.3f} MB in 1,000 calls")


if __name__ == "__main__":
    asyncio.run(main())
