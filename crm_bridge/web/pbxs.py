"""The PBXs for admins: how each is, what is wrong and how to mend it, what `apply` would change, and applying it."""

from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field, StringConstraints

from config.errors import Conflict
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, Query
from telephony.ami import AnswerUnknown, LinkState, PbxUnavailable
from telephony.pbx_setup.check import Severity
from telephony.pbx_setup.files import PbxConfigRefused
from telephony.pbx_setup.probe import PbxConfigFailed

api = Api("pbxs")

_FAULTS = (PbxUnavailable, AnswerUnknown, PbxConfigFailed)
PhoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,79}$")]


class Link(BaseModel):
    """The manager link of this process."""

    state: LinkState
    reason: str
    since: datetime


class Spool(BaseModel):
    """Whether what the PBX records arrives here."""

    pbx: str = Field(description="the folder as the PBX sees it")
    works: bool
    problem: str | None


class Gate(BaseModel):
    """Where the PBX reaches the gate; `reached` is what the last check saw from the PBX's side, null before one."""

    address: str
    reached: bool | None


class Finding(BaseModel):
    """One thing that is wrong, and what mends it."""

    code: str
    severity: Severity
    where: str
    message: str
    mend: str


class Check(BaseModel):
    """A check that runs (`finished_at` null) or has run: `done` of `of` looks, `look` the present one."""

    started_at: datetime
    look: str
    done: int
    of: int
    finished_at: datetime | None
    failed: str | None
    findings: list[Finding]


class PbxOut(BaseModel):
    """One PBX as it is now."""

    name: str
    address: str
    link: Link
    round_trip_ms: float | None
    asterisk_version: str | None
    ready: bool = Field(description="calls can be placed")
    keeps_books: bool = Field(
        description="of several service processes, whether this one writes down what happens there"
    )
    clock_seconds_apart: float | None
    spool: Spool
    gate: Gate
    trunks: list[str] = Field(description="the endpoints of its enabled trunks, preferred ones first")
    at_work: str | None = Field(description="check or apply, while one runs")
    check: Check | None = Field(description="the last one of this process")


class Pbxs(BaseModel):
    """All PBXs of the settings."""

    items: list[PbxOut]


class Phone(BaseModel):
    """A PJSIP endpoint. `ours`: its context is ours, so what a phone dials passes the gate, what a trunk brings is ours."""

    name: str
    context: str
    ours: bool
    state: str = Field(description="as Asterisk names device states")


class Phones(BaseModel):
    """The endpoints of a PBX: those that log in with a password, and the others, which lead outside."""

    items: list[Phone]
    trunks: list[Phone]


class Change(BaseModel):
    """One place that changes, line by line: `-` goes, `+` comes."""

    where: str
    lines: list[str]


class PlanOut(BaseModel):
    """What applying changes, or changed."""

    pbx: str
    nothing_to_do: bool
    changes: list[Change]
    other_phones: dict[str, str] = Field(
        description="phones whose context is not ours, with it: changed only when named"
    )
    other_trunks: dict[str, str] = Field(description="trunks whose incoming calls go elsewhere, in the same way")
    notes: list[str]


class PlanQuery(Query):
    """Which phones are to be moved."""

    phones: str | None = Field(
        None, max_length=20_000, description="endpoints to move into our context, parted by commas"
    )
    inbound: str | None = Field(None, max_length=20_000, description="trunk endpoints whose incoming calls become ours")


class Apply(Body):
    """Why, and which phones are to be moved into our context."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    phones: list[PhoneName] = Field([], max_length=2000)
    inbound: list[PhoneName] = Field(
        [], max_length=2000, description="trunk endpoints whose incoming calls become ours"
    )


@api.operation("GET", "/v1/pbxs", roles=("admin",), answers={200: Pbxs}, summary="Every PBX as it is now")
async def list_pbxs(request: web.Request) -> dict[str, Any]:
    """Link, version, clock, spool, gate and the last check. Asks the PBX nothing, so it answers at once."""
    return {"items": await request.app[keys.PBX_DESK].list_all()}


@api.operation("GET", "/v1/pbxs/{name}", roles=("admin",), answers={200: PbxOut}, summary="One PBX as it is now")
async def get_pbx(request: web.Request) -> dict[str, Any]:
    """While a check runs, how far it is."""
    return await request.app[keys.PBX_DESK].show(request.match_info["name"])


@api.operation(
    "GET",
    "/v1/pbxs/{name}/phones",
    roles=("admin",),
    answers={200: Phones},
    problems=_FAULTS,
    summary="The phones of a PBX, their contexts and states",
)
async def list_phones(request: web.Request) -> dict[str, Any]:
    """Asked of the PBX now."""
    return await request.app[keys.PBX_DESK].phones(request.match_info["name"])


@api.operation(
    "POST",
    "/v1/pbxs/{name}/check",
    roles=("admin",),
    answers={200: Check},
    problems=(Conflict, *_FAULTS),
    summary="Look at everything a PBX needs: what is wrong, and how to mend it",
)
async def check_pbx(request: web.Request) -> dict[str, Any]:
    """As `ringfence pbx check`. Changes nothing; takes seconds. 409 while another check or an apply is at work."""
    return await request.app[keys.PBX_DESK].check(request.match_info["name"])


@api.operation(
    "GET",
    "/v1/pbxs/{name}/plan",
    roles=("admin",),
    query=PlanQuery,
    answers={200: PlanOut},
    problems=_FAULTS,
    summary="What applying would change on a PBX",
)
async def plan_pbx(request: web.Request, query: PlanQuery) -> dict[str, Any]:
    """As `ringfence pbx plan`. Nothing is written."""
    phones, inbound = ([name for name in (given or "").split(",") if name] for given in (query.phones, query.inbound))
    return await request.app[keys.PBX_DESK].plan(request.match_info["name"], phones, inbound)


@api.operation(
    "POST",
    "/v1/pbxs/{name}/apply",
    roles=("admin",),
    body=Apply,
    answers={200: PlanOut},
    problems=(Conflict, PbxConfigRefused, *_FAULTS),
    summary="Bring a PBX to what it should be, with a reason",
)
async def apply_pbx(request: web.Request, body: Apply) -> dict[str, Any]:
    """As `ringfence pbx apply`; journalled as `pbx.applied`. Applying again changes nothing."""
    return await request.app[keys.PBX_DESK].apply(
        request.match_info["name"], body.phones, body.inbound, reason=body.reason, actor=request[keys.USER].name
    )
