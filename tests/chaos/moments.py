"""The moments of a call at which something may break, seen from outside: on the wire, at the gate's door, in the world."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from crm_bridge.demo.world import SeenCall
from tests.chaos.calls import Click
from tests.chaos.stage import Stage

PATIENCE = 9.0
"""Seconds after which the fault strikes, moment or not: the first call may have been refused."""


@dataclass
class Scene:
    """One round as its fault sees it: the stage, the dice, the clicks, and what the audit must know of the damage."""

    stage: Stage
    dice: Random
    clicks: list[Click]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    story: list[str] = field(default_factory=list)
    pbx_killed: bool = False
    pbx_late: bool = False
    """Whether the PBX itself learnt late what happened: then its times are the truth that there is."""
    spool_broken: bool = False
    clock_moved: bool = False

    @property
    def first(self) -> Click:
        """The call whose moments the fault waits for."""
        return self.clicks[0]

    def tell(self, what: str) -> None:
        """Add to the round's story."""
        self.story.append(what)

    async def seconds(self, low: float, high: float, why: str = "") -> float:
        """Wait for a drawn time; tells it when there is a reason."""
        drawn = self.dice.uniform(low, high)
        if why:
            self.tell(f"{why} {drawn:.1f} s")
        await asyncio.sleep(drawn)
        return drawn

    async def moment(self, *names: str) -> None:
        """Wait for a moment of the first call, one of these or of all, and a little longer."""
        name = self.dice.choice(names or tuple(MOMENTS))
        late = self.dice.choice((0.0, self.dice.uniform(0, 0.05), self.dice.uniform(0, 0.6)))
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                await MOMENTS[name](self)
        except TimeoutError:
            pass
        if time.monotonic() - began >= PATIENCE:
            name = f"{name}(never came)"
        self.tell(f"at {name}+{late:.2f}")
        await asyncio.sleep(late)


async def _clicked(scene: Scene) -> None:
    await scene.stage.wire.watch().wait()


async def _agent_rings(scene: Scene) -> None:
    await _world(scene, scene.first.phone, lambda call: True)


async def _gate_asked(scene: Scene) -> None:
    before = scene.stage.gate.passed["to_pbx"]  # this proxy's target is the gate

    async def asked() -> bool:
        return scene.stage.gate.passed["to_pbx"] > before

    await until(asked, PATIENCE, every=0.005)


async def _customer_rings(scene: Scene) -> None:
    await _world(scene, scene.first.number, lambda call: True)


async def _connected(scene: Scene) -> None:
    await _world(scene, scene.first.number, lambda call: call.answered is not None)


async def _ended(scene: Scene) -> None:
    await _world(scene, scene.first.number, lambda call: call.ended is not None)


async def _any(scene: Scene) -> None:
    await asyncio.sleep(scene.dice.uniform(0, 5))


async def _world(scene: Scene, number: str, reached: Callable[[SeenCall], bool]) -> None:
    async def there() -> bool:
        return any(call.invited >= scene.started and reached(call) for call in await scene.stage.seen(number))

    await until(there, PATIENCE, every=0.03)


async def until(holds: Callable[[], Awaitable[bool]], seconds: float, *, every: float = 0.2) -> bool:
    """Whether it held within so many seconds, looked at again and again."""
    deadline = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(every)
    return True


MOMENTS: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    "click": _clicked,
    "agent rings": _agent_rings,
    "gate asked": _gate_asked,
    "customer rings": _customer_rings,
    "connected": _connected,
    "ended": _ended,
    "any time": _any,
}
