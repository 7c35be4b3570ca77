"""One POST: bounded in time and size, never redirected, and only to where the guard allows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from crm_bridge.outbox.destination import Answer, Delivered, Gone, Refused, Seen, TryLater
from crm_bridge.webhooks.guard import Forbidden, Guard, GuardedResolver

MOST_READ = 64 * 1024
SHOWN = 2048
CONNECT_SECONDS = 5.0
NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""Without a connection nothing can have arrived."""


class Sender:
    """The HTTP client of all webhooks; made when it is first used, in the loop that uses it."""

    def __init__(self, guard: Guard, answer_seconds: float) -> None:
        self.guard = guard
        self._seconds = answer_seconds
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], now: datetime) -> Answer:
        """Send it and judge the answer."""
        fault = self.guard.fault_of(url)
        if fault is not None:
            return Refused(f"the URL {fault}")
        try:
            return await self._post(url, body, headers, now)
        except NEVER_SENT as error:
            if isinstance(getattr(error, "os_error", None), Forbidden):
                return Refused("the URL leads into a private network (outbox.allow_networks names exceptions)")
            return TryLater(f"no connection: {type(error).__name__}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return TryLater(f"no answer: {type(error).__name__}", may_have_arrived=True)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], now: datetime) -> Answer:
        kind = "application/json; charset=utf-8"
        given = {"Content-Type": kind, "User-Agent": "Ringfence-Webhooks/1", **headers}
        session = self._session(url.partition(":")[0].lower())
        async with session.post(url, data=body, headers=given, allow_redirects=False) as response:
            seen = Seen(response.status, await _shown(response))
            return _judged(response, seen, now)

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        if scheme not in self._sessions:
            plain = scheme == "http"
            connector = aiohttp.TCPConnector(
                resolver=GuardedResolver(self.guard, plain=plain),
                socket_factory=lambda found: self.guard.new_socket(found, plain=plain),
                limit=0,
                ttl_dns_cache=60,
            )
            limits = aiohttp.ClientTimeout(total=self._seconds, sock_connect=CONNECT_SECONDS)
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=connector, timeout=limits, auto_decompress=False, trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )  # fmt: skip
        return self._sessions[scheme]

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions = {}


async def _shown(response: aiohttp.ClientResponse) -> str:
    """The start of the answer. Its status is the answer: a body that never ends or breaks off changes nothing."""
    read = bytearray()
    try:
        async for chunk in response.content.iter_any():
            read += chunk
            if len(read) > MOST_READ:
                response.close()
                break
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
    text = bytes(read[:SHOWN]).decode(errors="replace")
    return "".join(
        character if character >= " " or character in "\t\r\n" else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _judged(response: aiohttp.ClientResponse, seen: Seen, now: datetime) -> Answer:
    """2xx is "got it", 410 "nobody here any more"; everything else is tried again, redirects too."""
    if 200 <= response.status < 300:
        return Delivered(seen=seen)
    if response.status == 410:
        return Gone("it answered 410: nobody is there any more", seen=seen)
    hint = ", and redirects are not followed" if 300 <= response.status < 400 else ""
    not_before = _retry_after(response.headers.get("Retry-After"), now)
    return TryLater(f"it answered {response.status}{hint}", not_before, seen=seen)


def _retry_after(given: str | None, now: datetime) -> datetime | None:
    """RFC 9110, 10.2.3: seconds or a date."""
    if given is None:
        return None
    if given.strip().isdecimal() and len(given.strip()) < 10:
        return now + timedelta(seconds=int(given))
    try:
        named = parsedate_to_datetime(given)
    except (ValueError, TypeError):
        return None
    return named if named.tzinfo is not None else named.replace(tzinfo=UTC)
