"""Calls with legs, and the files an Asterisk would leave for them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import insert, select
from sqlalchemy.engine import Row

from config.database import Database
from config.identifiers import new_id
from config.journal import Entry, read_after
from recordings.archive import Archive
from recordings.completeness import expect_recordings
from recordings.intake import Intake
from recordings.keyring import Keyring
from recordings.replay import Replay
from recordings.spool import Spool, file_name
from recordings.store import LocalStore
from recordings.sweep import Sweep
from recordings.tables import incidents, recordings
from telephony.tables import calls, legs

RATE = 8_000
PBX = "main"
START = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
Samples = NDArray[np.int16]


def tone(hz: float, seconds: float, *, level: float = 0.3, rate: int = RATE) -> Samples:
    """A sine, shape (n,)."""
    at = np.arange(round(seconds * rate)) / rate
    return np.asarray(np.sin(2 * np.pi * hz * at) * level * 32767).astype("<i2")


def silence(seconds: float, *, rate: int = RATE) -> Samples:
    """Digital silence, shape (n,)."""
    return np.zeros(round(seconds * rate), dtype="<i2")


def stereo(left: Samples, right: Samples) -> bytes:
    """What MixMonitor's option D writes: the read side left, the write side right, interleaved."""
    return np.column_stack((left, right)).astype("<i2").tobytes()


@dataclass
class SpooledCall:
    """A call that ended, by its id and its legs' uniqueids; offsets are seconds after START."""

    id: str
    ended_at: datetime
    legs: dict[str, str] = field(default_factory=dict)

    def file(self, role: str) -> str:
        """The name of a leg's file."""
        return file_name(self.id, role, self.legs[role])


class Recorder:
    """A spool, an archive and the workers between them, on one database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder / "spool"
        self.folder.mkdir(exist_ok=True)
        self.spools = {PBX: Spool(self.folder)}
        self.store = LocalStore(folder / "archive")
        self.keyring = Keyring(master=folder / "keys" / "master.key", folder=folder / "keys" / "groups")
        self.archive = Archive(store=self.store, keyring=self.keyring)
        self.intake = Intake(database=database, archive=self.archive, spools=self.spools)
        self.sweep = Sweep(database=database, archive=self.archive, spools=self.spools)

    async def call(
        self,
        *,
        agent: tuple[float, float | None, float] | None = (0, 1, 13),
        customer: tuple[float, float | None, float] | None = (2, 5, 13),
        expect: bool = True,
        **fields: Any,
    ) -> SpooledCall:
        """An ended call. A leg is (created, answered or None, ended) in seconds; None: there was no such leg."""
        call_id = new_id(START)
        made = {"agent": (agent, call_id), "customer": (customer, f"pbx-1718000000.{call_id[-4:]}")}
        there = {role: (times, uniqueid) for role, (times, uniqueid) in made.items() if times is not None}
        ended = max((_at(times[2]) for times, _ in there.values()), default=START)
        answered = customer[1] if customer else None
        call = {
            "id": call_id, "direction": "outbound", "state": "ended", "agent": "li", "role": "collector", "extension":
            "1001", "client": "north", "case_id": "case-1", "number": "+8613800000000", "purpose": "collect", "pbx":
            PBX, "uniqueid": call_id, "decision_id": new_id(START), "created_at": START, "violations": [],
            "connected_at": None if answered is None else _at(answered), "ended_at": ended,
        } | fields  # fmt: skip
        async with self.database.write() as transaction:
            await transaction.execute(insert(calls).values(**call))
            for role, (times, uniqueid) in there.items():
                created, taken, left = times
                await transaction.execute(
                    insert(legs).values(
                        pbx=PBX, uniqueid=uniqueid, call_id=call_id, role=role, channel=f"PJSIP/{role}",
                        created_at=_at(created), answered_at=None if taken is None else _at(taken), ended_at=_at(left),
                    )
                )  # fmt: skip
            if expect:
                await expect_recordings(transaction, Entry(ended, "call.ended", call_id=call_id))
        return SpooledCall(call_id, ended, {role: uniqueid for role, (_, uniqueid) in there.items()})

    def leave(self, name: str, data: bytes) -> Path:
        """Put a finished file into the spool."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    async def run(self, after: float = 2, *, of: datetime | None = None) -> int:
        """One tick of intake, `after` seconds past the end."""
        return await self.intake.run_due((of or _at(13)) + timedelta(seconds=after))

    async def row(self, call: SpooledCall, role: str) -> Row[Any]:
        """The recording of a leg."""
        async with self.database.read() as connection:
            found = await connection.execute(
                select(recordings).where(recordings.c.call_id == call.id, recordings.c.leg == role)
            )
            return found.one()

    async def incidents(self, *, still_open: bool | None = True) -> list[tuple[str, str]]:
        """(kind, subject) of the incidents that are open, closed (False) or either (None)."""
        async with self.database.read() as connection:
            rows = await connection.execute(select(incidents).order_by(incidents.c.opened_at, incidents.c.id))
            return [
                (row.kind, row.subject) for row in rows if still_open is None or (row.closed_at is None) == still_open
            ]

    async def journal(self, kind: str) -> list[Entry]:
        """The journal's entries of one kind."""
        async with self.database.read() as connection:
            return [entry for entry in await read_after(connection, 0) if entry.kind == kind]


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def recorder(database: Database, tmp_path: Path) -> Recorder:
    """A spool, an archive and the workers between them, on either database."""
    return Recorder(database, tmp_path)


@pytest.fixture
def replay(recorder: Recorder, tmp_path: Path) -> Replay:
    """What plays the archive of `recorder`."""
    return Replay(database=recorder.database, archive=recorder.archive, cache=tmp_path / "cache")
