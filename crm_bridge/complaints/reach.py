"""Which cases a complaint stops: its own, and every case in which the same person owes (S61)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.tables import case_parties, cases, complaints

OWING = ("debtor", "guarantor")


def reaches(case_id: Any) -> ColumnElement[bool]:
    """Condition on `complaints`: it stops this case (a value, a parameter or a column). Cases that come later are in it too."""
    theirs = case_parties.alias("owing_parties")
    # Spelt out: an IN is expanded anew with every execution, and this one is between the click and the phone.
    owes = or_(*(theirs.c.relation == relation for relation in OWING))
    owing = select(theirs.c.party_id).where(theirs.c.case_id == case_id, owes)
    return or_(complaints.c.case_id == case_id, complaints.c.party_id.in_(owing))


async def person_of(connection: AsyncConnection, case_id: str, party_id: str | None) -> str | None:
    """Whose calling stops: `party_id` if that person owes on the case, else the case's first debtor."""
    theirs = select(case_parties.c.party_id).where(
        case_parties.c.case_id == case_id, case_parties.c.relation.in_(OWING)
    )
    named = (case_parties.c.party_id == party_id).desc() if party_id else case_parties.c.relation
    ordered = theirs.order_by(named, case_parties.c.relation, case_parties.c.position, case_parties.c.party_id)
    return await connection.scalar(ordered.limit(1))


async def stopped_cases(connection: AsyncConnection, complaint: Row[Any]) -> Sequence[Row[Any]]:
    """The cases that the complaint stops, its own first: id, client, collector, state."""
    theirs = select(case_parties.c.case_id).where(
        case_parties.c.party_id == complaint.party_id, case_parties.c.relation.in_(OWING)
    )
    own = cases.c.id == complaint.case_id
    wanted: Select[Any] = select(cases.c.id, cases.c.client, cases.c.collector, cases.c.state).where(
        or_(own, cases.c.id.in_(theirs))
    )
    rows: Sequence[Row[Any]] = (await connection.execute(wanted.order_by(own.desc(), cases.c.id))).all()
    return rows
