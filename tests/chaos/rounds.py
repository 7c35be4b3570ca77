"""One round: calls on several phones, one fault in the middle of them, everything mended, the books audited."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from crm_bridge.demo.world import SeenCall
from tests.chaos.audit_calls import audit_calls
from tests.chaos.books import Books, Finding, is_over, open_calls, read_books
from tests.chaos.calls import Click, draw_clicks
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.mending import faketime_library, hang_up, mend, mislead
from tests.chaos.moments import Scene, until
from tests.chaos.service import ServiceFailedError
from tests.chaos.stage import Stage

ANSWER_PATIENCE = 14.0
CLICK_PATIENCE = 35.0
SETTLED_WITHIN = 45.0
"""Seconds after everything is mended within which no call of the round may be open."""


@dataclass
class Round:
    """What a fault did, and what was found."""

    index: int
    fault: str
    scene: Scene
    findings: list[Finding] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    """How the calls ended, in the desk's words; `refused` and `no call` where there was none."""
    seconds: float = 0.0

    def line(self, seed: int) -> str:
        """For the run's log."""
        told = ", ".join(self.scene.story)
        found = f"{len(self.findings)} FINDINGS" if self.findings else "right"
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.most_common())
        return f"[{seed}/{self.index}] {self.fault} {told}: {ends}: {found} ({self.seconds:.0f} s)"


def deck(seed: int, count: int, only: tuple[str, ...] = ()) -> list[str]:
    """The kinds of faults of a run: each as often as the others, in an order of the seed's."""
    kinds = [kind for kind in possible() if not only or kind in only]
    dice, cards = Random(seed), list[str]()
    while len(cards) < count:
        cards += dice.sample(kinds, len(kinds))
    return cards[:count]


def possible() -> Mapping[str, Fault]:
    """The faults that this machine can make: misleading a clock needs Debian's faketime."""
    return {kind: fault for kind, fault in FAULTS.items() if kind != "clock_back" or faketime_library()}


async def play(stage: Stage, seed: int, index: int, kind: str) -> Round:
    """Play round `index` of `seed`."""
    began = time.monotonic()
    dice = Random(f"{seed}/{index}")
    scene = Scene(stage, dice, draw_clicks(dice, index, dice.randint(2, 6)))
    stage.wire.dice, stage.lag = Random(f"{seed}/{index}/wire"), 0.0
    played = Round(index, kind, scene)
    try:
        await _perform(scene, kind)
    except ServiceFailedError as error:
        played.findings.append(Finding("service", str(error)))
        for service in stage.services:
            await service.kill()
        with contextlib.suppress(ServiceFailedError):  # told once, and the next round begins with what there is
            await mend(stage)
    await until(lambda: _clean(scene), 3.0)
    books = await read_books(stage)
    played.findings += audit_calls(scene, books)
    played.ends = Counter(_end_of(click, books) for click in scene.clicks)
    played.seconds = time.monotonic() - began
    return played


def _end_of(click: Click, books: Books) -> str:
    rows = books.calls[click.number]
    if rows:
        return str(rows[0].end_reason or rows[0].state)
    return "refused" if click.answers and click.answers[-1][0] == 403 else "no call"


async def _perform(scene: Scene, kind: str) -> None:
    """Calls, the fault, and everything put back; returns once no call is open, or it took too long."""
    stage, failure = scene.stage, None
    if kind == "clock_back":
        await mislead(stage)
    await stage.open_cases(scene.clicks)
    scene.started = datetime.now(UTC)
    async with asyncio.TaskGroup() as collectors:
        for click in scene.clicks:
            collectors.create_task(_collect(stage, click))
        try:
            await FAULTS[kind](scene)
            await mend(stage)
        except ServiceFailedError as error:
            failure = error
    if failure is not None:
        raise failure
    if kind == "clock_back":
        await stage.service.drain()
        await mend(stage)
    await _hang_up_rest(stage, scene.clicks)
    await until(lambda: _all_ended(stage, scene.clicks), SETTLED_WITHIN)


async def _collect(stage: Stage, click: Click) -> None:
    """What a collector does: click, click again with the same key while there is no answer, talk, hang up."""
    await asyncio.sleep(click.delay)
    click.clicked_at = datetime.now(UTC)
    talking = asyncio.create_task(_talk(stage, click))
    body = {"case_id": click.case, "party_id": click.party, "number": click.number}
    deadline = time.monotonic() + CLICK_PATIENCE
    while time.monotonic() < deadline:
        answer = await stage.request("POST", "/v1/calls", user=click.phone, body=body, key=click.key)
        click.answers.append(answer)
        if answer[0] not in (0, 409):
            break
        await asyncio.sleep(0.4)
    await talking


async def _talk(stage: Stage, click: Click) -> None:
    """Once the customer answers, talk for a while; then somebody hangs up, the customer if all else fails."""
    deadline = time.monotonic() + ANSWER_PATIENCE
    while not (answered := await _answered(stage, click)):
        if time.monotonic() > deadline or await is_over(stage, click):
            return
        await asyncio.sleep(0.1)
    await asyncio.sleep(click.talk)
    match click.hang_up:
        case "collector" if click.call_id:
            await stage.request("POST", f"/v1/calls/{click.call_id}/hangup", user=click.phone, seconds=3)
        case "phone":
            await hang_up(stage, click.phone)
    async with _patience(1.5):
        while any(call.ended is None for call in answered):
            await asyncio.sleep(0.15)
            answered = await _answered(stage, click)
    await hang_up(stage, click.number)


@contextlib.asynccontextmanager
async def _patience(seconds: float) -> AsyncIterator[None]:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            yield


async def _answered(stage: Stage, click: Click) -> list[SeenCall]:
    return [call for call in await stage.seen(click.number) if call.answered]


async def _hang_up_rest(stage: Stage, clicks: list[Click]) -> None:
    """End what nobody ended, after numbers that ring for long have given up."""
    for click in clicks:
        if await _answered(stage, click):  # one that still rings ends by itself, in a way of its own
            await hang_up(stage, click.number)
    for click in clicks:
        if any(call.ended is None for call in await stage.seen(click.phone)):
            await hang_up(stage, click.phone)


async def _all_ended(stage: Stage, clicks: list[Click]) -> bool:
    return not await open_calls(stage, clicks)


async def _clean(scene: Scene) -> bool:
    return not audit_calls(scene, await read_books(scene.stage))
