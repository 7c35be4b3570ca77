"""Marks of numbers (S26): set at the desk by who talked to somebody, and not taken back by what a CRM says later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Forbidden, NotFound
from config.journal import Entry
from crm_bridge.cases import parties
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers

Mark = Literal["valid", "switched_off", "invalid", "wrong_person", "not_in_service", "no_longer_used", "unknown"]
MARKS: tuple[Mark, ...] = get_args(Mark)
STATUS: Mapping[str, str] = {
    "valid": "valid",
    "switched_off": "unknown",
    "invalid": "invalid",
    "wrong_person": "invalid",
    "not_in_service": "invalid",
    "no_longer_used": "invalid",
    "unknown": "unknown",
}
"""What a mark says to the calling policy: `house/invalid-number` denies an invalid one."""


async def mark(
    transaction: Transaction, party_id: str, number: str, mark: Mark, reason: str, *, user: User, now: datetime
) -> Row[Any]:
    """Mark a party's number; `unknown` takes the mark away. Returns the number's row.

    Raises NotFound; Forbidden where somebody else than a supervisor would make an invalid number callable again.
    """
    await transaction.lock([f"person:{party_id}"])
    await parties.find(transaction, party_id, user)
    this = (numbers.c.party_id == party_id) & (numbers.c.e164 == number)
    known = await transaction.first(select(numbers).where(this))
    if known is None:
        raise NotFound(f"party {party_id} has no number {number}")
    status = STATUS[mark]
    if known.status == "invalid" and status != "invalid" and user.role not in parties.MAY_CLEAR:
        raise Forbidden("a number marked invalid is made callable again by a supervisor")
    said = {"mark": mark, "by": user.name, "at": now.isoformat(), "reason": reason} if mark != "unknown" else None
    marked = update(numbers).where(this).values(status=status, mark=said).returning(*numbers.c)
    row = (await transaction.execute(marked)).one()
    data = {"party_id": party_id, "number": number, "mark": mark, "reason": reason}
    transaction.journal(
        Entry(now, "number.marked", user.name, await _client(transaction, party_id), user.name, data=data)
    )
    return row


async def _client(transaction: Transaction, party_id: str) -> str | None:
    """Whose journal it is in: the client's, where the person has cases of one client only."""
    mine = select(cases.c.client).join(case_parties, case_parties.c.case_id == cases.c.id)
    clients = await transaction.all(mine.where(case_parties.c.party_id == party_id).distinct().limit(2))
    return clients[0].client if len(clients) == 1 else None
