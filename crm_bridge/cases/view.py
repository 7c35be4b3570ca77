"""A case as people see it: its parties, and for each number whether it may be called now, why not, until when."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Conflict, Fault, NotFound
from crm_bridge.cases import cases, number_places
from crm_bridge.complaints.reach import reaches
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, complaints, notes, numbers, parties
from crm_bridge.tables import cases as cases_table
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Subject
from telephony.policy.week import strip


async def view(
    connection: AsyncConnection, case: Row[Any], *, user: User, decider: Decider | None, now: datetime
) -> dict[str, Any]:
    """The document of one case (`CaseOut`); without a decider no number is judged."""
    people = await _parties(connection, case.id)
    if decider is not None:
        for party in people:
            for number in party["numbers"]:
                number |= await _judged(connection, decider, case.id, party["id"], number["e164"], user, now)
    followed_up = await _last_follow_ups(connection, [case.id])
    return {
        **case._mapping,
        "complaint": await _complaint(connection, case.id),
        "debtor_name": _debtor_name(people),
        "last_follow_up_at": followed_up.get(case.id),
        "parties": people,
    }


async def _parties(connection: AsyncConnection, case_id: str) -> list[dict[str, Any]]:
    linked = (
        select(parties, case_parties.c.relation)
        .join(case_parties, case_parties.c.party_id == parties.c.id)
        .where(case_parties.c.case_id == case_id)
        .order_by(case_parties.c.position)
    )
    people = {row.id: {**row._mapping, "numbers": []} for row in await connection.execute(linked)}
    listed = select(numbers).where(numbers.c.party_id.in_(people)).order_by(numbers.c.position, numbers.c.e164)
    rows = (await connection.execute(listed)).all()
    places = await number_places.of(connection, {row.e164 for row in rows})
    for row in rows:
        people[row.party_id]["numbers"].append({**row._mapping, "place": places.get(row.e164)})
    return list(people.values())


async def _complaint(connection: AsyncConnection, case_id: str) -> Row[Any] | None:
    """The open complaint, however old, else one without instruction, else the newest: as the calling policy reads it."""
    statement = (
        select(complaints)
        .where(reaches(case_id))
        .order_by((complaints.c.state == "open").desc(), complaints.c.instructed, complaints.c.opened_at.desc())
        .limit(1)
    )
    return (await connection.execute(statement)).first()


async def _judged(
    connection: AsyncConnection, decider: Decider, case_id: str, party_id: str, number: str, user: User, now: datetime
) -> dict[str, Any]:
    try:
        verdict = await decider.assess(
            connection, case_id=case_id, party_id=party_id, number=number, agent=user.name, role=user.role, now=now
        )
    except Fault as fault:
        # Facts that cannot be judged deny the call; the case must still open, so that somebody can mend them.
        return {"allowed_now": False, "rule": fault.code, "reason": fault.detail}
    document = verdict.document()
    reasons = document.get("reasons") or {}
    return {
        "allowed_now": document["verdict"] == "allow",
        "rule": document["rule"],
        "reason": document["reason"],
        "reason_zh": reasons.get("zh") or document.get("reason_zh"),
        "retry_at": document["retry_at"],
        "hard": document["denials"][0]["hard"] if document["denials"] else None,
        "lift": document["denials"][0]["lift"] if document["denials"] else None,
        "lift_zh": document["denials"][0]["lift_zh"] if document["denials"] else None,
        "counts": [_count(count) for count in document["counts"]],
    }


async def week(
    connection: AsyncConnection,
    decider: Decider,
    case_id: str,
    number: str,
    *,
    party_id: str | None,
    purpose: str,
    days: int,
    user: User,
    now: datetime,
) -> dict[str, Any]:
    """When an E.164 number of the case may be called in the coming days. Raises NotFound, Conflict (whose number?)."""
    await cases.find(connection, case_id, user)
    owner = party_id or await _owner(connection, case_id, number)
    subject = Subject(case_id, owner, number, user.name, user.role, purpose)
    facts = (await decider.decide(connection, subject, now)).facts
    stretches = [
        {**asdict(one), "from": one.start, "until": one.end} for one in await asyncio.to_thread(strip, facts, days)
    ]
    zone = facts.party.zones[0] if facts.party.zones else "UTC"
    return {"case_id": case_id, "party_id": owner, "number": number, "zone": zone, "stretches": stretches}


async def _owner(connection: AsyncConnection, case_id: str, number: str) -> str:
    """The only party of the case with this number."""
    listed = (
        select(numbers.c.party_id)
        .join(case_parties, case_parties.c.party_id == numbers.c.party_id)
        .where(case_parties.c.case_id == case_id, numbers.c.e164 == number)
    )
    found = list(await connection.scalars(listed))
    if not found:
        raise NotFound(f"case {case_id} has no number {number}")
    if len(found) > 1:
        raise Conflict(f"several parties have the number {number}; name one with party_id", parties=sorted(found))
    return str(found[0])


def _count(count: dict[str, Any]) -> dict[str, Any]:
    limit = count.get("limit")
    return {**count, "left": max(limit - count["used"], 0) if limit is not None else None}


async def briefs(connection: AsyncConnection, rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """The documents of a list of cases (`CaseBrief`), with three queries for the whole list."""
    found: dict[str, dict[str, Any]] = {row.id: {**row._mapping, "parties": []} for row in rows}
    linked = (
        select(case_parties.c.case_id, parties.c.id, parties.c.name, case_parties.c.relation)
        .join(parties, parties.c.id == case_parties.c.party_id)
        .where(case_parties.c.case_id.in_(found))
        .order_by(case_parties.c.position)
    )
    for row in await connection.execute(linked):
        found[row.case_id]["parties"].append({"id": row.id, "name": row.name, "relation": row.relation})
    stopped = exists().where(reaches(cases_table.c.id), complaints.c.state == "open")
    complaining = select(cases_table.c.id).where(cases_table.c.id.in_(found), stopped)
    open_complaints = set(await connection.scalars(complaining))
    followed_up = await _last_follow_ups(connection, found)
    for case_id, case in found.items():
        case["complaint_open"] = case_id in open_complaints
        case["debtor_name"] = _debtor_name(case["parties"])
        case["last_follow_up_at"] = followed_up.get(case_id)
    return list(found.values())


async def _last_follow_ups(connection: AsyncConnection, case_ids: Iterable[str]) -> dict[str, datetime]:
    # Every call has its note, drafted when it ends, so the newest note is the newest follow-up.
    newest = select(notes.c.case_id, func.max(notes.c.at)).where(notes.c.case_id.in_(list(case_ids)))
    return {case_id: at for case_id, at in await connection.execute(newest.group_by(notes.c.case_id))}


def _debtor_name(people: Iterable[dict[str, Any]]) -> str | None:
    return next((party["name"] for party in people if party["relation"] == "debtor"), None)
