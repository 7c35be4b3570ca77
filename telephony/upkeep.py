"""What a PBX needs looked after while the service runs: its books, the emergency trunks it was told, its spool, its clock."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from config.database import Database
from telephony.ami import AnswerUnknown, LinkState, PbxUnavailable
from telephony.ari import stored_recordings
from telephony.pbx import Pbx
from telephony.pbx_clock import clock_difference
from telephony.pbx_setup.dialplan import FAMILY
from telephony.pbx_setup.probe import PbxConfigFailed
from telephony.pbx_setup.spool_probe import probe_spool
from telephony.trunking.trunks import endpoints_of

log = structlog.get_logger(__name__)

AFRESH = timedelta(seconds=30)
"""How often all open calls are held against what the PBX knows, and its markers read and cleared."""
DOUBT = timedelta(seconds=15)
"""An open call that the PBX has not spoken of for so long is settled at once."""
PROVE_SPOOL = timedelta(seconds=60)
PROVE_AGAIN = timedelta(seconds=5)
STALE = timedelta(seconds=150)
"""A proof of the spool older than this counts no more."""


@dataclass
class Upkeep:
    """Looks after one PBX; `look` is called every second or two. What it found is read by policy, /readyz and /metrics."""

    pbx: Pbx
    database: Database
    clock_seconds_apart: float | None = None
    recording_problem: str = ""
    """What the last test recording found, empty when it found nothing or there was none yet."""
    _tried_at: datetime | None = None
    _proved_at: datetime | None = None
    _told: list[str] | None = field(default=None)

    async def look(self, now: datetime) -> None:
        """Do what is due. Raises nothing that the next look would not meet again."""
        try:
            await self.pbx.keep_books(now, afresh_after=AFRESH, doubt_after=DOUBT)
            if self.pbx.link.state is not LinkState.UP:
                self._told = self._tried_at = None
                return
            await self.tell_emergency_trunks()
            if self._tried_at is None or now - self._tried_at >= self._pause():
                await self._prove(now)
        except (PbxUnavailable, AnswerUnknown) as error:
            log.warning("upkeep.interrupted", pbx=self.pbx.name, detail=error.detail)

    def records(self, now: datetime) -> bool:
        """Whether a leg recorded now would arrive in our spool, by a proof that is not stale."""
        return not self.recording_problem and self._proved_at is not None and now - self._proved_at < STALE

    def is_untried(self, now: datetime) -> bool:
        """Whether calls could be placed but for a test recording, which is about to be made: nothing is known to be wrong."""
        return self.pbx.ready and not self.recording_problem and not self.records(now)

    def _pause(self) -> timedelta:
        return PROVE_AGAIN if self.recording_problem else PROVE_SPOOL

    async def tell_emergency_trunks(self) -> None:
        """Write down at the PBX which endpoints carry emergency calls, so that they pass with the service down.

        A PBX that is away is told when it is back.
        """
        async with self.database.read() as connection:
            endpoints = await endpoints_of(connection, self.pbx.name)
        if endpoints == self._told or self.pbx.link.state is not LinkState.UP:
            return
        try:
            fields = {"Family": FAMILY, "Key": "emergency-trunks", "Val": ",".join(endpoints)}
            await self.pbx.link.send("DBPut", fields)
            self._told = endpoints
        except (PbxUnavailable, AnswerUnknown) as error:
            log.warning("upkeep.emergency_trunks_untold", pbx=self.pbx.name, detail=error.detail)

    async def _prove(self, now: datetime) -> None:
        self.clock_seconds_apart = await clock_difference(self.pbx.link)
        settings = self.pbx.settings
        try:
            problem = await probe_spool(
                self.pbx.link, settings.spool_pbx, settings.spool_local, stored_recordings(settings)
            )
        except PbxConfigFailed as failed:
            self.recording_problem = failed.detail
        else:
            self.recording_problem = f"{problem.message} {problem.mend}" if problem else ""
        self._tried_at = now
        self._proved_at = now if not self.recording_problem else self._proved_at
