"""A gate that does as it is told: a real FastAGI peer that answers, keeps silent, hangs up, or answers late."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

Answer = Mapping[str, str] | Callable[[list[str]], Mapping[str, str]] | None


class AgiStub:
    """`async with AgiStub() as gate`: listens at `gate.address`; what it was asked is in `gate.asked` (path, arguments).

    `answer` are the channel variables it sets, or gives for the arguments it was asked with; None says nothing and keeps
    the line. `closes` hangs up without a word; `delay` is in seconds, before the answer. All may be changed meanwhile.
    """

    def __init__(self, answer: Answer = None, *, port: int = 0, closes: bool = False, delay: float = 0.0) -> None:
        self.answer, self.closes, self.delay = answer, closes, delay
        self.port = port
        self.asked: list[tuple[str, list[str]]] = []
        self.dropped = asyncio.Event()
        """Set when the PBX lets go of a line on which nothing was answered."""
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """host:port, for `[gate] advertise`."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    async def listen(self) -> None:
        """Be there; again at the same port after `leave`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def leave(self) -> None:
        """Be gone: the port is closed."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        environment: dict[str, str] = {}
        while line := (await reader.readline()).decode().strip():
            key, _, value = line.partition(": ")
            environment[key] = value
        arguments = [value for key, value in environment.items() if key.startswith("agi_arg_")]
        path = environment.get("agi_network_script", "")
        self.asked.append((path, arguments))
        try:
            await self._reply(reader, writer, path, arguments)
        except ConnectionError:
            self.dropped.set()
        finally:
            writer.close()

    async def _reply(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, arguments: list[str]
    ) -> None:
        if self.closes:
            return
        if self.answer is None:
            await reader.read()
            self.dropped.set()
            return
        await asyncio.sleep(self.delay)
        answer = self.answer(arguments) if callable(self.answer) else self.answer
        for name, value in ({"RINGFENCE_VERDICT": "probe"} if path == "probe" else answer).items():
            writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
            await writer.drain()
            if not await reader.readline():
                self.dropped.set()
                return
