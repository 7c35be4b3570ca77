"""The backlog as figures for a monitor: by destination, without any personal data."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.outbox import desk, registry


async def backlog_gauges(connection: AsyncConnection, into: CollectorRegistry, now: datetime) -> None:
    """What waits, what was given up, how old the oldest that waits is, and whether the destination is on."""
    by = ["destination", "kind"]
    waiting = Gauge("ringfence_outbox_waiting", "Items to be told", by, registry=into)
    dead = Gauge("ringfence_outbox_dead", "Items given up", by, registry=into)
    oldest = Gauge("ringfence_outbox_oldest_seconds", "Age of the oldest item to be told", by, registry=into)
    on = Gauge("ringfence_outbox_destination_on", "0: switched off, or disabled by the service", by, registry=into)
    counted = await desk.backlog(connection)
    for row in await registry.listing(connection):
        about = counted.get(row.id, {"waiting": 0, "dead": 0, "oldest_waiting": None})
        since = about["oldest_waiting"]
        waiting.labels(row.id, row.kind).set(about["waiting"])
        dead.labels(row.id, row.kind).set(about["dead"])
        oldest.labels(row.id, row.kind).set(max((now - since).total_seconds(), 0) if since else 0)
        on.labels(row.id, row.kind).set(row.state == "on")
