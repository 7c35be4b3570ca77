"""Whose call an inbound call may be: every case that holds the caller's number, and what a collector is shown of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.identifiers import new_id
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers, parties
from telephony.inbound.arrivals import INBOUND
from telephony.numbers import InvalidNumber, normalise

CURRENT = frozenset({"open", "suspended", "payment_pending"})


@dataclass(frozen=True, slots=True)
class Holder:
    """A party of a case that has the number."""

    case_id: str
    client: str
    collector: str | None
    state: str
    debts: Sequence[str]
    account: str | None
    party_id: str
    name: str
    household: str | None
    relation: str
    number_kind: str | None

    def document(self) -> dict[str, Any]:
        """What may be shown of it before anybody has said who is calling: no debt, no whole name (S13)."""
        return {
            "case_id": self.case_id,
            "client": self.client,
            "collector": self.collector,
            "state": self.state,
            "party_id": self.party_id,
            "relation": self.relation,
            "name": masked_name(self.name),
        }


def masked_name(name: str) -> str:
    """`王**`, `J**`: enough to know somebody by whom one talks to, too little to tell anybody."""
    return f"{name[:1]}**" if name else ""


def e164_of(digits: str, region: str) -> str | None:
    """The E.164 form of digits as a carrier sends them, with or without `+`, national or not; None where they are none."""
    for written in (digits, f"+{digits.lstrip('+0')}"):
        try:
            return normalise(written, region)
        except InvalidNumber:
            continue
    return None


async def holders(connection: AsyncConnection, number: str) -> list[Holder]:
    """Every party of every case that has the number: those of current cases first, then the newest case first."""
    columns = (
        *(cases.c.id, cases.c.client, cases.c.collector, cases.c.state, cases.c.debts, cases.c.account),
        *(parties.c.id, parties.c.name, parties.c.household, case_parties.c.relation, numbers.c.kind),
    )
    statement = (
        select(*columns)
        .select_from(numbers)
        .join(parties, parties.c.id == numbers.c.party_id)
        .join(case_parties, case_parties.c.party_id == parties.c.id)
        .join(cases, cases.c.id == case_parties.c.case_id)
        .where(numbers.c.e164 == number)
        .order_by(cases.c.created_at.desc(), cases.c.id, case_parties.c.position)
    )
    found = [Holder(*row) for row in (await connection.execute(statement)).all()]
    return sorted(found, key=lambda holder: holder.state not in CURRENT)


async def party_of(connection: AsyncConnection, case_id: str, party_id: str) -> Holder:
    """A party of a case, whatever number it called from."""
    columns = (
        *(cases.c.id, cases.c.client, cases.c.collector, cases.c.state, cases.c.debts, cases.c.account),
        *(parties.c.id, parties.c.name, parties.c.household, case_parties.c.relation, null()),
    )
    statement = (
        select(*columns)
        .select_from(case_parties)
        .join(parties, parties.c.id == case_parties.c.party_id)
        .join(cases, cases.c.id == case_parties.c.case_id)
        .where(case_parties.c.case_id == case_id, case_parties.c.party_id == party_id)
    )
    return Holder(*(await connection.execute(statement)).one())


async def seen_by(connection: AsyncConnection, found: Sequence[Holder], user: User) -> list[dict[str, Any]]:
    """Those that the user may see, as they are shown."""
    ids = [holder.case_id for holder in found]
    statement = select(cases.c.id).where(and_(cases.c.id.in_(ids), scope.cases_seen_by(user)))
    mine = set(await connection.scalars(statement))
    return [holder.document() for holder in found if holder.case_id in mine]


def only(found: Sequence[Holder]) -> tuple[str | None, str | None]:
    """The case and the party, as far as there is but one of each."""
    case_ids = {holder.case_id for holder in found}
    party_ids = {holder.party_id for holder in found}
    case_id = next(iter(case_ids)) if len(case_ids) == 1 else None
    return case_id, next(iter(party_ids)) if case_id is not None and len(party_ids) == 1 else None


def client_of(found: Sequence[Holder]) -> str | None:
    """The client, where all of them are one client's."""
    clients = {holder.client for holder in found}
    return next(iter(clients)) if len(clients) == 1 else None


def history_entries(
    call_id: str, number: str | None, found: Sequence[Holder], at: datetime, outcome: str
) -> list[Mapping[str, Any]]:
    """An entry of the contact history for each person that may be calling; only the first bears the number.

    The caps count by number, household and person: one call must not count twice for any of them.
    """
    entries: list[Mapping[str, Any]] = []
    homes: set[str | None] = set()
    for party_id in dict.fromkeys(holder.party_id for holder in found):
        theirs = [holder for holder in found if holder.party_id == party_id]
        first, is_first = theirs[0], not entries
        entries.append(
            {
                "id": call_id if is_first else new_id(at),
                "call_id": None if is_first else call_id,
                "at": at,
                "party_id": party_id,
                "household": None if first.household in homes else first.household,
                "number": number if is_first else None,
                "number_kind": first.number_kind,
                "debts": sorted({debt for holder in theirs for debt in holder.debts}),
                "account": first.account,
                "case_id": first.case_id if len({holder.case_id for holder in theirs}) == 1 else None,
                "direction": INBOUND,
                "channel": "call",
                "by": "us",
                "outcome": outcome,
                "consented": False,
            }
        )
        homes.add(first.household)
    return entries
