"""The one gate: asked by the dialplan right before every Dial() to the outside, and nothing leaves without its yes.

It decides again on the facts of this moment (a complaint may have come since the click), names trunk, caller ID and ring
time, and writes all of it down before the PBX hears the answer. Its silence is a no: the dialplan trusts only its own variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.engine import Row

from config import clock, identifiers
from config.database import Database, Transaction
from config.errors import NotFound
from telephony import call_records, trunks
from telephony.call_states import BEFORE_THE_GATE, State
from telephony.decisions import Decider, Decision, seconds_allowed, store
from telephony.fastagi import Request
from telephony.gathering import Subject, policy_of
from telephony.outcomes import NOT_PLACED

log = structlog.get_logger(__name__)

Answer = Mapping[str, str]
DENIED_PROMPT = "cannot-complete-as-dialed"
"""Of Asterisk's own sounds; the dialplan adds a tone, and the page says the reason in words."""
SHORTEST_RING = 5
"""Seconds: with less of the calling window left, ringing would only startle."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the gate let nothing through, in the collector's words."""

    rule: str
    reason: str
    reason_zh: str
    retry_at: str | None = None

    def document(self) -> dict[str, Any]:
        """As shown on the call."""
        return {"rule": self.rule, "reason": self.reason, "reason_zh": self.reason_zh, "retry_at": self.retry_at}


NO_TICKET = Refusal(
    "gate/no-ticket",
    "This call was not started from a case, so it may not leave.",
    "该呼叫不是从案件发起的,不能外呼。",
)
SETTLED = Refusal(
    "gate/already-settled",
    "This call was already finished or dialled once; start a new one from the case.",
    "该呼叫已结束或已拨出过,请从案件重新发起。",
)
FOREIGN_CHANNEL = Refusal(
    "gate/foreign-channel",
    "The call is not on the collector's own phone (forwarding is not allowed).",
    "该呼叫不在催收员本人的话机上(不允许呼叫转移)。",
)
WITHDRAWN = Refusal("gate/hung-up", "The call was hung up before it was dialled.", "拨出前已挂断。")
GONE = Refusal(
    "gate/withdrawn",
    "The number was taken off the case after the click.",
    "点击之后该号码已从案件中移除。",
)
NO_TRUNK = Refusal("gate/no-trunk", "No trunk is set up for this number.", "没有可用于该号码的中继线路。")
WINDOW_CLOSING = Refusal(
    "gate/window-closing", "The calling window closes in a few seconds.", "允许拨打的时段即将结束。"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """Answers the dialplan. `ring_seconds` bounds the customer's ring."""

    database: Database
    decider: Decider
    ring_seconds: int

    async def __call__(self, request: Request) -> Answer:
        """Handle one AGI() pass: `/gate` with the call's id, or `/probe` by which `pbx check` sees that we're here."""
        if request.path == "/probe":
            return {"RINGFENCE_VERDICT": "probe"}
        if request.path != "/gate":
            return _deny()
        call_id = request.arguments[0] if request.arguments else ""
        if not identifiers.PATTERN.fullmatch(call_id):
            return self._refuse_stranger(request)
        async with self.database.write() as transaction:
            return await self._pass(transaction, call_id, request, clock.now())

    def _refuse_stranger(self, request: Request) -> Answer:
        log.warning("gate.refused", rule=NO_TICKET.rule, channel=request.channel)
        return _deny()

    async def _pass(self, transaction: Transaction, call_id: str, request: Request, now: datetime) -> Answer:
        call = await _locked_call(transaction, call_id)
        if call is None:
            return self._refuse_stranger(request)
        refusal = _not_this_call(call, request)
        if refusal is not None:
            return await _refuse(transaction, call, refusal, now, ours=refusal is not FOREIGN_CHANNEL)
        subject = Subject(call.case_id, call.party_id, call.number, call.agent, call.role, call.purpose)
        try:
            decision = await self.decider.decide(transaction.connection, subject, now, without_call=call_id)
        except NotFound as gone:
            log.info("gate.subject_gone", call_id=call_id, detail=gone.detail)
            return await _refuse(transaction, call, GONE, now)
        await store(transaction, decision, "gate", call_id)
        if not decision.allowed:
            return await _refuse(transaction, call, _in_words(decision), now)
        return await self._let_through(transaction, call, decision, now)

    async def _let_through(self, transaction: Transaction, call: Row[Any], decision: Decision, now: datetime) -> Answer:
        routes = await trunks.routes_for(transaction.connection, call.pbx, call.number)
        if not routes:
            return await _refuse(transaction, call, NO_TRUNK, now)
        ring = seconds_allowed(decision.facts, self.ring_seconds)
        if ring < SHORTEST_RING:
            return await _refuse(transaction, call, WINDOW_CLOSING, now)
        route = routes[0]
        lifted: dict[str, Any] = {"override": decision.override} if decision.override else {}
        await call_records.move(
            transaction,
            call.id,
            State.CALLING_CUSTOMER,
            now,
            trunk=route.trunk,
            caller_id=route.caller_id,
            **lifted,
        )
        consented = decision.verdict.consented
        await call_records.set_contact(transaction, call.id, at=now, outcome="live", consented=consented)
        policy = await policy_of(transaction.connection, decision.known.client)
        return {
            "RINGFENCE_DIAL": f"PJSIP/{route.dialled}@{route.endpoint}",
            "RINGFENCE_CALLERID": route.caller_id or "",
            "RINGFENCE_RING": str(ring),
            "RINGFENCE_ANNOUNCE": (policy.announcement if policy else None) or "",
            "RINGFENCE_VERDICT": "allow",
        }


async def _locked_call(transaction: Transaction, call_id: str) -> Row[Any] | None:
    """The call as it stands once nobody else decides about its person, number or agent."""
    call = await call_records.find(transaction.connection, call_id)
    if call is None:
        return None
    await transaction.lock([f"person:{call.party_id}", f"number:{call.number}", f"agent:{call.agent}"])
    return await call_records.find(transaction.connection, call_id)


def _not_this_call(call: Row[Any], request: Request) -> Refusal | None:
    """Whether the channel that asks is the one we originated for a call that has not been dialled yet."""
    if call.state not in BEFORE_THE_GATE or call.calling_customer_at is not None:
        return SETTLED
    if request.uniqueid != call.uniqueid or not _is_own_phone(request.channel, call.extension):
        return FOREIGN_CHANNEL
    return WITHDRAWN if call.hangup_by else None


def _is_own_phone(channel: str, extension: str) -> bool:
    return re.fullmatch(rf"PJSIP/{re.escape(extension)}-[0-9a-f]+", channel) is not None


def _in_words(decision: Decision) -> Refusal:
    result = decision.verdict.document()
    reasons = result.get("reasons") or {}
    return Refusal(
        result["rule"],
        result["reason"],
        reasons.get("zh") or result.get("reason_zh") or result["reason"],
        result["retry_at"],
    )


async def _refuse(
    transaction: Transaction, call: Row[Any], refusal: Refusal, now: datetime, *, ours: bool = True
) -> Answer:
    """Say no, and when it is the call's own channel that asked, show why on the call and give the attempt back."""
    if ours and refusal is not SETTLED:
        await call_records.note(transaction, call.id, now, denial=refusal.document())
        await call_records.set_contact(transaction, call.id, outcome=NOT_PLACED)
    log.info("gate.refused", rule=refusal.rule, call_id=call.id)
    return _deny()


def _deny() -> Answer:
    return {"RINGFENCE_PROMPT": DENIED_PROMPT, "RINGFENCE_VERDICT": "deny"}
