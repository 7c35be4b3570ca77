"""Gather the facts document of one attempt: what the desk knows of case and person, and what the contact history says.

The document is the contract's; it is stored with the decision, so that anyone can run the decision again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.settings import Policy
from telephony.numbers import time_zones
from telephony.policy.packs import history_horizon, resolve
from telephony.tables import contacts, overrides, policies

HISTORY_COLUMNS = [
    contacts.c.id,
    contacts.c.at,
    contacts.c.number,
    contacts.c.number_kind,
    contacts.c.party_id,
    contacts.c.household,
    contacts.c.debts,
    contacts.c.account,
    contacts.c.direction,
    contacts.c.channel,
    contacts.c.by,
    contacts.c.outcome,
    contacts.c.consented,
]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an attempt is about and who makes it. `number` is E.164; `purpose` collect|complaint|location|message."""

    case_id: str
    party_id: str
    number: str
    agent: str
    role: str
    purpose: str = "collect"


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the desk knows, in the shape of the facts document; `client` chooses the policy."""

    client: str
    case: dict[str, Any]
    party: dict[str, Any]
    number: dict[str, Any]
    debts: list[str]
    account: str | None


CaseFactsSource = Callable[[AsyncConnection, Subject], Awaitable[CaseFacts]]
"""Reads the desk's tables inside the caller's transaction; raises NotFound for a case, party or number it doesn't have."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """Makes facts documents. `recorder_healthy` answers whether a call made now would be recorded."""

    case_facts: CaseFactsSource
    defaults: Policy
    recorder_healthy: Callable[[], bool]

    async def document(
        self, connection: AsyncConnection, subject: Subject, now: datetime, *, without_call: str | None = None
    ) -> tuple[CaseFacts, dict[str, Any]]:
        """The facts of `subject` at `now`; `without_call` leaves that call's own reservation out of the history."""
        known = await self.case_facts(connection, subject)
        policy = await policy_of(connection, known.client)
        packs = list(policy.packs) if policy else self.defaults.packs
        house = dict(policy.house) if policy else {}
        house["guard_seconds"] = max(house.get("guard_seconds", 0), self.defaults.guard_seconds)
        party = {**known.party, "locations": _with_number_zones(known.party["locations"], subject.number)}
        since = now - history_horizon(resolve(packs, now.date()))
        document: dict[str, Any] = {
            "at": now.isoformat(),
            "packs": packs,
            "purpose": subject.purpose,
            "agent": {"id": subject.agent, "role": subject.role},
            "party": party,
            "number": known.number,
            "debts": known.debts,
            "account": known.account,
            "case": known.case,
            "history": await _history(connection, subject, known, since, without_call),
            "house": house,
            "recorder_healthy": self.recorder_healthy(),
        }
        override = await _override(connection, subject, now)
        if override is not None:
            document["override"] = override
        return known, document


async def policy_of(connection: AsyncConnection, client: str) -> Row[Any] | None:
    """The policy of a client, None when the settings' default applies."""
    return (await connection.execute(select(policies).where(policies.c.client == client))).first()


async def _history(
    connection: AsyncConnection, subject: Subject, known: CaseFacts, since: datetime, without_call: str | None
) -> list[dict[str, Any]]:
    statement = _history_query(subject, known.party.get("household"), since)
    if without_call is not None:
        statement = statement.where(contacts.c.id != without_call)
    return [_history_entry(row) for row in await connection.execute(statement)]


def _history_query(subject: Subject, household: str | None, since: datetime) -> Select[Any]:
    """All contacts of this person, of others on this number and of the household, since the longest window began."""
    whose = [contacts.c.party_id == subject.party_id, contacts.c.number == subject.number]
    if household:
        whose.append(contacts.c.household == household)
    return select(*HISTORY_COLUMNS).where(contacts.c.at >= since, or_(*whose)).order_by(contacts.c.at)


def _history_entry(row: Row[Any]) -> dict[str, Any]:
    entry = dict(row._mapping)
    entry["at"] = row.at.isoformat()
    entry["party"] = entry.pop("party_id")
    return {key: value for key, value in entry.items() if value is not None}


def _with_number_zones(locations: list[dict[str, Any]], number: str) -> list[dict[str, Any]]:
    """Add where the number says the person is. A number of several zones that fit a known location says nothing new."""
    zones = time_zones(number)
    known = {location["zone"] for location in locations}
    if len(zones) > 1 and known.intersection(zones):
        return locations
    return locations + [{"source": "number", "zone": zone} for zone in zones if zone not in known]


async def _override(connection: AsyncConnection, subject: Subject, now: datetime) -> dict[str, Any] | None:
    statement = (
        select(overrides)
        .where(
            overrides.c.case_id == subject.case_id,
            overrides.c.number == subject.number,
            overrides.c.created_at <= now,
            overrides.c.expires_at > now,
        )
        .order_by(overrides.c.expires_at.desc())
        .limit(1)
    )
    row = (await connection.execute(statement)).first()
    return {"by": row.by, "reason": row.reason, "expires_at": row.expires_at.isoformat()} if row else None
