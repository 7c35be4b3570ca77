"""The FastAGI server against peers that are slow, rude or no PBX at all: it answers or closes, and goes on."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from telephony.gate import fastagi
from telephony.gate.fastagi import FastAgiServer, Request

HELLO = b"agi_network: yes\nagi_request: agi://h/probe?x=1\nagi_uniqueid: 1.1\nagi_arg_1: a\nagi_arg_2: \n\n"


class Served:
    """A server that answers with `answer`, and the requests that reached it."""

    def __init__(self) -> None:
        self.answer: Mapping[str, str] = {"RINGFENCE_VERDICT": "deny"}
        self.requests: list[Request] = []
        self.server = FastAgiServer("127.0.0.1", 0, self.handle)

    async def handle(self, request: Request) -> Mapping[str, str]:
        self.requests.append(request)
        return self.answer

    async def talk(self, data: bytes, replies: bytes = b"", *, end: bool = False) -> bytes:
        """Send `data` and everything that the server says until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            writer.write(data + replies)
            if end:
                writer.write_eof()
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def alive(self) -> None:
        """It still answers a proper request."""
        assert await self.talk(HELLO, b"200 result=1\n") == b'SET VARIABLE RINGFENCE_VERDICT "deny"\n'


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A server that is patient for half a second."""
    monkeypatch.setattr(fastagi, "REQUEST_TIMEOUT", 0.5)
    served = Served()
    await served.server.start()
    yield served
    await served.server.close()


async def test_a_request_is_read_with_its_path_and_arguments(served: Served) -> None:
    await served.alive()
    (request,) = served.requests
    assert (request.path, request.arguments, request.uniqueid) == ("/probe", ("a", ""), "1.1")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"\x00" * 5000,
        b"agi_network yes\n\n",
        b"agi_request: agi://[::1\n\n",
        "agi_request: agi://h/门\nagi_x: \udcff\n\n".encode(errors="surrogateescape"),
        b"x" * 20_000,
        b"agi_x: " + b"y" * 20_000 + b"\n\n",
        b"agi_x: y\n" * 500,
        b"agi_x: y\n" * 100_000,
        b"",
        b"agi_network: yes\n",
    ],
)
async def test_garbage_is_answered_with_silence_or_no_and_harms_nobody(served: Served, garbage: bytes) -> None:
    answer = await served.talk(garbage, end=True)
    assert b"allow" not in answer
    await served.alive()


async def test_a_peer_that_never_finishes_is_let_go_while_others_are_served(served: Served) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", served.server.port) for _ in range(40)]
    for _, writer in slow:
        writer.write(b"agi_network: y")
    await served.alive()
    async with asyncio.timeout(10):
        for reader, writer in slow:
            assert await reader.read() == b""
            writer.close()


async def test_a_peer_that_never_takes_the_answer_is_let_go(served: Served) -> None:
    assert (await served.talk(HELLO)).startswith(b"SET VARIABLE")
    await served.alive()


@pytest.mark.parametrize("reply", [b"510 Invalid or unknown command\n", b"HANGUP\n", b"\n", b"x" * 20_000 + b"\n"])
async def test_what_the_pbx_does_not_take_ends_the_answer(served: Served, reply: bytes) -> None:
    served.answer = {"RINGFENCE_DIAL": "PJSIP/+8613800138000@a", "RINGFENCE_VERDICT": "allow"}
    assert b"VERDICT" not in await served.talk(HELLO, reply)


@pytest.mark.parametrize(
    "value",
    ['a"b', "a\nb", "a\rb", "a\\b", "${EVIL}", "a&b", "a,b", "a;b", "a|b", "中", "a`b", "a\x00b", "$[1]", "a)b"],
)
async def test_a_value_that_could_break_out_is_refused(served: Served, value: str) -> None:
    served.answer = {"RINGFENCE_DIAL": "fine", "RINGFENCE_CALLERID": value, "RINGFENCE_VERDICT": "allow"}
    assert await served.talk(HELLO, b"200 result=1\n" * 3) == b""


@pytest.mark.parametrize("name", ["lower", "A B", "A\nB", "", "A=B", "A(B)"])
async def test_a_name_that_is_no_variable_is_refused(served: Served, name: str) -> None:
    served.answer = {name: "x"}
    assert await served.talk(HELLO, b"200 result=1\n") == b""


async def test_closing_lets_go_of_open_connections(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
    writer.write(b"agi_network: yes\n")
    await served.alive()
    await served.server.close()
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


def test_a_server_that_does_not_listen_has_no_port() -> None:
    with pytest.raises(RuntimeError):
        _ = FastAgiServer("127.0.0.1", 0, Served().handle).port
