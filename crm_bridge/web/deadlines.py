"""Deadlines over HTTP: all of them in one list, those that people open and end by hand, and the rules they come from."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement

from config import clock
from config.errors import Conflict, Forbidden, Invalid, NotFound
from config.identifiers import new_id
from crm_bridge.cases import cases
from crm_bridge.clocks import calendars, deadline_rules, deadlines
from crm_bridge.clocks.deadline_rules import EVERY_CLIENT, Rule
from crm_bridge.clocks.deadlines import MANUAL, Deadline
from crm_bridge.clocks.tables import deadlines as table
from crm_bridge.complaints.steps import STEP
from crm_bridge.people import scope
from crm_bridge.people.users import NAME, Role, User
from crm_bridge.web import keys
from crm_bridge.web.api import PEOPLE, Api, Body, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing
from crm_bridge.web.reasons import WithReason

api = Api("deadlines")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")
Client = Annotated[str, Field(min_length=1, max_length=128)]
_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class DeadlineQuery(PageQuery):
    """Which deadlines. `running`: open, or missed and still to be done."""

    state: Literal["running", "open", "met", "missed", "cancelled", "all"] = "running"
    kind: str | None = Field(None, max_length=32)
    owner: str | None = Field(None, max_length=128)
    client: str | None = Field(None, max_length=128)
    case_id: str | None = Field(None, max_length=128)
    complaint_id: str | None = Field(None, max_length=32)
    mine: bool = False
    due_before: AwareDatetime | None = None


class DeadlineOut(BaseModel):
    """A deadline. One that was missed keeps that state also when it was done later: then it has `ended_at`."""

    id: str
    kind: str
    step: str | None
    text: str
    client: str | None
    case_id: str | None
    call_id: str | None
    complaint_id: str | None
    owner: str | None
    owner_role: str
    team: str | None
    people: list[str]
    opened_at: datetime
    due_at: datetime
    warn_at: datetime | None
    unit: str
    state: Literal["open", "met", "missed", "cancelled"]
    warned_at: datetime | None
    missed_at: datetime | None
    level: int
    told: list[str]
    ended_at: datetime | None
    ended_by: str | None
    ended_reason: str | None
    by_hand: bool = Field(description="whether people end it; the others end with what they are about")


class DeadlineIn(Body):
    """Something that has to be done in the time its kind has."""

    kind: Literal["major-matter", "qa-finding", "finding-report"]
    text: str = Field(min_length=1, max_length=2000)
    case_id: str | None = Field(None, max_length=128)
    client: Client | None = None
    owner: str | None = Field(None, pattern=NAME)


class Ending(Body):
    """What was done, or why it need not be."""

    reason: str = Field(min_length=1, max_length=2000)


class RuleIn(Rule, WithReason):
    """A rule; `client` null sets it for all clients without one of their own."""

    client: Client | None = None


class RuleOut(BaseModel):
    """A rule in force; `client` null: of all clients without one of their own."""

    kind: str
    client: str | None
    rule: Rule
    shipped: bool


@api.operation(
    "GET",
    "/v1/deadlines",
    roles=PEOPLE,
    query=DeadlineQuery,
    answers={200: Listing[DeadlineOut]},
    summary="Deadlines of every kind, the most urgent first",
)
async def index(request: web.Request, query: DeadlineQuery) -> dict[str, Any]:
    """A collector's own; a supervisor's team's; everybody's to those bound to nothing."""
    user = user_of(request)
    after = _cursor(query.cursor)
    async with request.app[keys.DATABASE].read() as connection:
        rows = await deadlines.listed(connection, user, _wanted(query, user), after=after, limit=query.limit + 1)
    shown = rows[: query.limit]
    following = f"{shown[-1].due_at.isoformat()}|{shown[-1].id}" if len(rows) > query.limit else None
    return {"items": [_shown(row) for row in shown], "next_cursor": following}


def _shown(row: Any) -> dict[str, Any]:
    return {**row._mapping, "by_hand": row.kind in MANUAL}


def _cursor(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        _MOMENT.validate_python(cursor.partition("|")[0])
    except ValidationError as error:
        raise Invalid("cursor is not one of ours", [{"field": "cursor", "message": "is not one of ours"}]) from error
    return cursor


def _wanted(query: DeadlineQuery, user: User) -> list[ColumnElement[bool]]:
    columns = table.c
    equal = (
        (columns.kind, query.kind), (columns.owner, query.owner), (columns.client, query.client),
        (columns.case_id, query.case_id), (columns.complaint_id, query.complaint_id),
    )  # fmt: skip
    wanted: list[ColumnElement[bool]] = [column == value for column, value in equal if value is not None]
    if query.state == "running":
        # A missed step of a complaint is the next step's now.
        late = (columns.state == "missed") & columns.ended_at.is_(None) & (columns.kind != STEP)
        wanted.append((columns.state == "open") | late)
    elif query.state != "all":
        wanted.append(columns.state == query.state)
    if query.mine:
        wanted.append(columns.owner == user.name)
    if query.due_before is not None:
        wanted.append(columns.due_at < query.due_before)
    return wanted


@api.operation(
    "POST",
    "/v1/deadlines",
    roles=PEOPLE,
    body=DeadlineIn,
    answers={201: DeadlineOut},
    problems=(NotFound,),
    summary="Report a major matter or a QA finding: its clock runs at once",
)
async def create(request: web.Request, body: DeadlineIn) -> Any:
    """Anyone reports a major matter (S46); findings (S47, S55) are QA's and supervisors'."""
    user, now = user_of(request), clock.now()
    if user.role == "collector" and body.kind != "major-matter":
        raise Forbidden(f"a {body.kind} deadline takes qa, supervisor or admin")
    async with request.app[keys.DATABASE].write() as transaction:
        client, team = body.client, user.team
        if body.case_id is not None:
            case = await cases.find(transaction.connection, body.case_id, user)
            client = case.client
            team = await deadlines.team_of(transaction.connection, case.collector) or team
        elif client is not None:
            scope.require_client(user, client)
        rule = await deadline_rules.rule_of(transaction.connection, body.kind, client)
        calendar = await calendars.of_client(transaction.connection, client, request.app[keys.SETTINGS].policy.zone)
        due = deadline_rules.due_of(rule.within, rule.unit, rule.warn_minutes, now, calendar)
        identifier = new_id(now)
        values = deadlines.by_rule(rule) | {"owner": body.owner}
        new = Deadline(f"{body.kind}:{identifier}", body.kind, due, body.text, client=client, case_id=body.case_id,
                       team=team, **values)  # fmt: skip
        return _shown(await deadlines.open_by_hand(transaction, new, user=user, now=now))


async def _end(request: web.Request, body: Ending, *, done: bool) -> Any:
    async with request.app[keys.DATABASE].write() as transaction:
        row = await deadlines.end_by_hand(
            transaction, request.match_info["id"], done=done, reason=body.reason, user=user_of(request), now=clock.now()
        )
    return _shown(row)


@api.operation(
    "POST",
    "/v1/deadlines/{id}/done",
    roles=PEOPLE,
    body=Ending,
    answers={200: DeadlineOut},
    problems=(Conflict,),
    summary="It was done",
)
async def done(request: web.Request, body: Ending) -> Any:
    """For deadlines opened by hand; the others end with what they are about."""
    return await _end(request, body, done=True)


@api.operation(
    "POST",
    "/v1/deadlines/{id}/cancel",
    roles=("supervisor", "admin"),
    body=Ending,
    answers={200: DeadlineOut},
    problems=(Conflict,),
    summary="It need not be done, with the reason",
)
async def cancel(request: web.Request, body: Ending) -> Any:
    """For deadlines opened by hand."""
    return await _end(request, body, done=False)


@api.operation(
    "GET", "/v1/deadline-rules", roles=OVERSEERS, answers={200: Listing[RuleOut]}, summary="Within what time, by kind"
)
async def list_rules(request: web.Request) -> dict[str, Any]:
    """Those shipped, and those set for all clients or one."""
    async with request.app[keys.DATABASE].read() as connection:
        saved = await deadline_rules.saved_rules(connection, user_of(request))
    items = [
        {
            "kind": kind,
            "client": None,
            "rule": saved.get((kind, EVERY_CLIENT), rule),
            "shipped": (kind, "") not in saved,
        }
        for kind, rule in sorted(deadline_rules.shipped().items())
    ]
    own = [
        {"kind": kind, "client": client, "rule": rule, "shipped": False}
        for (kind, client), rule in sorted(saved.items())
        if client
    ]
    return {"items": items + own, "next_cursor": None}


@api.operation(
    "PUT",
    "/v1/deadline-rules/{kind}",
    roles=("admin",),
    body=RuleIn,
    answers={200: RuleOut},
    problems=(NotFound,),
    summary="Set the time of a kind, for one client or all",
)
async def put_rule(request: web.Request, body: RuleIn) -> dict[str, Any]:
    """For what begins from now on."""
    kind, rule = request.match_info["kind"], Rule.model_validate(body.model_dump(exclude={"client", "reason"}))
    async with request.app[keys.DATABASE].write() as transaction:
        await deadline_rules.put(
            transaction,
            kind,
            body.client or EVERY_CLIENT,
            rule,
            reason=body.reason,
            user=user_of(request),
            now=clock.now(),
        )
    return {"kind": kind, "client": body.client, "rule": rule, "shipped": False}
