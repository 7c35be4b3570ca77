"""The composition root: every service is made here, by keyword, and nowhere else; who reacts to what is in SUBSCRIBERS."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from config import clock
from config.database import Database
from config.identifiers import new_id
from config.migrate import require_current
from config.settings import Settings
from crm_bridge import idempotency
from crm_bridge.cases.facts import case_facts
from crm_bridge.cases.holds import held_by_case
from crm_bridge.clocks.jobs import clock_jobs
from crm_bridge.connectors.services import ConnectorServices
from crm_bridge.drain import Drain
from crm_bridge.floor import agent_states
from crm_bridge.gate_services import gate_jobs, the_gate
from crm_bridge.inbound import call_backs
from crm_bridge.inbound.services import InboundServices, inbound_services
from crm_bridge.live import LiveStream
from crm_bridge.live_calls import LiveCalls
from crm_bridge.no_way_round import alarm_no_ticket
from crm_bridge.notes.jobs import note_jobs
from crm_bridge.notes.notes import draft_note
from crm_bridge.outbox.services import OutboxServices
from crm_bridge.pbxs.desk import PbxDesk
from crm_bridge.pbxs.services import TrunkServices, alarm_trunk, trunk_services
from crm_bridge.system_state import SystemState
from crm_bridge.typed_numbers import PhoneBook
from crm_bridge.web import call_controls, calls, compat, events, health, keys, middleware, number_clicks, pbxs
from crm_bridge.web import evidence as evidence_routes
from crm_bridge.web import listening as listening_routes
from crm_bridge.web import recordings as recording_routes
from crm_bridge.web import retention as retention_routes
from crm_bridge.web import retrievals as retrieval_routes
from crm_bridge.web.api import Api
from crm_bridge.web.dispatch import register
from crm_bridge.web.pages import setup_pages
from crm_bridge.web.resources import DESK
from crm_bridge.workers import JournalReader, Reaction, Tick, Ticker, Workers
from recordings.archive import Archive
from recordings.bundle import Bundles
from recordings.checkpoints import Signer
from recordings.completeness import expect_recordings
from recordings.configured import archive_of
from recordings.deletion import Deletion
from recordings.evidence_log import EvidenceLog
from recordings.health import RecorderHealth
from recordings.holds import complaint_closed, hold_for_complaint, hold_other_case
from recordings.intake import Intake
from recordings.locks import extend_locks
from recordings.remote_spool import spool_of
from recordings.replay import Replay
from recordings.retention_classes import classify, recompute
from recordings.self_test import SelfTest
from recordings.sweep import Sweep
from telephony.calls.straddling import mark_straddled, mark_straddling
from telephony.dialling.decisions import Decider
from telephony.dialling.dialer import Dialer
from telephony.dialling.gathering import Gathering
from telephony.dialling.recounts import recount_after_call
from telephony.gate.fastagi import FastAgiServer
from telephony.inbound.arrivals import asked
from telephony.pbx import Pbx
from telephony.upkeep import Upkeep

SUBSCRIBERS: Mapping[str, Sequence[Reaction]] = {
    "call.ended": (expect_recordings, draft_note, recount_after_call, mark_straddled, call_backs.follow_call),
    "call.violation": (alarm_no_ticket,),
    "trunk.state": (alarm_trunk,),
    "recording.ready": (classify,),
    "complaint.opened": (hold_for_complaint,),
    "case.suspended": (hold_other_case,),
    "complaint.closed": (complaint_closed,),
}
"""What follows from what happened: each reaction writes in the transaction that moves the reader on, exactly once."""


APIS: tuple[Api, ...] = (
    *DESK,
    calls.api,
    number_clicks.api,
    compat.api,
    call_controls.api,
    listening_routes.api,
    events.api,
    health.api,
    pbxs.api,
    recording_routes.api,
    evidence_routes.api,
    retention_routes.api,
    retrieval_routes.api,
)
"""Every resource of the HTTP API."""


@dataclass(frozen=True, slots=True)
class RecordingServices:
    """What takes recordings in, keeps them, proves them and plays them."""

    archive: Archive
    health: RecorderHealth
    self_test: SelfTest
    intake: Intake
    sweep: Sweep
    deletion: Deletion
    evidence: EvidenceLog
    replay: Replay
    bundles: Bundles


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that lives as long as the process."""

    settings: Settings
    database: Database
    pbxs: Mapping[str, Pbx]
    upkeeps: Mapping[str, Upkeep]
    gate: FastAgiServer
    live: LiveStream
    workers: Workers
    decider: Decider
    dialer: Dialer
    live_calls: LiveCalls
    recording: RecordingServices
    state: SystemState
    drain: Drain
    inbound: InboundServices
    trunks: TrunkServices
    outbox: OutboxServices
    crms: ConnectorServices


def _recording(settings: Settings, database: Database, pbxs: Mapping[str, Pbx]) -> RecordingServices:
    spools = {pbx.name: spool_of(pbx) for pbx in settings.pbx}
    archive = archive_of(settings)
    folder = settings.keys.master.parent
    cache = folder / "replay-cache"
    evidence = EvidenceLog(database=database, signer=Signer(settings.keys.signing), folder=settings.archive.checkpoints)
    replay = Replay(database=database, archive=archive, cache=cache)
    return RecordingServices(
        archive=archive,
        health=RecorderHealth(database=database, archive=archive, spools=spools),
        self_test=SelfTest(
            database=database,
            archive=archive,
            pbxs=pbxs,
            times=settings.recorder.self_test_times,
            zone=settings.policy.zone,
            stops_calls=settings.recorder.self_test_stops_calls,
        ),
        intake=Intake(database=database, archive=archive, spools=spools),
        sweep=Sweep(database=database, archive=archive, spools=spools),
        deletion=Deletion(database=database, archive=archive, cache=cache, held_by_case=held_by_case),
        evidence=evidence,
        replay=replay,
        bundles=Bundles(database=database, archive=archive, replay=replay, evidence=evidence, work=folder / "bundles"),
    )


def _gathering(settings: Settings, upkeeps: Mapping[str, Upkeep], recording: RecordingServices) -> Gathering:
    def recorder_healthy() -> bool:
        proven = all(upkeep.records(clock.now()) for upkeep in upkeeps.values())
        return recording.health.is_healthy() and proven and not recording.self_test.problems()

    def clock_skew() -> float:
        return max((upkeep.clock_seconds_apart or 0.0 for upkeep in upkeeps.values()), key=abs, default=0.0)

    return Gathering(
        case_facts=case_facts, defaults=settings.policy, recorder_healthy=recorder_healthy, clock_skew=clock_skew
    )


def _jobs(
    settings: Settings,
    database: Database,
    upkeeps: Mapping[str, Upkeep],
    recording: RecordingServices,
    inbound: InboundServices,
) -> list[JournalReader | Ticker]:
    """All background work of the process."""
    now = clock.now
    states = agent_states.reactions(settings.desk.wrap_up_seconds, now)
    return [
        JournalReader(name="reactions", database=database, subscribers=inbound.before(SUBSCRIBERS)),
        *inbound.jobs,
        JournalReader(name="agent states", database=database, subscribers=states),
        Ticker(name="intake", tick=lambda: recording.intake.run_due(now()), seconds=1),
        Ticker(name="spool sweep", tick=lambda: recording.sweep.run(now()), seconds=30),
        Ticker(name="recorder health", tick=lambda: recording.health.look(now()), seconds=5),
        *(Ticker(name=f"upkeep {name}", tick=_look(upkeep), seconds=1) for name, upkeep in upkeeps.items()),
        Ticker(name="straddling", tick=lambda: mark_straddling(database, now()), seconds=10),
        Ticker(name="self-test", tick=lambda: recording.self_test.tick(now()), seconds=5),
        *clock_jobs(settings, database),
        *note_jobs(settings, database),
        Ticker(name="retention dates", tick=lambda: recompute(database), seconds=15),
        Ticker(name="retention", tick=lambda: recording.deletion.run_by_itself(now()), seconds=86_400),
        Ticker(name="locks", tick=lambda: extend_locks(database, recording.archive), seconds=600),
        Ticker(name="evidence log", tick=lambda: recording.evidence.seal(now()), seconds=0.5),
        Ticker(name="wrap-ups", tick=lambda: agent_states.end_wrap_ups(database, now()), seconds=1),
        Ticker(name="old keys", tick=lambda: _forget_keys(database), seconds=3600),
    ]


def build(settings: Settings) -> Services:
    """Make every service; nothing is opened or started yet."""
    database = Database(settings.database.url)
    process = new_id(clock.now())
    who_has = PhoneBook(settings.pbx[0].name if settings.pbx else "").who_has
    pbxs = {pbx.name: Pbx(settings=pbx, database=database, process=process, who_has=who_has) for pbx in settings.pbx}
    upkeeps = {name: Upkeep(pbx=pbx, database=database) for name, pbx in pbxs.items()}
    recording = _recording(settings, database, pbxs)
    inbound = inbound_services(settings, database, pbxs)
    trunks = trunk_services(settings, database, pbxs, process)
    decider = Decider(gathering=_gathering(settings, upkeeps, recording))
    gate = the_gate(settings, database, decider)
    listener = FastAgiServer(host=settings.gate.host, port=settings.gate.port, handler=asked(gate, inbound.handler))
    drain = Drain()
    crms = ConnectorServices.made(settings, database)
    outbox = OutboxServices.made(settings, database, crms.openers)
    live_calls = LiveCalls.made(settings, database, pbxs, decider)
    return Services(
        settings=settings,
        database=database,
        pbxs=pbxs,
        upkeeps=upkeeps,
        gate=listener,
        live=LiveStream(database=database),
        workers=Workers(
            [
                *_jobs(settings, database, upkeeps, recording, inbound),
                *gate_jobs(settings, database, pbxs, decider),
                *trunks.jobs,
                _pauses_end(live_calls),
                _listeners_leave(live_calls),
                *outbox.jobs,
                *crms.jobs,
            ],
        ),
        decider=decider,
        dialer=Dialer(
            database=database, decider=decider, pbxs=pbxs, agent_ring_seconds=settings.dialing.agent_ring_seconds
        ),
        live_calls=live_calls,
        recording=recording,
        state=SystemState(
            database=database,
            gate=listener,
            pbxs=pbxs,
            upkeeps=upkeeps,
            recorder=recording.health,
            self_test=recording.self_test,
            drain=drain,
        ),
        drain=drain,
        inbound=inbound,
        trunks=trunks,
        outbox=outbox,
        crms=crms,
    )


def _pauses_end(live_calls: LiveCalls) -> Ticker:
    return Ticker(name="pauses", tick=lambda: live_calls.pauses.resume_due(clock.now()), seconds=1)


def _listeners_leave(live_calls: LiveCalls) -> Ticker:
    return Ticker(name="listeners", tick=lambda: live_calls.listening.look(clock.now()), seconds=1)


def _look(upkeep: Upkeep) -> Tick:
    return lambda: upkeep.look(clock.now())


async def _forget_keys(database: Database) -> None:
    async with database.write() as transaction:
        await idempotency.forget_old(transaction, clock.now())


def make_app(services: Services) -> web.Application:
    """The HTTP application around the services."""
    app = web.Application()
    middleware.install(app)
    app[keys.SETTINGS] = services.settings
    app[keys.DATABASE] = services.database
    app[keys.DECIDER] = services.decider
    app[keys.DIALER] = services.dialer
    app[keys.CONTROLS] = services.live_calls.controls
    app[keys.TRANSFERS] = services.live_calls.transfers
    app[keys.PAUSES] = services.live_calls.pauses
    app[keys.LISTENING] = services.live_calls.listening
    app[keys.LIVE] = services.live
    app[keys.PBXS] = services.pbxs
    app[keys.UPKEEPS] = services.upkeeps
    app[keys.PBX_DESK] = PbxDesk(services.settings, services.database, services.pbxs, services.upkeeps)
    app[keys.TRUNK_DESK] = services.trunks.desk
    app[keys.STATE] = services.state
    app[keys.REPLAY] = services.recording.replay
    app[keys.BUNDLES] = services.recording.bundles
    app[keys.DELETION] = services.recording.deletion
    app[keys.DRAIN] = services.drain
    app[keys.INBOUND_DESK] = services.inbound.desk
    app[keys.WEBHOOKS] = services.outbox.webhooks
    app[keys.CONNECTORS] = services.crms.connectors
    register(app, APIS)
    setup_pages(app)
    app.cleanup_ctx.append(lambda _: _running(services))
    app.on_shutdown.append(lambda _: services.live.close())
    return app


async def _running(services: Services) -> AsyncIterator[None]:
    """Start from the ground up, end from the top down. Live calls go on at the PBX and are taken up at the next start."""
    services.database.claim_for_this_process()
    await require_current(services.database)
    await services.recording.health.look(clock.now())
    await services.live.start()
    await services.gate.start()
    for pbx in services.pbxs.values():
        await pbx.start()
    services.workers.start()
    yield
    await services.workers.close()
    await services.outbox.close()
    await services.crms.close()
    await services.gate.close()
    for pbx in services.pbxs.values():
        await pbx.close()
    await services.live.close()
    await services.database.close()
