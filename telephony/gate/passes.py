"""What the gate answers: the yes with everything that Dial() needs, and the no with its reason written on the call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.engine import Row

from config.database import Transaction
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.calls.outcomes import NOT_PLACED
from telephony.dialling.decisions import Decision, seconds_allowed
from telephony.dialling.gathering import policy_of
from telephony.trunking.choosing import NoWay, Wanted, choose

log = structlog.get_logger(__name__)

Answer = Mapping[str, str]
"""Channel variables, in the order in which they are set; RINGFENCE_VERDICT is the last."""
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


FOREIGN_CHANNEL = Refusal(
    "gate/foreign-channel",
    "The call is not on the collector's own phone (forwarding is not allowed).",
    "该呼叫不在催收员本人的话机上（不允许呼叫转移）。",
)
FORWARDED = Refusal(
    "gate/forwarded",
    "Your phone forwards its calls elsewhere, so the customer was not called; switch forwarding off on the phone.",
    "您的话机设置了呼叫转移，因此没有呼叫客户；请先在话机上取消呼叫转移。",
)
GONE = Refusal(
    "gate/withdrawn",
    "The number was taken off the case after the click.",
    "点击之后该号码已从案件中移除。",
)
NO_TRUNK = Refusal("gate/no-trunk", "No trunk is set up for this number.", "没有可用于该号码的中继线路。")
TRUNKS_CLOSED = Refusal(
    "gate/trunk-hours", "The lines for this number are closed at this hour.", "该号码可用的中继线路此时段不开放。"
)
NO_CALLER_ID = Refusal(
    "gate/no-caller-id",
    "There is no number that this call may show, or each has been shown often enough today.",
    "没有可供该呼叫显示的主叫号码，或各号码今日显示次数已满。",
)
TRUNKS_FULL = Refusal(
    "gate/trunks-full", "All lines for this number are taken; try again in a moment.", "线路全忙，请稍后再试。"
)
NO_WAYS = {
    NoWay.NONE: NO_TRUNK,
    NoWay.CLOSED: TRUNKS_CLOSED,
    NoWay.NO_CALLER_ID: NO_CALLER_ID,
    NoWay.FULL: TRUNKS_FULL,
}
WINDOW_CLOSING = Refusal(
    "gate/window-closing", "The calling window closes in a few seconds.", "允许拨打的时段即将结束。"
)


def in_words(decision: Decision) -> Refusal:
    """The refusal that a denying decision is."""
    result = decision.verdict.document()
    reasons = result.get("reasons") or {}
    return Refusal(
        result["rule"],
        result["reason"],
        reasons.get("zh") or result.get("reason_zh") or result["reason"],
        result["retry_at"],
    )


async def let_out(
    transaction: Transaction, call: Row[Any], decisions: Sequence[Decision], ring_seconds: int, now: datetime
) -> Answer | Refusal:
    """Write that the call leaves, and what Dial() is told; a Refusal when there is no way or no time, nothing written.

    A call that has a trunk already left by it in vain, and leaves by another one, as the same attempt.

    The first decision's client gives the announcement; the ring ends with the earliest window. Without decisions (an
    allow-listed number) there is neither.
    """
    failed = [*(call.trunks_tried or ()), call.trunk] if call.trunk else []
    ring = min([seconds_allowed(decision.facts, ring_seconds) for decision in decisions] or [ring_seconds])
    if ring < SHORTEST_RING:
        return WINDOW_CLOSING
    client = decisions[0].known.client if decisions else call.client
    route = await choose(transaction, Wanted(call.pbx, call.number, client, failed), now)
    if isinstance(route, NoWay):
        return NO_WAYS[route]
    lifted = next((decision.override for decision in decisions if decision.override), None)
    columns: dict[str, Any] = {
        "trunk": route.trunk,
        "caller_id": route.caller_id,
        **({"override": lifted} if lifted else {}),
    }
    if failed:
        await call_records.note(transaction, call.id, now, **columns, trunks_tried=failed)
    else:
        await call_records.move(transaction, call.id, State.CALLING_CUSTOMER, now, **columns)
    if not failed:
        consented = bool(decisions) and all(decision.verdict.consented for decision in decisions)
        await call_records.set_contact(transaction, call.id, at=now, outcome="live", consented=consented)
    return {
        "RINGFENCE_DIAL": f"PJSIP/{route.dialled}@{route.endpoint}",
        "RINGFENCE_CALLERID": route.caller_id or "",
        "RINGFENCE_RING": str(ring),
        "RINGFENCE_ANNOUNCE": await _announcement(transaction, decisions),
        "RINGFENCE_VERDICT": "allow",
    }


async def _announcement(transaction: Transaction, decisions: Sequence[Decision]) -> str:
    policy = await policy_of(transaction.connection, decisions[0].known.client) if decisions else None
    return (policy.announcement if policy else None) or ""


async def give_back(transaction: Transaction, call: Row[Any], refusal: Refusal, now: datetime) -> Answer:
    """Say no to a call that was reserved: show why on it and give the attempt back. What is known of the reason already stays."""
    if call.denial is None:
        await call_records.note(transaction, call.id, now, denial=refusal.document())
    await call_records.set_contact(transaction, call.id, outcome=NOT_PLACED)
    return deny(refusal, call_id=call.id)


def deny(refusal: Refusal, **known: Any) -> Answer:
    """Say no; `known` goes to the log with the rule."""
    log.info("gate.refused", rule=refusal.rule, **known)
    return {"RINGFENCE_PROMPT": DENIED_PROMPT, "RINGFENCE_VERDICT": "deny"}
