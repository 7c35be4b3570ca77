"""Gather the facts document of one attempt: what the desk knows of case and person, and what the contact history says.

The document is the contract's; it is stored with the decision, so that anyone can run the decision again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, bindparam, literal, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.schema import UtcDateTime
from config.settings import Policy
from telephony.numbers import time_zones
from telephony.policy.packs import counts_by_account, history_horizon, packs_for_regions
from telephony.tables import contacts, overrides, policies

LARGEST_SKEW = 86400.0
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
    """What the desk knows, in the shape of the facts document; `client` chooses the policy.

    `regions` are the debtor's, who may be somebody else than the party called.
    """

    client: str
    case: dict[str, Any]
    party: dict[str, Any]
    number: dict[str, Any]
    debts: list[str]
    account: str | None
    regions: tuple[str, ...] = ()


CaseFactsSource = Callable[[AsyncConnection, Subject], Awaitable[CaseFacts]]
"""Reads the desk's tables inside the caller's transaction; raises NotFound for a case, party or number it doesn't have."""


def no_skew() -> float:
    """Where no PBX is there to compare clocks with."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Gathering:
    """Makes facts documents. `recorder_healthy` answers whether a call made now would be recorded.

    `clock_skew` answers by how many seconds the PBX's clock differs from ours.
    """

    case_facts: CaseFactsSource
    defaults: Policy
    recorder_healthy: Callable[[], bool]
    clock_skew: Callable[[], float] = no_skew

    async def document(
        self, connection: AsyncConnection, subject: Subject, now: datetime, *, without_call: str | None = None
    ) -> tuple[CaseFacts, dict[str, Any]]:
        """The facts of `subject` at `now`; `without_call` leaves that call's own reservation out of the history."""
        known = await self.case_facts(connection, subject)
        found = await _policy_and_override(connection, subject, known.client, now)
        packs, house = self.policy_from(found, known, now)
        party = {**known.party, "locations": _with_number_zones(known.party["locations"], subject.number)}
        since = now - history_horizon(packs, party["relation"], house)
        account = known.account if counts_by_account(packs, house) else None
        whose = Whose(subject.party_id, subject.number, party.get("household"), account)
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
            "history": await history(connection, whose, since, without_call=without_call),
            "house": house,
            "recorder_healthy": self.recorder_healthy(),
        }
        if skew := _sane_skew(self.clock_skew()):
            document["clock_skew_seconds"] = skew
        if found.by is not None:
            document["override"] = {"by": found.by, "reason": found.reason, "expires_at": found.expires_at.isoformat()}
        return known, document

    def policy_from(self, found: Row[Any], known: CaseFacts, now: datetime) -> tuple[list[str], dict[str, Any]]:
        """The packs and the house values: the client's own, else the default, and what the regions add by themselves."""
        packs = list(self.defaults.packs if found.packs is None else found.packs)
        named = {reference.partition("@")[0] for reference in packs}
        places = [place["region"] for place in known.party["locations"] if place.get("region")]
        packs += [pack for pack in packs_for_regions([*places, *known.regions], now) if pack not in named]
        house = dict(found.house or {})
        house["guard_seconds"] = max(house.get("guard_seconds", 0), self.defaults.guard_seconds)
        return packs, house


def _sane_skew(seconds: float) -> float:
    """To a tenth of a second, and at most the day beyond which no calling hours are left anyway."""
    return round(max(-LARGEST_SKEW, min(seconds, LARGEST_SKEW)), 1)


async def policy_of(connection: AsyncConnection, client: str) -> Row[Any] | None:
    """The policy of a client, None when the settings' default applies."""
    return (await connection.execute(select(policies).where(policies.c.client == client))).first()


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose contacts bear on a call: the person's, those of others on the number, in the household and on the account."""

    party_id: str
    number: str | None
    household: str | None
    account: str | None = None

    def condition(self) -> ColumnElement[bool]:
        """The rows of `contacts` that are theirs."""
        named = {"party_id": self.party_id, "number": self.number, "household": self.household, "account": self.account}
        return or_(*(contacts.c[name] == value for name, value in named.items() if value or name == "party_id"))


def whose_of(document: Mapping[str, Any]) -> Whose:
    """Whose contacts bear on the call of a facts document; others' on its account where a cap counts by account."""
    party, by_account = document["party"], counts_by_account(document["packs"], document.get("house") or {})
    account = document.get("account") if by_account else None
    return Whose(party["id"], document["number"]["e164"], party.get("household"), account)


async def history(
    connection: AsyncConnection,
    whose: Whose,
    since: datetime,
    until: datetime | None = None,
    *,
    without_call: str | None = None,
) -> list[dict[str, Any]]:
    """The contacts from `since` until `until` (included) as the facts document has them, oldest first."""
    given = {
        "party_id": whose.party_id,
        "number": whose.number or None,
        "household": whose.household or None,
        "account": whose.account or None,
        "since": since,
        "until": until,
        "without_call": without_call,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    return [_history_entry(row) for row in await connection.execute(_history_query(frozenset(asked)), asked)]


@cache
def _history_query(given: frozenset[str]) -> Select[Any]:
    """The query for what is given; each is built once, since every millisecond of it is between the click and the phone."""
    theirs = [contacts.c[name] for name in ("party_id", "number", "household", "account") if name in given]
    since, until = bindparam("since", type_=UtcDateTime), bindparam("until", type_=UtcDateTime)
    statement = (
        select(*HISTORY_COLUMNS)
        .where(contacts.c.at >= since, or_(*(column == bindparam(column.name, type_=String) for column in theirs)))
        .order_by(contacts.c.at)
    )
    if "until" in given:
        statement = statement.where(contacts.c.at <= until)
    if "without_call" in given:
        call = bindparam("without_call", type_=String)
        statement = statement.where(
            contacts.c.id != call, or_(contacts.c.call_id.is_(None), contacts.c.call_id != call)
        )
    return statement


def _history_entry(row: Row[Any]) -> dict[str, Any]:
    entry = dict(row._mapping)
    entry["at"] = row.at.isoformat()
    entry["party"] = entry.pop("party_id")
    return {key: value for key, value in entry.items() if value is not None}


def _with_number_zones(locations: list[dict[str, Any]], number: str) -> list[dict[str, Any]]:
    """Add where the number says the person is. A number of several zones that fit a known location says nothing new."""
    zones = time_zones(number)
    known = {location["zone"] for location in locations if location.get("zone")}
    if len(zones) > 1 and known.intersection(zones):
        return locations
    return locations + [{"source": "number", "zone": zone} for zone in zones if zone not in known]


def _policy_and_override_query() -> Select[Any]:
    """The client's policy and the override that lasts longest, each None where there is none.

    One query, built once, since every millisecond of it is between the click and the phone.
    """
    now = bindparam("now", type_=UtcDateTime)
    given = (
        select(overrides.c.id)
        .where(
            overrides.c.case_id == bindparam("case", type_=String),
            overrides.c.number == bindparam("number", type_=String),
            overrides.c.created_at <= now,
            overrides.c.expires_at > now,
        )
        .order_by(overrides.c.expires_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    one = select(literal(1).label("one")).subquery()
    return (
        select(policies.c.packs, policies.c.house, overrides.c.by, overrides.c.reason, overrides.c.expires_at)
        .select_from(one)
        .outerjoin(policies, policies.c.client == bindparam("client", type_=String))
        .outerjoin(overrides, overrides.c.id == given)
    )


_POLICY_AND_OVERRIDE = _policy_and_override_query()


async def _policy_and_override(connection: AsyncConnection, subject: Subject, client: str, now: datetime) -> Row[Any]:
    asked = {"client": client, "case": subject.case_id, "number": subject.number, "now": now}
    row: Row[Any] = (await connection.execute(_POLICY_AND_OVERRIDE, asked)).one()
    return row
