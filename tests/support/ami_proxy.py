"""A TCP proxy in front of a manager port: delays, splits, freezes, repeats, drops, reorders, cuts, on demand."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

Treatment = Callable[[bytes], Sequence[float]]
"""For one whole AMI message, the seconds after which it is passed on: `(0,)` as it comes, `()` dropped, `(0, 0.3)` twice,
`(0.3,)` late, so that what follows overtakes it."""
_END = b"\r\n\r\n"
_BANNER = b"Asterisk Call Manager"


class AmiProxy:
    """`async with AmiProxy(host, port) as proxy`, then connect to `proxy.port`. Settings hold from the next bytes on.

    `delay` in seconds; `chunk` bytes a write (0: as they come); `repeat` writes each read from the PBX that many times.
    `treat` is asked about every message of its direction, `to_pbx` or `from_pbx`; without it, bytes pass as they come.
    A late message is delivered even when its sender is gone.
    """

    def __init__(self, host: str, port: int, *, treat: Mapping[str, Treatment] | None = None) -> None:
        self.port = 0
        self.delay = 0.0
        self.chunk = 0
        self.repeat = 1
        self.passed = {"to_pbx": 0, "from_pbx": 0}
        self._target = (host, port)
        self._treat = dict(treat or {})
        self._open = {"to_pbx": asyncio.Event(), "from_pbx": asyncio.Event()}
        self._writers: set[asyncio.StreamWriter] = set()
        self._whole: WeakKeyDictionary[asyncio.StreamWriter, asyncio.Lock] = WeakKeyDictionary()
        self._pumps: set[asyncio.Task[None]] = set()
        self.thaw()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    @property
    def accepting(self) -> bool:
        """Whether new connections are welcome."""
        return self._server.is_serving()

    async def listen(self) -> None:
        """Accept connections, again after `refuse` and at the same port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Accept nothing any more and cut what there is."""
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection on both sides; new ones are welcome."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self, *, to_pbx: bool = True, from_pbx: bool = True) -> None:
        """Pass nothing on, and keep the connections open: a half-open link. Either direction, or both."""
        for direction, frozen in (("to_pbx", to_pbx), ("from_pbx", from_pbx)):
            if frozen:
                self._open[direction].clear()

    def thaw(self) -> None:
        """Pass on what was held back, and all that follows."""
        for gate in self._open.values():
            gate.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start(self._join(reader, writer))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        pump = asyncio.create_task(work)
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pbx_reader, pbx_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, pbx_writer}
        self._whole[writer], self._whole[pbx_writer] = asyncio.Lock(), asyncio.Lock()
        self._start(self._pump("to_pbx", reader, pbx_writer))
        self._start(self._pump("from_pbx", pbx_reader, writer))

    async def _pump(self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late: list[asyncio.Task[None]] = []
        treat, pending = self._treat.get(direction), b""
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(self.delay)
                await self._open[direction].wait()
                if treat is not None:
                    data, pending = self._treated(treat, pending + data, writer, late)
                for _ in range(self.repeat if direction == "from_pbx" else 1):
                    async with self._whole[writer]:
                        await self._write(direction, writer, data)
        except OSError:
            pass
        except asyncio.CancelledError:
            for delivery in late:
                delivery.cancel()
            raise
        finally:
            await asyncio.gather(*late, return_exceptions=True)
            writer.transport.abort()

    def _treated(
        self, treat: Treatment, data: bytes, writer: asyncio.StreamWriter, late: list[asyncio.Task[None]]
    ) -> tuple[bytes, bytes]:
        """What of `data` to pass on now, and the unfinished message at its end; what comes later is begun."""
        now = bytearray()
        if data.startswith(_BANNER):
            banner, found, data = data.partition(b"\r\n")
            now += banner + found
        *messages, pending = data.split(_END)
        for message in messages:
            for seconds in treat(message):
                if seconds:
                    late.append(asyncio.create_task(self._write_late(writer, message + _END, seconds)))
                else:
                    now += message + _END
        return bytes(now), pending

    async def _write_late(self, writer: asyncio.StreamWriter, message: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        async with self._whole[writer]:  # never in the middle of another message
            writer.write(message)

    async def _write(self, direction: str, writer: asyncio.StreamWriter, data: bytes) -> None:
        step = self.chunk or len(data) or 1
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            writer.write(piece)
            await writer.drain()
            self.passed[direction] += len(piece)
            if self.chunk:
                await asyncio.sleep(0)
