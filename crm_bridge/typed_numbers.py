"""What the gate must know of the desk when a number is typed on a phone: whose phone it is, and who holds the number."""

from dataclasses import dataclass

from sqlalchemy import false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.people import scope
from crm_bridge.people.users import user_of
from crm_bridge.tables import case_parties, cases, numbers, users
from telephony.gate.asking import Collector
from telephony.gate.typed import MOST_HOLDERS
from telephony.gate.typed_calls import Holder

CALLERS = ("collector", "supervisor")


@dataclass(frozen=True, slots=True)
class PhoneBook:
    """`first_pbx` is that of users who name none."""

    first_pbx: str

    async def who_has(self, connection: AsyncConnection, extension: str, pbx: str) -> Collector | None:
        """The active collector or supervisor with that phone; None for anybody else's."""
        there = users.c.pbx == pbx
        if pbx == self.first_pbx:
            there = or_(there, users.c.pbx.is_(None))
        statement = select(users).where(
            users.c.extension == extension, there, users.c.active, users.c.role.in_(CALLERS)
        )
        row = (await connection.execute(statement.limit(1))).first()
        return None if row is None else Collector(row.name, row.role, tuple(row.clients))


async def holders(connection: AsyncConnection, collector: str | None, e164: str) -> list[Holder]:
    """Every party of every case that has the number, oldest case first; one more than may be judged tells that it is too many."""
    row = (await connection.execute(select(users).where(users.c.name == collector))).first()
    seen = scope.cases_seen_by(user_of(row)) if row is not None else false()
    statement = (
        select(
            cases.c.id,
            cases.c.client,
            cases.c.collector,
            case_parties.c.party_id,
            seen.label("seen"),
        )
        .select_from(numbers)
        .join(case_parties, case_parties.c.party_id == numbers.c.party_id)
        .join(cases, cases.c.id == case_parties.c.case_id)
        .where(numbers.c.e164 == e164)
        .order_by(cases.c.created_at, cases.c.id, case_parties.c.position)
        .limit(MOST_HOLDERS + 1)
    )
    rows = await connection.execute(statement)
    return [Holder(row.id, row.party_id, row.client, row.collector, bool(row.seen)) for row in rows]
