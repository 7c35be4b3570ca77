"""Decide whether a call may be made, and keep the decision: facts, pack versions and verdict, so anyone can re-run it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.identifiers import new_id
from config.journal import Entry
from telephony.dialling.gathering import CaseFacts, Gathering, Subject, whose_of
from telephony.policy.engine import Verdict, evaluate
from telephony.policy.facts import Facts, read_facts
from telephony.tables import decisions


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with everything it was made from."""

    id: str
    at: datetime
    subject: Subject
    known: CaseFacts
    facts: Facts
    document: dict[str, Any]
    verdict: Verdict

    @property
    def allowed(self) -> bool:
        """Whether the call may be made."""
        return self.verdict.verdict == "allow"

    @property
    def override(self) -> dict[str, Any] | None:
        """The override without which the call would not have been allowed, with the rules it set aside."""
        if self.facts.override is None or not self.verdict.lifted:
            return None
        return {**self.document["override"], "rules": [denial.rule for denial in self.verdict.lifted]}


@dataclass(frozen=True, slots=True)
class Decider:
    """Turns a subject into a verdict on the facts of this moment."""

    gathering: Gathering

    async def decide(
        self, connection: AsyncConnection, subject: Subject, now: datetime, *, without_call: str | None = None
    ) -> Decision:
        """Gather and judge; nothing is written."""
        known, document = await self.gathering.document(connection, subject, now, without_call=without_call)
        facts = read_facts(document)
        return Decision(new_id(now), now, subject, known, facts, document, evaluate(facts))

    async def decide_all(self, transaction: Transaction, subjects: Sequence[Subject], now: datetime) -> list[Decision]:
        """Decide each, with person, number and agent locked already, before an attempt is reserved."""
        decisions = [await self.decide(transaction.connection, one, now) for one in subjects]
        if await lock_shared(transaction, decisions):
            return [await self.decide(transaction.connection, one, now) for one in subjects]
        return decisions

    async def assess(
        self,
        connection: AsyncConnection,
        *,
        case_id: str,
        party_id: str,
        number: str,
        agent: str,
        role: str,
        now: datetime,
        purpose: str = "collect",
    ) -> Verdict:
        """The verdict on a number as a page shows it beside the call button."""
        subject = Subject(case_id, party_id, number, agent, role, purpose)
        return (await self.decide(connection, subject, now)).verdict


_STORE = insert(decisions)


async def store(transaction: Transaction, decision: Decision, kind: str, call_id: str | None) -> None:
    """Keep the decision for ever; a denial is journalled in its own right. `kind` is click, gate or check."""
    result = decision.verdict.document()
    await transaction.execute(
        _STORE,
        {
            "id": decision.id,
            "at": decision.at,
            "kind": kind,
            "call_id": call_id,
            "case_id": decision.subject.case_id,
            "agent": decision.subject.agent,
            "verdict": decision.verdict.verdict,
            "facts": decision.document,
            "result": result,
        },
    )
    if not decision.allowed and kind != "check":
        transaction.journal(
            Entry(
                at=decision.at,
                kind="call.denied",
                actor=decision.subject.agent,
                client=decision.known.client,
                agent=decision.subject.agent,
                case_id=decision.subject.case_id,
                call_id=call_id,
                data={"decision_id": decision.id, "rule": result["rule"], "reason": result["reason"]},
            )
        )


async def lock_shared(transaction: Transaction, decisions: Sequence[Decision]) -> bool:
    """Lock what others' calls share with these beyond person and number: the account and the household they count by.

    Both come with the facts, so they are locked after person, number and agent, always in this order. Returns whether all
    must be decided again, since another may have reserved meanwhile.
    """
    shared = set()
    for one in decisions:
        whose = whose_of(one.document)
        told = {"account": whose.account, "household": whose.household}
        shared |= {f"{kind}:{name}" for kind, name in told.items() if name}
    return bool(shared) and await transaction.lock(shared)


def strictest(decisions: Sequence[Decision]) -> Decision | None:
    """The denial that lasts longest: a hard one first, then one without an end, then the later. None: all allow."""

    def weight(decision: Decision) -> tuple[bool, bool, float, str]:
        first, retry = decision.verdict.denials[0], decision.verdict.retry_at
        return not first.hard, retry is not None, -(retry.timestamp() if retry else 0.0), first.rule

    return min((one for one in decisions if not one.allowed), key=weight, default=None)


async def read(connection: AsyncConnection, decision_id: str) -> Row[Any]:
    """A stored decision; raises NotFound."""
    row = (await connection.execute(select(decisions).where(decisions.c.id == decision_id))).first()
    if row is None:
        raise NotFound(f"no decision {decision_id}")
    return row


def pinned(facts: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The stored facts with each pack as `id@version` of that day (the verdict's `versions`), so that a re-run uses those.

    A pack named then but not in force decided nothing, and is left out.
    """
    versions = {name: str(found) for name, found in result["versions"].items() if name not in ("tzdata", "holidays")}
    packs = [f"{name}@{version}" for name, found in sorted(versions.items()) for version in found.split(",")]
    return {**facts, "packs": packs}


def seconds_allowed(facts: Facts, longest: int) -> int:
    """How many of the coming `longest` seconds the verdict stays an allowance: a ring must not outlast the window."""

    def allowed_after(seconds: int) -> bool:
        later = facts.model_copy(update={"at": facts.at + timedelta(seconds=seconds)})
        return evaluate(later).verdict == "allow"

    if allowed_after(longest):
        return longest
    allowed, denied = 0, longest
    while denied - allowed > 1:
        middle = (allowed + denied) // 2
        if allowed_after(middle):
            allowed = middle
        else:
            denied = middle
    return allowed
