"""Complaint ladders over HTTP: who has a complaint of a severity within what time, for one client or all."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import NotFound
from crm_bridge.clocks.deadline_rules import EVERY_CLIENT
from crm_bridge.complaints import ladders as complaint_ladders
from crm_bridge.complaints.ladders import SEVERITIES, Ladder, Severity
from crm_bridge.web import keys
from crm_bridge.web.api import Api
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing
from crm_bridge.web.reasons import WithReason

api = Api("complaints")


class LadderIn(Ladder, WithReason):
    """A ladder; `client` null sets it for all clients without one of their own."""

    client: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class LadderOut(BaseModel):
    """A ladder in force; `client` null: of all clients without one of their own."""

    severity: Severity
    client: str | None
    ladder: Ladder
    shipped: bool


@api.operation(
    "GET",
    "/v1/complaint-ladders",
    roles=("qa", "supervisor", "admin"),
    answers={200: Listing[LadderOut]},
    summary="Who has a complaint within what time",
)
async def list_ladders(request: web.Request) -> dict[str, Any]:
    """Those shipped, and those set for all clients or one."""
    async with request.app[keys.DATABASE].read() as connection:
        saved = await complaint_ladders.saved_ladders(connection, user_of(request))
    shipped = complaint_ladders.shipped()
    general = [
        {
            "severity": severity,
            "client": None,
            "ladder": saved.get((severity, EVERY_CLIENT), shipped[severity]),
            "shipped": (severity, EVERY_CLIENT) not in saved,
        }
        for severity in SEVERITIES
    ]
    own = [
        {"severity": severity, "client": client, "ladder": ladder, "shipped": False}
        for (severity, client), ladder in sorted(saved.items())
        if client
    ]
    return {"items": general + own, "next_cursor": None}


@api.operation(
    "PUT",
    "/v1/complaint-ladders/{severity}",
    roles=("admin",),
    body=LadderIn,
    answers={200: LadderOut},
    problems=(NotFound,),
    summary="Set the ladder of a severity, for one client or all",
)
async def put_ladder(request: web.Request, body: LadderIn) -> dict[str, Any]:
    """For complaints opened from now on; those open keep the ladder they have."""
    severity = next((known for known in SEVERITIES if known == request.match_info["severity"]), None)
    if severity is None:
        raise NotFound(f"there is no severity {request.match_info['severity']}")
    ladder = Ladder.model_validate(body.model_dump(exclude={"client", "reason"}))
    async with request.app[keys.DATABASE].write() as transaction:
        await complaint_ladders.put(
            transaction,
            severity,
            body.client or EVERY_CLIENT,
            ladder,
            reason=body.reason,
            user=user_of(request),
            now=clock.now(),
        )
    return {"severity": severity, "client": body.client, "ladder": ladder, "shipped": False}
