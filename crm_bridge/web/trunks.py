"""The trunk registry."""

from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field

from config import clock
from config.errors import Conflict, Invalid
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery
from crm_bridge.web.paging import Listing, page
from telephony import trunks

api = Api("trunks")

# These words reach Dial() and AMI headers: nothing but letters, digits, hyphen, dot and underscore may be in one.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Prefix = Annotated[
    str, Field(pattern=r"^\+?[1-9][0-9]{0,14}$"), AfterValidator(lambda prefix: f"+{prefix.removeprefix('+')}")
]
CallerId = Annotated[str, Field(pattern=r"^\+?[0-9]{3,20}$")]


class TrunkIn(Body):
    """A way out over an existing PJSIP endpoint."""

    name: Name
    pbx: Annotated[str, Field(max_length=32)] | None = Field(None, description="absent: the first PBX of the settings")
    endpoint: Name = Field(description="the PJSIP endpoint's name")
    dial_format: trunks.DialFormat = Field("e164", description="how the far end wants a number written")
    prefixes: list[Prefix] = Field([], max_length=500, description="what it carries, as +86; empty: everything")
    priority: int = Field(10, ge=0, le=1000, description="lower is tried first")
    weight: int = Field(1, ge=0, le=1000, description="share among trunks of the same priority")
    capacity: int = Field(0, ge=0, le=100_000, description="calls at once; 0: not known")
    caller_ids: list[CallerId] = Field([], max_length=500, description="numbers it may show")
    enabled: bool = True


class TrunkOut(BaseModel):
    """A trunk."""

    name: str
    pbx: str
    endpoint: str
    dial_format: str
    prefixes: list[str]
    priority: int
    weight: int
    capacity: int
    caller_ids: list[str]
    enabled: bool
    created_at: datetime


@api.operation(
    "POST",
    "/v1/trunks",
    roles=("admin",),
    body=TrunkIn,
    answers={201: TrunkOut},
    problems=(Conflict,),
    summary="Register a trunk",
)
async def create_trunk(request: web.Request, body: TrunkIn) -> Any:
    """Used from the next call on."""
    known = [pbx.name for pbx in request.app[keys.SETTINGS].pbx]
    name = body.pbx or next(iter(known), None)
    if name is None or name not in known:
        message = f"must be one of {', '.join(known)}" if known else "no PBX is configured"
        raise Invalid(f"pbx: {message}", [{"field": "pbx", "message": message}])
    async with request.app[keys.DATABASE].write() as transaction:
        trunk = body.model_dump() | {"pbx": name}
        created = await trunks.create(transaction, trunk, actor=request[keys.USER].name, now=clock.now())
    if name in request.app[keys.UPKEEPS]:
        await request.app[keys.UPKEEPS][name].tell_emergency_trunks()
    return created


@api.operation(
    "GET",
    "/v1/trunks",
    roles=("admin", "supervisor"),
    query=PageQuery,
    answers={200: Listing[TrunkOut]},
    summary="All trunks",
)
async def list_trunks(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By name."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await trunks.list_trunks(connection, query.cursor or "", query.limit + 1)
    shown, following = page(rows, query.limit, "name")
    return {"items": shown, "next_cursor": following}


@api.operation("GET", "/v1/trunks/{name}", roles=("admin", "supervisor"), answers={200: TrunkOut}, summary="A trunk")
async def get_trunk(request: web.Request) -> Any:
    """As it is registered."""
    async with request.app[keys.DATABASE].read() as connection:
        return await trunks.find(connection, request.match_info["name"])
