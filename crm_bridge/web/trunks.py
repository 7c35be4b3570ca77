"""Trunks over HTTP: create, change, try, drain, disable, enable, remove."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import Field, SecretStr, ValidationError
from sqlalchemy.engine import Row

from config.errors import Conflict, Invalid
from config.sealing import SealBroken
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery, Query, Reply
from crm_bridge.web.paging import Listing, page
from crm_bridge.web.trunk_shapes import SETUP, NewTrunk, Reason, TrunkBody, TrunkPatch, TrunkPut
from crm_bridge.web.trunk_views import TestOut, TrunkOut, TrunkPlan
from telephony.ami import AnswerUnknown, PbxUnavailable
from telephony.pbx_setup.files import PbxConfigRefused
from telephony.pbx_setup.probe import PbxConfigFailed
from telephony.trunking import health, records, trunks
from telephony.trunking.applying import HalfDone, TrunkUnreachable
from telephony.trunking.choosing import live_calls
from telephony.trunking.desk import Asked, TrunkDesk
from telephony.trunking.trying import Tried

api = Api("trunks")
PBX_FAULTS = (PbxUnavailable, AnswerUnknown, PbxConfigFailed, PbxConfigRefused, TrunkUnreachable, HalfDone, SealBroken)


class DryRun(Query):
    """Whether only to show what would change on the PBX."""

    dry_run: bool = Field(False, description="write nothing; answer 200 with the change, secrets hidden")


class Why(Body):
    """Why."""

    reason: Reason | None = None


class WhyQuery(Query):
    """Why it goes."""

    reason: Reason | None = None


def desk_of(request: web.Request) -> TrunkDesk:
    """Who changes trunks."""
    return request.app[keys.TRUNK_DESK]


async def shown(request: web.Request, rows: Sequence[Row[Any]], tried: Tried | None = None) -> list[dict[str, Any]]:
    """Trunks as they are answered."""
    names = [row.name for row in rows]
    async with request.app[keys.DATABASE].read() as connection:
        live, known = await live_calls(connection, names), await health.known_health(connection, names)
    return [_document(row, live.get(row.name, 0), known.get(row.name), tried) for row in rows]


def _document(row: Row[Any], live: int, seen: Row[Any] | None, tried: Tried | None) -> dict[str, Any]:
    document = {
        key: value for key, value in row._mapping.items() if key not in ("sealed_secret", "turn", "draining_since")
    }
    setup = row.setup and {**{key: row.setup.get(key) for key in SETUP}, "has_secret": row.sealed_secret is not None}
    unseen = {"state": "unknown", "reason": "not-looked-yet", "since": None, "seen_at": None}
    doing = {"state": seen.state, "since": seen.since, "seen_at": seen.seen_at, **seen.seen} if seen else unseen
    told = {"state": records.state_of(row), "live_calls": live, "health": doing}
    return {**document, "setup": setup, **told, "test": tried.document() if tried else None}


async def _one(request: web.Request, row: Row[Any], tried: Tried | None = None) -> dict[str, Any]:
    upkeeps = request.app[keys.UPKEEPS]
    if row.pbx in upkeeps:
        await upkeeps[row.pbx].tell_emergency_trunks()
    return (await shown(request, [row], tried))[0]


def _pbx(request: web.Request, given: str | None) -> str:
    known = [pbx.name for pbx in request.app[keys.SETTINGS].pbx]
    name = given or next(iter(known), None)
    if name is None or name not in known:
        message = f"must be one of {', '.join(known)}" if known else "no PBX is configured"
        raise Invalid(f"pbx: {message}", [{"field": "pbx", "message": message}])
    return name


async def _plan(request: web.Request, asked: Asked, pbx: str) -> Reply:
    changes = await desk_of(request).plan(asked, pbx)
    told = [{"where": change.where, "lines": list(change.lines)} for change in changes]
    return Reply({"pbx": pbx, "nothing_to_do": not changes, "changes": told})


def _asked(request: web.Request, name: str, body: TrunkBody) -> Asked:
    columns = body.columns(request.app[keys.SETTINGS].policy.zone)
    return Asked(name, {**columns, "endpoint": body.endpoint or ""}, body.setup(), body.secret)


@api.operation(
    "POST",
    "/v1/trunks",
    roles=("admin",),
    body=NewTrunk,
    query=DryRun,
    answers={201: TrunkOut, 200: TrunkPlan},
    problems=(Conflict, *PBX_FAULTS),
    summary="Create a trunk",
)
async def create_trunk(request: web.Request, body: NewTrunk, query: DryRun) -> Any:
    """Used from the next call on. One with `host` is set up on the PBX and tried there first: if its carrier does not answer
    or refuses the log-in, everything is as before and `trunk-unreachable` says what was seen."""
    pbx, asked = _pbx(request, body.pbx), _asked(request, body.name, body)
    if query.dry_run:
        return await _plan(request, asked, pbx)
    row, tried = await desk_of(request).create(asked, pbx, body.reason, actor=request[keys.USER].name)
    return Reply(await _one(request, row, tried), status=201)


@api.operation(
    "PUT",
    "/v1/trunks/{name}",
    roles=("admin",),
    body=TrunkPut,
    query=DryRun,
    answers={200: TrunkOut | TrunkPlan},
    problems=(Conflict, *PBX_FAULTS),
    summary="Set a trunk as it should be",
)
async def put_trunk(request: web.Request, body: TrunkPut, query: DryRun) -> Any:
    """The whole trunk: what is left out is set back, but the secret, which stays. Calls that run are not touched."""
    row = await _row(request)
    return await _change(request, row, body, "secret" in body.model_fields_set, query)


@api.operation(
    "PATCH",
    "/v1/trunks/{name}",
    roles=("admin",),
    body=TrunkPatch,
    query=DryRun,
    answers={200: TrunkOut | TrunkPlan},
    problems=(Conflict, *PBX_FAULTS),
    summary="Change a trunk",
)
async def patch_trunk(request: web.Request, body: TrunkPatch, query: DryRun) -> Any:
    """What is left out stays. A new secret is tried before it is kept."""
    row = await _row(request)
    try:
        whole = body.over(row)
    except ValidationError as error:
        errors = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"].removeprefix("Value error, ")}
            for one in error.errors(include_url=False)
        ]
        raise Invalid(f"{errors[0]['field'] or 'the trunk'}: {errors[0]['message']}", errors) from error
    return await _change(request, row, whole, "secret" in body.model_fields_set, query)


async def _row(request: web.Request) -> Row[Any]:
    async with request.app[keys.DATABASE].read() as connection:
        return await trunks.find(connection, request.match_info["name"])


async def _change(request: web.Request, row: Row[Any], body: TrunkPut, new_secret: bool, query: DryRun) -> Any:
    for field, kept in (("name", row.name), ("pbx", row.pbx)):
        if getattr(body, field) not in (None, kept):
            message = "cannot be changed; create another trunk"
            raise Invalid(f"{field}: {message}", [{"field": field, "message": message}])
    if row.setup is not None and body.host is None:
        message = "is needed: this trunk is set up on the PBX by us; create another one for an existing endpoint"
        raise Invalid(f"host: {message}", [{"field": "host", "message": message}])
    desk, actor = desk_of(request), request[keys.USER].name
    asked = _asked(request, row.name, body)
    if not new_secret and row.sealed_secret:
        asked = Asked(asked.name, asked.columns, asked.setup, SecretStr(desk.seal.open(row.sealed_secret, row.name)))
    _require_login(asked)
    if query.dry_run:
        return await _plan(request, asked, row.pbx)
    columns = {key: value for key, value in asked.columns.items() if key != "enabled" and (value or key != "endpoint")}
    row, tried = await desk.change(asked, columns, body.reason, actor=actor)
    if body.enabled != row.enabled:
        row = await desk.switch(row.name, "active" if body.enabled else "draining", body.reason, actor=actor)
    return await _one(request, row, tried)


def _require_login(asked: Asked) -> None:
    setup = asked.setup
    for field, missing in (
        ("secret", setup is not None and setup.register_ and asked.secret is None),
        ("username", setup is not None and asked.secret is not None and setup.username is None),
    ):
        if missing:
            raise Invalid(f"{field}: is needed to log in", [{"field": field, "message": "is needed to log in"}])


@api.operation(
    "GET",
    "/v1/trunks",
    roles=("admin", "supervisor"),
    query=PageQuery,
    answers={200: Listing[TrunkOut]},
    summary="All trunks",
)
async def list_trunks(request: web.Request, query: PageQuery) -> dict[str, Any]:
    """By name, with their health."""
    async with request.app[keys.DATABASE].read() as connection:
        rows = await trunks.list_trunks(connection, query.cursor or "", query.limit + 1)
    following_rows, following = page(rows, query.limit, "name")
    return {"items": await shown(request, following_rows), "next_cursor": following}


@api.operation("GET", "/v1/trunks/{name}", roles=("admin", "supervisor"), answers={200: TrunkOut}, summary="A trunk")
async def get_trunk(request: web.Request) -> Any:
    """As it is registered, with its health."""
    return (await shown(request, [await _row(request)]))[0]


@api.operation(
    "POST",
    "/v1/trunks/{name}/test",
    roles=("admin",),
    answers={200: TestOut},
    problems=PBX_FAULTS,
    summary="Ask the carrier now whether it is there, and log in anew",
)
async def test_trunk(request: web.Request) -> Any:
    """Takes seconds. Nobody is called; calls that run go on. A trunk that registers is logged out and in again."""
    return (await desk_of(request).test(request.match_info["name"], actor=request[keys.USER].name)).document()


async def _switch(request: web.Request, to: str, reason: str | None) -> dict[str, Any]:
    name, actor = request.match_info["name"], request[keys.USER].name
    return await _one(request, await desk_of(request).switch(name, to, reason, actor=actor))


@api.operation(
    "POST",
    "/v1/trunks/{name}/drain",
    roles=("admin",),
    body=Why,
    answers={200: TrunkOut},
    summary="No new calls; those that run end by themselves",
)
async def drain_trunk(request: web.Request, body: Why) -> Any:
    """Draining until the last call has ended, then disabled (`trunk.drained`)."""
    return await _switch(request, "draining", body.reason)


@api.operation(
    "POST", "/v1/trunks/{name}/disable", roles=("admin",), body=Why, answers={200: TrunkOut}, summary="No new calls"
)
async def disable_trunk(request: web.Request, body: Why) -> Any:
    """From now on; calls that run are not cut."""
    return await _switch(request, "disabled", body.reason)


@api.operation(
    "POST", "/v1/trunks/{name}/enable", roles=("admin",), body=Why, answers={200: TrunkOut}, summary="Use it again"
)
async def enable_trunk(request: web.Request, body: Why) -> Any:
    """From the next call on."""
    return await _switch(request, "active", body.reason)


@api.operation(
    "DELETE",
    "/v1/trunks/{name}",
    roles=("admin",),
    query=WhyQuery,
    answers={204: NoContent},
    problems=(Conflict, *PBX_FAULTS),
    summary="Remove a trunk",
)
async def delete_trunk(request: web.Request, query: WhyQuery) -> None:
    """From the PBX too, where its objects are ours. 409 while a call is on it. Calls keep its name."""
    async with request.app[keys.DATABASE].read() as connection:
        row = await trunks.find(connection, request.match_info["name"])
    await desk_of(request).remove(row.name, query.reason, actor=request[keys.USER].name)
    if row.pbx in request.app[keys.UPKEEPS]:
        await request.app[keys.UPKEEPS][row.pbx].tell_emergency_trunks()
