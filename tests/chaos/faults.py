"""The faults, one function each. What a fault breaks it may leave broken: `mend` puts everything back afterwards."""

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.chaos.mending import HOUR_BACK, IN_TIME, clock_file, hang_up
from tests.chaos.moments import Scene

Fault = Callable[[Scene], Awaitable[None]]


async def kill_service(scene: Scene) -> None:
    """SIGKILL at a moment of a call; started again up to 3 s later."""
    await scene.moment()
    await scene.stage.service.kill()
    await scene.seconds(0, 3, "down")


async def kill_service_twice(scene: Scene) -> None:
    """SIGKILL, and again while it settles what the first one left."""
    await scene.moment("click", "gate asked", "connected", "ended")
    await scene.stage.service.kill()
    scene.stage.service.start()
    await scene.seconds(0.3, 3, "lived")
    await scene.stage.service.kill()
    await scene.seconds(0, 1, "down")


async def freeze_service(scene: Scene) -> None:
    """SIGSTOP for 1 to 8 s: nothing is read, connections stay."""
    await scene.moment()
    scene.stage.service.signal(signal.SIGSTOP)
    await scene.seconds(1, 8, "frozen")
    scene.stage.service.signal(signal.SIGCONT)


async def hang_up_while_down(scene: Scene) -> None:
    """SIGKILL while connected; the customers hang up; started again some seconds later."""
    await scene.moment("connected")
    await scene.stage.service.kill()
    await scene.seconds(0.2, 1)
    for click in scene.clicks:
        # Who has not answered yet would be rejecting the call, which is another ending than the number's own.
        if any(call.answered for call in await scene.stage.seen(click.number)):
            await hang_up(scene.stage, click.number)
    await scene.seconds(3, 6, "down")


async def drain_service(scene: Scene) -> None:
    """SIGTERM in the middle of calls; the next process takes them up."""
    await scene.moment()
    code = await scene.stage.service.drain()
    scene.tell(f"left with {code}")
    await scene.seconds(0, 2, "down")


async def kill_pbx(scene: Scene) -> None:
    """SIGKILL of Asterisk, then a start."""
    await scene.moment()
    await _kill_pbx(scene)


async def kill_both(scene: Scene) -> None:
    """SIGKILL of Asterisk and of the service, in either order."""
    await scene.moment()
    first = scene.dice.random() < 0.5
    scene.tell("service first" if first else "PBX first")
    if first:
        await scene.stage.service.kill()
        await scene.seconds(0, 0.3)
    await _kill_pbx(scene)
    if not first:
        await scene.seconds(0, 0.3)
        await scene.stage.service.kill()


async def freeze_pbx(scene: Scene) -> None:
    """SIGSTOP of Asterisk for some seconds."""
    scene.pbx_late = True
    await scene.moment()
    scene.stage.lab.pbx.freeze()
    await scene.seconds(1, 6, "frozen")
    scene.stage.lab.pbx.thaw()


async def _kill_pbx(scene: Scene) -> None:
    scene.pbx_killed = True
    await scene.stage.lab.pbx.kill()


async def cut_link(scene: Scene) -> None:
    """The AMI link breaks, once or several times, and may be made again at once."""
    for _ in range(scene.dice.randint(1, 3)):
        await scene.moment()
        scene.stage.ami.cut()


async def refuse_link(scene: Scene) -> None:
    """The AMI link breaks and cannot be made for some seconds."""
    await scene.moment()
    scene.stage.ami.refuse()
    await scene.seconds(1, 7, "refused")


async def freeze_link(scene: Scene) -> None:
    """The AMI link passes nothing, in one or both directions; then all at once, or it is found dead before."""
    await scene.moment()
    to_pbx, from_pbx = scene.dice.choice(((True, True), (True, False), (False, True)))
    scene.tell(f"to_pbx={to_pbx} from_pbx={from_pbx}")
    scene.stage.ami.freeze(to_pbx=to_pbx, from_pbx=from_pbx)
    await scene.seconds(1, 14, "frozen")
    scene.stage.ami.thaw()


async def slow_link(scene: Scene) -> None:
    """Every read of the AMI link is late and split at any byte."""
    ami = scene.stage.ami
    ami.delay, ami.chunk = scene.dice.uniform(0.05, 1.0), scene.dice.choice((0, 1, 7, 50))
    scene.tell(f"delay {ami.delay:.2f} chunk {ami.chunk}")
    await scene.moment()
    await scene.seconds(1, 5)


async def muddled_link(scene: Scene) -> None:
    """AMI messages arrive twice, and overtake each other."""
    wire = scene.stage.wire
    wire.double, wire.overtake = scene.dice.uniform(0, 0.5), scene.dice.uniform(0, 0.5)
    scene.stage.ami.chunk = scene.dice.choice((0, 13))
    scene.tell(f"double {wire.double:.2f} overtake {wire.overtake:.2f}")
    await scene.moment("ended")
    await scene.seconds(0, 2)


async def lossy_link(scene: Scene) -> None:
    """AMI events get lost, single ones or most of them."""
    scene.stage.wire.drop = scene.dice.choice((0.05, 0.2, 0.8))
    scene.tell(f"drop {scene.stage.wire.drop}")
    await scene.moment("ended", "connected")
    await scene.seconds(0, 2)


async def swallow_reply(scene: Scene) -> None:
    """The PBX takes the Originates, and its replies never arrive."""
    scene.stage.wire.swallow_reply = True
    await scene.moment("click")
    await scene.seconds(5, 6)


async def late_originate(scene: Scene) -> None:
    """The network holds the Originates back for so long that the calls may be settled before."""
    scene.stage.wire.originate_late = scene.dice.uniform(4, 24)
    scene.tell(f"held {scene.stage.wire.originate_late:.0f} s")
    await scene.moment("click")
    await asyncio.sleep(scene.stage.wire.originate_late + 1)


async def silent_gate(scene: Scene) -> None:
    """The gate is reached and says nothing, or is cut off while it thinks."""
    if scene.dice.random() < 0.5:
        scene.stage.gate.freeze()
        scene.tell("silent")
        await scene.moment("gate asked", "agent rings")
        await scene.seconds(2, 4)
        scene.stage.gate.thaw()
    else:
        await scene.moment("gate asked")
        scene.stage.gate.cut()


async def full_archive(scene: Scene) -> None:
    """The archive's disk is full for a while."""
    await scene.moment()
    await asyncio.to_thread(_fill, scene.stage.archive / "ballast")
    await scene.seconds(2, 8, "full")
    (scene.stage.archive / "ballast").unlink()


async def readonly_spool(scene: Scene) -> None:
    """Nothing can be made in the spool or removed from it for a while."""
    scene.spool_broken = True
    await scene.moment("click", "agent rings", "connected", "ended", "any time")
    _immutable(scene.stage.spool, True)
    try:
        await scene.seconds(2, 6, "read-only")
    finally:
        _immutable(scene.stage.spool, False)


async def locked_database(scene: Scene) -> None:
    """Another program holds SQLite's write lock for 8 s."""
    await scene.moment()
    path = scene.stage.database.sqlite_path
    if path is None:
        raise RuntimeError("only SQLite is locked as a whole")
    connection = await asyncio.to_thread(
        sqlite3.connect, path, timeout=20, isolation_level=None, check_same_thread=False
    )
    with contextlib.closing(connection):
        await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
        await scene.seconds(4, 8, "locked")
        connection.rollback()


async def clock_back(scene: Scene) -> None:
    """The service's clock is set an hour back during the calls, and right again later."""
    scene.clock_moved = True
    await scene.moment()
    clock_file(scene.stage).write_text(HOUR_BACK)
    await scene.seconds(3, 6, "an hour back for")
    clock_file(scene.stage).write_text(IN_TIME)


async def vanish_database(scene: Scene) -> None:
    """PostgreSQL is stopped as by a crash (`-m immediate`) under two processes, and started again later."""
    postgres = scene.stage.postgres
    if postgres is None:
        raise RuntimeError("only PostgreSQL vanishes")
    await scene.moment()
    await asyncio.to_thread(postgres.vanish)
    await scene.seconds(0, 8, "away")
    postgres.start()
    await asyncio.to_thread(postgres.await_ready)


async def kill_leader(scene: Scene) -> None:
    """Of two processes on one PostgreSQL, the one that keeps the PBX's books is killed; the other goes on."""
    leader = await scene.stage.leader()
    await scene.moment()
    await leader.kill()
    await scene.seconds(0, 14, "down")


async def freeze_leader(scene: Scene) -> None:
    """Of two processes on one PostgreSQL, the one that keeps the books is stopped, and wakes up after its lease may be gone."""
    leader = await scene.stage.leader()
    await scene.moment()
    leader.signal(signal.SIGSTOP)
    await scene.seconds(2, 20, "frozen")
    leader.signal(signal.SIGCONT)


async def drain_leader(scene: Scene) -> None:
    """Of two processes on one PostgreSQL, the one that keeps the books is told to stop, and starts again."""
    leader = await scene.stage.leader()
    await scene.moment()
    scene.tell(f"left with {await leader.drain()}")
    await scene.seconds(0, 6, "down")


FAULTS: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_service,
        kill_service_twice,
        freeze_service,
        hang_up_while_down,
        drain_service,
        kill_pbx,
        kill_both,
        freeze_pbx,
        cut_link,
        refuse_link,
        freeze_link,
        slow_link,
        muddled_link,
        lossy_link,
        swallow_reply,
        late_originate,
        silent_gate,
        full_archive,
        readonly_spool,
        locked_database,
        clock_back,
        vanish_database,
        kill_leader,
        freeze_leader,
        drain_leader,
    )
}
OF_A_PAIR = frozenset({"vanish_database", "kill_leader", "freeze_leader", "drain_leader"})
"""Faults that need two processes on PostgreSQL."""
OF_ONE = frozenset({"locked_database", "clock_back"})
"""Faults that need one process on SQLite."""


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


def _immutable(folder: Path, on: bool) -> None:
    subprocess.run(["chattr", "+i" if on else "-i", str(folder)], check=True, capture_output=True)
