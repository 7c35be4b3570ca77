"""What an allowed attempt writes before anything is dialled: its entry in the contact history, and its call row.

A click, a typed number and a transfer to the outside write the same, in the transaction that decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from config.database import Transaction
from config.identifiers import new_id
from telephony.calls.call_states import State
from telephony.dialling.decisions import Decision
from telephony.dialling.gathering import CaseFacts, Subject
from telephony.tables import contacts

CLICK, TYPED, TRANSFER, STRAY = "click", "typed", "transfer", "stray"
"""How a call of ours began: `origin` of its row."""


_COUNT = insert(contacts)


@dataclass(frozen=True, slots=True)
class Attempted:
    """One party that an attempt may be with, and what the desk knows of it."""

    subject: Subject
    known: CaseFacts
    consented: bool = False


async def reserve_attempt(
    transaction: Transaction, call_id: str, decisions: Sequence[Decision], now: datetime, outcome: str = "reserved"
) -> None:
    """Count the attempt that these decisions allowed; see `count_attempt`."""
    parties = [Attempted(one.subject, one.known, one.verdict.consented) for one in decisions]
    await count_attempt(transaction, call_id, parties, now, outcome)


async def count_attempt(
    transaction: Transaction, call_id: str, parties: Sequence[Attempted], now: datetime, outcome: str
) -> None:
    """Count the attempt for everyone it may be with: the first party, and each further one once.

    A further entry bears the call's id in `call_id`, and no number and no known household: they count by the first.
    """
    told: set[str] = set()
    homes: set[str | None] = set()
    for one in parties:
        party, home = one.subject.party_id, one.known.party.get("household")
        if party in told:
            continue
        row = _contact(new_id(now) if told else call_id, one, now, outcome)
        if told:
            row |= {"call_id": call_id, "number": None, "household": None if home in homes else home}
        theirs = [other.known for other in parties if other.subject.party_id == party]
        owed = {debt for known in theirs for debt in known.debts}
        if len({known.account for known in theirs}) > 1:
            row["account"] = None  # about several: then it counts for each by person and debts
        await transaction.execute(_COUNT, row | {"debts": sorted(owed)})
        told.add(party)
        homes.add(home)


def nobody(number: str, agent: str, role: str) -> Attempted:
    """Whom an attempt is with when no case holds the number: it counts by the number alone."""
    known = CaseFacts(client="", case={}, party={}, number={}, debts=[], account=None)
    return Attempted(Subject("", "", number, agent, role), known)


def _contact(entry_id: str, party: Attempted, now: datetime, outcome: str) -> dict[str, Any]:
    known, subject = party.known, party.subject
    return {
        "id": entry_id,
        "at": now,
        "party_id": subject.party_id,
        "household": known.party.get("household"),
        "number": subject.number,
        "number_kind": known.number.get("kind"),
        "debts": known.debts,
        "account": known.account,
        "case_id": subject.case_id or None,
        "direction": "outbound",
        "channel": "call",
        "by": "us",
        "outcome": outcome,
        "consented": party.consented,
    }


def call_values(
    call_id: str, decision: Decision, pbx: str, extension: str, now: datetime, **columns: Any
) -> dict[str, Any]:
    """The row of a call that `decision` allowed, on that phone; `columns` say what is different from a click's."""
    subject = decision.subject
    row = {
        "id": call_id,
        "direction": "outbound",
        "state": State.QUEUED,
        "origin": CLICK,
        "agent": subject.agent,
        "role": subject.role,
        "extension": extension,
        "client": decision.known.client,
        "case_id": subject.case_id,
        "party_id": subject.party_id,
        "number": subject.number,
        "purpose": subject.purpose,
        "pbx": pbx,
        "uniqueid": call_id,
        "decision_id": decision.id,
        "created_at": now,
        "violations": [],
    }
    if decision.override:
        row["override"] = decision.override
    return row | columns


def candidate(decision: Decision) -> dict[str, str]:
    """An entry of a call's `candidates`: a case and party that hold its number, and what was decided about it."""
    subject = decision.subject
    return {"case_id": subject.case_id, "party_id": subject.party_id, "decision_id": decision.id}
