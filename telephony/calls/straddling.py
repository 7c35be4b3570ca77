"""A conversation that is still going on when the calling hours close is never cut: it is marked (T3)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.journal import Entry
from telephony.calls import call_records
from telephony.dialling.decisions import pinned
from telephony.dialling.recounts import deciding
from telephony.policy.engine import evaluate
from telephony.policy.facts import read_facts
from telephony.policy.packs import hours_rules
from telephony.tables import calls

STRADDLED = "straddled"


async def mark_straddling(database: Database, now: datetime) -> int:
    """Mark the conversations that have run into a closing time by now; how many."""
    talking = select(calls).where(calls.c.ended_at.is_(None), calls.c.connected_at.is_not(None))
    async with database.read() as connection:
        rows = list((await connection.execute(talking)).all())
    if all(STRADDLED in row.violations for row in rows):
        return 0
    async with database.write() as transaction:
        return sum([await _mark(transaction, row, now) for row in rows])


async def mark_straddled(transaction: Transaction, entry: Entry) -> None:
    """A subscriber to `call.ended`: a call may have crossed the closing time between two looks."""
    row = await call_records.find(transaction.connection, entry.call_id or "")
    if row is not None and row.connected_at is not None and row.ended_at is not None:
        await _mark(transaction, row, row.ended_at)


async def _mark(transaction: Transaction, call: Row[Any], at: datetime) -> bool:
    decision = await deciding(transaction, call.id) if STRADDLED not in call.violations else None
    rules = closed_by(decision, at) if decision is not None else []
    if decision is None or not rules:
        return False
    data = {"rules": rules, "decision_id": decision.id}
    return await call_records.add_violation(transaction, call.id, STRADDLED, at, data)


def closed_by(decision: Row[Any], at: datetime) -> list[str]:
    """The rules on hours that do not allow `at`, by the facts of the decision; what an override set aside is not among them.

    The guard and the clocks' difference keep a call from starting; they are no reason to call a running one late.
    """
    facts = read_facts(pinned(decision.facts, decision.result) | {"history": []})
    house = facts.house.model_copy(update={"guard_seconds": 0})
    later = facts.model_copy(update={"at": at, "house": house, "clock_skew_seconds": 0.0, "override": None})
    lifted = {denial["rule"] for denial in decision.result.get("lifted", ())}
    return [denial.rule for denial in evaluate(later).denials if denial.rule in hours_rules() - lifted]
