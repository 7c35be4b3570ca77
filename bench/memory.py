"""50,000 calls through the tracker, one after the other: what the process holds afterwards must not grow with them.

No baseline: the figure is the slope. Run: ringfence bench memory
"""

import asyncio
import os
import resource
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

import recordings.tables  # noqa: F401  # fills the metadata
from config import clock
from config.database import Database
from config.identifiers import new_id
from config.migrate import upgrade
from telephony.ami_events import (
    AmiEvent,
    DialBegin,
    DialEnd,
    DialState,
    Hangup,
    Newchannel,
    Newstate,
    OriginateResponse,
)
from telephony.call_tracker import CallTracker
from telephony.tables import calls

CALLS, STEP = 50_000, 10_000
PBX = "bench"


def events_of(call: str, number: int) -> tuple[AmiEvent, ...]:
    """What an answered call says of itself."""
    agent, customer = (f"PJSIP/1001-{number:08x}", call, call), (f"PJSIP/carrier-{number:08x}", f"c-{number}.1", call)
    return (
        Newchannel(*agent, "Down", "1001", "", "phones", "s"),
        Newstate(*agent, "Up", ""),
        OriginateResponse(call, "", True, 4, agent[0], call),
        DialBegin(*agent, *customer, ""),
        DialState(*agent, *customer, "RINGING"),
        DialEnd(*agent, *customer, "ANSWER", ""),
        Hangup(*customer, 16, "", "", "Up"),
        Hangup(*agent, 16, "", "", "Up"),
    )


def resident_mb() -> float:
    """What this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


async def _one(database: Database, tracker: CallTracker, number: int) -> None:
    now = clock.now()
    call = new_id(now)
    row = {"id": call, "uniqueid": call, "direction": "outbound", "state": "calling_customer", "agent": "bench",
           "role": "collector", "extension": "1001", "number": "+8613800138002", "purpose": "collect", "pbx": PBX,
           "decision_id": call, "created_at": now, "calling_customer_at": now, "violations": []}  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(calls).values(row))
        for event in events_of(call, number):
            if tracker.may_concern(event) and tracker.concerns(event):
                await tracker.apply(transaction, event, now)


async def main() -> None:
    """Run them all."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        database = Database(f"sqlite+aiosqlite:///{folder}/bench.db")
        await upgrade(database)
        tracker, began = CallTracker(PBX), time.perf_counter()
        for number in range(1, CALLS + 1):
            await _one(database, tracker, number)
            if number % STEP == 0 or number == STEP // 10:
                print(
                    f"  {number:>7,} calls  {resident_mb():6.1f} MB  {time.perf_counter() - began:5.0f} s", flush=True
                )
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
