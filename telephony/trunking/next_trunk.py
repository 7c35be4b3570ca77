"""Another way out for a call whose trunk failed before the callee's phone rang: the same attempt, on what is left of its ring.

The dialplan asks again only after Dial() came back without ringing and without early media; here it must be true by the events
as well. A busy line, a refusal and a number that does not exist are answers of the callee's network: no other trunk is asked.
"""

from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import NotFound
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.dialling.decisions import Decider, Decision, store
from telephony.dialling.gathering import Subject
from telephony.gate.fastagi import Request
from telephony.gate.passes import Answer, Refusal, let_out
from telephony.trunking.health import note_failure

log = structlog.get_logger(__name__)

ASKED_BEFORE, CAUSE = 5, 6
"""Places of the AGI arguments: how many trunks were tried, and the Q.850 cause with which the last one failed."""
WAY_FAILED = frozenset({0, 3, 20, 27, 34, 38, 41, 42, 44, 47, 58, 66, 102})
"""Causes of a way that failed (Q.850): out of order, congestion, timer expiry; 0, 3 and 20: no channel could be made."""
OVER: Answer = {"RINGFENCE_VERDICT": "over"}
"""The call ends by what the last trunk said."""


def asks_again(request: Request) -> bool:
    """Whether a trunk was tried in this very passage through the dialplan."""
    arguments = request.arguments
    return len(arguments) > ASKED_BEFORE and arguments[ASKED_BEFORE].isdigit() and int(arguments[ASKED_BEFORE]) > 0


async def another_way(
    transaction: Transaction, call: Row[Any], request: Request, decider: Decider, ring_seconds: int, now: datetime
) -> Answer:
    """The next trunk that carries the number, if the rules still allow the call and its ring is not used up. Takes the locks
    of the call's person, number and agent as held."""
    known = await call_records.legs_of(transaction.connection, call.id)
    reached = any(leg.role == "customer" and (leg.alerted_at or leg.answered_at) for leg in known)
    cause = request.arguments[CAUSE] if len(request.arguments) > CAUSE else ""
    if (
        call.state != State.CALLING_CUSTOMER
        or request.uniqueid != call.uniqueid
        or call.hangup_by
        or reached
        or not cause.isdigit()
        or int(cause) not in WAY_FAILED
    ):
        log.info("gate.no_other_trunk", call_id=call.id, state=call.state, reached=reached, cause=cause)
        return OVER
    if call.trunk:
        await note_failure(transaction, call.trunk, call.id, int(cause), now)
    decisions = await _decide(transaction, call, decider, now)
    if decisions is None or not all(decision.allowed for decision in decisions):
        return OVER
    spent = int((now - call.calling_customer_at).total_seconds())
    answer = await let_out(transaction, call, decisions, ring_seconds - spent, now)
    if isinstance(answer, Refusal):
        return OVER
    log.info("gate.another_trunk", call_id=call.id, cause=int(cause), failed=call.trunk)
    return answer


async def _decide(transaction: Transaction, call: Row[Any], decider: Decider, now: datetime) -> list[Decision] | None:
    """On the facts of this moment, without the call's own reservation; None when what it was about is gone."""
    parties = [(one["case_id"], one["party_id"]) for one in call.candidates or ()]
    if not parties and call.case_id and call.party_id:
        parties = [(call.case_id, call.party_id)]
    decisions = []
    for case_id, party_id in parties:
        subject = Subject(case_id, party_id, call.number, call.agent, call.role, call.purpose)
        try:
            decision = await decider.decide(transaction.connection, subject, now, without_call=call.id)
        except NotFound:
            return None
        await store(transaction, decision, "gate", call.id)
        decisions.append(decision)
    return decisions
