"""Ending tasks: a cancellation can be lost, so it is repeated until they have ended."""

import asyncio

AGAIN = 2.0


async def end(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel, and come back when all have ended. asyncio.wait_for of Python 3.11 may swallow a cancellation (cpython#86296)."""
    running = {task for task in tasks if task is not None}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN)
