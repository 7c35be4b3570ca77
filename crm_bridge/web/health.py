"""Whether the service lives, whether it may be given calls, and the figures a monitor collects."""

from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from config import clock
from crm_bridge.operations.figures import add_figures
from crm_bridge.outbox.figures import backlog_gauges
from crm_bridge.web import keys
from crm_bridge.web.api import PUBLIC, Api, Media, Reply
from crm_bridge.web.trunk_figures import add_trunk_figures
from recordings.tables import incidents, recordings
from telephony.tables import calls

api = Api("health")


@api.operation("GET", "/healthz", roles=PUBLIC, answers={200: dict[str, str]}, summary="The process lives")
async def healthz(request: web.Request) -> dict[str, str]:
    """Says nothing about the PBX or the disk: see /readyz."""
    return {"status": "ok"}


@api.operation(
    "GET",
    "/readyz",
    roles=PUBLIC,
    answers={200: dict[str, Any], 503: dict[str, Any]},
    summary="Calls can be placed, recorded and kept now",
)
async def readyz(request: web.Request) -> Reply:
    """503 with what is missing, by component."""
    problems = await request.app[keys.STATE].problems(clock.now())
    return Reply({"ready": not problems, "problems": problems}, 503 if problems else 200)


@api.operation(
    "GET", "/metrics", roles=PUBLIC, answers={200: Media(CONTENT_TYPE_LATEST)}, summary="Figures for Prometheus"
)
async def metrics(request: web.Request) -> web.Response:
    """Gauges read from the books at the moment of asking; no personal data."""
    registry = CollectorRegistry()
    link = Gauge("ringfence_pbx_up", "1 when calls can be placed on the PBX", ["pbx"], registry=registry)
    watched = Gauge("ringfence_trunks_watched", "Trunks on which no leg leaves unasked", ["pbx"], registry=registry)
    lease = Gauge("ringfence_pbx_lease_held", "1 when this process keeps the PBX's books", ["pbx"], registry=registry)
    for name, pbx in request.app[keys.PBXS].items():
        link.labels(name).set(pbx.ready)
        lease.labels(name).set(pbx.lease.held)
        watched.labels(name).set(len(pbx.watched_trunks))
    apart = Gauge("ringfence_pbx_clock_seconds", "How far the PBX's clock is from ours", ["pbx"], registry=registry)
    for name, upkeep in request.app[keys.UPKEEPS].items():
        if upkeep.clock_seconds_apart is not None:
            apart.labels(name).set(upkeep.clock_seconds_apart)
    well = Gauge("ringfence_component_ok", "1 when nothing is wrong with it", ["component"], registry=registry)
    components = await request.app[keys.STATE].components(clock.now())
    for component, problem in components.items():
        well.labels(component).set(not problem)
    if components["database"]:
        return _rendered(registry)
    counts = {
        ("ringfence_calls_open", "Calls that have not ended"): select(func.count())
        .select_from(calls)
        .where(calls.c.ended_at.is_(None)),
        ("ringfence_calls_without_ticket", "Legs that left past the gate, ever"): select(func.count())
        .select_from(calls)
        .where(calls.c.origin == "stray"),
        ("ringfence_recordings_waiting", "Recordings not yet archived"): select(func.count())
        .select_from(recordings)
        .where(recordings.c.due_at.is_not(None)),
        ("ringfence_incidents_open", "Incidents nobody has closed"): select(func.count())
        .select_from(incidents)
        .where(incidents.c.closed_at.is_(None)),
    }
    async with request.app[keys.DATABASE].read() as connection:
        for (name, text), statement in counts.items():
            Gauge(name, text, registry=registry).set(await connection.scalar(statement) or 0)
        await add_trunk_figures(registry, connection, clock.now())
        await backlog_gauges(connection, registry, clock.now())
        await add_figures(registry, connection, clock.now())
    return _rendered(registry)


def _rendered(registry: CollectorRegistry) -> web.Response:
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
