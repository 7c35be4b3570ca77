"""Three outages that anyone may try first, each with one call and its books audited from outside."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import pytest
import pytest_asyncio

from crm_bridge.demo.world import SeenCall
from tests.chaos.audit_calls import audit_calls
from tests.chaos.audit_evidence import audit_evidence
from tests.chaos.books import Finding, read_books
from tests.chaos.calls import PHONES, Click
from tests.chaos.moments import MOMENTS, Scene, until
from tests.chaos.stage import Stage, open_stage
from tests.chaos.wire import Wire

SECOND = timedelta(seconds=1)
WITHIN = 40.0
RINGS_THREE_SECONDS = "13"
"""The last digits of such a number, which then talks until somebody hangs up."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """A PBX, its world, and the service as a process of its own behind proxies; each test mends what it broke."""
    folder = Path(mkdtemp(prefix="ringfence-outage-"))  # a folder with a short name
    async with open_stage("stage", folder, Wire()) as opened:
        yield opened
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def click(request: pytest.FixtureRequest) -> Click:
    """A click on a number that nobody has called before, from a phone of the test's own."""
    index = [item.name for item in request.session.items if item.path == request.path].index(request.node.name)
    number = f"+8613900000{index}{RINGS_THREE_SECONDS}"
    return Click(PHONES[index], number, f"case-{index}", f"party-{index}", f"key-{index}", 0.0, "customer", 0.0)


@asynccontextmanager
async def _clicked(stage: Stage, click: Click) -> AsyncIterator[Scene]:
    """The collector clicks, and goes on clicking with the same key while there is no answer."""
    await stage.open_cases([click])
    scene = Scene(stage, Random(0), [click])
    clicking = asyncio.create_task(_click(stage, click))
    yield scene
    await clicking


async def _click(stage: Stage, click: Click) -> None:
    body = {"case_id": click.case, "party_id": click.party, "number": click.number}
    while not click.answers or click.answers[-1][0] == 0:
        click.answers.append(await stage.request("POST", "/v1/calls", user=click.phone, body=body, key=click.key))


async def _hang_up(scene: Scene) -> SeenCall:
    """The customer does; what the world saw of the call."""
    world, number = scene.stage.lab.world, scene.first.number
    await world.hangup(number)
    return await world.wait_for_call(number, ended=True)


async def _call(scene: Scene, state: str) -> dict[str, Any]:
    """The call, once the API shows it in that state."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        status, page = await scene.stage.request("GET", f"/v1/calls?case_id={scene.first.case}", user="admin")
        found.update(page["items"][0] if status == 200 and page["items"] else {})
        return found.get("state") == state

    assert await until(there, WITHIN, every=0.05), found
    return found


async def _is_right(scene: Scene, *legs: str) -> None:
    """Nothing is found by the audit, and each of these legs is archived once, within the time that it takes."""
    findings: list[Finding] = []

    async def right() -> bool:
        books = await read_books(scene.stage)
        findings[:] = audit_calls(scene, books) + await audit_evidence(scene.stage, [scene], brief=False)
        rows = books.recordings[scene.first.call_id or ""]
        return not findings and sorted(row.leg for row in rows if row.state == "archived") == [*legs]

    assert await until(right, WITHIN), [str(finding) for finding in findings]


def _near(told: str, true: datetime | None) -> bool:
    return true is not None and abs(datetime.fromisoformat(told) - true) < SECOND


async def test_the_service_stands_still_while_the_customer_answers(stage: Stage, click: Click) -> None:
    async with _clicked(stage, click) as scene:
        await MOMENTS["customer rings"](scene)
        stage.service.signal(signal.SIGSTOP)
        await MOMENTS["connected"](scene)
        await asyncio.sleep(3)
        stage.service.signal(signal.SIGCONT)
        await _call(scene, "connected")
        seen = await _hang_up(scene)
    ended = await _call(scene, "ended")
    assert (ended["end_reason"], ended["outcome"], ended["hangup_cause"]) == ("completed", "conversation", 16)
    assert _near(ended["connected_at"], seen.answered)
    assert _near(ended["ended_at"], seen.ended)
    await _is_right(scene, "agent", "customer")


async def test_the_service_stands_still_from_the_click_to_the_phones_answer(stage: Stage, click: Click) -> None:
    """The gate says nothing in time, so the customer is not called; its late yes is not taken for one."""
    async with _clicked(stage, click) as scene:
        await stage.wire.watch().wait()
        stage.service.signal(signal.SIGSTOP)
        assert await until(lambda: _ended_at_phone(stage, click.phone), 15, every=0.1)
        stage.service.signal(signal.SIGCONT)
    ended = await _call(scene, "ended")
    assert (ended["end_reason"], ended["outcome"]) == ("denied_at_dial", "not_placed")
    assert await stage.seen(click.number) == []
    await _is_right(scene, "agent")


async def _ended_at_phone(stage: Stage, phone: str) -> bool:
    return any(call.ended for call in await stage.seen(phone))


async def test_originates_reply_is_swallowed(stage: Stage, click: Click) -> None:
    stage.wire.swallow_reply = True
    async with _clicked(stage, click) as scene:
        await MOMENTS["connected"](scene)
    stage.wire.calm()
    assert scene.first.answers[0][0] == 201
    assert (await _call(scene, "connected"))["id"] == scene.first.call_id
    seen = await _hang_up(scene)
    ended = await _call(scene, "ended")
    assert (ended["end_reason"], ended["outcome"]) == ("completed", "conversation")
    assert _near(ended["connected_at"], seen.answered)
    assert len(await stage.seen(click.number)) == 1
    await _is_right(scene, "agent", "customer")


async def test_the_customer_hangs_up_while_the_service_is_dead(stage: Stage, click: Click) -> None:
    async with _clicked(stage, click) as scene:
        await MOMENTS["connected"](scene)
    await _call(scene, "connected")
    await stage.service.kill()
    seen = await _hang_up(scene)
    await asyncio.sleep(5)
    stage.service.start()
    await stage.service.ready(stage.http)
    ended = await _call(scene, "ended")
    assert (ended["end_reason"], ended["outcome"], ended["hangup_cause"]) == ("completed", "conversation", 16)
    assert _near(ended["connected_at"], seen.answered)
    assert _near(ended["ended_at"], seen.ended)
    await _is_right(scene, "agent", "customer")


async def test_the_customer_answers_while_the_service_is_dead(stage: Stage, click: Click) -> None:
    async with _clicked(stage, click) as scene:
        await MOMENTS["customer rings"](scene)
        await stage.service.kill()
        await MOMENTS["connected"](scene)
        await asyncio.sleep(3)
        stage.service.start()
        await stage.service.ready(stage.http)
    alive = await _call(scene, "connected")
    seen = await stage.lab.world.wait_for_call(click.number)
    assert _near(alive["connected_at"], seen.answered)
    seen = await _hang_up(scene)
    assert _near((await _call(scene, "ended"))["ended_at"], seen.ended)
    await _is_right(scene, "agent", "customer")
