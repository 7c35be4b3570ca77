"""What a CRM and the desk say differently, and which of the two holds."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict
from crm_bridge.connectors import conflict_book, registry
from crm_bridge.connectors.deciding import decide
from crm_bridge.connectors.problems import KINDS
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery
from crm_bridge.web.paging import Listing, page

api = Api("connectors")
ADMIN: tuple[Role, ...] = ("admin",)


class ConflictQuery(PageQuery):
    """Which."""

    state: Literal["open", "ended", "all"] = "open"


class Decision(Body):
    """Whose value holds."""

    take: Literal["ours", "theirs"]


class ConflictOut(BaseModel):
    """Something of the CRM's that was not taken as it is, and why."""

    id: str
    code: str = Field(
        description="no-id, bad-id, unknown-state, bad-number, no-person, both-changed, … (docs/connectors.md)"
    )
    record: str = Field(description="the CRM's id")
    case_id: str | None
    field: str | None
    theirs: str | None
    ours: str | None
    what: str
    what_zh: str
    state: str = Field(description="open; gone: it is so no more; ours or theirs: somebody decided")
    decidable: bool = Field(description="whether one side's value can be chosen here; else it is mended in the CRM")
    found_at: datetime
    ended_at: datetime | None
    ended_by: str | None


@api.operation(
    "GET",
    "/v1/connectors/{id}/conflicts",
    roles=ADMIN,
    query=ConflictQuery,
    answers={200: Listing[ConflictOut]},
    summary="What a CRM and the desk say differently",
)
async def list_conflicts(request: web.Request, query: ConflictQuery) -> dict[str, Any]:
    """Newest first."""
    async with request.app[keys.DATABASE].read() as connection:
        row = await registry.find(connection, request.match_info["id"], request[keys.USER])
        found = await conflict_book.listing(
            connection, row.id, state=query.state, after=query.cursor or "", limit=query.limit + 1
        )
    shown, following = page(found, query.limit, "id")
    return {"items": [_shown(one) for one in shown], "next_cursor": following}


@api.operation(
    "POST",
    "/v1/connectors/{id}/conflicts/{conflict}/decide",
    roles=ADMIN,
    body=Decision,
    answers={200: ConflictOut},
    problems=(Conflict,),
    summary="Choose whose value holds",
)
async def decide_conflict(request: web.Request, body: Decision) -> dict[str, Any]:
    """Where both sides changed a field. Everything else is mended in the CRM or in the mapping (409)."""
    user, region = request[keys.USER], request.app[keys.CONNECTORS].region
    async with request.app[keys.DATABASE].write() as transaction:
        row = await registry.find(transaction.connection, request.match_info["id"], user)
        ended = await decide(
            transaction, row, request.match_info["conflict"], body.take, region=region, user=user, now=clock.now()
        )
    return _shown(ended)


def _shown(row: Any) -> dict[str, Any]:
    decidable = row.state == "open" and KINDS[row.code].decided and row.case_id is not None
    return {**row._mapping, "decidable": decidable}
