"""A process that takes recordings in and is killed (SIGKILL) at one point: `URL FOLDER NOW [POINT]`.

Without a point it lives on to its end. A point is `before|after <module>:<attribute>`;
the attribute may be one of a class, `<class>.<name>`.
"""

import asyncio
import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from config.database import Database
from tests.support.spooled import Recorder


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            _die()
        result = function(*arguments, **named)
        _die()
        return result

    @functools.wraps(function)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            _die()
        result = await function(*arguments, **named)
        _die()
        return result

    return awaited if inspect.iscoroutinefunction(function) else called


def _arm(point: str) -> None:
    when, _, where = point.partition(" ")
    module, _, path = where.partition(":")
    owner: Any = import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, name, _deadly(getattr(owner, name), when))


async def _run(url: str, folder: Path, now: datetime) -> None:
    database = Database(url)
    await Recorder(database, folder).intake.run_due(now)
    await database.close()


if __name__ == "__main__":
    for armed in sys.argv[4:]:
        _arm(armed)
    asyncio.run(_run(sys.argv[1], Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3])))
