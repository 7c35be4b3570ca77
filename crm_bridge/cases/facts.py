"""What the calling policy must know of a case: the desk's side of the facts document, read inside the caller's transaction."""

from itertools import takewhile
from typing import Any

from sqlalchemy import Select, String, and_, bindparam, func, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import NotFound
from crm_bridge.complaints.reach import reaches
from crm_bridge.tables import case_parties, cases, complaints, numbers, parties
from telephony.dialling.gathering import CaseFacts, Subject
from telephony.tables import contacts

OWING = frozenset({"debtor", "guarantor"})
NOT_REACHED = frozenset({"no_answer", "busy", "not_in_service", "voicemail"})
NO_TRY = ("not_placed", "failed", "reserved")
"""What says nothing of whether the debtor can be reached. A call that is live or unknown may have reached the debtor."""
LOOK_BACK = 10


async def case_facts(connection: AsyncConnection, subject: Subject) -> CaseFacts:
    """The facts of one number of one person on one case; raises NotFound naming what there is none of."""
    asked = {"case": subject.case_id, "party": subject.party_id, "number": subject.number, "agent": subject.agent}
    row = (await connection.execute(_QUESTION, asked)).first()
    if row is None:
        raise NotFound(f"there is no case {subject.case_id}")
    if row.relation is None:
        raise NotFound(f"case {subject.case_id} has no party {subject.party_id}")
    if row.e164 is None:
        raise NotFound(f"party {subject.party_id} has no number {subject.number}")
    case = _case(row)
    if row.relation not in OWING:
        case["failed_contacts"] = max(case["failed_contacts"], await _failed_in_a_row(connection, subject.case_id))
    return CaseFacts(
        client=row.client,
        case=case,
        party=_party(row),
        number={"e164": row.e164, "kind": row.kind, "status": row.status, "do_not_call": row.do_not_call},
        debts=list(row.debts),
        account=row.account,
        regions=tuple(place["region"] for place in row.debtor_locations or () if place.get("region")),
    )


async def _failed_in_a_row(connection: AsyncConnection, case_id: str) -> int:
    """How many of the newest calls to the debtor failed, before one that did not: GB/T 45251, CBA count them in a row."""
    newest = (
        select(contacts.c.outcome)
        .join(case_parties, case_parties.c.party_id == contacts.c.party_id)
        .where(case_parties.c.case_id == case_id, case_parties.c.relation == "debtor", contacts.c.channel == "call")
        .where(contacts.c.outcome.not_in(NO_TRY))
        .order_by(contacts.c.at.desc())
        .limit(LOOK_BACK)
    )
    outcomes = list(await connection.scalars(newest))
    return len(list(takewhile(NOT_REACHED.__contains__, outcomes)))


def _question() -> Select[Any]:
    """One query, built once, since every millisecond of it is between the click and the phone."""
    case, party, number = (
        bindparam("case", type_=String),
        bindparam("party", type_=String),
        bindparam("number", type_=String),
    )
    newest = (
        select(complaints.c.id)
        .where(reaches(case))
        # An open complaint decides, however old; then one without the instruction to resume; otherwise the newest one.
        .order_by((complaints.c.state == "open").desc(), complaints.c.instructed, complaints.c.opened_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    # Whom an earlier complaint was about stays out after a later one about somebody else too.
    about_caller = (
        select(complaints.c.former_agent)
        .where(reaches(case), complaints.c.former_agent == bindparam("agent", type_=String))
        .limit(1)
        .scalar_subquery()
    )
    # The rules of where the debtor lives also hold for calls to others about the debt.
    theirs, debtor = case_parties.alias(), parties.alias()
    debtor_locations = (
        select(debtor.c.locations)
        .join(theirs, theirs.c.party_id == debtor.c.id)
        .where(theirs.c.case_id == case, theirs.c.relation == "debtor")
        .order_by(theirs.c.position)
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            cases,
            debtor_locations.label("debtor_locations"),
            case_parties.c.relation,
            case_parties.c.party_id,
            *(column for column in parties.c if column.name not in ("id", "name", "identity")),
            *(column for column in numbers.c if column.name not in ("party_id", "position")),
            complaints.c.state.label("complaint_state"),
            complaints.c.instructed.label("complaint_instructed"),
            func.coalesce(about_caller, complaints.c.former_agent).label("complaint_former_agent"),
        )
        .select_from(cases)
        .outerjoin(case_parties, and_(case_parties.c.case_id == cases.c.id, case_parties.c.party_id == party))
        .outerjoin(parties, parties.c.id == case_parties.c.party_id)
        .outerjoin(numbers, and_(numbers.c.party_id == parties.c.id, numbers.c.e164 == number))
        .outerjoin(complaints, complaints.c.id == newest)
        .where(cases.c.id == case)
    )


_QUESTION = _question()


def _case(row: Row[Any]) -> dict[str, Any]:
    case: dict[str, Any] = {
        "id": row.id,
        "state": row.state,
        "debtor_reachable": row.debtor_reachable,
        "failed_contacts": row.failed_contacts,
        "dispute": row.dispute,
        "fraud_statement": row.fraud_statement,
    }
    if row.mandate_until:
        case["mandate_until"] = row.mandate_until
    if row.complaint_state:
        case["complaint"] = {
            "state": row.complaint_state,
            "instructed": bool(row.complaint_instructed),
            # While a complaint is open nobody calls; whose case it was matters only after it is closed.
            "former_agent": row.complaint_former_agent if row.complaint_state == "closed" else None,
        }
    return case


def _party(row: Row[Any]) -> dict[str, Any]:
    party: dict[str, Any] = {
        "id": row.party_id,
        "relation": row.relation,
        "locations": list(row.locations),
        "agreements": list(row.agreements),
        "inconvenient": list(row.inconvenient),
        "attorney": row.attorney,
        "deceased": row.deceased,
        "minor": row.minor,
    }
    for key in ("refused_at", "cease_at"):
        if row._mapping[key] is not None:
            party[key] = row._mapping[key].isoformat()
    if row.household:
        party["household"] = row.household
    return party
