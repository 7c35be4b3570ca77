"""Events on their way to a slow, a full or a failing consumer: none is lost in silence."""

import pytest

from telephony.ami import AmiLink, Inbox, InboxFullError, LinkState
from telephony.ami_events import AmiEvent, FullyBooted, Hangup
from tests.support.ami_server import AmiServer, a_hangup


async def test_a_consumer_that_falls_behind_costs_the_connection_and_never_an_event_in_silence() -> None:
    inbox = Inbox(limit=50)
    async with AmiServer() as server:
        link = AmiLink(server.account(), on_event=inbox.event, on_state=inbox.state)
        await link.start()
        await link.connected()
        await server.say(b"".join(a_hangup(str(n)) for n in range(80)))
        await server.connected(2)
        await link.close()
    taken = [await inbox.get() for _ in range(len(inbox))]
    uniqueids = [item.uniqueid for item in taken if isinstance(item, Hangup)]
    assert uniqueids == [str(n) for n in range(len(uniqueids))]
    changes = [str(item) for item in taken if not isinstance(item, AmiEvent)]
    assert "50 events behind" in changes[1]


async def test_a_full_inbox_refuses_events_and_still_takes_states() -> None:
    inbox = Inbox(limit=1)
    inbox.event(FullyBooted(1))
    with pytest.raises(InboxFullError):
        inbox.event(FullyBooted(2))
    inbox.state(LinkState.DOWN, "full")
    assert len(inbox) == 2


async def test_a_consumer_that_fails_on_an_event_does_not_take_the_link_down(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def consume(event: AmiEvent) -> None:
        if isinstance(event, Hangup):
            seen.append(event.uniqueid)
            if event.uniqueid == "bad":
                raise KeyError(event.uniqueid)

    def listen(state: LinkState, reason: str) -> None:
        raise RuntimeError(reason)

    async with AmiServer() as server:
        link = AmiLink(server.account(), on_event=consume, on_state=listen)
        await link.start()
        await link.connected()
        await server.say(a_hangup("bad") + a_hangup("good"))
        assert (await link.send("Ping")).ok
        await link.close()
    assert seen == ["bad", "good"]
    assert "failed on a Hangup" in caplog.text
