"""Intake of recordings as the PBX leaves them: time, processor time, memory and how long the event loop was held up.

    .venv/bin/python -m bench.intake [MINUTES ...]        # default: 2 60

Beside it, the floor that cannot be gone below: SHA-256 and FLAC of the same bytes alone, in the same run. Each length runs
in a process of its own, so that memory is that length's.
"""

import asyncio
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from soundfile import SoundFile
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import create_async_engine

import config.journal
import telephony.tables
from config.database import Database
from config.identifiers import new_id
from config.schema import metadata
from recordings.archive import Archive
from recordings.intake import Intake
from recordings.keyring import Keyring
from recordings.spool import Spool, file_name
from recordings.store import LocalStore
from recordings.tables import recordings

TABLES = (config.journal, telephony.tables)
RATE = 8_000
BLOCK = 65_536
START = datetime(2026, 6, 1, tzinfo=UTC)


def make_recording(path: Path, minutes: int) -> None:
    """Two channels of speech-like noise: syllables of changing loudness, pauses, the one side quieter than the other."""
    random = np.random.default_rng(1)
    with path.open("wb") as file:
        for _ in range(minutes * 6):
            loud = np.repeat(random.choice([0, 300, 1500, 5000], size=(50, 2)), RATE // 5, axis=0)
            file.write((random.normal(0, 1, loud.shape) * loud).clip(-32768, 32767).astype("<i2").tobytes())


def floor(path: Path, target: Path) -> float:
    """Processor seconds of hashing and FLAC alone."""
    began = time.process_time()
    digest = hashlib.sha256()
    with path.open("rb") as source, SoundFile(target, "w", RATE, 2, "PCM_16", format="FLAC") as flac:
        while data := source.read(BLOCK * 4):
            digest.update(data)
            flac.write(np.frombuffer(data, "<i2").reshape(-1, 2))
    return time.process_time() - began


async def lag(worst: list[float]) -> None:
    """The longest time the loop did not come back to a task that asked for 1 ms."""
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(0.001)
        worst[0] = max(worst[0], time.perf_counter() - asked - 0.001)


async def intake_of(folder: Path, minutes: int) -> dict[str, float]:
    """One leg of so many minutes, from spool to archive, on SQLite."""
    url = f"sqlite+aiosqlite:///{folder / 'bench.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    database, spool = Database(url), Spool(folder)
    call_id, ended = new_id(START), START + timedelta(minutes=minutes)
    name = file_name(call_id, "customer", "pbx-1.1")
    await asyncio.to_thread(make_recording, folder / name, minutes)
    size = (folder / name).stat().st_size
    least = await asyncio.to_thread(floor, folder / name, folder / "floor.flac")
    row = {
        "id": new_id(START), "call_id": call_id, "pbx": "main", "uniqueid": "pbx-1.1", "leg": "customer", "state": "expected",
        "required": 1, "file": name, "leg_started_at": START, "leg_answered_at": START, "leg_ended_at": ended, "flags": [],
        "due_at": ended, "attempts": 0,
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(recordings).values(**row))
    keyring = Keyring(master=folder / "master.key", folder=folder / "keys")
    archive = Archive(store=LocalStore(folder / "archive"), keyring=keyring)
    intake = Intake(database=database, archive=archive, spools={"main": spool})
    worst = [0.0]
    watch = asyncio.create_task(lag(worst))
    await asyncio.sleep(0.2)
    worst[0] = 0.0
    await asyncio.sleep(2)
    idle, worst[0] = worst[0], 0.0
    memory, wall, cpu = _resident_peak(), time.perf_counter(), time.process_time()
    await intake.run_due(ended + timedelta(seconds=2))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = _resident_peak() - memory
    watch.cancel()
    async with database.read() as connection:
        state = await connection.scalar(select(recordings.c.state))
        stored = await connection.scalar(select(recordings.c.stored_bytes))
    if state != "archived":
        raise SystemExit(f"the recording is {state}, not archived")
    await database.close()
    return {
        "minutes": minutes,
        "MB in": round(size / 1e6, 1),
        "MB out": round(stored / 1e6, 1),
        "intake ms": round(wall * 1000),
        "CPU s": round(cpu, 3),
        "CPU s of hash + FLAC alone": round(least, 3),
        "ratio": round(cpu / least, 2),
        "memory growth MB": round(memory / 1024, 1),
        "longest loop stall ms": round(worst[0] * 1000, 1),
        "stall of an idle loop ms": round(idle * 1000, 1),
    }


def _resident_peak() -> int:
    """KiB; the floor ran before, so what is measured is growth beyond an encoder's own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Run each length in a process of its own and print a line a length."""
    if os.environ.get("BENCH_INTAKE_MINUTES"):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(intake_of(Path(folder), int(os.environ["BENCH_INTAKE_MINUTES"])))))
        return
    for minutes in sys.argv[1:] or ["2", "60"]:
        environment = os.environ | {"BENCH_INTAKE_MINUTES": minutes}
        subprocess.run([sys.executable, "-m", "bench.intake"], env=environment, check=True)


if __name__ == "__main__":
    main()
