"""The PBXs as an admin looks after them: how each is, what is wrong, what applying would change, and applying it.

The same functions as the commands `ringfence pbx plan|apply|check`, over the links that the service has anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from config import clock
from config.database import Database
from config.errors import Conflict, Fault, NotFound
from config.journal import Entry
from config.settings import Settings
from crm_bridge.inbound.check import inbound_elsewhere
from crm_bridge.pbxs.trunks import apply_with_trunks, plan_with_trunks, trunks_of
from telephony.ami import LinkState
from telephony.ari import stored_recordings
from telephony.pbx import Pbx
from telephony.pbx_setup import check as pbx_check
from telephony.pbx_setup import plan as pbx_config
from telephony.pbx_setup.dialplan import DESK, INBOUND, dialplan_settings
from telephony.pbx_setup.endpoints import read_endpoints
from telephony.trunking.trunks import endpoints_of
from telephony.upkeep import Upkeep


@dataclass
class Look:
    """A check that runs or has run: how far it is, and what it found once it has ended."""

    started_at: datetime
    look: str
    of: int
    done: int = 0
    finished_at: datetime | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    failed: str | None = None


@dataclass
class PbxDesk:
    """Looks after every PBX of the settings. What the last check of this process found is kept until it ends."""

    settings: Settings
    database: Database
    pbxs: Mapping[str, Pbx]
    upkeeps: Mapping[str, Upkeep]
    _looks: dict[str, Look] = field(default_factory=dict)
    _at_work: dict[str, str] = field(default_factory=dict)

    async def list_all(self) -> list[dict[str, Any]]:
        """Every PBX as it is now, by the order of the settings."""
        return [await self.show(name) for name in self.pbxs]

    async def show(self, name: str) -> dict[str, Any]:
        """One PBX: link, version, clock, spool, trunks, and the last check. Raises NotFound. Asks the PBX nothing."""
        pbx, upkeep, now = self._pbx(name), self.upkeeps[name], clock.now()
        status = pbx.link.status
        async with self.database.read() as connection:
            trunks = await endpoints_of(connection, name)
        look = self._looks.get(name)
        return {
            "name": name,
            "address": f"{pbx.settings.host}:{pbx.settings.port}",
            "link": {"state": status.state, "reason": status.reason, "since": status.since},
            "round_trip_ms": None if status.round_trip_s is None else round(status.round_trip_s * 1000, 1),
            "asterisk_version": status.asterisk_version or None,
            "ready": pbx.ready,
            "keeps_books": pbx.lease.held,
            "clock_seconds_apart": upkeep.clock_seconds_apart,
            "spool": {
                "pbx": pbx.settings.spool_pbx,
                "works": upkeep.records(now),
                "problem": upkeep.recording_problem or None,
            },
            "gate": self._gate(look),
            "trunks": trunks,
            "at_work": self._at_work.get(name),
            "check": None if look is None else asdict(look),
        }

    def _gate(self, look: Look | None) -> dict[str, Any]:
        """Whether the PBX reached the gate is known from the last check only."""
        known = look is not None and look.finished_at is not None and look.failed is None
        codes = {finding["code"] for finding in look.findings} if look else set()
        untried = {"context-missing", "ami-class-missing", "ami-events-missing"} & codes
        reached = "gate-unreachable" not in codes if known and not untried else None
        return {"address": self.settings.gate.advertise, "reached": reached}

    async def phones(self, name: str) -> dict[str, Any]:
        """The phones and trunks the PBX has now, with context and state. Raises NotFound, PbxUnavailable."""
        pbx = self._pbx(name)
        await pbx.link.connected()
        found: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for one in await read_endpoints(pbx.link):
            ours = one.context == (DESK if one.is_phone else INBOUND)
            found[one.is_phone].append({"name": one.name, "context": one.context, "ours": ours, "state": one.state})
        return {"items": found[True], "trunks": found[False]}

    async def check(self, name: str) -> dict[str, Any]:
        """Look at everything; the finished check. Raises Conflict while another look or an apply is at work there."""
        pbx = self._pbx(name)
        with self._alone(name, "check"):
            look = self._looks[name] = Look(clock.now(), pbx_check.LOOKS[0], len(pbx_check.LOOKS))

            def heard(which: str, done: int) -> None:
                look.look, look.done = which, done

            try:
                async with self.database.read() as connection:
                    trunks = await endpoints_of(connection, name)
                found = await pbx_check.check(
                    pbx.link,
                    dialplan_settings(self.settings, name),
                    spool_local=pbx.settings.spool_local,
                    trunks=trunks,
                    stored=stored_recordings(pbx.settings),
                    progress=heard,
                )
                found += await inbound_elsewhere(self.database, pbx.link, trunks)
                look.findings = [asdict(finding) for finding in found]
                look.done = look.of
            except Fault as fault:
                look.failed = fault.detail
                raise
            finally:
                look.finished_at = clock.now()
        return asdict(look)

    async def plan(self, name: str, phones: Sequence[str], inbound: Sequence[str]) -> dict[str, Any]:
        """What applying would change. Raises NotFound, Invalid, PbxUnavailable, PbxConfigFailed."""
        pbx = self._pbx(name)
        ours = dialplan_settings(self.settings, name)
        found = await pbx_config.plan(pbx.link, ours, phones=phones, inbound=inbound)
        trunks = await trunks_of(self.settings, self.database, name)
        return _plan_document(await plan_with_trunks(found, pbx.link, trunks))

    async def apply(
        self, name: str, phones: Sequence[str], inbound: Sequence[str], *, reason: str, actor: str
    ) -> dict[str, Any]:
        """Carry the plan out; it is journalled with the reason, done or failed. Raises as `plan`, and PbxConfigRefused."""
        pbx = self._pbx(name)
        asked = {"pbx": name, "reason": reason, "phones": [*phones], "inbound": [*inbound]}
        ours = dialplan_settings(self.settings, name)
        with self._alone(name, "apply"):
            try:
                done = await pbx_config.apply(pbx.link, ours, phones=phones, inbound=inbound)
                trunks = await trunks_of(self.settings, self.database, name)
                done = await apply_with_trunks(done, pbx.link, trunks, self.database)
            except Fault as fault:
                await self._journal(actor, asked | {"failed": fault.detail})
                raise
            await self._journal(actor, asked | {"changed": [change.where for change in done.changes]})
        if pbx.link.state is LinkState.UP:
            await self.upkeeps[name].tell_emergency_trunks()
        return _plan_document(done)

    async def _journal(self, actor: str, data: dict[str, Any]) -> None:
        async with self.database.write() as transaction:
            transaction.journal(Entry(clock.now(), "pbx.applied", actor, data=data))

    def _pbx(self, name: str) -> Pbx:
        if name not in self.pbxs:
            raise NotFound(f"no [[pbx]] of the settings is named {name}")
        return self.pbxs[name]

    @contextmanager
    def _alone(self, name: str, work: str) -> Iterator[None]:
        if name in self._at_work:
            raise Conflict(f"PBX {name}: {self._at_work[name]} is at work; try again when it has ended")
        self._at_work[name] = work
        try:
            yield
        finally:
            del self._at_work[name]


def _plan_document(found: pbx_config.Plan) -> dict[str, Any]:
    return {
        "pbx": found.pbx,
        "nothing_to_do": found.nothing_to_do,
        "changes": [{"where": change.where, "lines": list(change.lines)} for change in found.changes],
        "other_phones": dict(found.other_phones),
        "other_trunks": dict(found.other_trunks),
        "notes": list(found.notes),
    }
