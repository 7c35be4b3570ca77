"""Cases and parties: upsert, look up, read with what may be called now, change the state, flag a person."""

from datetime import date, datetime, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from config import clock
from config.errors import Conflict, Forbidden, NotFound
from crm_bridge.cases import cases, parties
from crm_bridge.cases import view as case_view
from crm_bridge.cases.cases import StateAction
from crm_bridge.cases.documents import CaseBrief, CaseIn, CaseOut, CaseState
from crm_bridge.people.masking import DETAILS
from crm_bridge.web import keys, viewed
from crm_bridge.web.api import EVERYONE, PEOPLE, Api, Body, PageQuery, Query, Reply
from crm_bridge.web.paging import Listing, page
from crm_bridge.web.shown import number_of, redaction
from telephony.numbers import InvalidNumber, normalise
from telephony.policy.fields import Purpose
from telephony.policy.zones import local_date

api = Api("cases")


class CaseQuery(PageQuery):
    """Which cases."""

    number: str | None = Field(None, max_length=64, description="every case with this number")
    q: str | None = Field(None, max_length=128, description="part of an id, name or number; an account")
    mine: bool = Field(False, description="only those whose collector I am")
    state: CaseState | None = None
    client: str | None = Field(None, max_length=128)
    card: str | None = Field(None, max_length=128, description="the account, or one of the debts, whole")
    identity: str | None = Field(None, max_length=64, description="number of a party's identity document, whole")
    returns_in: int | None = Field(None, ge=0, le=366, description="the mandate ends within so many days (S25)")


class StateChange(Body):
    """What happens to the case, and why."""

    action: StateAction = Field(validation_alias=AliasChoices("action", "state"))
    reason: str = Field(min_length=1, max_length=2000)


class FlagIn(Body):
    """A flag on a person. `value` false clears it; a moment says when the person refused or asked to cease."""

    flag: Literal["refused", "cease", "attorney", "deceased", "minor", "do_not_call"]
    value: bool | AwareDatetime
    reason: str = Field(min_length=1, max_length=2000)
    number: str | None = Field(None, max_length=64, description="for do_not_call: this number only")

    @field_validator("flag", mode="before")
    @classmethod
    def _as_the_field_is_called(cls, value: object) -> object:
        return {"refused_at": "refused", "cease_at": "cease"}.get(value, value) if isinstance(value, str) else value


class Done(BaseModel):
    """The party that was flagged, with its flags."""

    id: str
    flags: dict[str, Any]


async def _shown(request: web.Request, case_id: str, *, judged: bool = True) -> dict[str, Any]:
    user = request[keys.USER]
    decider = request.app.get(keys.DECIDER) if judged else None
    async with request.app[keys.DATABASE].read() as connection:
        case = await cases.find(connection, case_id, user)
        shown = await case_view.view(connection, case, user=user, decider=decider, now=clock.now())
        hidden = await redaction(connection, user, request.app[keys.SETTINGS].desk)
    locked = hidden.details and case_id not in hidden.unlocked
    return {**shown, "disclosure": {"locked": locked, "hidden": list(DETAILS) if locked else []}}


def _region(request: web.Request) -> str:
    return request.app[keys.SETTINGS].policy.region


@api.operation(
    "PUT",
    "/v1/cases/{id}",
    roles=("crm", "supervisor", "admin"),
    body=CaseIn,
    answers={200: CaseOut, 201: CaseOut},
    problems=(Conflict, InvalidNumber),
    summary="Create or update a case with its parties and numbers",
)
async def put_case(request: web.Request, body: CaseIn) -> Reply:
    """Absent fields of a known case stay as they are. A refusal, a cease or a do-not-call is never cleared here.

    A state that the CRM has said before does not undo what was decided at the desk since.
    """
    case_id = request.match_info["id"]
    async with request.app[keys.DATABASE].write() as transaction:
        is_new = await cases.upsert(
            transaction, case_id, body, user=request[keys.USER], region=_region(request), now=clock.now()
        )
    return Reply(await _shown(request, case_id, judged=False), status=201 if is_new else 200)


@api.operation(
    "GET",
    "/v1/cases/{id}",
    roles=EVERYONE,
    answers={200: CaseOut},
    summary="A case, and which numbers may be called now",
)
async def get_case(request: web.Request) -> dict[str, Any]:
    """Each number says whether it may be called now, else why not and until when, with the attempts used and left.

    That a person saw the case is journalled.
    """
    case = await _shown(request, request.match_info["id"])
    await viewed.note_case(request, case)
    return case


class WeekQuery(Query):
    """Whose number it is, and how far ahead to look."""

    party_id: str | None = Field(None, max_length=128, description="needed where several parties have the number")
    purpose: Purpose = "collect"
    days: int = Field(7, ge=1, le=31)


class StretchOut(BaseModel):
    """From `from` until just before `until` the number may be called, or `rule` forbids it."""

    model_config = ConfigDict(populate_by_name=True)

    from_: datetime = Field(alias="from")
    until: datetime
    allowed: bool
    rule: str | None
    reason: str
    reason_zh: str
    hard: bool


class WeekOut(BaseModel):
    """When a number may be called in the coming days, as long as nothing else happens."""

    case_id: str
    party_id: str
    number: str
    zone: str
    stretches: list[StretchOut]


@api.operation(
    "GET",
    "/v1/cases/{id}/numbers/{number}/week",
    roles=EVERYONE,
    query=WeekQuery,
    answers={200: WeekOut},
    problems=(InvalidNumber,),
    summary="When this number may be called in the coming week",
)
async def number_week(request: web.Request, query: WeekQuery) -> dict[str, Any]:
    """Stretches of time from now on, each allowed or with the weightiest rule that forbids it."""
    number = await number_of(request, request.match_info["number"], query.party_id)
    async with request.app[keys.DATABASE].read() as connection:
        return await case_view.week(
            connection,
            request.app[keys.DECIDER],
            request.match_info["id"],
            number,
            party_id=query.party_id,
            purpose=query.purpose,
            days=query.days,
            user=request[keys.USER],
            now=clock.now(),
        )


@api.operation(
    "GET",
    "/v1/cases",
    roles=EVERYONE,
    query=CaseQuery,
    answers={200: Listing[CaseBrief]},
    problems=(InvalidNumber,),
    summary="Cases by number or words: every match",
)
async def list_cases(request: web.Request, query: CaseQuery) -> dict[str, Any]:
    """Only cases of the user's clients and team."""
    number = normalise(query.number, _region(request)) if query.number is not None else None
    masks_numbers = request[keys.USER].role in request.app[keys.SETTINGS].desk.mask_numbers
    async with request.app[keys.DATABASE].read() as connection:
        rows = await cases.search(
            connection,
            request[keys.USER],
            number=number,
            words=query.q,
            whole_numbers=masks_numbers,
            mine=query.mine,
            state=query.state,
            client=query.client,
            card=query.card,
            identity=query.identity,
            mandate=_mandate(request, query.returns_in),
            after=query.cursor or "",
            limit=query.limit + 1,
        )
        shown, following = page(rows, query.limit, "id")
        found = await case_view.briefs(connection, shown)
    asked = [name for name in ("number", "q", "card", "identity") if getattr(query, name) is not None]
    await viewed.note_search(request, asked, len(found))
    return {"items": found, "next_cursor": following}


def _mandate(request: web.Request, days: int | None) -> tuple[date, date] | None:
    if days is None:
        return None
    today = local_date(clock.now(), request.app[keys.SETTINGS].policy.zone)
    return today, today + timedelta(days=days)


class RelatedOut(BaseModel):
    """Another case of somebody on this case."""

    case_id: str
    client: str
    state: CaseState
    collector: str | None
    mandate_until: str | None
    party_id: str
    name: str
    relation: str = Field(description="in that case")
    relation_here: str
    debts: int


@api.operation(
    "GET",
    "/v1/cases/{id}/related",
    roles=EVERYONE,
    answers={200: Listing[RelatedOut]},
    summary="Other cases of the persons on this one",
)
async def related_cases(request: web.Request) -> dict[str, Any]:
    """Shared debts (S25): those of the cases the user may see."""
    user, case_id = request[keys.USER], request.match_info["id"]
    async with request.app[keys.DATABASE].read() as connection:
        await cases.find(connection, case_id, user)
        rows = await cases.related(connection, case_id, user)
    return {"items": [{**row._mapping, "debts": len(row.debts)} for row in rows], "next_cursor": None}


@api.operation(
    "POST",
    "/v1/cases/{id}/state",
    roles=("crm", "supervisor", "admin"),
    body=StateChange,
    answers={200: CaseOut},
    problems=(Conflict,),
    summary="Suspend, resume, settle, close or return a case",
)
async def change_state(request: web.Request, body: StateChange) -> dict[str, Any]:
    """With a reason, which is journalled. From now on the calling policy goes by the new state, also for ringing calls."""
    case_id = request.match_info["id"]
    async with request.app[keys.DATABASE].write() as transaction:
        await cases.change_state(
            transaction, case_id, body.action, body.reason, user=request[keys.USER], now=clock.now()
        )
    return await _shown(request, case_id, judged=False)


@api.operation(
    "POST",
    "/v1/parties/{id}/flags",
    roles=PEOPLE,
    body=FlagIn,
    answers={200: Done},
    problems=(NotFound, Forbidden, InvalidNumber),
    summary="Flag a person: refused, cease, attorney, deceased, minor, do_not_call",
)
async def flag_party(request: web.Request, body: FlagIn) -> Done:
    """Set by anyone who talks to the person, on every case of the person; cleared by a supervisor only."""
    party_id, user = request.match_info["id"], request[keys.USER]
    number = await number_of(request, body.number, party_id) if body.number is not None else None
    async with request.app[keys.DATABASE].write() as transaction:
        await parties.set_flag(
            transaction, party_id, body.flag, body.value, body.reason, number=number, user=user, now=clock.now()
        )
        party = await parties.find(transaction, party_id, user)
    return Done(id=party_id, flags=party.flags)
