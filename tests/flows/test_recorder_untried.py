"""Just started, the service has not yet recorded anything: a click is told to come again, and that answer is not kept."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.demo.lab import Lab
from tests.support.ami_proxy import AmiProxy
from tests.support.floor import PATIENCE, Floor, floor_settings, furnish, hire, migrated, open_floor, prepare_pbx

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138002"


class Held:
    """Orders that the network holds back until told otherwise."""

    def __init__(self) -> None:
        self.back = True

    def __call__(self, message: bytes) -> Sequence[float]:
        return () if self.back and b"Action: Originate" in message else (0.0,)


Answer = tuple[int, dict[str, Any], dict[str, str]]


async def _until(floor: Floor, status: int, problem: str | None = None) -> Answer:
    """Click with one key again and again until the answer is that one; every answer before must be a 503."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await _click(floor)
            if answer[0] == status and answer[1].get("type") == problem:
                return answer
            assert answer[0] == 503, answer
            await asyncio.sleep(0.05)


async def _click(floor: Floor) -> Answer:
    case, party = floor.numbers[ANSWERS]
    headers = {"Authorization": f"Bearer {floor.tokens['collector']}", "Idempotency-Key": "k"}
    body = {"case_id": case, "party_id": party, "number": ANSWERS}
    async with floor.http.post(f"{floor.base}/v1/calls", json=body, headers=headers) as answer:
        return answer.status, await answer.json(), dict(answer.headers)


async def test_a_click_before_the_first_test_recording_is_asked_to_come_again(
    lab: Lab, tmp_path: Path, gate_port: int
) -> None:
    held = Held()
    settings = floor_settings(lab, tmp_path, gate_port, f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
    database = await migrated(settings.database.url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with AmiProxy("127.0.0.1", lab.pbx.ami_port, treat={"to_pbx": held}) as proxy:
        behind = [settings.pbx[0].model_copy(update={"port": proxy.port})]
        async with open_floor(lab, settings.model_copy(update={"pbx": behind}), tokens, ready=False) as floor:
            await floor.until_problem("recording:lab", "no test recording")
            await furnish(floor)
            await floor.case(ANSWERS)
            _, _, headers = await _until(floor, 503, "/problems/recorder-untried")
            assert headers["Retry-After"] == "2"
            held.back = False
            _, call, _ = await _until(floor, 201)
            await floor.until(call, "connected")
            await floor.hangup(call)
            await floor.archived(call)
