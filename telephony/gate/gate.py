"""The one gate: asked by the dialplan right before every Dial() to the outside, and nothing leaves without its yes.

It decides again on the facts of this moment (a complaint may have come since the click), names trunk, caller ID and ring
time, and writes all of it down before the PBX hears the answer. Its silence is a no: the dialplan trusts only its own variable.
A pass without a call's id is a number typed on a phone or the target of a phone's transfer: `telephony/gate/typed.py`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from config import clock, identifiers
from config.database import Database, Transaction
from config.errors import NotFound
from telephony.calls import call_records
from telephony.calls.call_states import BEFORE_THE_GATE
from telephony.dialling.decisions import Decider, Decision, store, strictest
from telephony.dialling.gathering import Subject
from telephony.dialling.reservations import TRANSFER
from telephony.gate import allowed_numbers
from telephony.gate.fastagi import Request
from telephony.gate.passes import FOREIGN_CHANNEL, GONE, Answer, Refusal, deny, give_back, in_words, let_out
from telephony.gate.typed import NO_CASE, RECORDER_DOWN, TypedNumbers
from telephony.trunking.next_trunk import another_way, asks_again

NO_TICKET = Refusal(
    "gate/no-ticket",
    "This call was not started from a case, so it may not leave.",
    "该呼叫不是从案件发起的，不能外呼。",
)
SETTLED = Refusal(
    "gate/already-settled",
    "This call was already finished or dialled once; start a new one from the case.",
    "该呼叫已结束或已拨出过，请从案件重新发起。",
)
WITHDRAWN = Refusal("gate/hung-up", "The call was hung up before it was dialled.", "拨出前已挂断。")


@dataclass(frozen=True, slots=True)
class Gate:
    """Answers the dialplan. `ring_seconds` bounds the customer's ring; without `typed` only calls with an id pass."""

    database: Database
    decider: Decider
    ring_seconds: int
    typed: TypedNumbers | None = None

    async def __call__(self, request: Request) -> Answer:
        """Handle one AGI() pass: `/gate` (docs/dialplan.md has its arguments), or `/probe` by `pbx check`."""
        if request.path == "/probe":
            return {"RINGFENCE_VERDICT": "probe"}
        if request.path != "/gate":
            return deny(NO_TICKET, channel=request.channel)
        call_id = request.arguments[0] if request.arguments else ""
        async with self.database.write() as transaction:
            if not call_id and self.typed is not None and self.typed.asks(request):
                return await self.typed.judge(transaction, request, self.ring_seconds, clock.now())
            if not identifiers.PATTERN.fullmatch(call_id):
                return deny(NO_TICKET, channel=request.channel)
            return await self._pass(transaction, call_id, request)

    async def _pass(self, transaction: Transaction, call_id: str, request: Request) -> Answer:
        call = await _locked_call(transaction, call_id)
        now = clock.now()  # not before the locks are ours: what others wrote while we waited came first
        if call is None:
            return deny(NO_TICKET, channel=request.channel)
        if asks_again(request):
            return await another_way(transaction, call, request, self.decider, self.ring_seconds, now)
        refusal = _not_this_call(call, request)
        if refusal in (FOREIGN_CHANNEL, SETTLED):
            return deny(refusal, call_id=call_id, channel=request.channel)
        if refusal is not None:
            return await give_back(transaction, call, refusal, now)
        if call.case_id is None:
            return await self._listed(transaction, call, now)
        try:
            decisions = await self._decide(transaction, call, now)
        except NotFound:
            return await give_back(transaction, call, GONE, now)
        denied = strictest(decisions)
        if denied is not None:
            return await give_back(transaction, call, in_words(denied), now)
        answer = await let_out(transaction, call, decisions, self.ring_seconds, now)
        return await give_back(transaction, call, answer, now) if isinstance(answer, Refusal) else answer

    async def _decide(self, transaction: Transaction, call: Row[Any], now: datetime) -> list[Decision]:
        """For the call's case and party first, then for each other one that the number may be of. Raises NotFound."""
        further = [(one["case_id"], one["party_id"]) for one in call.candidates or ()]
        decisions = []
        for case_id, party_id in dict.fromkeys([(call.case_id, call.party_id), *further]):
            subject = Subject(case_id, party_id, call.number, call.agent, call.role, call.purpose)
            decision = await self.decider.decide(transaction.connection, subject, now, without_call=call.id)
            await store(transaction, decision, "gate", call.id)
            decisions.append(decision)
        return decisions

    async def _listed(self, transaction: Transaction, call: Row[Any], now: datetime) -> Answer:
        """A transfer's target that no case holds: only the list of allowed numbers lets it out, recorded all the same."""
        clients = [call.client] if call.client else []
        if await allowed_numbers.listed(transaction.connection, call.number, call.pbx, clients) is None:
            return await give_back(transaction, call, NO_CASE, now)
        if not self.decider.gathering.recorder_healthy():
            return await give_back(transaction, call, RECORDER_DOWN, now)
        answer = await let_out(transaction, call, [], self.ring_seconds, now)
        return await give_back(transaction, call, answer, now) if isinstance(answer, Refusal) else answer


async def _locked_call(transaction: Transaction, call_id: str) -> Row[Any] | None:
    """The call as it stands once nobody else decides about its person, number or agent."""
    call = await call_records.find(transaction.connection, call_id)
    if call is None:
        return None
    await transaction.lock([f"person:{call.party_id}", f"number:{call.number}", f"agent:{call.agent}"])
    return await call_records.find(transaction.connection, call_id)


def _not_this_call(call: Row[Any], request: Request) -> Refusal | None:
    """Whether the channel that asks is the one named for a call that has not been dialled yet.

    A click's is the collector's own phone. A transfer's row names it: the outside party's channel, or a consulting one's.
    """
    if call.state not in BEFORE_THE_GATE or call.calling_customer_at is not None:
        return SETTLED
    own = call.origin == TRANSFER or _is_own_phone(request.channel, call.extension)
    if request.uniqueid != call.uniqueid or not own:
        return FOREIGN_CHANNEL
    return WITHDRAWN if call.hangup_by else None


def _is_own_phone(channel: str, extension: str) -> bool:
    return re.fullmatch(rf"PJSIP/{re.escape(extension)}-[0-9a-f]+", channel) is not None
