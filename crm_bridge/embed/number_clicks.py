"""A click on a number alone (a `tel:` link, a CRM that only calls a URL): whose number it is, judged as a typed one is.

Every case and party that holds the number must allow the call, also those that the collector may not see. The call is of the
collector's own case, else of the only one, else of the oldest; `candidates` names them all.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.people.users import User
from crm_bridge.typed_numbers import holders
from telephony.dialling.gathering import Subject
from telephony.dialling.reservations import CLICK
from telephony.gate.passes import Refusal
from telephony.gate.typed import MOST_HOLDERS, TOO_MANY
from telephony.gate.typed_calls import Holder
from telephony.tables import calls

NO_CASE = Refusal(
    "gate/no-case", "No case of yours has this number, so it may not be called.", "您的案件中没有该号码，不能拨打。"
)


async def subjects_of(connection: AsyncConnection, user: User, number: str, purpose: str) -> list[Subject] | Refusal:
    """Whom a call to an E.164 number is about, that of the call's own case first; a Refusal where it is nobody's."""
    found = await holders(connection, user.name, number)
    seen = [one for one in found if one.seen and (not user.clients or one.client in user.clients)]
    if not seen:
        return NO_CASE
    if len(found) > MOST_HOLDERS:
        return TOO_MANY
    first = _own(seen, user)
    ordered = [first, *(one for one in found if one is not first)]
    return [Subject(one.case_id, one.party_id, number, user.name, user.role, purpose=purpose) for one in ordered]


def _own(seen: Sequence[Holder], user: User) -> Holder:
    return next((one for one in seen if one.collector == user.name), seen[0])


async def call_lately(connection: AsyncConnection, agent: str, number: str, since: datetime) -> Row[Any] | None:
    """The collector's clicked call to this number that lives, or was made after `since`; the newest."""
    statement = (
        select(calls)
        .where(calls.c.agent == agent, calls.c.number == number, calls.c.origin == CLICK)
        .where(or_(calls.c.ended_at.is_(None), calls.c.created_at > since))
        .order_by(calls.c.id.desc())
        .limit(1)
    )
    return (await connection.execute(statement)).first()
