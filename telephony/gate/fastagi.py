"""A small FastAGI server (Asterisk's AGI over TCP): read the request, set variables, close.

panoramisk's own uses `asyncio.coroutine`, which Python 3.11 no longer has. FastAGI knows no authentication: listen on
loopback or inside a tunnel. https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Gateway-Interface-AGI/
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

log = structlog.get_logger(__name__)

REQUEST_TIMEOUT = 5.0
"""Seconds for the PBX to send its request, or to take an answer."""
MAX_LINES = 200
_VALUE = re.compile(r"[A-Za-z0-9 _.:/@+?=%-]*")


class BadRequest(Exception):
    """What arrived is not a FastAGI request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One AGI() of the dialplan: `path` of its URL, its arguments, and the `agi_…` environment."""

    path: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def uniqueid(self) -> str:
        """The channel that asks."""
        return self.environment.get("agi_uniqueid", "")

    @property
    def channel(self) -> str:
        """Its name, e.g. `PJSIP/1001-00000007`."""
        return self.environment.get("agi_channel", "")


Handler = Callable[[Request], Awaitable[Mapping[str, str]]]
"""Answers a request with the channel variables to set."""


class FastAgiServer:
    """Listens for the PBX; each request is answered by `handler`. A handler that raises answers nothing: no call."""

    def __init__(self, host: str, port: int, handler: Handler) -> None:
        self._host, self._port, self._handler = host, port, handler
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Begin to listen."""
        # Several service processes on one machine share the port, so that the PBX needs one address.
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=8192, reuse_port=True)

    @property
    def listening(self) -> bool:
        """Whether the PBX would be heard."""
        return self._server is not None and self._server.is_serving()

    @property
    def port(self) -> int:
        """The port in use (for a configured 0, the one given by the system)."""
        if self._server is None:
            raise RuntimeError("the gate is not listening")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening and let go of the connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                request = await _read_request(reader)
            variables = await self._handler(request)
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await _answer(reader, writer, variables)
        except (BadRequest, TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            log.warning("gate.request_failed", error=type(error).__name__, detail=str(error))
        except Exception:
            log.exception("gate.handler_failed")
        finally:
            self._open.discard(writer)
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    environment: dict[str, str] = {}
    for _ in range(MAX_LINES):
        try:
            line = (await reader.readuntil(b"\n")).decode(errors="replace").strip()
        except asyncio.LimitOverrunError as error:
            raise BadRequest("a line is too long") from error
        if not line:
            break
        name, separator, value = line.partition(":")
        if not separator or not name.startswith("agi_"):
            raise BadRequest("a line is not `agi_name: value`")
        environment[name] = value.strip()
    else:
        raise BadRequest("too many lines")
    arguments = tuple(
        environment[name] for name in (f"agi_arg_{index}" for index in range(1, 20)) if name in environment
    )
    return Request(urlsplit(environment.get("agi_request", "")).path, arguments, environment)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Z_]+", name) or not _VALUE.fullmatch(value):
            raise BadRequest(f"{name} cannot be handed to the dialplan")
    for name, value in variables.items():
        writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
        await writer.drain()
        reply = await reader.readline()
        if not reply.startswith(b"200"):
            raise ConnectionError(f"the PBX did not take {name}: {reply.decode(errors='replace').strip()}")
