"""A receiver of webhooks over a real socket that can misbehave in every way that matters."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from standardwebhooks.webhooks import Webhook

ANSWERS = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "html": b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 27\r\n\r\n<html>unknown field</html>\n",
    "busy": b"HTTP/1.1 503 Later\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "megabyte": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
    "endless": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
    "nonsense": b"\x00\x01\x02 this is not HTTP\r\n\r\n",
}


@dataclass(frozen=True)
class Received:
    """One request that arrived whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its idempotency key."""
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        """What it says."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    def verified(self, secret: str) -> dict[str, Any]:
        """What it says, if the secret signed it. Raises WebhookVerificationError."""
        document: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return document


class Receiver:
    """Answers each request with the next behaviour in `script`, then always with `otherwise`.

    `ok`, `html` (500), `busy` (503), `gone` (410), `redirect:URL`, `megabyte`, `endless` (a body that never ends), `nonsense`;
    `silent` takes the request and never answers, `reset` takes it and resets the connection.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: deque[str] = deque()
        self.otherwise = "ok"
        self.port = 0
        self.at_once = self.most_at_once = 0
        self.paths: dict[str, str] = {}
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The idempotency keys as they came."""
        return [one.id for one in self.received]

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone: connections are reset, new ones refused."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Return when so many requests have come."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    if not await self._answer(request, reader, writer):
                        return
                finally:
                    self.at_once -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        how = self.paths.get(request.path) or (self.script.popleft() if self.script else self.otherwise)
        async with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        if how == "silent":
            with suppress(ConnectionError):
                await reader.read()  # until the other side gives up
            return False
        if how.startswith("redirect:"):
            target = how.partition(":")[2]
            writer.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            writer.write(ANSWERS[how])
        await writer.drain()
        return how in ("ok", "html", "busy", "gone")


async def _read(reader: asyncio.StreamReader) -> Received | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split()[1], headers, body)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A running one."""
    one = Receiver()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
