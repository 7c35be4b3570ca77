"""The baseline for streams: an aiohttp server of a few lines, in a process of its own, that hands a line it gets to one stream.

It parses nothing, decides nothing and writes nothing down.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web


class Bare:
    """Open streams, told one after the other."""

    def __init__(self) -> None:
        self.queues: list[asyncio.Queue[str]] = []
        self.turn = 0

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """An endless stream."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.queues.append(queue)
        with contextlib.suppress(ConnectionError):
            while True:
                name = await queue.get()
                await response.write(f'event: call.ended\ndata: {{"call_id": "{name}"}}\n\n'.encode())
        return response

    async def listen(self) -> None:
        """Hand on what comes in on standard input."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.turn += 1
            self.queues[self.turn % len(self.queues)].put_nowait(line.decode().strip())


async def serve() -> None:
    """Tell the port, then hand on until standard input ends."""
    bare, app = Bare(), web.Application()
    app.router.add_get("/", bare.stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await bare.listen()
    await runner.cleanup()


@asynccontextmanager
async def bare_stream() -> AsyncIterator[tuple[int, Callable[[str], None]]]:
    """Its port, and a function that gives it a line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare_stream", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    stdin = process.stdin
    yield port, lambda name: stdin.write(f"{name}\n".encode())
    stdin.close()
    await process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
