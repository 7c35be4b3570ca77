"""The life of an AMI link, over real sockets: up, refused, lost, half-open, back again, closed."""

import asyncio
import logging
from datetime import UTC

import pytest
from pydantic import SecretStr

from telephony import ami_events
from telephony.ami import AnswerUnknown, LinkState, PbxUnavailable
from telephony.ami import link as link_module
from telephony.ami_events import FullyBooted, Hangup
from tests.support.ami_owner import Heard, linked
from tests.support.ami_proxy import AmiProxy
from tests.support.ami_server import SECRET, AmiServer, a_hangup, message, success


async def test_a_link_logs_in_and_says_where_and_with_whom() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        await server.got("Ping")
        assert link.state is LinkState.UP
        assert link.status.asterisk_version == "22.10.1"
        assert link.status.reason == f"logged in to 127.0.0.1:{server.port} as ringfence"
        assert link.status.since.tzinfo is UTC
    assert heard.states == [LinkState.UP, LinkState.CLOSED]


async def test_up_is_told_before_the_first_event_and_down_after_the_last() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        await server.say(a_hangup("a") + a_hangup("b"))
        await heard.until(lambda h: len(h.events) == 3)
        server.hang_up()
        await heard.until(lambda h: LinkState.DOWN in h.states)
    kinds = [item[0] if isinstance(item, tuple) else type(item) for item in heard.all]
    assert kinds[:5] == [LinkState.UP, FullyBooted, Hangup, Hangup, LinkState.DOWN]


async def test_a_refused_login_says_so_and_is_tried_again() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(secret=SecretStr("wrong")), heard) as link:
        with pytest.raises(PbxUnavailable, match="refused the login as 'ringfence': Authentication failed"):
            await link.connected()
        assert link.state is LinkState.REFUSED
        server.secret = "wrong"
        await heard.until(lambda h: LinkState.UP in h.states)
    assert heard.states == [LinkState.REFUSED, LinkState.UP, LinkState.CLOSED]


async def test_a_secret_with_a_line_break_is_never_written() -> None:
    async with AmiServer() as server, linked(server.account(secret=SecretStr("s\r\nAction: Command"))) as link:
        with pytest.raises(PbxUnavailable, match="the account cannot be used: Secret holds a line break"):
            await link.connected()
        assert server.received == []


async def test_nothing_is_written_to_a_link_that_is_not_logged_in() -> None:
    async with AmiServer() as server, linked(server.account(secret=SecretStr("wrong"))) as link:
        with pytest.raises(PbxUnavailable):
            await link.connected()
        with pytest.raises(PbxUnavailable, match="north is refused"):
            await link.send("Hangup", {"Channel": "PJSIP/1001-1"})
        assert {action["Action"] for action in server.received} == {"Login"}


async def test_a_pbx_that_is_not_there_is_unavailable_with_the_reason() -> None:
    async with AmiServer() as server:
        account = server.account()
    async with linked(account) as link:
        with pytest.raises(PbxUnavailable, match=f"cannot reach 127.0.0.1:{account.port}") as refusal:
            await link.connected(0.3)
        assert refusal.value.code == "pbx-unavailable"
        assert refusal.value.status == 503


async def test_the_secret_is_not_told_to_a_port_that_is_no_asterisk() -> None:
    heard = Heard()
    async with AmiServer() as server:
        server.banner = b"SSH-2.0-OpenSSH_9.2\r\n"
        async with linked(server.account(), heard) as link:
            await heard.until(lambda h: LinkState.DOWN in h.states)
            assert "no manager port of an Asterisk" in link.status.reason
        assert server.received == []


async def test_a_pbx_that_accepts_and_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "LOGIN_TIMEOUT", 0.2)
    heard = Heard()
    async with AmiServer() as server:
        server.banner = b""
        async with linked(server.account(), heard) as link:
            await heard.until(lambda h: LinkState.DOWN in h.states)
            assert "did not let us log in within" in link.status.reason
        assert server.received == []


async def test_a_link_waits_until_the_pbx_has_booted() -> None:
    heard = Heard()
    async with AmiServer() as server:
        server.boots = False
        async with linked(server.account(), heard) as link:
            await server.got("Login")
            with pytest.raises(PbxUnavailable):
                await link.send("Ping")
            await server.say(message(Event="FullyBooted", Uptime="0"))
            await link.connected()
            await server.got("CoreSettings")
    assert [action["Action"] for action in server.received][:2] == ["Login", "CoreSettings"]


async def test_an_account_that_never_hears_of_the_boot_is_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "BOOT_PATIENCE", 0.1)
    async with AmiServer() as server:
        server.boots = False
        async with linked(server.account()) as link:
            await link.connected()


async def test_a_lost_link_comes_back_by_itself_and_each_time_tells() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        for n in range(1, 4):
            await heard.until(lambda h, n=n: h.states.count(LinkState.UP) == n)  # type: ignore[misc]  # n is bound
            server.hang_up()
        await heard.until(lambda h: h.states.count(LinkState.UP) == 4)
        assert link.state is LinkState.UP
    assert heard.states == [LinkState.UP, LinkState.DOWN] * 3 + [LinkState.UP, LinkState.CLOSED]


async def test_a_pbx_that_was_away_is_found_again_at_the_same_port() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        await server.stop()
        await heard.until(lambda h: any("cannot reach" in item[1] for item in h.all if isinstance(item, tuple)))
        await server.listen()
        await link.connected(6)


def test_the_back_off_grows_is_jittered_and_never_exceeds_five_seconds() -> None:
    for attempt in range(2000):
        assert 0 < link_module.backoff(attempt) <= 5
    assert link_module.backoff(0) < link_module.backoff(3) < link_module.backoff(9)
    assert len({link_module.backoff(9) for _ in range(20)}) > 1
    assert link_module.LOGIN_TIMEOUT < link_module.MAX_BACKOFF


async def test_a_half_open_link_is_found_because_a_ping_stays_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PING_EVERY", 0.05)
    monkeypatch.setattr(link_module, "PING_TIMEOUT", 0.3)
    heard = Heard()
    async with (
        AmiServer() as server,
        AmiProxy("127.0.0.1", server.port) as proxy,
        linked(server.account(port=proxy.port), heard) as link,
    ):
        await link.connected()
        await server.got("Ping", 2)
        assert link.status.round_trip_s is not None
        proxy.freeze()
        await heard.until(lambda h: LinkState.DOWN in h.states)
        assert "no answer to a ping" in link.status.reason
        proxy.thaw()
        await link.connected()


async def test_a_pbx_that_falls_silent_right_after_the_login_is_found_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PING_TIMEOUT", 0.2)
    heard = Heard()
    async with AmiServer() as server:
        server.answers["CoreSettings"] = server.answers["Ping"] = None
        async with linked(server.account(), heard):
            await heard.until(lambda h: LinkState.DOWN in h.states)
        assert server.named("Ping") == []


def test_ping_interval_and_patience_find_a_half_open_link_within_ten_seconds() -> None:
    assert link_module.PING_EVERY + link_module.PING_TIMEOUT < 10


async def test_a_slow_action_does_not_pass_for_a_dead_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk answers one action after the other: a ping behind a slow Reload waits for it."""
    monkeypatch.setattr(link_module, "PING_EVERY", 0.05)
    monkeypatch.setattr(link_module, "PING_TIMEOUT", 0.1)
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        server.answers["Reload"] = None
        server.answers["Ping"] = lambda ping: b"" if server.named("Reload") else success(ping)
        reload = asyncio.create_task(link.send("Reload", timeout=2.0))
        sent = await server.got("Reload")
        await server.got("Ping", len(server.named("Ping")) + 1)
        with pytest.raises(TimeoutError):
            await heard.until(lambda h: LinkState.DOWN in h.states, 0.5)
        await server.say(message(Response="Success", ActionID=sent[0]["ActionID"], Message="Module Reloaded"))
        assert (await reload).ok


async def test_a_pbx_that_shuts_down_is_down_at_its_word() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        await server.say(message(Event="Shutdown", Shutdown="Cleanly", Restart="True"))
        await heard.until(lambda h: LinkState.DOWN in h.states)
        assert (LinkState.DOWN, "the PBX is shutting down") in heard.all
        assert ami_events.Shutdown(restart=True) in heard.events


async def test_several_links_live_at_once_and_each_alone() -> None:
    north, south = Heard(), Heard()
    async with (
        AmiServer() as one,
        AmiServer() as two,
        linked(one.account(), north) as first,
        linked(two.account(name="south"), south) as second,
    ):
        await first.connected()
        await second.connected()
        await two.say(a_hangup("of-south"))
        await south.until(lambda h: len(h.events) == 2)
        await one.stop()
        await north.until(lambda h: LinkState.DOWN in h.states)
        assert second.state is LinkState.UP
        assert (await second.send("Ping")).ok
    assert [event for event in north.events if isinstance(event, Hangup)] == []


async def test_a_closed_link_stays_closed() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        server.answers["Reload"] = None
        reload = asyncio.create_task(link.send("Reload"))
        await server.got("Reload")
        await link.close()
        with pytest.raises(AnswerUnknown):
            await reload
        with pytest.raises(PbxUnavailable, match="closed by us"):
            await link.send("Ping")
        with pytest.raises(PbxUnavailable):
            await link.connected()
    assert heard.states == [LinkState.UP, LinkState.CLOSED]


async def test_a_link_can_be_closed_before_it_ever_came_up() -> None:
    async with AmiServer() as server:
        account = server.account()
    async with linked(account) as link:
        pass
    assert link.state is LinkState.CLOSED


async def test_a_caller_who_has_lost_track_gets_a_fresh_connection() -> None:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        link.drop("a call that nobody knows")
        await server.connected(2)
        await heard.until(lambda h: h.states.count(LinkState.UP) == 2)
    assert (LinkState.DOWN, "a call that nobody knows") in heard.all


async def test_the_secret_reaches_neither_a_log_nor_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        server.secret = "changed"
        server.hang_up()
        await heard.until(lambda h: LinkState.REFUSED in h.states)
        told = f"{link.account!r} {link.status!r} {heard.all!r} {caplog.text}"
    assert "refused the login" in told
    assert SECRET not in told
