"""Quality audit over HTTP: scoring forms, samples of calls, reviews."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from config import clock
from config.errors import Conflict, NotFound
from crm_bridge.people.users import Role
from crm_bridge.qa import forms, reviews, samples
from crm_bridge.qa.forms import Form, Question
from crm_bridge.qa.reviews import Finding, Review
from crm_bridge.qa.samples import SampleRule
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, PageQuery
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing, page
from crm_bridge.web.reasons import WithReason

api = Api("qa")

AUDITORS: tuple[Role, ...] = ("qa", "supervisor", "admin")
FORM_ID = r"^[a-z0-9_-]{1,64}$"
Points = Annotated[float, Field(ge=0, le=100)]


class FormIn(Form, Body, WithReason):
    """A form as it shall be from now on."""


class NewForm(FormIn):
    """A form under an id of its own."""

    id: str = Field(pattern=FORM_ID)


class FormOut(BaseModel):
    """A form; the shipped one was changed by nobody yet."""

    id: str
    name: str
    questions: list[Question]
    active: bool
    version: int
    updated_at: datetime | None
    updated_by: str | None


class SampleIn(Body):
    """A spot check: which calls, why."""

    rule: SampleRule = Field(default_factory=SampleRule)
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    reason: str = Field(min_length=1, max_length=2000)


class ReviewShort(BaseModel):
    """The newest review of a call."""

    id: str
    score: float | None
    finding: Finding
    reviewer: str


class SampledCall(BaseModel):
    """A call that was drawn: at which place of its group, and its newest review."""

    call_id: str
    group: str
    position: int
    agent: str
    team: str | None
    case_id: str | None
    client: str | None
    direction: str
    created_at: datetime
    seconds: float
    outcome: str | None
    review: ReviewShort | None


class SampleOut(BaseModel):
    """A sample with those of its calls that the reader may see."""

    id: str
    kind: Literal["daily", "spot"]
    rule: SampleRule
    from_at: datetime
    until_at: datetime
    seed: str
    reason: str | None
    made_at: datetime
    made_by: str
    calls: list[SampledCall]


class SampleQuery(PageQuery):
    """Which samples."""

    kind: Literal["daily", "spot"] | None = None


class ReviewIn(Body):
    """A call scored by a form. `scores` has every question: points, or null where it does not apply."""

    call_id: str = Field(min_length=1, max_length=32)
    form_id: str = Field(forms.SHIPPED, pattern=FORM_ID)
    sample_id: str | None = Field(None, max_length=32)
    scores: dict[str, Points | None]
    comment: str = Field("", max_length=4000)
    finding: Finding = "none"

    @model_validator(mode="after")
    def _a_finding_says_what(self) -> "ReviewIn":
        if self.finding != "none" and not self.comment.strip():
            raise ValueError("a finding needs a comment that says what was found")
        return self


class ReviewOut(BaseModel):
    """A review, with the questions as they were asked. Comments on seconds of the call are the replay desk's."""

    id: str
    call_id: str
    sample_id: str | None
    agent: str
    reviewer: str
    form_id: str
    form_version: int
    questions: list[Question]
    scores: dict[str, float | None]
    score: float | None = Field(description="0 to 100")
    failed: list[str] = Field(description="critical questions without a point: the score is 0")
    comment: str
    finding: Finding
    made_at: datetime


class ReviewQuery(PageQuery):
    """Which reviews."""

    call_id: str | None = Field(None, max_length=32)
    sample_id: str | None = Field(None, max_length=32)
    agent: str | None = Field(None, max_length=128)
    reviewer: str | None = Field(None, max_length=128)
    finding: Finding | None = None


# ---- forms


@api.operation("GET", "/v1/qa/forms", roles=AUDITORS, answers={200: Listing[FormOut]}, summary="Scoring forms")
async def list_forms(request: web.Request) -> dict[str, Any]:
    """The active ones first; one is shipped."""
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": await forms.listed(connection), "next_cursor": None}


@api.operation(
    "POST",
    "/v1/qa/forms",
    roles=AUDITORS,
    body=NewForm,
    answers={201: FormOut},
    problems=(Conflict,),
    summary="Make a form",
)
async def create_form(request: web.Request, body: NewForm) -> Any:
    """By somebody bound to no client and no team."""
    form = Form.model_validate(body.model_dump(exclude={"id", "reason"}))
    async with request.app[keys.DATABASE].write() as transaction:
        if any(known["id"] == body.id for known in await forms.listed(transaction.connection)):
            raise Conflict(f"there is a form {body.id}; change it with PUT")
        return await forms.put(transaction, body.id, form, reason=body.reason, user=user_of(request), now=clock.now())


@api.operation(
    "PUT",
    "/v1/qa/forms/{id}",
    roles=AUDITORS,
    body=FormIn,
    answers={200: FormOut},
    problems=(NotFound,),
    summary="Change a form",
)
async def put_form(request: web.Request, body: FormIn) -> Any:
    """Its version rises; reviews keep the questions they were scored by."""
    form = Form.model_validate(body.model_dump(exclude={"reason"}))
    async with request.app[keys.DATABASE].write() as transaction:
        await forms.find(transaction.connection, request.match_info["id"])
        form_id = request.match_info["id"]
        return await forms.put(transaction, form_id, form, reason=body.reason, user=user_of(request), now=clock.now())


# ---- samples


@api.operation(
    "GET",
    "/v1/qa/samples",
    roles=AUDITORS,
    query=SampleQuery,
    answers={200: Listing[SampleOut]},
    summary="Samples: ten cases of each group of every day, and spot checks; newest first",
)
async def list_samples(request: web.Request, query: SampleQuery) -> dict[str, Any]:
    """With the calls that the reader may see."""
    user = user_of(request)
    async with request.app[keys.DATABASE].read() as connection:
        found = await samples.listed(connection, user, kind=query.kind, after=query.cursor, limit=query.limit + 1)
        shown, following = page(found, query.limit, "id")
        drawn = await samples.calls_of(connection, [row.id for row in shown], user)
    return {"items": [{**row._mapping, "calls": drawn[row.id]} for row in shown], "next_cursor": following}


@api.operation(
    "POST",
    "/v1/qa/samples",
    roles=AUDITORS,
    body=SampleIn,
    answers={201: SampleOut},
    summary="A spot check, with its reason",
)
async def create_sample(request: web.Request, body: SampleIn) -> Any:
    """Drawn at random among the answered calls of the period that the asker may see (S33)."""
    user = user_of(request)
    async with request.app[keys.DATABASE].write() as transaction:
        row = await samples.make_spot(
            transaction, body.rule, body.from_, body.to, body.reason, user=user, now=clock.now()
        )
        drawn = await samples.calls_of(transaction.connection, [row.id], user)
    return {**row._mapping, "calls": drawn[row.id]}


@api.operation(
    "GET", "/v1/qa/samples/{id}", roles=AUDITORS, answers={200: SampleOut}, problems=(NotFound,), summary="A sample"
)
async def show_sample(request: web.Request) -> Any:
    """With the calls that the reader may see."""
    user, sample_id = user_of(request), request.match_info["id"]
    async with request.app[keys.DATABASE].read() as connection:
        row = await samples.find(connection, sample_id)
        drawn = await samples.calls_of(connection, [sample_id], user)
    if row.kind == "spot" and row.made_by != user.name and not drawn[sample_id]:
        raise NotFound(f"there is no sample {sample_id}")
    return {**row._mapping, "calls": drawn[sample_id]}


# ---- reviews


@api.operation(
    "GET",
    "/v1/qa/reviews",
    roles=AUDITORS,
    query=ReviewQuery,
    answers={200: Listing[ReviewOut]},
    summary="Reviews, newest first",
)
async def list_reviews(request: web.Request, query: ReviewQuery) -> dict[str, Any]:
    """Of the calls that the reader may see."""
    wanted = query.model_dump(exclude={"cursor", "limit"})
    async with request.app[keys.DATABASE].read() as connection:
        rows = await reviews.listed(connection, user_of(request), wanted, after=query.cursor, limit=query.limit + 1)
    shown, following = page(rows, query.limit, "id")
    return {"items": shown, "next_cursor": following}


@api.operation(
    "POST",
    "/v1/qa/reviews",
    roles=AUDITORS,
    body=ReviewIn,
    answers={201: ReviewOut},
    problems=(NotFound, Conflict),
    summary="Score a call; a finding opens its clock",
)
async def create_review(request: web.Request, body: ReviewIn) -> Any:
    """A major finding is due in 24 hours (S47), a minor one in five working days (S55). Nobody reviews a call of their own."""
    new = Review(**body.model_dump())
    zone = request.app[keys.SETTINGS].policy.zone
    async with request.app[keys.DATABASE].write() as transaction:
        return await reviews.make(transaction, new, user=user_of(request), zone=zone, now=clock.now())


@api.operation(
    "GET", "/v1/qa/reviews/{id}", roles=AUDITORS, answers={200: ReviewOut}, problems=(NotFound,), summary="A review"
)
async def show_review(request: web.Request) -> Any:
    """With the questions as they were asked."""
    async with request.app[keys.DATABASE].read() as connection:
        return await reviews.find(connection, request.match_info["id"], user_of(request))
