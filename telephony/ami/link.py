"""The life of a link to one PBX: connect, log in, watch, lose, connect again, until closed."""

import asyncio
import logging
import random
import ssl
from asyncio import FIRST_COMPLETED
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from config import clock
from config.errors import Invalid
from telephony.ami.answers import Answer, AnswerUnknown, Headers, PbxUnavailable
from telephony.ami.inbox import InboxFullError
from telephony.ami.states import LinkState, LinkStatus
from telephony.ami.values import Fields, bad, originate_fields
from telephony.ami.wire import Connection
from telephony.ami_events import AmiEvent, FullyBooted, Shutdown, parse

log = logging.getLogger(__name__)

PING_EVERY = 3.0
PING_TIMEOUT = 6.0
"""Seconds. Together below the 10 s within which a half-open link must be found."""
LOGIN_TIMEOUT = 4.5
"""Seconds for connect, banner and login together, so that two attempts never start more than MAX_BACKOFF apart."""
BOOT_PATIENCE = 10.0
"""Seconds to wait for FullyBooted after the login; an account without the class `system` never hears it."""
FIRST_BACKOFF, MAX_BACKOFF = 0.25, 5.0
"""Seconds between the starts of two attempts to connect, before jitter."""

_OURS = frozenset({"login", "logoff", "challenge", "events", "originate"})
"""Actions that belong to the life of the link, or have a method of their own that checks them."""


@dataclass(frozen=True, slots=True)
class AmiAccount:
    """Where a PBX's manager port is and who we are there. `tls` is a flag, or a context for a private authority."""

    name: str
    host: str
    port: int
    username: str
    secret: SecretStr = field(repr=False)
    tls: bool | ssl.SSLContext = False


class _RefusedError(Exception):
    """The PBX answered the login, with a no."""


def backoff(attempt: int) -> float:
    """Seconds from the start of one attempt to that of the next: doubling up to MAX_BACKOFF, jittered downwards."""
    return min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1)


class AmiLink:
    """A link to one PBX that comes back by itself. Build one per PBX, `await start()`, and `await close()` in the end.

    `on_event(event)` and `on_state(state, reason)` are called synchronously, one at a time, in the order of the wire:
    `up` comes with FullyBooted and before what follows it, `down` after a connection's last event. After each `up` the
    caller settles what it missed. If `on_event` raises InboxFullError the connection is dropped: a lost event always
    shows as `down`, `up`.
    """

    def __init__(
        self,
        account: AmiAccount,
        *,
        on_event: Callable[[AmiEvent], None],
        on_state: Callable[[LinkState, str], None],
    ) -> None:
        self.account = account
        self._on_event, self._on_state = on_event, on_state
        self._state, self._reason, self._since = LinkState.CONNECTING, "not started", clock.now()
        self._connection: Connection | None = None
        self._runner: asyncio.Task[None] | None = None
        self._decided = asyncio.Event()
        self._asterisk_version = ""
        self._round_trip_s: float | None = None

    @property
    def state(self) -> LinkState:
        """Where the link is in its life."""
        return self._state

    @property
    def status(self) -> LinkStatus:
        """State, reason and measurements, for people."""
        round_trip = self._round_trip_s if self._state is LinkState.UP else None
        return LinkStatus(self.account.name, self._state, self._reason, self._since, self._asterisk_version, round_trip)

    async def start(self) -> None:
        """Begin connecting, in the background and until closed. Returns at once; `connected()` waits."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name=f"ami {self.account.name}")

    async def close(self) -> None:
        """End the link for good. Actions still open end in AnswerUnknown."""
        self._connection = None
        if self._runner is not None:
            self._runner.cancel()
            with suppress(asyncio.CancelledError):
                await self._runner
        self._set(LinkState.CLOSED, "closed by us")

    async def connected(self, timeout: float = 5.0) -> None:
        """Wait until the link is up; raises PbxUnavailable after `timeout` seconds, or at once if refused or closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._decided.wait()
        if self._state is not LinkState.UP:
            raise self._unavailable()

    async def send(self, action: str, fields: Fields | None = None, *, timeout: float = 5.0) -> Answer:
        """Do one action and return the answer, list entries included; `Answer.ok` is False if the PBX says no.

        Raises Invalid (a value that must not be written) or PbxUnavailable: nothing was sent. Raises AnswerUnknown:
        it was sent and may have happened. `timeout` is in seconds; give a slow action (Reload) what it needs.
        """
        if action.lower() in _OURS:
            raise bad("Action", f"{action} is not sent this way")
        return await self._exchange(action, fields or {}, timeout)

    async def command(self, cli: str, *, timeout: float = 5.0) -> Answer:
        """Run one CLI command; its lines are `Answer.output`."""
        return await self.send("Command", {"Command": cli}, timeout=timeout)

    async def originate(
        self,
        *,
        channel_id: str,
        endpoint: str,
        context: str,
        extension: str,
        variables: Mapping[str, str] | None = None,
        caller_id: str = "",
        caller_name: str = "",
        timeout_s: float = 30.0,
        answer_timeout: float = 5.0,
    ) -> Answer:
        """Ring `endpoint` (say PJSIP/1001) and send it to `extension` in `context` when it answers; asynchronous.

        The answer says whether the PBX took the order. How it went comes as the event OriginateResponse with our
        `channel_id`, also if there never was a channel. The channel's Uniqueid is `channel_id`; the phone rings for at
        most `timeout_s` seconds. Raises as `send` does.
        """
        fields = originate_fields(
            channel_id=channel_id,
            endpoint=endpoint,
            context=context,
            extension=extension,
            variables=variables or {},
            caller_id=caller_id,
            caller_name=caller_name,
            timeout_s=timeout_s,
        )
        return await self._exchange("Originate", fields, answer_timeout, tag=channel_id)

    def drop(self, reason: str) -> None:
        """Let go of the connection and make a new one: for a caller who has lost track and wants to settle afresh."""
        if self._connection is not None:
            self._connection.drop(reason)

    async def _exchange(self, action: str, fields: Fields, timeout: float, tag: str = "") -> Answer:
        if self._connection is None:
            raise self._unavailable()
        return await self._connection.exchange(action, fields, timeout, tag)

    def _unavailable(self) -> PbxUnavailable:
        return PbxUnavailable(f"PBX {self.account.name} is {self._state}: {self._reason}", pbx=self.account.name)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            began = loop.time()
            await self._live()
            lived = loop.time() - began
            attempt = 0 if lived > MAX_BACKOFF else attempt + 1
            await asyncio.sleep(backoff(attempt) - (lived if attempt else 0))

    async def _live(self) -> None:
        """One connection, from connect to loss; whatever ends it becomes the link's state."""
        connection = Connection(self._take, self._on_lost)
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT):
                await self._connect(connection)
                await self._log_in(connection)
            await self._await_boot(connection)
            await self._watch(connection)
        except _RefusedError as no:
            self._set(LinkState.REFUSED, str(no))
        except TimeoutError:
            self._set(LinkState.DOWN, f"{self._where} did not let us log in within {LOGIN_TIMEOUT:g} s")
        except OSError as fault:
            self._set(LinkState.DOWN, f"cannot reach {self._where}: {fault.strerror or fault}")
        except Exception as fault:
            log.exception("the link to PBX %s failed", self.account.name)
            self._set(LinkState.DOWN, f"the link failed: {fault!r}")
        finally:
            connection.drop("closed by us")

    @property
    def _where(self) -> str:
        return f"{self.account.host}:{self.account.port}"

    async def _connect(self, connection: Connection) -> None:
        account = self.account
        context = ssl.create_default_context() if account.tls is True else (account.tls or None)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, account.host, account.port, ssl=context)
        if not await connection.greeted:
            raise ConnectionError(connection.lost.result())

    async def _log_in(self, connection: Connection) -> None:
        account = self.account
        login = {"Username": account.username, "Secret": account.secret.get_secret_value(), "Events": "on"}
        try:
            answer = await connection.exchange("Login", login, LOGIN_TIMEOUT)
        except Invalid as unwritable:
            raise _RefusedError(f"the account cannot be used: {unwritable.detail}") from None
        except (AnswerUnknown, PbxUnavailable):
            reason = connection.lost.result() if connection.lost.done() else "it did not answer the login"
            raise ConnectionError(reason) from None
        if not answer.ok:
            raise _RefusedError(f"{self._where} refused the login as {account.username!r}: {answer.message}")

    async def _await_boot(self, connection: Connection) -> None:
        """Asterisk takes logins before its modules are there; it says FullyBooted then, or right after the login."""
        decided: set[asyncio.Future[Any]] = {connection.lost, connection.booted}
        await asyncio.wait(decided, timeout=BOOT_PATIENCE, return_when=FIRST_COMPLETED)
        if not connection.lost.done() and self._connection is not connection:
            self._up(connection)

    async def _watch(self, connection: Connection) -> None:
        """Ask for an answer again and again, until the connection is lost."""
        settings = await self._probe(connection, "CoreSettings")
        if settings is not None:
            self._asterisk_version = settings.fields.get("AsteriskVersion", "")
        while not connection.lost.done():
            await self._probe(connection, "Ping")
            await asyncio.wait({connection.lost}, timeout=PING_EVERY)

    async def _probe(self, connection: Connection, action: str) -> Answer | None:
        """Do an action that every living PBX answers at once; without an answer the connection is lost."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        patience = max(PING_TIMEOUT, connection.busy_until() - began + 1)
        try:
            answer = await connection.exchange(action, {}, patience)
        except (AnswerUnknown, PbxUnavailable) as fault:
            connection.drop(f"no answer to a ping: {fault.detail}")
            return None
        self._round_trip_s = loop.time() - began
        return answer

    def _take(self, connection: Connection, message: Headers) -> None:
        event = parse(message)
        if event is None:
            return
        if isinstance(event, FullyBooted) and not connection.booted.done():
            connection.booted.set_result(None)
            if self._connection is not connection:
                self._up(connection)
        try:
            self._on_event(event)
        except InboxFullError as full:
            connection.drop(str(full))
        except Exception:
            log.exception("the consumer of PBX %s failed on a %s", self.account.name, type(event).__name__)
        if isinstance(event, Shutdown):
            connection.drop("the PBX is shutting down")

    def _up(self, connection: Connection) -> None:
        self._connection = connection
        self._set(LinkState.UP, f"logged in to {self._where} as {self.account.username}")

    def _on_lost(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            self._set(LinkState.DOWN, connection.lost.result())

    def _set(self, state: LinkState, reason: str) -> None:
        if (state, reason) == (self._state, self._reason):
            return
        if state is not self._state:
            self._since = clock.now()
        self._state, self._reason = state, reason
        if state in (LinkState.UP, LinkState.REFUSED, LinkState.CLOSED):
            self._decided.set()
        else:
            self._decided.clear()
        level = logging.WARNING if state in (LinkState.DOWN, LinkState.REFUSED) else logging.INFO
        log.log(level, "PBX %s: %s (%s)", self.account.name, state, reason)
        try:
            self._on_state(state, reason)
        except Exception:
            log.exception("the listener for PBX %s failed on %s", self.account.name, state)
