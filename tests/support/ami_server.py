"""A manager port that misbehaves on demand: for faults that a real Asterisk does not produce when a test wants them."""

import asyncio
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from pydantic import SecretStr

from telephony.ami import AmiAccount

Action = dict[str, str]
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
SECRET = "s3cret-of-the-pbx"


def message(**headers: str) -> bytes:
    """One AMI message. `_` in a name stands for `-`."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return ("".join(lines) + "\r\n").encode()


def success(action: Action, **headers: str) -> bytes:
    """`Response: Success` to that action."""
    return message(Response="Success", ActionID=action["ActionID"], **headers)


def error(action: Action, says: str) -> bytes:
    """`Response: Error` to that action."""
    return message(Response="Error", ActionID=action["ActionID"], Message=says)


def a_hangup(uniqueid: str) -> bytes:
    """The event that the channel with that Uniqueid is gone."""
    return message(Event="Hangup", Channel="PJSIP/1001-1", Uniqueid=uniqueid, Linkedid=uniqueid, Cause="16")


class AmiServer:
    """`async with AmiServer() as server`. Every action that arrived is in `received`, over all connections.

    `answers[action]` replaces the answer (a function of the action; None for silence). `boots` off: no FullyBooted.
    `banner`, `secret` and `chunk` (bytes a write, 0 for all at once) are what they say.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Action] = []
        self.answers: dict[str, Callable[[Action], bytes] | None] = {}
        self.banner, self.secret, self.chunk, self.boots = BANNER, SECRET, 0, True
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._news = asyncio.Condition()
        self._live: dict[asyncio.StreamWriter, asyncio.Lock] = {}
        self._serving: set[asyncio.Task[None]] = set()

    def account(self, **changed: object) -> AmiAccount:
        """The account that this server lets in."""
        given: dict[str, object] = {
            "name": "north",
            "host": "127.0.0.1",
            "port": self.port,
            "username": "ringfence",
            "secret": SecretStr(SECRET),
        }
        return AmiAccount(**{**given, **changed})  # type: ignore[arg-type]  # a test may give anything

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Begin, or begin again, at the same port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        self._server.close()
        self.hang_up()
        for serving in list(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def hang_up(self) -> None:
        """Break every connection; the port stays open."""
        for writer in self._live:
            writer.transport.abort()
        self._live.clear()

    def stop_reading(self) -> None:
        """Leave what arrives in the kernel's buffers from now on, until they are full."""
        for writer in self._live:
            cast(asyncio.Transport, writer.transport).pause_reading()

    async def say(self, data: bytes) -> None:
        """Write to every connection, in pieces of `chunk` bytes."""
        for writer in list(self._live):
            await self._write(writer, data)

    async def got(self, action: str, count: int = 1, *, seconds: float = 5.0) -> list[Action]:
        """The actions of that name, once there are `count` of them. Raises TimeoutError."""

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: len(self.named(action)) >= count)
        return self.named(action)

    def named(self, action: str) -> list[Action]:
        """The actions of that name so far."""
        return [received for received in self.received if received["Action"] == action]

    async def connected(self, count: int, *, seconds: float = 5.0) -> None:
        """Return once there have been `count` connections."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: self.connections >= count)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._live[writer] = asyncio.Lock()
        async with self._news:
            self.connections += 1
            self._news.notify_all()
        try:
            await self._write(writer, self.banner)
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                action: Action = {}
                for line in text.strip().split("\r\n"):
                    name, _, value = line.partition(": ")
                    action[name] = f"{action[name]}\n{value}" if name in action else value
                async with self._news:
                    self.received.append(action)
                    self._news.notify_all()
                await self._write(writer, self._answer(action))
        except (OSError, KeyError, asyncio.IncompleteReadError):
            pass
        finally:
            self._live.pop(writer, None)
            writer.transport.abort()

    def _answer(self, action: Action) -> bytes:
        name = action["Action"]
        if name in self.answers:
            answer = self.answers[name]
            return answer(action) if answer is not None else b""
        if name == "Login":
            if action["Secret"] != self.secret:
                return error(action, "Authentication failed")
            booted = message(Event="FullyBooted", Privilege="system,all", Status="Fully Booted", Uptime="7")
            return success(action, Message="Authentication accepted") + (booted if self.boots else b"")
        if name == "CoreSettings":
            return success(action, AsteriskVersion="22.10.1")
        return success(action, Message=f"{name} done")

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        step = self.chunk or max(1, len(data))
        async with self._live[writer]:
            for start in range(0, len(data), step):
                writer.write(data[start : start + step])
                await writer.drain()
                if self.chunk:
                    await asyncio.sleep(0)
