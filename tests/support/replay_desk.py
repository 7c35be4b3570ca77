"""The replay desk on the real service without a telephone: archived calls made of tones, people, and the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import insert

from config import clock
from config.database import Database
from config.journal import Entry
from config.settings import Settings
from crm_bridge.cases.holds import held_by_case
from crm_bridge.live import LiveStream
from crm_bridge.people import users
from crm_bridge.people.users import NewUser
from crm_bridge.tables import cases, parties
from crm_bridge.web import dispatch, events, keys, middleware
from crm_bridge.web import recordings as recording_routes
from crm_bridge.web import retention as retention_routes
from crm_bridge.web import retrievals as retrieval_routes
from crm_bridge.web.pages import setup_pages
from crm_bridge.web.resources import DESK
from recordings import holds
from recordings.bundle import Bundles
from recordings.checkpoints import Signer
from recordings.deletion import Deletion
from recordings.evidence_log import EvidenceLog
from recordings.replay import Replay
from recordings.retention_classes import recompute
from tests.support.databases import create_tables
from tests.support.spooled import START, Recorder, Samples, SpooledCall, silence, stereo

PASSWORD = "correct horse battery"
PEOPLE = (("chen.qa", "qa", "en"), ("zhou", "supervisor", "en"), ("root", "admin", "en"), ("liu.qa", "qa", "zh"))
NAMES = {"p1": "王伟", "p2": "Reyhangul Tursun", "p3": "欧阳若曦"}


class ReplayDesk:
    """What a test sees behind the page: the recorder, and the calls by the name of their party."""

    def __init__(self, recorder: Recorder, origin: str) -> None:
        self.recorder = recorder
        self.origin = origin
        self.calls: dict[str, SpooledCall] = {}


def talk(seconds: float, seed: int, pauses: tuple[tuple[float, float], ...] = (), level: float = 0.25) -> Samples:
    """Something like speech: bursts of noise, silent in `pauses`."""
    at = np.arange(round(seconds * 8_000)) / 8_000
    random = np.random.default_rng(seed)
    wave = random.normal(0, level / 3, len(at)) * np.clip(np.sin(at * 2 + seed) + np.sin(at * 5.3), 0, 1)
    for start, end in pauses:
        wave[int(start * 8_000) : int(end * 8_000)] = 0
    return np.asarray(wave.clip(-1, 1) * 32767).astype("<i2")


@asynccontextmanager
async def replay_desk(folder: Path) -> AsyncIterator[ReplayDesk]:
    """A served desk with three calls: one to listen to, one with a doubt, one whose recording is missing."""
    url = f"sqlite+aiosqlite:///{folder / 'desk.db'}"
    await create_tables(url)
    database = Database(url)
    recorder = Recorder(database, folder)
    app = web.Application()
    app[keys.DATABASE], app[keys.SETTINGS] = database, Settings()
    app[keys.REPLAY] = Replay(database=database, archive=recorder.archive, cache=folder / "cache")
    app[keys.DELETION] = Deletion(
        database=database, archive=recorder.archive, cache=folder / "cache", held_by_case=held_by_case
    )
    middleware.install(app)
    evidence = EvidenceLog(database=database, signer=Signer(folder / "signing.pem"), folder=None)
    app[keys.BUNDLES] = Bundles(
        database=database, archive=recorder.archive, replay=app[keys.REPLAY], evidence=evidence, work=folder / "bundles"
    )
    app[keys.LIVE] = LiveStream(database)
    dispatch.register(app, (*DESK, recording_routes.api, retention_routes.api, retrieval_routes.api, events.api))
    setup_pages(app)
    server = TestServer(app)
    await app[keys.LIVE].start()
    await server.start_server()
    try:
        desk = ReplayDesk(recorder, f"http://127.0.0.1:{server.port}")
        await _furnish(desk)
        yield desk
    finally:
        await app[keys.LIVE].close()
        await server.close()
        await database.close()


async def _furnish(desk: ReplayDesk) -> None:
    recorder = desk.recorder
    async with recorder.database.write() as transaction:
        for name, role, language in PEOPLE:
            new = NewUser.model_validate({"name": name, "role": role, "language": language, "password": PASSWORD})
            await users.add_user(transaction, new, actor="tests", now=clock.now())
        for party_id, name in NAMES.items():
            flags = {"locations": [], "agreements": [], "inconvenient": [], "flags": {}}
            no = dict.fromkeys(("attorney", "deceased", "minor"), False)
            await transaction.execute(insert(parties).values(id=party_id, name=name, **flags, **no))
        for number in (1, 2, 3):
            case = {
                "id": f"HX-2026-00{number}", "client": "华信银行", "state": "open", "upserted_state": "open", "debts": [],
                "debtor_reachable": True, "failed_contacts": 0, "dispute": False, "fraud_statement": False,
                "created_at": START, "updated_at": START,
            }  # fmt: skip
            await transaction.execute(insert(cases).values(**case))
    pauses = ((20.0, 28.0), (60.0, 75.0))
    for number, (party_id, name) in enumerate(NAMES.items(), 1):
        call = await recorder.call(
            agent=(0, 1, 121), customer=(2, 5, 121), party_id=party_id, case_id=f"HX-2026-00{number}", client="华信银行",
            outcome="conversation",
        )  # fmt: skip
        desk.calls[name] = call
        if number == 3:
            continue
        ours, theirs = talk(120, number, pauses), talk(116, number + 7, tuple((a - 4, b - 4) for a, b in pauses))
        recorder.leave(call.file("agent"), stereo(ours, np.concatenate((silence(4), theirs))))
        recorder.leave(call.file("customer"), stereo(theirs if number == 1 else silence(116), ours[4 * 8_000 :]))
    await recorder.run(of=START + timedelta(seconds=121), after=61)
    while await recompute(recorder.database):
        pass
    await _tell(desk)


async def _tell(desk: ReplayDesk) -> None:
    """One call was on hold for a while, and a matter holds another's case."""
    async with desk.recorder.database.write() as transaction:
        for seconds, state in ((90, "held"), (100, "connected")):
            at = START + timedelta(seconds=seconds)
            call_id = desk.calls["王伟"].id
            transaction.journal(Entry(at, "call.state", call_id=call_id, data={"call": {"state": state}}))
        await holds.open_hold(
            transaction, matter="(2026) 沪0115民初42号", kind="litigation", reason="filed", case_ids=["HX-2026-002"],
            actor="zhou", now=START,
        )  # fmt: skip
