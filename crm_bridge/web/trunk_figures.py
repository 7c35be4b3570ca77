"""What a monitor collects about trunks."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.tables import trunks
from telephony.trunking.choosing import live_calls
from telephony.trunking.health import known_health, traffic_of
from telephony.trunking.records import state_of

STATES = ("up", "degraded", "down", "unknown")


async def add_trunk_figures(registry: CollectorRegistry, connection: AsyncConnection, now: datetime) -> None:
    """Health, load and ratios of every trunk, by PBX and name."""
    rows = (await connection.execute(select(trunks).order_by(trunks.c.name))).all()
    names = [row.name for row in rows]
    live, known = await live_calls(connection, names), await known_health(connection, names)
    traffic = await traffic_of(connection, names, now)
    labels = ["pbx", "trunk"]

    def gauge(name: str, text: str, *more: str) -> Gauge:
        return Gauge(f"ringfence_trunk_{name}", text, [*labels, *more], registry=registry)

    health = gauge("health", "1 for the state the trunk is in: up, degraded, down, unknown", "state")
    active = gauge("active", "1 when new calls may leave by the trunk")
    calls = gauge("calls", "Calls on the trunk now")
    capacity = gauge("capacity", "Calls it takes at once; 0: not known")
    tried = gauge("tried", "Calls tried on the trunk in the last 15 minutes")
    answered = gauge("answered", "Calls answered on the trunk, of those")
    failed = gauge("failed", "Calls that found no way by the trunk, of those")
    for row in rows:
        mine, its = (row.pbx, row.name), traffic[row.name]
        state = known[row.name].state if row.name in known else "unknown"
        for one in STATES:
            health.labels(*mine, one).set(state == one)
        active.labels(*mine).set(state_of(row) == "active")
        calls.labels(*mine).set(live.get(row.name, 0))
        capacity.labels(*mine).set(row.capacity)
        tried.labels(*mine).set(its.tried)
        answered.labels(*mine).set(its.answered)
        failed.labels(*mine).set(its.failed)
