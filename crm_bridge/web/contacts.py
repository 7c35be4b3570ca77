"""Contacts that others made, told by the CRM or written down by people."""

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import NotFound
from crm_bridge.cases import contacts
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api
from telephony.numbers import InvalidNumber

api = Api("contacts")


class ContactOut(BaseModel):
    """A contact as it counts."""

    id: str
    at: datetime
    party_id: str
    case_id: str | None
    number: str | None
    channel: str
    direction: str
    by: str
    outcome: str
    consented: bool
    debts: list[str]
    found_later: list[str] = Field(description="calls made since that it would have forbidden, marked as such now")


@api.operation(
    "POST",
    "/v1/contacts",
    roles=EVERYONE,
    body=contacts.ContactIn,
    answers={201: ContactOut},
    problems=(NotFound, InvalidNumber),
    summary="Tell a contact that this service did not make",
)
async def record_contact(request: web.Request, body: contacts.ContactIn) -> object:
    """Texts, letters, the client's robots, the carrier's records: the caps count them from the next decision on."""
    region = request.app[keys.SETTINGS].policy.region
    async with request.app[keys.DATABASE].write() as transaction:
        return await contacts.record(transaction, body, user=request[keys.USER], region=region, now=clock.now())
