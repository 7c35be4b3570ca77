"""How each trunk does: whether its carrier answers and knows us, how many calls were answered, how many found no way.

The holder of the PBX's lease looks every few seconds and writes it down, so every process shows the same; a change of state
is journalled as `trunk.state`, once it has been seen twice (a reload flickers).
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.journal import Entry
from telephony.ami import AnswerUnknown, LinkState, PbxUnavailable
from telephony.pbx import Pbx
from telephony.pbx_setup.probe import PbxConfigFailed
from telephony.tables import legs, trunks
from telephony.trunking import records
from telephony.trunking.seen import REACHABLE, REGISTERED, REJECTED, UNREACHABLE, Sighting, look, registrations
from telephony.trunking.tables import trunk_failures, trunk_health

log = structlog.get_logger(__name__)

State = Literal["up", "degraded", "down", "unknown"]
WINDOW = timedelta(minutes=15)
"""What the ratios are of."""
CONGESTED, FEW = 0.2, 5
"""From this share of calls that found no way on, a trunk is degraded, if there were so many calls at all."""
HARDLY_ANSWERED, ENOUGH = 0.05, 40
"""Below this share of answered calls a trunk is degraded, if there were so many: a carrier that lets nothing through."""
_WORSE = {"up": 0, "unknown": 1, "degraded": 2, "down": 3}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of the last 15 minutes: `tried` on the trunk, `answered`, and `failed` before anybody was alerted."""

    tried: int = 0
    answered: int = 0
    failed: int = 0

    @property
    def asr(self) -> float | None:
        """Answer-seizure ratio."""
        return round(self.answered / self.tried, 3) if self.tried else None

    @property
    def congestion(self) -> float | None:
        """Share of calls that found no way."""
        return round(self.failed / self.tried, 3) if self.tried else None


@dataclass(frozen=True, slots=True)
class Health:
    """`reason` is a code: why the trunk is not up."""

    state: State
    reason: str | None = None
    contact: str | None = None
    round_trip_ms: float | None = None
    registration: str | None = None
    traffic: Traffic = Traffic()

    def seen(self) -> dict[str, Any]:
        """As it is kept and shown, beside the state."""
        ratios = {"asr": self.traffic.asr, "congestion": self.traffic.congestion}
        told = {key: value for key, value in asdict(self).items() if key not in ("state", "traffic")}
        return {**told, **asdict(self.traffic), **ratios}


def assess(sighting: Sighting | None, traffic: Traffic) -> Health:
    """What the PBX said and what the calls say, in one word. None: the PBX is away."""
    if sighting is None:
        return Health("unknown", "pbx-away", traffic=traffic)
    if not sighting.there:
        return Health("down", "endpoint-missing", traffic=traffic)
    statuses = {contact.status for contact in sighting.contacts}
    best = next((status for status in (REACHABLE, UNREACHABLE) if status in statuses), next(iter(statuses), None))
    trips = [contact.round_trip_ms for contact in sighting.contacts if contact.round_trip_ms is not None]
    registration = sighting.registration.status if sighting.registration else None
    health = Health("up", None, best, min(trips, default=None), registration, traffic)
    if not sighting.contacts:
        return replace(health, state="down", reason="no-contact")
    if registration == REJECTED:
        return replace(health, state="down", reason="login-refused")
    if registration not in (None, REGISTERED):
        return replace(health, state="down", reason="not-registered")
    if statuses == {UNREACHABLE}:
        return replace(health, state="down", reason="no-answer")
    if traffic.tried >= FEW and (traffic.congestion or 0) >= CONGESTED:
        return replace(health, state="degraded", reason="congestion")
    if traffic.tried >= ENOUGH and (traffic.asr or 0) < HARDLY_ANSWERED:
        return replace(health, state="degraded", reason="hardly-answered")
    return health


async def traffic_of(connection: AsyncConnection, names: Collection[str], now: datetime) -> dict[str, Traffic]:
    """The calls on each trunk in the last 15 minutes; a way that failed without a leg counts as tried too."""
    since = now - WINDOW
    recent = (legs.c.trunk.in_(names), legs.c.created_at >= since, legs.c.role == "customer")
    counted = select(legs.c.trunk, func.count(), func.count(legs.c.answered_at)).where(*recent).group_by(legs.c.trunk)
    found = {name: (tried, answered) for name, tried, answered in await connection.execute(counted)}
    lost = select(trunk_failures.c.trunk, trunk_failures.c.call_id).where(
        trunk_failures.c.trunk.in_(names), trunk_failures.c.at >= since
    )
    failures = [(row.trunk, row.call_id) for row in await connection.execute(lost)]
    with_leg = select(legs.c.trunk, legs.c.call_id).where(legs.c.call_id.in_({call for _, call in failures}))
    known = {(row.trunk, row.call_id) for row in await connection.execute(with_leg)} if failures else set()
    result = {}
    for name in names:
        tried, answered = found.get(name, (0, 0))
        mine = [pair for pair in failures if pair[0] == name]
        result[name] = Traffic(tried + sum(pair not in known for pair in mine), answered, len(mine))
    return result


async def note_failure(transaction: Transaction, trunk: str, call_id: str, cause: int, now: datetime) -> None:
    """A call found no way by this trunk before anybody was alerted."""
    await transaction.execute(insert(trunk_failures).values(at=now, trunk=trunk, call_id=call_id, cause=cause))


async def known_health(connection: AsyncConnection, names: Collection[str]) -> dict[str, Row[Any]]:
    """The last word on each trunk, by name."""
    rows = await connection.execute(select(trunk_health).where(trunk_health.c.trunk.in_(names)))
    return {row.trunk: row for row in rows}


@dataclass
class HealthWatch:
    """Watches the trunks of one PBX; `look` is called every few seconds."""

    pbx: Pbx
    database: Database
    _doubted: dict[str, str] = field(default_factory=dict)  # a worse state seen once

    async def look(self, now: datetime) -> None:
        """Look at every trunk of the PBX, write down what was seen, tell what changed; end drains that are over."""
        if not self.pbx.lease.held:
            return
        async with self.database.read() as connection:
            rows = (await connection.execute(select(trunks).where(trunks.c.pbx == self.pbx.name))).all()
            names = [row.name for row in rows]
            before, traffic = await known_health(connection, names), await traffic_of(connection, names, now)
        if not rows:
            return
        sightings = await self._sightings(rows)
        found = {row.name: assess(sightings.get(row.name), traffic[row.name]) for row in rows}
        async with self.database.write() as transaction:
            for row in rows:
                await self._write(transaction, row, before.get(row.name), found[row.name], now)
            await records.finish_drains(transaction, self.pbx.name, now)
            await transaction.execute(delete(trunk_failures).where(trunk_failures.c.at < now - timedelta(days=1)))

    async def _sightings(self, rows: Collection[Row[Any]]) -> Mapping[str, Sighting]:
        link = self.pbx.link
        if link.state is not LinkState.UP:
            return {}
        try:
            known = await registrations(link)
            return {row.name: await look(link, row.endpoint, known) for row in rows}
        except (PbxUnavailable, AnswerUnknown, PbxConfigFailed) as error:
            log.warning("trunks.unseen", pbx=self.pbx.name, detail=error.detail)
            return {}

    async def _write(
        self, transaction: Transaction, trunk: Row[Any], was: Row[Any] | None, health: Health, now: datetime
    ) -> None:
        changed = was is None or was.state != health.state or was.seen.get("reason") != health.reason
        if was is not None and changed and _WORSE[health.state] > _WORSE[was.state]:
            doubt = f"{health.state}/{health.reason}"
            if self._doubted.get(trunk.name) != doubt:
                self._doubted[trunk.name] = doubt
                return
        self._doubted.pop(trunk.name, None)
        values: dict[str, Any] = {"state": health.state, "seen": health.seen(), "seen_at": now}
        if was is None or was.state != health.state:
            values["since"] = now
        if was is None:
            await transaction.insert_once(trunk_health, trunk=trunk.name, **values)
        else:
            mine = update(trunk_health).where(trunk_health.c.trunk == trunk.name)
            await transaction.execute(mine.values(**values))
        if changed and (was is not None or health.state != "up"):
            data = {"trunk": trunk.name, "pbx": trunk.pbx, "state": health.state, "was": was.state if was else None}
            data |= {"reason": health.reason, "enabled": trunk.enabled, **health.seen()}
            transaction.journal(Entry(now, "trunk.state", data=data))
