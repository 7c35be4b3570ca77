"""What another policy would have said: of the calls of the last month, or of one call on any date. Nothing is stored."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database
from crm_bridge.cases import cases as case_rows
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.policies import Packs, require_packs
from crm_bridge.tables import cases
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Subject, history, whose_of
from telephony.policy.engine import Verdict, evaluate
from telephony.policy.facts import Facts, House, read_facts
from telephony.policy.packs import history_horizon, packs_for_regions
from telephony.tables import decisions

MONTH = timedelta(days=30)
MOST = 2_000
EXAMPLES = 20
LONGEST_CHANGE = timedelta(days=400)


class PolicyChange(BaseModel):
    """Packs and stricter values to try."""

    model_config = ConfigDict(extra="forbid")

    packs: Packs
    house: House = Field(House(), description="stricter values of the client's own")

    def values(self) -> dict[str, Any]:
        """The house values as the facts document has them."""
        return self.house.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def preview(
    database: Database, client: str, change: PolicyChange, *, guard_seconds: float, user: User, now: datetime
) -> dict[str, Any]:
    """The clicks of the last month judged again under `change`: what it would have denied, what it would have allowed.

    The newest `MOST` clicks are judged. Raises Forbidden (not the user's client), Invalid (an unknown pack).
    """
    scope.require_client(user, client)
    require_packs(change.packs)
    house = change.values()
    house["guard_seconds"] = max(house.get("guard_seconds", 0), guard_seconds)
    judged: list[tuple[Row[Any], Verdict]] = []
    async with database.read() as connection:
        rows = await _clicks(connection, client, now)
        for row in rows[:MOST]:
            facts = await _under(connection, row, change.packs, house)
            judged.append((row, evaluate(facts)))
            await asyncio.sleep(0)  # a month of clicks takes a while; calls must not wait for it
    denied = [(row, verdict) for row, verdict in judged if row.verdict == "allow" and not verdict.allowed]
    allowed = [(row, verdict) for row, verdict in judged if row.verdict == "deny" and verdict.allowed]
    rules = Counter(denial.rule for _, verdict in denied for denial in verdict.denials)
    return {
        "since": now - MONTH,
        "judged": len(judged),
        "truncated": len(rows) > MOST,
        "denied": len(denied),
        "allowed": len(allowed),
        "by_rule": [{"rule": rule, "calls": number} for rule, number in rules.most_common()],
        "examples": [_example(row, verdict) for row, verdict in denied[:EXAMPLES]],
    }


async def _clicks(connection: AsyncConnection, client: str, now: datetime) -> list[Row[Any]]:
    statement = (
        select(decisions)
        .join(cases, cases.c.id == decisions.c.case_id)
        .where(cases.c.client == client, decisions.c.kind == "click", decisions.c.at >= now - MONTH)
        .order_by(decisions.c.at.desc())
        .limit(MOST + 1)
    )
    return list((await connection.execute(statement)).all())


async def _under(connection: AsyncConnection, row: Row[Any], packs: list[str], house: dict[str, Any]) -> Facts:
    """The facts of a decision with other packs; its history is read again where those look further back."""
    stored = row.facts
    at = datetime.fromisoformat(stored["at"])
    places = [place["region"] for place in stored["party"]["locations"] if place.get("region")]
    named = {reference.partition("@")[0] for reference in packs}
    wanted = packs + [pack for pack in packs_for_regions(places, at) if pack not in named]
    relation = stored["party"]["relation"]
    reach = history_horizon(wanted, relation, house)
    known = stored["history"]
    whose = whose_of({**stored, "packs": wanted, "house": house})
    if reach > history_horizon(stored["packs"], relation, stored["house"]) or whose != whose_of(stored):
        known = await history(connection, whose, at - reach, at, without_call=row.call_id)
    return read_facts({**stored, "packs": wanted, "house": house, "history": known})


def _example(row: Row[Any], verdict: Verdict) -> dict[str, Any]:
    return {
        "decision_id": row.id,
        "call_id": row.call_id,
        "case_id": row.case_id,
        "at": row.at,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "reason_zh": verdict.reason_zh,
    }


async def what_if(
    connection: AsyncConnection,
    decider: Decider,
    subject: Subject,
    at: datetime,
    change: PolicyChange | None,
    *,
    user: User,
) -> Verdict:
    """The verdict on a call at another moment, under the client's policy or under `change`, by what is known today.

    Raises NotFound, Invalid (an unknown pack).
    """
    await case_rows.find(connection, subject.case_id, user)
    return evaluate(await facts_at(connection, decider, subject, at, change))


async def facts_at(
    connection: AsyncConnection, decider: Decider, subject: Subject, at: datetime, change: PolicyChange | None = None
) -> Facts:
    """The facts of a call at another moment: contacts made since are not among them."""
    _, document = await decider.gathering.document(connection, subject, at)
    document["history"] = [row for row in document["history"] if datetime.fromisoformat(row["at"]) <= at]
    if change is not None:
        require_packs(change.packs)
        document |= {"packs": change.packs, "house": change.values()}
    return read_facts(document)
