"""A short run of the chaos harness with a fixed seed, and proof that it notices wrong books."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.chaos.audit_calls import audit_calls
from tests.chaos.audit_evidence import audit_evidence
from tests.chaos.books import Finding, read_books
from tests.chaos.campaign import run
from tests.chaos.moments import Scene
from tests.chaos.rounds import deck, play
from tests.chaos.stage import Stage, open_stage
from tests.chaos.wire import Wire

SEED = 20
KINDS = ("kill_service", "hang_up_while_down", "kill_both", "cut_link", "swallow_reply", "drain_service")
TAMPERED = (
    ("UPDATE contacts SET outcome = 'reserved'", "contact"),
    ("DELETE FROM notes", "note"),
    ("UPDATE recordings SET stored_sha256 = ''", "object"),
    ("UPDATE recordings SET uniqueid = id", "file-lost"),
    ("UPDATE calls SET outcome = 'not_placed'", "dialled-not-placed"),
    ("UPDATE calls SET ended_at = created_at", "end-time"),
    ("DELETE FROM journal WHERE kind = 'call.ended'", "journal"),
    ("UPDATE decisions SET verdict = 'deny'", "no-gate-decision"),
    ("UPDATE calls SET ended_at = NULL, state = 'connected'", "open"),
    ("DELETE FROM calls", "dialled-unbooked"),
)
"""What is done to the books, one after the other, and the finding it must lead to."""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name."""
    folder = Path(mkdtemp(prefix="ringfence-chaos-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_after_faults_of_a_fixed_seed_the_books_are_right(place: Path) -> None:
    told: list[str] = []
    campaign = await run(SEED, len(KINDS), place, stages=3, only=KINDS, brief=True, say=told.append)
    assert campaign.findings == 0, "\n".join(told)
    assert sorted(played.fault for played in campaign.rounds) == sorted(KINDS)


async def test_the_audit_finds_what_was_falsified(place: Path) -> None:
    async with open_stage("stage", place, Wire()) as stage:
        played = await play(stage, SEED, 0, "cut_link")
        assert await _settled(stage, played.scene) == []
        await stage.service.kill()
        for statement, code in TAMPERED:
            _falsify(stage, statement)
            assert code in {finding.code for finding in await _audited(stage, played.scene)}, statement
        await _dial_again(stage, played.scene)
        assert "dialled-twice" in {finding.code for finding in await _audited(stage, played.scene)}


def test_a_seed_deals_the_same_faults_again_each_kind_as_often_as_any_other() -> None:
    dealt = deck(7, 12, KINDS)
    assert dealt == deck(7, 12, KINDS)
    assert {dealt.count(kind) for kind in KINDS} == {2}
    assert dealt != deck(8, 12, KINDS)


async def _audited(stage: Stage, scene: Scene) -> list[Finding]:
    return [
        *audit_calls(scene, await read_books(stage)),
        *await audit_evidence(stage, [scene], brief=True),
    ]


async def _settled(stage: Stage, scene: Scene) -> list[Finding]:
    """The findings once every recording is archived, or after ten seconds."""
    for _ in range(50):
        waiting = [row for rows in (await read_books(stage)).recordings.values() for row in rows if row.due_at]
        findings = await _audited(stage, scene)
        if not findings and not waiting:
            break
        await asyncio.sleep(0.2)
    return findings


def _falsify(stage: Stage, statement: str) -> None:
    path = stage.database.sqlite_path
    assert path is not None
    connection = sqlite3.connect(path)
    with connection:
        assert connection.execute(statement).rowcount
    connection.close()


async def _dial_again(stage: Stage, scene: Scene) -> None:
    """A second INVITE to the customer, past the gate."""
    digits = scene.first.number.lstrip("+")
    channel = {"Channel": f"PJSIP/{digits}@carrier-a", "Application": "Wait", "Data": "1", "Async": "true"}
    before = len(await stage.seen(scene.first.number))
    await stage.lab.pbx.action("Originate", channel)
    async with asyncio.timeout(10):
        while len(await stage.seen(scene.first.number)) == before:  # noqa: ASYNC110 - the world tells by a file
            await asyncio.sleep(0.05)
