"""One TCP connection to a manager port: bytes in, whole messages out; and the project's only panoramisk import.

panoramisk parses messages and writes actions. Its manager and protocol stay unused: they decode each read by itself,
replay unanswered actions after a reconnect, and log what they replay.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import cast

from panoramisk.actions import Action
from panoramisk.message import Message

from telephony.ami.answers import Answer, AnswerUnknown, Exchanges, Headers, PbxUnavailable
from telephony.ami.values import Fields, checked_headers

BANNER = b"Asterisk Call Manager/"
MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes without an end of message after which the peer is taken for broken."""


class _Parsed(Message):  # type: ignore[misc]  # panoramisk is untyped
    """A message as panoramisk parses it, kept as a plain dictionary, which costs far less than its own."""

    def __init__(self, headers: dict[str, str | list[str]], content: str = "") -> None:
        self.plain = {name: value if isinstance(value, str) else "\n".join(value) for name, value in headers.items()}
        if content:
            self.plain["Output"] = content


class Framer:
    """Cuts a byte stream into messages. Text is decoded once its message is whole, so a split character survives."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> list[Headers]:
        """The messages that `data` completes; raises ValueError if the peer does not speak AMI."""
        unsearched = max(0, len(self._buffer) - 3)
        self._buffer += data
        if not self._greeted:
            unsearched = 0
            if not self._take_banner():
                return []
        end = self._buffer.rfind(b"\r\n\r\n", unsearched)
        if end < 0:
            if len(self._buffer) > MAX_MESSAGE:
                raise ValueError(f"it sent a message of more than {MAX_MESSAGE} bytes")
            return []
        text = self._buffer[:end].decode("utf-8", "replace")
        del self._buffer[: end + 4]
        parsed = (_Parsed.from_line(part.lstrip("\r\n")) for part in text.split("\r\n\r\n"))
        return [message.plain for message in parsed if message is not None]

    def _take_banner(self) -> bool:
        line, found, _ = self._buffer.partition(b"\r\n")
        if not (line.startswith(BANNER) if found else BANNER.startswith(line[: len(BANNER)])):
            raise ValueError(f"no manager port of an Asterisk: it begins with {bytes(line[:40])!r}")
        if found:
            del self._buffer[: len(line) + 2]
            self._greeted = True
        return self._greeted

    @property
    def greeted(self) -> bool:
        """Whether the peer has said that it is an Asterisk manager."""
        return self._greeted


class Connection(asyncio.Protocol):
    """One connection, from connect to loss. `on_event` gets the PBX's events in the order of the wire.

    `greeted`: the peer said that it is an Asterisk manager (False: it was lost before). `booted`: it said FullyBooted.
    `lost` is done, with the reason, as soon as the connection is of no use; `on_lost` is called at that same moment.
    """

    def __init__(
        self, on_event: Callable[["Connection", Headers], None], on_lost: Callable[["Connection"], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._on_event, self._on_lost = on_event, on_lost
        self._framer, self._exchanges = Framer(), Exchanges()
        self._transport: asyncio.Transport | None = None
        self._reading_peer = True
        self.greeted: asyncio.Future[bool] = loop.create_future()
        self.booted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes, cut anywhere."""
        try:
            messages = self._framer.feed(data)
        except ValueError as fault:
            self.drop(str(fault))
            return
        if self._framer.greeted and not self.greeted.done():
            self.greeted.set_result(True)
        for message in messages:
            if self.lost.done():
                return
            self._take(message)

    def _take(self, message: Headers) -> None:
        if "Event" not in message:
            self._exchanges.take_reply(message)
        elif "ActionID" not in message or not self._exchanges.take_entry(message):
            self._on_event(self, message)

    def pause_writing(self) -> None:
        """asyncio: the peer does not read what we write."""
        self._reading_peer = False

    def resume_writing(self) -> None:
        """asyncio: it does again."""
        self._reading_peer = True

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.drop(f"the connection broke: {exc}" if exc else "the PBX closed the connection")

    def drop(self, reason: str) -> None:
        """Give the connection up. Whatever waits for a reply learns at once that none will come."""
        if self.lost.done():
            return
        self.lost.set_result(reason)
        if not self.greeted.done():
            self.greeted.set_result(False)
        if self._transport is not None:
            self._transport.abort()
        self._exchanges.lose(reason)
        self._on_lost(self)

    async def exchange(self, action: str, fields: Fields, timeout: float, tag: str = "") -> Answer:
        """Write one action and await its reply, for at most `timeout` seconds.

        Raises Invalid or PbxUnavailable if not a byte was written, AnswerUnknown if it was written and no answer came.
        `tag` becomes part of the ActionID, which later events repeat.
        """
        action_id = f"{uuid.uuid4().hex}/{tag}" if tag else uuid.uuid4().hex
        headers = checked_headers(action, fields)
        data = str(Action({"Action": action, "ActionID": action_id, **headers})).encode()
        if self._transport is None or self._transport.is_closing() or self.lost.done():
            raise PbxUnavailable("the link to the PBX has just been lost; nothing was sent")
        if not self._reading_peer:
            raise PbxUnavailable("the PBX does not read what it is sent; nothing was sent")
        deadline = asyncio.get_running_loop().time() + timeout
        answer = self._exchanges.open(action_id, action, deadline)
        try:
            self._transport.write(data)
            async with asyncio.timeout_at(deadline):
                return await answer
        except TimeoutError:
            raise AnswerUnknown(f"{action} was sent, but not answered within {timeout:g} s") from None
        finally:
            self._exchanges.close(action_id)

    def busy_until(self) -> float:
        """The loop time until which somebody still waits for a reply; Asterisk answers one action after the other."""
        return self._exchanges.last_deadline()
