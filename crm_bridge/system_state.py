"""How the parts of the system are, by component: what /readyz tells, the desk's banners show and /metrics counts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from config.database import Database, DatabaseUnavailable
from config.errors import Fault
from crm_bridge.drain import Drain
from recordings.health import RecorderHealth
from recordings.self_test import SelfTest
from telephony.gate.fastagi import FastAgiServer
from telephony.pbx import Pbx
from telephony.upkeep import Upkeep

DATABASE_SECONDS = 2.0
CLOCK_SECONDS = 2.0
"""A PBX whose clock is further off writes times into the books that are not ours."""


class RecorderUntried(Fault):
    """The service has just started, or its link has just come back: a test recording comes before the first call."""

    code = "recorder-untried"
    status = 503
    title = "Recording is being tried out"


@dataclass(frozen=True, slots=True)
class SystemState:
    """Asks every part; each answer is a sentence on what is wrong, empty when nothing is."""

    database: Database
    gate: FastAgiServer
    pbxs: Mapping[str, Pbx]
    upkeeps: Mapping[str, Upkeep]
    recorder: RecorderHealth
    self_test: SelfTest
    drain: Drain

    def require_recorder_tried(self, pbx: str, now: datetime) -> None:
        """Raises RecorderUntried while calls would be refused only because nobody has looked yet."""
        upkeep = self.upkeeps.get(pbx)
        unknown = self.recorder.is_stale(now) and self.recorder.latest.healthy
        if upkeep is not None and upkeep.pbx.ready and (unknown or upkeep.is_untried(now)):
            raise RecorderUntried("a test recording is being made first; try again in a moment", retry_after=2)

    async def components(self, now: datetime) -> dict[str, str]:
        """Every component by name, in a fixed order, with its problem or an empty text."""
        found = {
            "service": "it is being stopped" if self.drain.begun else "",
            "database": await self._database(),
            "gate": "" if self.gate.listening else "it does not listen, so no customer can be called",
            "pbx": "" if self.pbxs else "no [[pbx]] is configured",
        }
        for name, pbx in self.pbxs.items():
            status = pbx.link.status
            found[f"pbx:{name}"] = "" if pbx.ready else f"{status.state}: {status.reason}"
        for name, upkeep in self.upkeeps.items():
            found[f"recording:{name}"] = self._recording(upkeep, now)
            found[f"clock:{name}"] = self._clock(upkeep)
        return found | self._recorder()

    async def problems(self, now: datetime) -> dict[str, str]:
        """Only what is wrong."""
        return {name: problem for name, problem in (await self.components(now)).items() if problem}

    async def _database(self) -> str:
        try:
            async with asyncio.timeout(DATABASE_SECONDS), self.database.read() as connection:
                await connection.execute(text("SELECT 1"))
        except TimeoutError:
            return f"it does not answer within {DATABASE_SECONDS:g} s"
        except DatabaseUnavailable as fault:
            return fault.detail
        return ""

    def _recording(self, upkeep: Upkeep, now: datetime) -> str:
        if upkeep.records(now):
            return ""
        return upkeep.recording_problem or "no test recording was made of late"

    def _clock(self, upkeep: Upkeep) -> str:
        apart = upkeep.clock_seconds_apart or 0.0
        return f"the PBX's clock and ours are {apart:.1f} s apart" if apart > CLOCK_SECONDS else ""

    def _recorder(self) -> dict[str, str]:
        always = {"archive": "", "intake": ""} | {f"self-test:{name}": "" for name in self.pbxs}
        failing = {f"self-test:{name}": problem for name, problem in self.self_test.problems().items()}
        return always | dict(self.recorder.latest.problems) | failing
