"""A proxy over real sockets between us and a CRM: lets through, swallows the answer, stays silent, or answers in its place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request. `pass_on`: the CRM gets it; `answer`: sent in place of the CRM's; None: silence or a reset."""

    pass_on: bool
    answer: bytes | None = None
    silent: bool = False


SWALLOWED = Fault(pass_on=True)
"""The CRM does it, and the connection breaks before its answer."""
SILENT = Fault(pass_on=True, silent=True)
"""The CRM does it, and its answer never comes."""
RESET = Fault(pass_on=False)
"""The request is lost with its connection."""


def page(status: str, body: str, kind: str = "text/html", **headers: str) -> Fault:
    """Something else answers."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    text = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n{more}Connection: close\r\n\r\n"
    )
    return Fault(pass_on=False, answer=head.encode() + text)


class CrmProxy:
    """`faults` are used up one a request that `matches`; `seen` are the first lines of all requests."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.faults: list[Fault] = []
        self.matches: Callable[[str], bool] = lambda line: True
        self.before: Callable[[str], object] | None = None
        self.seen: list[str] = []
        self.faulted = asyncio.Event()
        self.url = ""
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection carries one request: Tryton's own server closes after each."""
        self._open.add(writer)
        try:
            request = await _message(reader)
            line = request.split(b"\r\n", 1)[0].decode()
            self.seen.append(line)
            if self.before is not None:
                outcome = self.before(line)
                if asyncio.iscoroutine(outcome):
                    await outcome
            fault = self.faults.pop(0) if self.faults and self.matches(line) else None
            answer = await self._asked(request) if fault is None or fault.pass_on else b""
            if fault is None:
                writer.write(answer)
            elif fault.answer is not None:
                writer.write(fault.answer)
            if fault is not None:
                self.faulted.set()
            if fault is not None and fault.silent:
                await reader.read()  # until the other side gives up
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _asked(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        head, _, body = request.partition(HEAD_END)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([*lines, b"Connection: close"]) + HEAD_END + body)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    def close(self) -> None:
        """Break what is open."""
        for writer in list(self._open):
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(HEAD_END)
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + (await reader.readexactly(length) if length else b"")


@asynccontextmanager
async def crm_proxy(url: str) -> AsyncIterator[CrmProxy]:
    """A proxy before `url`."""
    host, _, port = url.removeprefix("http://").partition(":")
    proxy = CrmProxy(host, int(port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
