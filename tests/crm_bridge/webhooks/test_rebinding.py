"""A name that answers differently each time: an address is judged where it is connected to, and no other is ever reached."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from config import clock
from crm_bridge.outbox.destination import Delivered, Refused
from crm_bridge.webhooks.guard import Forbidden, Guard
from crm_bridge.webhooks.sending import Sender
from tests.support.webhook_receiver import Receiver, receiver

NAME = "hooks.example.com"
OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
GUARD = Guard((f"{OUTSIDE}/32",))
"""Here only the first of this machine's addresses stands for the world outside."""


class Names:
    """A name server for one name: each question gets the next answer, then always the last one."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0
        self._system = socket.getaddrinfo

    def getaddrinfo(self, host: Any, port: Any, *given: Any, **more: Any) -> list[Any]:
        """As the system's; only our name is answered here."""
        if host != NAME:
            return self._system(host, port, *given, **more)
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


@asynccontextmanager
async def inside(port: int) -> AsyncIterator[list[str]]:
    """Something of ours on the same port, that nobody outside may reach: who connected."""
    reached: list[str] = []

    async def taken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(taken, INSIDE, port)
    try:
        yield reached
    finally:
        server.close()


@pytest.fixture
async def crm() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender(GUARD, 5.0)
    yield made
    await made.close()


async def _post(sender: Sender, crm: Receiver) -> Any:
    return await sender.post(f"http://{NAME}:{crm.port}/hook", b"{}", {"webhook-id": "1"}, clock.now())


async def test_the_address_that_was_judged_is_the_one_that_is_connected_to(
    sender: Sender, crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names([OUTSIDE], [INSIDE])
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    async with inside(crm.port) as reached:
        assert isinstance(await _post(sender, crm), Delivered)
        assert names.asked == 1
        await sender.close()  # connections and remembered names are gone
        answer = await _post(sender, crm)
        assert isinstance(answer, Refused)
        assert "private network" in answer.reason
        assert (reached, len(crm.received), names.asked) == ([], 1, 2)


async def test_of_several_addresses_only_those_outside_are_tried(
    sender: Sender, crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names([INSIDE, OUTSIDE, INSIDE]).getaddrinfo)
    async with inside(crm.port) as reached:
        assert isinstance(await _post(sender, crm), Delivered)
        await crm.stop()
        await sender.close()
        assert not isinstance(await _post(sender, crm), Delivered)
        assert (reached, len(crm.received)) == ([], 1)


async def test_a_redirect_to_a_name_inside_is_not_followed(
    sender: Sender, crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names([OUTSIDE], [INSIDE]).getaddrinfo)
    crm.script.append(f"redirect:http://{NAME}:{crm.port}/secret")
    async with inside(crm.port) as reached:
        answer = await _post(sender, crm)
        assert "redirects are not followed" in answer.reason
        assert (reached, [got.path for got in crm.received]) == ([], ["/hook"])


def test_a_socket_is_made_for_no_address_inside_whoever_resolved_it() -> None:
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (INSIDE, 80))
    with pytest.raises(Forbidden):
        GUARD.new_socket(found, plain=True)
    with pytest.raises(Forbidden):
        Guard().new_socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::ffff:10.0.0.1", 443, 0, 0)), plain=False)
