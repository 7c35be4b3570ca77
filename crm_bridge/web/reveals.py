"""Reveals: a masked item in full, for a reason."""

from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import NotFound
from crm_bridge.people import reveals
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api
from telephony.numbers import InvalidNumber

api = Api("reveals")


class RevealOut(BaseModel):
    """The item in full. Who shows it hides it again at `expires_at`."""

    id: str
    kind: Literal["identity", "number"]
    party_id: str
    masked: str
    # Not `identity` or `number`: those are masked on their way out, and this one is meant to be read.
    value: str = Field(description="the item in full")
    expires_at: datetime


@api.operation(
    "POST",
    "/v1/reveals",
    roles=PEOPLE,
    body=reveals.RevealIn,
    answers={201: RevealOut},
    problems=(NotFound, InvalidNumber),
    summary="Show one masked item in full for a short time",
)
async def reveal(request: web.Request, body: reveals.RevealIn) -> dict[str, Any]:
    """Journalled as `reveal`, with who, what and why; never with the item itself."""
    settings = request.app[keys.SETTINGS]
    async with request.app[keys.DATABASE].write() as transaction:
        return await reveals.reveal(
            transaction,
            body,
            user=request[keys.USER],
            region=settings.policy.region,
            lasts=timedelta(seconds=settings.desk.reveal_seconds),
            now=clock.now(),
        )
