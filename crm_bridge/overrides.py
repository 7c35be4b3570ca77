"""Overrides: a supervisor's leave to call against house rules, with a reason and an end; never over a hard prohibition."""

from datetime import datetime, timedelta

from sqlalchemy import insert, select

from config.database import Transaction
from config.errors import Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge import cases
from crm_bridge.tables import case_parties, numbers
from crm_bridge.users import User
from telephony.tables import overrides

LONGEST = timedelta(days=30)


async def grant(
    transaction: Transaction, case_id: str, number: str, reason: str, expires_at: datetime, *, user: User, now: datetime
) -> dict[str, object]:
    """Leave to call an E.164 number of the case until `expires_at`. Raises NotFound, Invalid (it must end within 30 days).

    The engine decides what it lifts: denials that are hard stay.
    """
    if not now < expires_at <= now + LONGEST:
        message = f"must lie after now and within {LONGEST.days} days"
        raise Invalid(f"expires_at {message}", [{"field": "expires_at", "message": message}])
    case = await cases.find(transaction.connection, case_id, user)
    listed = (
        select(numbers.c.e164)
        .join(case_parties, case_parties.c.party_id == numbers.c.party_id)
        .where(case_parties.c.case_id == case_id, numbers.c.e164 == number)
    )
    if await transaction.first(listed) is None:
        raise NotFound(f"case {case_id} has no number {number}")
    row: dict[str, object] = {"id": new_id(now), "case_id": case_id, "number": number, "by": user.name}
    row |= {"reason": reason, "created_at": now, "expires_at": expires_at}
    await transaction.execute(insert(overrides).values(**row))
    data = {"override_id": row["id"], "number": number, "reason": reason, "expires_at": expires_at.isoformat()}
    transaction.journal(Entry(now, "override.granted", user.name, case.client, case.collector, case_id, data=data))
    return row
