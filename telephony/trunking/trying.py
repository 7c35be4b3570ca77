"""Try a trunk now: its carrier is asked (OPTIONS) and logged in to anew, and what comes of it is told in one sentence.

Asterisk shows the last answer until the next one comes, so an answer counts only once it differs from what was there before
the question, or once the carrier has had its time. PJSIPRegister logs out first, then in.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from telephony.ami import AmiLink
from telephony.trunking.seen import (
    REACHABLE,
    REGISTERED,
    REJECTED,
    UNREACHABLE,
    Sighting,
    look,
    registrations,
)

ANSWER_SECONDS = 4.5
"""Asterisk itself waits 3 s for the answer to OPTIONS."""
LOG_IN_SECONDS = 15.0
"""Before 21, Asterisk begins a registration up to 10 s late, by chance."""
_POLL = 0.2


class Why(NamedTuple):
    """A sentence in both languages; empty: nothing is wrong."""

    en: str
    zh: str


FINE = Why("", "")


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test saw: in one sentence why the trunk does not work, if so, and the endpoint as it was."""

    why: Why
    sighting: Sighting

    @property
    def ok(self) -> bool:
        """Whether it works."""
        return self.why == FINE

    def document(self) -> dict[str, Any]:
        """For people."""
        return {"ok": self.ok, "why": self.why.en or None, "why_zh": self.why.zh or None, **self.sighting.document()}


async def try_out(link: AmiLink, endpoint: str, *, qualifies: bool = True) -> Tried:
    """Ask, log in anew where the trunk registers, and wait for what comes of it; `qualifies` false: OPTIONS is never sent."""
    before = await look(link, endpoint, await registrations(link))
    if not before.there:
        return Tried(Why(f"the PBX has no PJSIP endpoint {endpoint}", f"电话系统中没有端点 {endpoint}"), before)
    if before.registration is not None:
        await link.send("PJSIPRegister", {"Registration": before.registration.name})
    if qualifies:
        await link.send("PJSIPQualify", {"Endpoint": endpoint})
    started = asyncio.get_running_loop().time()
    trial = _Trial(before, qualifies)
    while True:
        await asyncio.sleep(_POLL)
        sighting = await look(link, endpoint, await registrations(link))
        why = trial.verdict(sighting, asyncio.get_running_loop().time() - started)
        if why is not None:
            return Tried(why, sighting)


_NO_CONTACT = Why("the endpoint has no contact, so no call can leave by it", "该端点没有联系地址，无法经它呼出")


@dataclass
class _Trial:
    """Judges what is seen after the question against what was there `before` it."""

    before: Sighting
    qualifies: bool
    _log_in_moved: bool = False

    def verdict(self, now: Sighting, waited: float) -> Why | None:
        """Why the trunk does not work, FINE when it does, None while that is not known yet."""
        answers = [self._contacts(now, waited), self._log_in(now, waited)]
        wrong = next((answer for answer in answers if answer not in (None, FINE)), None)
        return wrong or (None if None in answers else FINE)

    def _contacts(self, now: Sighting, waited: float) -> Why | None:
        statuses = {contact.status for contact in now.contacts}
        addresses = ", ".join(contact.uri for contact in now.contacts)
        if not now.contacts:
            return _NO_CONTACT if waited > ANSWER_SECONDS else None
        if not self.qualifies:
            return FINE
        if now.contacts == self.before.contacts and waited <= ANSWER_SECONDS:
            return None
        if REACHABLE in statuses:
            return FINE
        if waited <= ANSWER_SECONDS:
            return None
        if UNREACHABLE in statuses:
            return Why(
                f"{addresses} does not answer OPTIONS: look at host, port, transport and firewall",
                f"{addresses} 没有应答：请检查主机、端口、传输协议与防火墙",
            )
        told = ", ".join(sorted(statuses))
        return Why(
            f"{addresses} could not be asked ({told}): look at the host's name", f"无法询问 {addresses}：请检查主机名"
        )

    def _log_in(self, now: Sighting, waited: float) -> Why | None:
        was, registration = self.before.registration, now.registration
        if registration is None:
            return FINE
        self._log_in_moved = self._log_in_moved or was is None or was.status != registration.status
        if not self._log_in_moved and waited <= ANSWER_SECONDS:
            return None
        if registration.status == REGISTERED:
            return FINE
        if registration.status == REJECTED:
            return Why(
                f"{registration.server} refused the log-in: look at user name and secret",
                f"{registration.server} 拒绝登录：请检查用户名与密码",
            )
        if waited <= LOG_IN_SECONDS:
            return None
        return Why(
            f"{registration.server} did not answer the log-in ({registration.status})",
            f"{registration.server} 没有应答登录请求",
        )
