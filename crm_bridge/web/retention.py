"""Retention over HTTP: the classes with a preview of every change, what will be deleted when, deleting, and receipts."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import select

from config import clock
from config.errors import Conflict, Invalid, NotFound
from crm_bridge import retention_view
from crm_bridge.people import scope
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, PageQuery, Query
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing, page
from recordings import retention_classes
from recordings.deletion import Kept
from recordings.retention import Anchor, Basis, Kind, RetentionClass
from recordings.retention_tables import receipts
from recordings.retention_tables import retention_classes as saved_classes
from recordings.tables import recordings
from telephony.policy.packs import available
from telephony.tables import calls

api = Api("retention")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")
CLASS_ID = r"^[a-z0-9][a-z0-9-]{0,63}$"
Client = Annotated[str, Field(min_length=1, max_length=128)]


class OnHold(Conflict):
    """An open matter holds the recording."""

    code = "recording-on-hold"
    title = "The recording is held"


class MustStay(Conflict):
    """Its retention is not over, or the store still locks it."""

    code = "retention-not-over"
    title = "The recording must still be kept"


class ClassIn(Body):
    """A retention class. It holds from now on; what would end earlier by it keeps its later date."""

    kind: Kind
    years: int = Field(0, ge=0, le=100)
    months: int = Field(0, ge=0, le=1200, description="beside the years")
    anchor: Anchor = "call"
    clients: list[Client] | None = Field(None, max_length=500, description="null: every client's; empty: nobody's")
    pack: str | None = Field(None, max_length=64, description="only what was called under this rule pack")
    basis: Basis = "contract"
    source: str = Field(min_length=1, max_length=2000, description="the law, contract clause or decision it comes from")
    privacy_max_months: int | None = Field(None, ge=1, le=1200, description="alerts where a minimum is longer")
    enabled: bool = True
    reason: str = Field(min_length=1, max_length=2000, description="why it is changed; kept in the journal")

    @model_validator(mode="after")
    def _has_a_length(self) -> "ClassIn":
        if not self.years and not self.months:
            raise ValueError("years and months cannot both be 0")
        return self

    def made(self, class_id: str) -> RetentionClass:
        """The class as the rules know it."""
        fields = self.model_dump(exclude={"years", "months", "clients", "reason"})
        clients = None if self.clients is None else tuple(self.clients)
        return RetentionClass(id=class_id, months=12 * self.years + self.months, clients=clients, **fields)


class EffectOut(BaseModel):
    """What a change does: `extended` dates move later, `kept_longer` would be earlier but stay."""

    recordings: int
    extended: int
    kept_longer: int
    uncovered: int
    earliest: date | None
    latest: date | None


class ClassOut(BaseModel):
    """A retention class in force; `updated_by` is null for one as shipped."""

    id: str
    kind: Kind
    months: int
    anchor: Anchor
    clients: list[str] | None
    pack: str | None
    basis: Basis
    source: str
    privacy_max_months: int | None
    enabled: bool
    reason: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None


class ClassSaved(ClassOut):
    """The class, with the effect of the change. `saved` is false after a dry run."""

    saved: bool
    effect: EffectOut


class DryRun(Query):
    """Whether to try only."""

    dry_run: bool = False


class ReceiptsQuery(PageQuery):
    """Which receipts."""

    call_id: str | None = Field(None, max_length=32)
    case_id: str | None = Field(None, max_length=128)


class ReceiptOut(BaseModel):
    """What there was, why it went, and that every version and copy is gone."""

    id: str
    recording_id: str
    call_id: str
    case_id: str | None
    client: str | None
    leg: str
    object: str | None
    copies: int
    sha256: str | None
    pcm_sha256: str | None
    stored_sha256: str | None
    duration: float | None
    recorded_at: datetime
    retention: dict[str, Any]
    key_destroyed: bool
    deleted_at: datetime
    deleted_by: str


class ReportOut(BaseModel):
    """What a run did or would do."""

    looked_at: int
    deleted: int
    bytes: int
    kept: dict[str, int]
    failed: dict[str, str]


@api.operation(
    "GET", "/v1/retention-classes", roles=OVERSEERS, answers={200: Listing[ClassOut]}, summary="All retention classes"
)
async def list_classes(request: web.Request) -> dict[str, Any]:
    """Those saved, and those shipped that nobody changed."""
    async with request.app[keys.DATABASE].read() as connection:
        found = await retention_classes.in_force(connection)
        rows = {row.id: row for row in await connection.execute(select(saved_classes))}
    return {"items": [_shown(found[name], rows.get(name)) for name in sorted(found)], "next_cursor": None}


@api.operation(
    "GET", "/v1/retention-classes/{id}", roles=OVERSEERS, answers={200: ClassOut}, summary="A retention class"
)
async def get_class(request: web.Request) -> dict[str, Any]:
    """As it is in force."""
    name = request.match_info["id"]
    async with request.app[keys.DATABASE].read() as connection:
        found = (await retention_classes.in_force(connection)).get(name)
        row = (await connection.execute(select(saved_classes).where(saved_classes.c.id == name))).first()
    if found is None:
        raise NotFound(f"there is no retention class {name}")
    return _shown(found, row)


def _shown(found: RetentionClass, row: Any) -> dict[str, Any]:
    fields = {name: getattr(found, name) for name in RetentionClass.__dataclass_fields__}
    stamp = {name: row._mapping[name] for name in ("reason", "updated_at", "updated_by")} if row else {}
    return fields | stamp


@api.operation(
    "PUT",
    "/v1/retention-classes/{id}",
    roles=("admin",),
    body=ClassIn,
    query=DryRun,
    answers={200: ClassSaved},
    summary="Set a retention class, or see what that would change (dry_run)",
)
async def put_class(request: web.Request, body: ClassIn, query: DryRun) -> dict[str, Any]:
    """Dates move later or stay; recordings follow within a minute. The reason is kept in the journal."""
    name, now, database = request.match_info["id"], clock.now(), request.app[keys.DATABASE]
    found = _checked(name, body)
    effect = await retention_classes.preview(database, found)
    stamp: dict[str, Any] = {}
    if not query.dry_run:
        actor = user_of(request).name
        async with database.write() as transaction:
            await retention_classes.save(transaction, found, reason=body.reason, actor=actor, now=now)
        stamp = {"reason": body.reason, "updated_at": now, "updated_by": actor}
    return {**_shown(found, None), **stamp, "saved": not query.dry_run, "effect": effect}


def _checked(name: str, body: ClassIn) -> RetentionClass:
    if not re.fullmatch(CLASS_ID, name):
        raise Invalid("id: must be 1-64 lower-case letters, digits or hyphens", [{"field": "id", "message": CLASS_ID}])
    known = {pack.id for pack in available()}
    if body.pack is not None and body.pack not in known:
        raise Invalid(f"pack: there is no rule pack {body.pack}", [{"field": "pack", "message": "is not a known pack"}])
    return body.made(name)


@api.operation(
    "GET", "/v1/retention", roles=("admin", "supervisor", "qa"), answers={200: dict[str, Any]}, summary="What goes when"
)
async def overview(request: web.Request) -> dict[str, Any]:
    """Recordings by the month in which their keeping ends, those held, and where minimum and privacy disagree."""
    async with request.app[keys.DATABASE].read() as connection:
        return await retention_view.overview(connection, clock.now(), user_of(request))


@api.operation(
    "POST", "/v1/retention/run", roles=("admin",), query=DryRun, answers={200: ReportOut}, summary="Delete what is over"
)
async def run(request: web.Request, query: DryRun) -> Any:
    """As it happens once a day by itself; a dry run only counts."""
    deletion = request.app[keys.DELETION]
    return await deletion.run(clock.now(), actor=user_of(request).name, dry_run=query.dry_run)


@api.operation(
    "DELETE",
    "/v1/recordings/{id}",
    roles=("admin",),
    answers={204: NoContent},
    problems=(OnHold, MustStay),
    summary="Delete a recording whose retention is over",
)
async def delete_recording(request: web.Request) -> None:
    """The same question as every deletion is asked: the date over, nothing that holds it, no lock of the store."""
    recording_id, user = request.match_info["id"], user_of(request)
    mine = select(recordings.c.id).outerjoin(calls, calls.c.id == recordings.c.call_id)
    if user.clients:
        mine = mine.where(scope.calls_seen_by(user))
    async with request.app[keys.DATABASE].read() as connection:
        if await connection.scalar(mine.where(recordings.c.id == recording_id)) is None:
            raise NotFound(f"there is no recording {recording_id}")
    kept = await request.app[keys.DELETION].delete(recording_id, clock.now(), actor=user.name)
    if isinstance(kept, Kept):
        refusal = OnHold if kept.code == "recording-on-hold" else MustStay
        raise refusal(kept.reason, because=kept.code, until=kept.until and kept.until.isoformat())


@api.operation(
    "GET",
    "/v1/deletion-receipts",
    roles=OVERSEERS,
    query=ReceiptsQuery,
    answers={200: Listing[ReceiptOut]},
    summary="What was deleted, when, by whom and why, newest first",
)
async def list_receipts(request: web.Request, query: ReceiptsQuery) -> dict[str, Any]:
    """Receipts outlive their recordings."""
    statement = select(receipts).order_by(receipts.c.id.desc()).limit(query.limit + 1)
    for column, value in ((receipts.c.call_id, query.call_id), (receipts.c.case_id, query.case_id)):
        if value is not None:
            statement = statement.where(column == value)
    user = user_of(request)
    statement = statement.where(scope.clients_seen_by(user, receipts.c.client))
    if user.team:
        statement = statement.where(receipts.c.call_id.in_(select(calls.c.id).where(scope.calls_seen_by(user))))
    if query.cursor:
        statement = statement.where(receipts.c.id < query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = (await connection.execute(statement)).all()
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}
