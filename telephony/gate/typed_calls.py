"""The call row of a pass without a call's id, also of one that the gate refuses: the collector sees on it why the phone said no."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.database import Transaction
from config.identifiers import new_id
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.dialling.decisions import Decision, store, strictest
from telephony.dialling.reservations import candidate, count_attempt, nobody, reserve_attempt
from telephony.gate.asking import Asking, Caller
from telephony.gate.passes import Answer, Refusal, deny, in_words, let_out


@dataclass(frozen=True, slots=True)
class Holder:
    """A party of a case that has the number. `seen`: whether the collector may see the case."""

    case_id: str
    party_id: str
    client: str
    collector: str | None
    seen: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A holder and what was decided about calling it."""

    holder: Holder
    decision: Decision


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who called which number (E.164, or the digits where they are no number), with what was decided for each holder."""

    asking: Asking
    caller: Caller
    number: str
    judged: Sequence[Judged] = ()

    def strictest(self) -> Refusal | None:
        """The denial that lasts longest; None: all allow."""
        denial = strictest([one.decision for one in self.judged])
        return in_words(denial) if denial is not None else None

    def resolved(self) -> dict[str, str | None]:
        """Case, party and client of the call: the collector's own case if it is one, else the only one; None where unresolved."""
        mine = [one.holder for one in self.judged if one.holder.collector == self.caller.collector.name]
        own = mine or [one.holder for one in self.judged]
        case_id, client = _only({holder.case_id for holder in own}), _only({holder.client for holder in own})
        party_id = _only({holder.party_id for holder in own}) if case_id else None
        return {"case_id": case_id, "party_id": party_id, "client": client}

    def decisions(self) -> list[Decision]:
        """Every decision; that of the call's own case and party is the first."""
        own = self.resolved()

        def other(one: Judged) -> tuple[bool, bool]:
            return one.holder.case_id != own["case_id"], one.holder.party_id != own["party_id"]

        return [one.decision for one in sorted(self.judged, key=other)]

    def row(self, now: datetime) -> dict[str, Any]:
        """The call's row while the phone that asks waits."""
        deciding = [one for one in self.decisions() if not one.allowed] or self.decisions()
        return {
            "id": new_id(now),
            "direction": "outbound",
            "state": State.CALLING_AGENT,
            "origin": self.caller.origin,
            "transferred_from": self.caller.transferred_from,
            "agent": self.caller.collector.name,
            "role": self.caller.collector.role,
            "extension": self.caller.extension,
            "number": self.number,
            "purpose": "collect",
            "pbx": self.asking.pbx,
            "uniqueid": self.asking.uniqueid,
            "decision_id": deciding[0].id if deciding else "",
            "candidates": [candidate(one.decision) for one in self.judged],
            "created_at": now,
            "violations": [],
            **self.resolved(),
        }


def _only(values: set[str]) -> str | None:
    return values.pop() if len(values) == 1 else None


async def refuse(transaction: Transaction, attempt: Attempt, refusal: Refusal, now: datetime) -> Answer:
    """A call that ended at the gate: the collector sees why the phone said no."""
    row = attempt.row(now)
    for decision in attempt.decisions():
        await store(transaction, decision, "gate", row["id"])
    await call_records.create(transaction, row, now)
    return await _end(transaction, row["id"], refusal, now)


async def dial(transaction: Transaction, attempt: Attempt, ring_seconds: int, now: datetime, **columns: Any) -> Answer:
    """Count the attempt for every party that has the number, write the call, and let it out; `columns` are the row's own."""
    row = {**attempt.row(now), **columns}
    decisions = attempt.decisions()
    for decision in decisions:
        await store(transaction, decision, "gate", row["id"])
    if decisions:
        await reserve_attempt(transaction, row["id"], decisions, now)
    else:
        collector = attempt.caller.collector
        alone = [nobody(attempt.number, collector.name, collector.role)]
        await count_attempt(transaction, row["id"], alone, now, "reserved")
    call = await call_records.create(transaction, row, now)
    answer = await let_out(transaction, call, decisions, ring_seconds, now)
    if isinstance(answer, Refusal):
        return await _end(transaction, call.id, answer, now)
    return {"RINGFENCE_LEG": call.id, **answer}


async def _end(transaction: Transaction, call_id: str, refusal: Refusal, now: datetime) -> Answer:
    await call_records.note(transaction, call_id, now, denial=refusal.document())
    await call_records.end(transaction, call_id, now, Ending(EndReason.DENIED_AT_DIAL, NOT_PLACED))
    return deny(refusal, call_id=call_id)
