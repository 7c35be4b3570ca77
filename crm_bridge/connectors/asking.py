"""One request to a CRM over HTTP: bounded in time and size, never redirected, its failures told apart."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

import aiohttp

from config import clock
from crm_bridge.connectors import faults
from crm_bridge.webhooks.guard import Forbidden, Guard, GuardedResolver

MOST_BYTES = 16 * 1024 * 1024
SHOWN = 300
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer that came whole: its status, its JSON (None for an empty one), and the time at which the CRM says it answered."""

    status: int
    value: Any
    at: datetime | None


class Asker:
    """The HTTP client of all connectors; made when it is first used, in the loop that uses it. Only where `guard` allows."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def ask(
        self,
        method: str,
        url: str,
        *,
        token: str,
        params: Sequence[tuple[str, str]] = (),
        body: Any = None,
        seconds: float = 10.0,
    ) -> Asked:
        """Ask, and read a JSON answer. Raises a `CrmFault` that says what went wrong."""
        fault = self.guard.fault_of(url)
        if fault is not None:
            raise faults.Unreachable(f"the CRM's URL {fault}")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        options: dict[str, Any] = {"params": list(params), "headers": headers, "allow_redirects": False}
        if body is not None:
            options["json"] = body
        session = self._session(url.partition(":")[0].lower())
        try:
            async with asyncio.timeout(seconds), session.request(method, url, **options) as answer:
                return _judged(answer, await _text(answer))
        except TimeoutError as error:
            raise faults.NoAnswer(f"the CRM took the request and did not answer within {seconds:.0f} s") from error
        except aiohttp.ClientConnectorError as error:
            raise faults.Unreachable(f"the CRM cannot be reached: {_cause(error)}") from error
        except aiohttp.ClientError as error:
            raise faults.NoAnswer(
                f"the connection broke before the CRM had answered ({type(error).__name__})"
            ) from error
        except ValueError as error:  # a header that cannot be sent
            raise faults.Unreachable(f"the request could not be sent: {error}") from error

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        if scheme not in self._sessions:
            connector = aiohttp.TCPConnector(resolver=GuardedResolver(self.guard, plain=scheme == "http"), limit=0)
            limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=connector, timeout=limits, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._sessions[scheme]

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions = {}


def _cause(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(getattr(error, "os_error", None), Forbidden):
        return "its address is in a private network (outbox.allow_networks names exceptions)"
    return str(getattr(error, "os_error", None) or error)[:SHOWN]


async def _text(answer: aiohttp.ClientResponse) -> str:
    read = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        read += chunk
        if len(read) > MOST_BYTES:
            raise faults.Broken(f"the CRM's answer is longer than {MOST_BYTES >> 20} MB", status=answer.status)
    return read.decode("utf-8", "replace")


def _judged(answer: aiohttp.ClientResponse, text: str) -> Asked:
    status = answer.status
    if 200 <= status < 300:
        return Asked(status, _json(status, text), _date(answer.headers.get("Date")))
    if 300 <= status < 400:
        target = answer.headers.get("Location", "elsewhere")[:SHOWN]
        raise faults.Broken(f"the CRM sends us on to {target}: give that address instead", status=status, answer=text)
    if status == 401:
        raise faults.AccessLost("the CRM does not accept the token (401)", status=status, answer=text)
    if status == 404:
        raise faults.NotThere("the CRM has nothing at this address (404)", status=status, answer=text)
    if status in (429, 503):
        busy = faults.Busy(f"the CRM asks to wait ({status}): {said(text)}", status=status, answer=text)
        busy.not_before = _retry_after(answer.headers.get("Retry-After"))
        raise busy
    if status >= 500:
        raise faults.Broken(f"the CRM broke on the request ({status}): {said(text)}", status=status, answer=text)
    raise faults.Rejected(f"the CRM refuses ({status}): {said(text)}", status=status, answer=text)


def _date(value: str | None) -> datetime | None:
    try:
        said_at = parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
    return said_at if said_at is None or said_at.tzinfo else said_at.replace(tzinfo=UTC)


def _json(status: int, text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        reason = f"what answers there is not the CRM's API: {said(text)}"
        raise faults.Broken(reason, status=status, answer=text) from None


def said(text: str) -> str:
    """What an error page or a JSON error says, in one line."""
    try:
        told = json.loads(text)
        parts = [told.get("message"), told.get("description")] if isinstance(told, dict) else [told]
        text = " ".join(str(part) for part in parts if part)
    except ValueError:
        text = re.sub(r"<title>.*?</title>|<style.*?</style>|<script.*?</script>", " ", text, flags=re.DOTALL)
        text = unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(text.split())[:SHOWN] or "it gives no reason"


def _retry_after(value: str | None) -> datetime | None:
    if value is None or not value.isdigit():
        return None
    return clock.now() + timedelta(seconds=min(int(value), 86_400))
