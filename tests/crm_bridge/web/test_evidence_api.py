"""Bundles and proofs over HTTP: who may have them, that each export is written down, and that they verify."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from crm_bridge.web import dispatch, evidence, keys, middleware
from recordings.checkpoints import read_note
from recordings.merkle import is_included, leaf_hash
from recordings.verify_bundle import read_key, verify
from tests.support.api import Service
from tests.support.evidence import Evidence, evidence_of
from tests.support.spooled import Recorder, recorder

__all__ = ["recorder"]


@pytest.fixture
def sealed(recorder: Recorder, tmp_path: Path) -> Evidence:
    return evidence_of(recorder, tmp_path)


@pytest.fixture
async def asked(sealed: Evidence) -> AsyncIterator[Service]:
    app = web.Application()
    app[keys.DATABASE], app[keys.SETTINGS], app[keys.BUNDLES] = sealed.recorder.database, Settings(), sealed.bundles
    middleware.install(app)
    dispatch.register(app, [evidence.api])
    async with TestClient(TestServer(app)) as client:
        service = Service(sealed.recorder.database, client)
        await service.add("li", "collector", team="a")
        await service.add("qian", "qa", clients=["north"])
        await service.add("sun", "qa", clients=["south"])
        await service.add("wu", "supervisor", team="b")
        await service.add("root", "admin")
        await service.add("crm", "crm")
        yield service


async def test_a_bundle_comes_over_http_verifies_and_says_who_took_it_and_why(
    sealed: Evidence, asked: Service, tmp_path: Path
) -> None:
    call = await sealed.talked()
    answer = await asked.ask("GET", f"/v1/calls/{call.id}/bundle?reason=court%20order", "qian")
    assert (answer.status, answer.content_type) == (200, "application/zip")
    path = tmp_path / "bundle.zip"
    path.write_bytes(await answer.read())
    result = verify(path, None, sealed.folder.files())
    assert result.problems == []
    exported = result.entries[-1]
    told = (exported["kind"], exported["actor"], exported["client"], exported["data"]["reason"])
    assert told == ("recording.exported", "qian", "north", "court order")


async def test_only_overseers_within_scope_have_bundles_and_proofs(sealed: Evidence, asked: Service) -> None:
    call = await sealed.talked()
    row = await sealed.recorder.row(call, "agent")
    allowed = {"qian": 200, "root": 200, "li": 403, "sun": 404, "wu": 404, "crm": 403}
    for user, status in allowed.items():
        for path in (f"/v1/calls/{call.id}/bundle", f"/v1/recordings/{row.id}/proof"):
            assert (await asked.ask("GET", path, user)).status == status, (user, path)
    exports = await sealed.recorder.journal("recording.exported")
    assert sorted(entry.actor for entry in exports) == ["qian", "root"]
    for path in (f"/v1/calls/{'0' * 32}/bundle", "/v1/recordings/x/proof"):
        assert (await asked.ask("GET", path, "root")).status == 404


async def test_a_recordings_proof_leads_to_the_signed_checkpoint(sealed: Evidence, asked: Service) -> None:
    call = await sealed.talked()
    row = await sealed.recorder.row(call, "agent")
    told = await asked.get(f"/v1/recordings/{row.id}/proof", "root")
    checkpoint = read_note(told["checkpoint"], read_key(told["public_key"].encode()))
    assert base64.b64encode(checkpoint.root).decode() in told["checkpoint"]
    assert any(row.pcm_sha256 in entry["leaf"] for entry in told["entries"])
    for entry in told["entries"]:
        proof = [bytes.fromhex(step) for step in entry["proof"]]
        leaf = leaf_hash(entry["leaf"].encode())
        assert is_included(leaf, entry["index"], checkpoint.size, proof, checkpoint.root)
