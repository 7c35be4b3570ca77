"""What others did: texts, letters, the client's robots, the carrier's records, told so that the caps count them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select

from config.database import Transaction
from config.errors import Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.cases import cases, parties
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, numbers
from telephony.dialling.recounts import recount
from telephony.numbers import normalise
from telephony.policy.fields import NearMoment
from telephony.tables import contacts

CLOCKS_DIFFER = timedelta(seconds=60)


class ContactIn(BaseModel):
    """One contact that this service did not make."""

    model_config = ConfigDict(extra="forbid")

    party_id: str = Field(max_length=128)
    case_id: str | None = Field(None, max_length=128)
    number: str | None = Field(None, max_length=64)
    at: NearMoment = Field(description="with an offset; a moment in the past is counted from then on")
    channel: Literal["call", "sms", "email", "letter"]
    direction: Literal["outbound", "inbound"] = "outbound"
    by: Literal["us", "client"] = Field("us", description="absent: us, which counts in every cap")
    outcome: Literal[
        "conversation", "voicemail", "no_answer", "busy", "not_in_service", "dropped", "rejected", "failed", "unknown"
    ] = Field("unknown", description="unknown counts as what weighs most")
    consented: bool = False
    debts: list[Annotated[str, Field(max_length=128)]] | None = Field(
        None, max_length=500, description="what it was about; absent: the case's debts, and without a case every debt"
    )


async def record(
    transaction: Transaction, given: ContactIn, *, user: User, region: str, now: datetime
) -> dict[str, Any]:
    """Put a contact into the history; calls made since that it would have forbidden are marked (`found_later`).

    Raises NotFound, InvalidNumber, Invalid (a contact in the future).
    """
    if given.at > now + CLOCKS_DIFFER:
        raise Invalid("at lies in the future", [{"field": "at", "message": "must not lie in the future"}])
    party = await parties.find(transaction, given.party_id, user)
    number = normalise(given.number, region) if given.number is not None else None
    case = await cases.find(transaction.connection, given.case_id, user) if given.case_id is not None else None
    if case is not None:
        link = (case_parties.c.case_id == case.id) & (case_parties.c.party_id == party.id)
        if await transaction.first(select(case_parties.c.relation).where(link)) is None:
            raise NotFound(f"case {case.id} has no party {party.id}")
    await transaction.lock([f"person:{party.id}", *([f"number:{number}"] if number else [])])
    kind = select(numbers.c.kind).where(numbers.c.party_id == party.id, numbers.c.e164 == number)
    said = given.model_dump(include={"at", "channel", "direction", "by", "outcome", "consented"})
    row = {
        **said,
        "id": new_id(now),
        "party_id": party.id,
        "household": party.household,
        "number": number,
        "number_kind": await transaction.connection.scalar(kind),
        "debts": given.debts if given.debts is not None else case.debts if case is not None else [],
        "account": case.account if case is not None else None,
        "case_id": case.id if case is not None else None,
    }
    stored = (await transaction.execute(insert(contacts).values(**row).returning(*contacts.c))).one()
    data = {"contact_id": row["id"], "party_id": party.id, "channel": given.channel, "by": given.by}
    client = case.client if case is not None else None
    transaction.journal(Entry(now, "contact.recorded", user.name, client, None, given.case_id, data=data))
    found = await recount(transaction, stored, now)
    return {**row, "found_later": [violation.call_id for violation in found]}
