"""A sealed archive with one call that was heard, and its bundle."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from recordings.bundle import Bundles
from recordings.checkpoints import CheckpointFolder, Signer
from recordings.custody import Custody
from recordings.evidence_log import EvidenceLog
from recordings.replay import Replay
from recordings.verify import LogVerification, Report
from tests.support.spooled import Recorder, SpooledCall, silence, stereo, tone


@dataclass
class Evidence:
    """The parts around one recorder's archive."""

    recorder: Recorder
    replay: Replay
    log: EvidenceLog
    bundles: Bundles
    folder: CheckpointFolder
    signer: Signer

    async def talked(self) -> SpooledCall:
        """A call of two legs, archived, played once and sealed."""
        call = await self.recorder.call()
        self.recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
        self.recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
        await self.recorder.run()
        await self.replay.plays.note(call.ended_at, "qian", call.id, {"format": "flac"})
        await self.log.seal(call.ended_at)
        return call

    async def bundle(self, call: SpooledCall, target: Path) -> Path:
        """The call's bundle as a file."""
        documents: dict[str, Any] = {"call.json": {"id": call.id}, "notes.json": []}
        made = await self.bundles.make(
            call.id, documents, actor="root", reason="审计", now=call.ended_at + timedelta(seconds=5)
        )
        with made:
            made.seek(0)
            target.write_bytes(made.read())
        return target

    async def verified(self, now: datetime, *, limit: int | None = None) -> Report:
        """What `ringfence verify` finds."""
        report = Report()
        database = self.recorder.database

        def progress(step: str, done: int, total: int) -> None:
            assert 0 <= done <= total, step

        await LogVerification(
            database=database, signer=self.signer, folder=self.folder, report=report, progress=progress
        ).run(now)
        custody = Custody(database=database, archive=self.recorder.archive, report=report, progress=progress)
        await custody.check_rows(now)
        await custody.check_objects(now, limit)
        return report


def evidence_of(recorder: Recorder, folder: Path) -> Evidence:
    """Put the parts together in `folder`."""
    signer = Signer(folder / "keys" / "log-signing.pem")
    log = EvidenceLog(database=recorder.database, signer=signer, folder=folder / "off site")
    replay = Replay(database=recorder.database, archive=recorder.archive, cache=folder / "cache")
    bundles = Bundles(
        database=recorder.database, archive=recorder.archive, replay=replay, evidence=log, work=folder / "bundles"
    )
    return Evidence(recorder, replay, log, bundles, CheckpointFolder(folder / "off site"), signer)
