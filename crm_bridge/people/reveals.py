"""Reveals: one masked item shown in full for a short time, to one person, for a reason that stays in the journal (脱敏)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import select

from config.database import Transaction
from config.errors import NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.cases import parties
from crm_bridge.people import scope
from crm_bridge.people.masking import is_masked, mask_identity, mask_number, unmasked
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers
from telephony.numbers import normalise

KINDS = ("identity", "number")


class What(BaseModel):
    """One item: the identity number of a party, or one of its numbers, as it is shown or in full."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["identity", "number"]
    party_id: str = Field(min_length=1, max_length=128)
    number: str | None = Field(None, max_length=64)


def _read(value: Any) -> Any:
    """`identity:PARTY` and `number:PARTY:+86138****8000` say the same in one string."""
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition(":")
    if kind == "number":
        party_id, _, number = rest.rpartition(":")
        return {"kind": kind, "party_id": party_id, "number": number}
    return {"kind": kind, "party_id": rest}


class RevealIn(BaseModel):
    """What to show, and why."""

    model_config = ConfigDict(extra="forbid")

    what: Annotated[What, BeforeValidator(_read)] = Field(
        description="{kind, party_id, number} or one string: `identity:PARTY`, `number:PARTY:+86138****8000`"
    )
    reason: str = Field(min_length=2, max_length=500)


async def reveal(
    transaction: Transaction, given: RevealIn, *, user: User, region: str, lasts: timedelta, now: datetime
) -> dict[str, Any]:
    """The item in full and until when it may be shown; who saw what and why is journalled, the item itself is not.

    Raises NotFound for a party that is not the user's to see or has no such item, InvalidNumber.
    """
    what = given.what
    party = await parties.find(transaction, what.party_id, user)
    if what.kind == "identity":
        value, masked = party.identity, mask_identity(party.identity) if party.identity else ""
        if not value:
            raise NotFound(f"party {what.party_id} has no identity number")
    else:
        value = await _number(transaction, what, region)
        masked = mask_number(value)
    reveal_id, expires_at = new_id(now), now + lasts
    shown = {"id": reveal_id, "kind": what.kind, "party_id": what.party_id, "masked": masked}
    data = {**shown, "reason": given.reason, "expires_at": expires_at.isoformat()}
    case = await _case(transaction, what.party_id, user)
    client, case_id = (case.client, case.id) if case is not None else (None, None)
    transaction.journal(Entry(now, "reveal", user.name, client, user.name, case_id, data=data))
    return {**shown, "value": value, "expires_at": expires_at}


async def _number(transaction: Transaction, what: What, region: str) -> str:
    given = what.number or ""
    if is_masked(given):
        return await unmasked(transaction.connection, what.party_id, given)
    number = normalise(given, region)
    listed = select(numbers.c.e164).where(numbers.c.party_id == what.party_id, numbers.c.e164 == number)
    if await transaction.first(listed) is None:
        raise NotFound(f"party {what.party_id} has no number {given}")
    return number


async def _case(transaction: Transaction, party_id: str, user: User) -> Any:
    """The first case of the person that the user may see: the entry is found among its client's."""
    linked = select(cases.c.id, cases.c.client).join(case_parties, case_parties.c.case_id == cases.c.id)
    mine = linked.where(case_parties.c.party_id == party_id, scope.cases_seen_by(user))
    return await transaction.first(mine.order_by(cases.c.id).limit(1))
