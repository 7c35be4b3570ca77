"""`POST /v1/calls/by-number`: call a number that was clicked without its case."""

from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from config.errors import NotFound
from crm_bridge import idempotency
from crm_bridge.click import Clicked
from crm_bridge.embed.number_clicks import NO_CASE, subjects_of
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body
from crm_bridge.web.calls import CALLERS, DIAL_PROBLEMS, Call, dial, refusal
from crm_bridge.web.dispatch import user_of
from telephony.gate.passes import Refusal
from telephony.numbers import normalise

api = Api("calls")


class DialNumber(Body):
    """A number as it stands in the page."""

    number: str = Field(min_length=3, max_length=40)
    purpose: Literal["collect", "complaint", "location", "message"] = "collect"


async def dial_number(request: web.Request, user: User, number: str, purpose: str, key: str) -> Clicked:
    """Call an E.164 number, or say why not: 201 with the call, 403 with the denial's members."""
    async with request.app[keys.DATABASE].read() as connection:
        subjects = await subjects_of(connection, user, number, purpose)
    if isinstance(subjects, Refusal):
        pack = subjects.rule.partition("/")[0]
        return Clicked(403, {**subjects.document(), "pack": pack, "denials": [], "decision_id": None})
    return await dial(request, user, subjects[0], key, tuple(subjects[1:]))


@api.operation(
    "POST",
    "/v1/calls/by-number",
    roles=CALLERS,
    body=DialNumber,
    headers={"!Idempotency-Key": "a new value for each intended call; the same value repeats the same answer"},
    answers={201: Call},
    problems=DIAL_PROBLEMS,
    summary="Call a number whose case the page does not know",
)
async def place_by_number(request: web.Request, body: DialNumber) -> Any:
    """Judged as a typed number is: every case that holds it must allow it. `candidates` names them, where they are several."""
    key = idempotency.require_key(request.headers.get("Idempotency-Key"))
    number = normalise(body.number, request.app[keys.SETTINGS].policy.region)
    clicked = await dial_number(request, user_of(request), number, body.purpose, key)
    if clicked.document.get("rule") == NO_CASE.rule:
        raise NotFound(f"no case of yours has the number {number}")
    return clicked.document if clicked.status == 201 else refusal(clicked)
