"""Count again when a contact is learnt of late: later calls that it would have forbidden are marked, old decisions stay.

A late record of the carrier, a call whose outcome was unknown or was corrected (T37): each later call of ours to the same
person, number or household is judged again by the facts and pack versions of its own decision with the history as it is known
now. What then denies it is a violation found later.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from config.database import Transaction
from config.journal import Entry
from telephony.calls import call_records
from telephony.dialling.decisions import pinned
from telephony.dialling.gathering import Whose, history, whose_of
from telephony.policy.engine import evaluate
from telephony.policy.facts import Facts, read_facts
from telephony.policy.packs import history_horizon
from telephony.tables import calls, contacts, decisions

FOUND_LATER = "found_later"


@dataclass(frozen=True, slots=True)
class Found:
    """A call that what is known now would have forbidden, by which rules."""

    call_id: str
    rules: tuple[str, ...]


async def recount(transaction: Transaction, contact: Row[Any], now: datetime) -> list[Found]:
    """Judge again every later call that the row of `contacts` bears on; those it forbids are marked `found_later`."""
    whose = Whose(contact.party_id, contact.number, contact.household, contact.account)
    found = []
    for call in await _later_calls(transaction, whose, contact):
        decision = await deciding(transaction, call.id)
        rules = await _forbidding(transaction, decision, call, contact) if decision is not None else ()
        if decision is None or not rules:
            continue
        data = {"rules": list(rules), "because_of": contact.id, "decision_id": decision.id}
        if await call_records.add_violation(transaction, call.id, FOUND_LATER, now, data):
            found.append(Found(call.id, rules))
    return found


async def recount_after_call(transaction: Transaction, entry: Entry) -> None:
    """A subscriber to `call.ended`: an outcome that was not known before may forbid calls that were made since."""
    if entry.call_id is None:
        return
    row = await transaction.first(select(contacts).where(contacts.c.id == entry.call_id))
    if row is not None and row.outcome != "not_placed":
        await recount(transaction, row, entry.at)


async def deciding(transaction: Transaction, call_id: str) -> Row[Any] | None:
    """The decision that let a call out: the gate's, or the click's where the gate has not been asked."""
    allowed = select(decisions).where(decisions.c.call_id == call_id, decisions.c.verdict == "allow")
    return await transaction.first(allowed.order_by(decisions.c.at.desc()).limit(1))


async def _later_calls(transaction: Transaction, whose: Whose, contact: Row[Any]) -> list[Row[Any]]:
    """Calls of ours that left the PBX after the contact, and are not marked yet."""
    statement = (
        select(calls, contacts.c.at)
        .join(contacts, contacts.c.id == calls.c.id)
        .where(
            whose.condition(),
            contacts.c.at > contact.at,
            contacts.c.outcome != "not_placed",
            calls.c.calling_customer_at.is_not(None),
        )
        .order_by(contacts.c.at)
    )
    return [row for row in await transaction.all(statement) if FOUND_LATER not in row.violations]


async def _forbidding(
    transaction: Transaction, decision: Row[Any], call: Row[Any], contact: Row[Any]
) -> tuple[str, ...]:
    document = pinned(decision.facts, decision.result)
    facts = read_facts(document)
    since = facts.at - history_horizon(document["packs"], facts.party.relation, document["house"])
    if contact.at < since:
        return ()
    known = await history(transaction.connection, whose_of(document), since, facts.at, without_call=call.id)
    return denied_by(read_facts({**document, "history": known}))


def denied_by(facts: Facts) -> tuple[str, ...]:
    """The rules that deny, the weightiest first; none when the call is allowed."""
    verdict = evaluate(facts)
    return () if verdict.allowed else tuple(denial.rule for denial in verdict.denials)
