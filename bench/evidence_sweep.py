"""The evidence log and `ringfence verify` at a million journal entries: sealing, the whole sweep of log and custody, a proof.

    .venv/bin/python -m bench.evidence_sweep [ENTRIES]        # default: 1000000

The journal is written straight in SQL: calls of ten entries, each with one recording and its `recording.ready`.
"""

import asyncio
import json
import resource
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

import config.journal
import recordings.retention_tables
import telephony.tables
from config import journal
from config.database import Database
from config.schema import metadata
from recordings.archive import Archive
from recordings.checkpoints import Signer
from recordings.custody import Custody
from recordings.evidence_log import EvidenceLog
from recordings.keyring import Keyring
from recordings.store import LocalStore
from recordings.verify import LogVerification, Report

TABLES = (config.journal, telephony.tables, recordings.retention_tables)
START = datetime(2026, 6, 1, tzinfo=UTC)
OF_A_CALL = 10


def fill(path: Path, entries: int) -> None:
    """Calls of ten entries each; the last says that the call's recording is archived."""
    connection = sqlite3.connect(path)
    at = START.replace(tzinfo=None).isoformat(" ") + ".000000"
    sealed = {"sha256": "a" * 64, "pcm_sha256": "b" * 64, "stored_sha256": "c" * 64, "stored_bytes": 1, "object": "o"}
    state = json.dumps({"call": {"state": "connected", "number": "+8613800000000", "trunk": "east"}})
    for first in range(0, entries, 100_000):
        rows, legs = [], []
        for number in range(first, min(first + 100_000, entries)):
            call, last = f"{number // OF_A_CALL:032x}", number % OF_A_CALL == OF_A_CALL - 1
            data = json.dumps({"recording_id": call, **sealed}) if last else state
            kind = "recording.ready" if last else "call.state"
            rows.append((at, kind, "system", "north", "li", "case-1", call, data))
            if last:
                legs.append(
                    (call, call, "main", call, "customer", "archived", 1, "f", at, at, at, "[]", 0, *sealed.values())
                )
        connection.executemany(
            "INSERT INTO journal (at, kind, actor, client, agent, case_id, call_id, data) VALUES (?,?,?,?,?,?,?,?)",
            rows,
        )
        columns = "id, call_id, pbx, uniqueid, leg, state, required, file, leg_started_at, leg_answered_at, leg_ended_at, flags"
        columns += f", attempts, {', '.join(sealed)}"
        connection.executemany(f"INSERT INTO recordings ({columns}) VALUES ({','.join('?' * 18)})", legs)
        connection.commit()
    connection.close()


async def measure(folder: Path, entries: int) -> None:
    """Seal, sweep and prove, and print what each took."""
    path = folder / "bench.db"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    await asyncio.to_thread(fill, path, entries)
    database, signer, report = Database(f"sqlite+aiosqlite:///{path}"), Signer(folder / "key.pem"), Report()
    log, later = EvidenceLog(database=database, signer=signer), START + timedelta(seconds=30)
    began = time.perf_counter()
    await log.seal(later)
    took = time.perf_counter() - began
    print(f"sealed {entries:,} entries in {took:.1f} s, {took / entries * 1e6:.0f} µs each, in batches of 1,000")
    began = time.perf_counter()
    async with database.read() as reading:
        some = await journal.read_after(reading, entries // 2, 10)
        await log.prove(reading, some, entries)
    print(f"proofs of the ten entries of a call: {(time.perf_counter() - began) * 1000:.1f} ms")

    def progress(step: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{step} {done:,} of {total:,}  ", end="", file=sys.stderr)

    began = time.perf_counter()
    parts = {"database": database, "report": report, "progress": progress}
    await LogVerification(signer=signer, folder=None, **parts).run(later)  # type: ignore[arg-type]  # of one dictionary
    log_took, began = time.perf_counter() - began, time.perf_counter()
    keyring = Keyring(master=folder / "master.key", folder=folder / "keys")
    custody = Custody(archive=Archive(store=LocalStore(folder / "archive"), keyring=keyring), **parts)  # type: ignore[arg-type]  # of one dictionary
    await custody.check_rows(later)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    custody_took, sealed = time.perf_counter() - began, report.checked["checkpoints"]
    print(
        f"verify: log and {sealed:,} checkpoints {log_took:.1f} s ({log_took / entries * 1e6:.0f} µs an entry), custody of"
    )
    print(f"{report.checked['recordings']:,} recordings {custody_took:.1f} s, peak {peak} MB")
    if not report.holds:
        raise SystemExit(report.problems[0])
    await database.close()


async def main() -> None:
    """Run at the size that was asked for."""
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        await measure(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)


if __name__ == "__main__":
    asyncio.run(main())
