"""The last step of every answer and event: what the reader's role may not see is taken out of the finished JSON."""

from datetime import timedelta

from aiohttp import web
from pydantic_core import from_json, to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.settings import Desk
from crm_bridge.cases.right_party import unlocked_cases
from crm_bridge.people.masking import Redaction, is_masked, unmasked
from crm_bridge.people.users import User
from crm_bridge.web import keys
from telephony.numbers import normalise

REVEALS = "/v1/reveals"
"""The one answer that is meant to show what is masked elsewhere."""


async def redaction(connection: AsyncConnection, user: User, desk: Desk) -> Redaction:
    """What is hidden from this user now."""
    if user.role not in desk.confirm_party:
        return Redaction.of(user, desk)
    lasts = timedelta(seconds=desk.unlocked_after_call_seconds)
    return Redaction.of(user, desk, await unlocked_cases(connection, user, lasts, clock.now()))


async def redacted(request: web.Request, body: bytes) -> bytes:
    """A JSON body as the user of this request may see it; most are sent as they are."""
    user = request.get(keys.USER)
    settings = request.app.get(keys.SETTINGS)
    if user is None or settings is None or not Redaction.of(user, settings.desk).concerns(body):
        return body
    async with request.app[keys.DATABASE].read() as connection:
        hidden = await redaction(connection, user, settings.desk)
    return to_json(hidden.document(from_json(body)))


async def mask_response(request: web.Request, response: web.StreamResponse) -> None:
    """Take out of a JSON response what its reader may not see."""
    if not isinstance(response, web.Response) or not response.content_type.endswith("json"):
        return
    if request.path != REVEALS and isinstance(response.body, bytes):
        response.body = await redacted(request, response.body)


async def number_of(request: web.Request, given: str, party_id: str | None) -> str:
    """The E.164 number that somebody typed, or clicked as it is shown to them, masked. Raises InvalidNumber."""
    if party_id is not None and is_masked(given):
        async with request.app[keys.DATABASE].read() as connection:
            return await unmasked(connection, party_id, given)
    return normalise(given, request.app[keys.SETTINGS].policy.region)
