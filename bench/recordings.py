"""Recordings: intake of 2- and 60-minute legs beside `cp`, hash + FLAC and ffmpeg alone, on both stores; ranged replay beside a
plain file.

    .venv/bin/python -m bench.recordings [MINUTES ...]        # default: 2 60

Each intake runs in a process of its own, so that memory and processor time are its own; its baselines ran before it in the
same process, so memory is growth beyond an encoder's.
"""

import asyncio
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from aiohttp import ClientSession, web
from soundfile import SoundFile
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import create_async_engine

import config.journal
import recordings.retention_tables
import telephony.tables
from config.database import Database
from config.identifiers import new_id
from config.schema import metadata
from crm_bridge.web import ranges
from recordings.archive import Archive, Store
from recordings.intake import Intake
from recordings.keyring import Keyring
from recordings.replay import Replay
from recordings.spool import Spool, file_name
from recordings.store import LocalStore
from recordings.tables import recordings as rows
from tests.support.s3 import S3Server, running_s3

TABLES = (config.journal, telephony.tables, recordings.retention_tables)
RATE, BLOCK = 8_000, 65_536
START = datetime(2026, 6, 1, tzinfo=UTC)
CROWD = 24
RANGES = 200


def make_recording(path: Path, minutes: int) -> None:
    """Two channels of speech-like noise: syllables of changing loudness, pauses, the one side quieter than the other."""
    random = np.random.default_rng(1)
    with path.open("wb") as file:
        for _ in range(minutes * 6):
            loud = np.repeat(random.choice([0, 300, 1500, 5000], size=(50, 2)), RATE // 5, axis=0)
            file.write((random.normal(0, 1, loud.shape) * loud).clip(-32768, 32767).astype("<i2").tobytes())


def made_apart(path: Path, minutes: int) -> None:
    """The same in a process of its own, whose memory is not measured."""
    code = "import sys, pathlib, bench.recordings as b; b.make_recording(pathlib.Path(sys.argv[1]), int(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", code, str(path), str(minutes)], check=True)


def hash_and_flac(path: Path, target: Path) -> float:
    """Processor seconds of SHA-256 and FLAC (libsndfile's usual level) of the same bytes alone."""
    began = time.process_time()
    digest = hashlib.sha256()
    with path.open("rb") as source, SoundFile(target, "w", RATE, 2, "PCM_16", format="FLAC") as flac:
        while data := source.read(BLOCK * 4):
            digest.update(data)
            flac.write(np.frombuffer(data, "<i2").reshape(-1, 2))
    return time.process_time() - began


def memory(field: str, pid: int | str = "self") -> float:
    """MB of a process: VmRSS now, VmHWM at most."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def child(*command: str) -> tuple[float, float]:
    """Processor seconds and peak MB of a command, looked at every 10 ms."""
    process, peak = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), 0.0
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        peak = max(peak, memory("VmHWM", process.pid))
        time.sleep(0.01)
    if ended[1]:
        raise SystemExit(f"{command[0]} failed")
    return ended[2].ru_utime + ended[2].ru_stime, peak


def baselines(path: Path, folder: Path) -> dict[str, float]:
    """What `cp`, hash + FLAC and ffmpeg need for the same file."""
    copied, _ = child("cp", str(path), str(folder / "copy"))
    raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", str(path)]
    ffmpeg, megabytes = child(imageio_ffmpeg.get_ffmpeg_exe(), "-y", *raw, str(folder / "ffmpeg.flac"))
    return {
        "cp CPU s": round(copied, 3),
        "ffmpeg CPU s": round(ffmpeg, 3),
        "ffmpeg peak MB": round(megabytes),
        "hash + FLAC CPU s": round(hash_and_flac(path, folder / "floor.flac"), 3),
    }


async def lag(worst: list[float]) -> None:
    """The longest time the loop did not come back to a task that asked for 4 ms."""
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(0.004)
        worst[0] = max(worst[0], time.perf_counter() - asked - 0.004)


async def opened(folder: Path) -> Database:
    """An SQLite database with tables."""
    url = f"sqlite+aiosqlite:///{folder / 'bench.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    return Database(url)


async def expect(database: Database, spool: Path, original: Path, count: int, ended: datetime) -> None:
    """Put so many legs into the spool, and their rows."""
    made = []
    for at in range(count):
        name = file_name(new_id(START), "customer", f"pbx-1.{at}")
        os.link(original, spool / name) if count == 1 else shutil.copyfile(original, spool / name)
        made.append({
            "id": new_id(START), "call_id": name[:32], "pbx": "main", "uniqueid": f"pbx-1.{at}", "leg": "customer",
            "state": "expected", "required": 1, "file": name, "leg_started_at": START, "leg_answered_at": START,
            "leg_ended_at": ended, "flags": [], "due_at": ended, "attempts": 0,
        })  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(rows), made)


async def intake_of(folder: Path, minutes: int, count: int, server: S3Server | None) -> dict[str, Any]:
    """So many legs of so many minutes, from spool to archive."""
    database, spool, original = await opened(folder), folder / "spool", folder / "original.raw"
    spool.mkdir()
    ended = START + timedelta(minutes=minutes)
    await asyncio.to_thread(made_apart, original, minutes)
    size, floor = original.stat().st_size, await asyncio.to_thread(baselines, original, folder)
    await expect(database, spool, original, count, ended)
    store: Store = server.store(folder / "work") if server else LocalStore(folder / "archive")
    archive = Archive(store=store, keyring=Keyring(master=folder / "master.key", folder=folder / "keys"))
    intake = Intake(database=database, archive=archive, spools={"main": Spool(spool)})
    worst = [0.0]
    watch = asyncio.create_task(lag(worst))
    await asyncio.sleep(0.5)
    idle, worst[0] = worst[0], 0.0
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here (proc(5))
    before, wall, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    await intake.run_due(ended + timedelta(seconds=2))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    watch.cancel()
    async with database.read() as connection:
        states = set(await connection.scalars(select(rows.c.state)))
        stored = await connection.scalar(select(rows.c.stored_bytes).limit(1)) or 0
    await database.close()
    if states != {"archived"}:
        raise SystemExit(f"the recordings are {states}, not archived")
    least = floor["hash + FLAC CPU s"] * count
    return {"minutes": minutes, "legs": count, "store": "S3" if server else "local", "MB in": round(size * count / 1e6, 1),
            "MB out": round(stored * count / 1e6, 1), "ms": round(wall * 1000), "legs/s": round(count / wall, 2),
            "CPU s": round(cpu, 3), **floor, "ratio to hash + FLAC": round(cpu / least, 2),
            "growth MB": round(memory("VmHWM") - before, 1),
            "worst loop stall ms": round(worst[0] * 1000, 1), "stall of an idle loop ms": round(idle * 1000, 1)}  # fmt: skip


def in_a_process(minutes: int, count: int, endpoint: dict[str, Any] | None) -> None:
    """Print what one intake took."""
    told = json.dumps({"minutes": minutes, "count": count, "s3": endpoint})
    subprocess.run([sys.executable, "-m", "bench.recordings"], env=os.environ | {"BENCH_RECORDINGS": told}, check=True)


async def replay(folder: Path) -> None:
    """An hour's leg by random ranges of 64 KiB: decrypted by us, and as a plain file by aiohttp."""
    database, spool, original = await opened(folder), folder / "spool", folder / "original.raw"
    spool.mkdir()
    ended = START + timedelta(minutes=60)
    await asyncio.to_thread(make_recording, original, 60)
    await expect(database, spool, original, 1, ended)
    keyring = Keyring(master=folder / "master.key", folder=folder / "keys")
    archive = Archive(store=LocalStore(folder / "archive"), keyring=keyring)
    await Intake(database=database, archive=archive, spools={"main": Spool(spool)}).run_due(
        ended + timedelta(seconds=2)
    )
    async with database.read() as connection:
        recording_id = await connection.scalar(select(rows.c.id))
    player = Replay(database=database, archive=archive, cache=folder / "cache")
    plain = folder / "plain.flac"
    with await player.leg_audio(recording_id) as audio:
        plain.write_bytes(audio.read())

    async def ours(request: web.Request) -> web.StreamResponse:
        return await ranges.send(request, await player.leg_audio(recording_id), {"Content-Type": "audio/flac"})

    async def static(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(plain)

    app = web.Application()
    app.router.add_get("/ours", ours)
    app.router.add_get("/static", static)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    took: dict[str, list[float]] = {"ours": [], "static": []}
    starts = np.random.default_rng(1).integers(0, plain.stat().st_size - BLOCK, RANGES)
    async with ClientSession() as session:
        for start in starts:
            for path, times in took.items():
                began = time.perf_counter()
                asked = {"Range": f"bytes={start}-{start + BLOCK - 1}"}
                async with session.get(f"http://127.0.0.1:{port}/{path}", headers=asked) as answer:
                    if len(await answer.read()) != BLOCK:
                        raise SystemExit("a range came short")
                times.append((time.perf_counter() - began) * 1000)
    await runner.cleanup()
    await database.close()
    middle = {path: statistics.median(times) for path, times in took.items()}
    late = {path: statistics.quantiles(times, n=100)[98] for path, times in took.items()}
    print(f"64 KiB at a random offset of an hour: ours p50 {middle['ours']:.2f} p99 {late['ours']:.2f} ms, plain file p50 "
          f"{middle['static']:.2f} p99 {late['static']:.2f} ms, ratio {middle['ours'] / middle['static']:.1f}")  # fmt: skip


async def main() -> None:
    """Run everything and print a line each."""
    lengths = [int(minutes) for minutes in sys.argv[1:]] or [2, 60]
    with running_s3() as server:
        endpoint = {"folder": str(server.folder), "ports": server.ports}
        for s3 in (None, endpoint):
            for minutes in lengths:
                await asyncio.to_thread(in_a_process, minutes, 1, s3)
            await asyncio.to_thread(in_a_process, 2, CROWD, s3)
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        await replay(Path(folder))


async def _one(told: dict[str, Any]) -> None:
    server = S3Server(Path(told["s3"]["folder"]), told["s3"]["ports"]) if told["s3"] else None
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        print(json.dumps(await intake_of(Path(folder), told["minutes"], told["count"], server)), flush=True)


if __name__ == "__main__":
    asyncio.run(_one(json.loads(os.environ["BENCH_RECORDINGS"])) if "BENCH_RECORDINGS" in os.environ else main())
