"""Working calendars over HTTP: opening hours per client, days off and make-up workdays, and what is due when by them."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field, field_validator, model_validator

from config import clock
from config.errors import Invalid, NotFound
from crm_bridge.clocks import calendars
from crm_bridge.clocks.deadline_rules import EVERY_CLIENT, LONGEST
from crm_bridge.clocks.working_time import Unit, WorkingTime, is_published, known_countries, special_days
from crm_bridge.people.users import Role
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, NoContent, Query
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.paging import Listing
from crm_bridge.web.reasons import ReasonQuery, WithReason
from telephony.policy.facts import ZoneKey

api = Api("working time")

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")
Client = Annotated[str, Field(min_length=1, max_length=128)]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class CalendarQuery(Query):
    """Whose calendar; nobody's in particular without a client."""

    client: Client | None = None


class CalendarIn(Body, WithReason):
    """Opening hours; `client` null sets those of all clients without their own."""

    client: Client | None = None
    country: str = Field("CN", pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", description="ISO 3166, whose days off hold")
    zone: ZoneKey = "Asia/Shanghai"
    opens: ClockTime = "09:00"
    closes: ClockTime = "18:00"
    weekdays: list[Annotated[int, Field(ge=0, le=6)]] = Field([0, 1, 2, 3, 4], min_length=1, max_length=7)

    @field_validator("country")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.partition("-")[0] not in known_countries():
            raise ValueError("is not a country whose days off are known")
        return value

    @model_validator(mode="after")
    def _opens_first(self) -> "CalendarIn":
        if calendars.minutes(self.opens) >= calendars.minutes(self.closes):
            raise ValueError("opens must be before closes")
        return self


class CalendarOut(BaseModel):
    """The calendar in force; `known_until` is the last day whose make-up workdays are known, null where there are none."""

    client: str | None
    country: str
    zone: str
    opens: str
    closes: str
    weekdays: list[int]
    known_until: date | None
    runs_out: bool = Field(description="known_until is less than 60 days away, or past")


class DaysQuery(Query):
    """Which of the days that people entered."""

    country: str = Field("CN", max_length=16)
    year: int | None = Field(None, ge=1970, le=2200)


class YearQuery(Query):
    """A year of a country."""

    country: str = Field("CN", pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
    year: int = Field(ge=2000, le=2199)
    language: Literal["en", "zh"] | None = Field(None, description="of the names; else the reader's")


class SpecialDayOut(BaseModel):
    """A day off, or a make-up workday."""

    day: date
    working: bool
    name: str
    source: Literal["published", "entered"]


class YearOut(BaseModel):
    """A year's special days; of one that is not published only the statutory ones are known, and those people entered."""

    country: str
    year: int
    published: bool
    days: list[SpecialDayOut]


class DayIn(Body, WithReason):
    """A make-up workday (`working` true) or a day off."""

    working: bool
    name: str = Field("", max_length=255)


class DayOut(BaseModel):
    """A day that somebody entered."""

    country: str
    day: date
    working: bool
    name: str
    updated_at: datetime
    updated_by: str


class DueQuery(CalendarQuery):
    """A question to the calendar."""

    start: Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]
    within: int = Field(ge=0, le=LONGEST)
    unit: Unit = "working_minutes"


class DueOut(BaseModel):
    """The answer."""

    start: datetime
    due_at: datetime


def _zone(request: web.Request) -> str:
    return request.app[keys.SETTINGS].policy.zone


def _shown(calendar: WorkingTime, client: str | None) -> dict[str, Any]:
    known_until = calendar.known_until()
    today = clock.now().date()
    return {
        "client": client, "country": calendar.country, "zone": calendar.zone, "opens": _text(calendar.opens),
        "closes": _text(calendar.closes), "weekdays": sorted(calendar.weekdays), "known_until": known_until,
        "runs_out": known_until is not None and known_until - calendars.RUNNING_OUT <= today,
    }  # fmt: skip


def _text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@api.operation(
    "GET",
    "/v1/working-calendar",
    roles=OVERSEERS,
    query=CalendarQuery,
    answers={200: CalendarOut},
    summary="The working calendar of a client, and how far its days are known",
)
async def get_calendar(request: web.Request, query: CalendarQuery) -> dict[str, Any]:
    """A client without its own has everybody's."""
    async with request.app[keys.DATABASE].read() as connection:
        return _shown(await calendars.of_client(connection, query.client, _zone(request)), query.client)


@api.operation(
    "PUT",
    "/v1/working-calendar",
    roles=("admin",),
    body=CalendarIn,
    answers={200: CalendarOut},
    summary="Set the working hours of a client, or of all without their own",
)
async def put_calendar(request: web.Request, body: CalendarIn) -> dict[str, Any]:
    """For deadlines that begin from now on."""
    values = body.model_dump(exclude={"client", "reason"}) | {"weekdays": sorted(set(body.weekdays))}
    async with request.app[keys.DATABASE].write() as transaction:
        await calendars.put_calendar(
            transaction, body.client or EVERY_CLIENT, values, reason=body.reason, user=user_of(request), now=clock.now()
        )
        return _shown(await calendars.of_client(transaction.connection, body.client, _zone(request)), body.client)


@api.operation(
    "GET",
    "/v1/working-calendar/due",
    roles=OVERSEERS,
    query=DueQuery,
    answers={200: DueOut},
    summary="When something that begins at a moment would be due",
)
async def due(request: web.Request, query: DueQuery) -> dict[str, Any]:
    """By the calendar as it is now, over holidays, make-up workdays and changes of the clock."""
    async with request.app[keys.DATABASE].read() as connection:
        calendar = await calendars.of_client(connection, query.client, _zone(request))
    return {"start": query.start, "due_at": calendar.due(query.start, query.within, query.unit)}


@api.operation(
    "GET",
    "/v1/working-calendar/days",
    roles=OVERSEERS,
    query=DaysQuery,
    answers={200: Listing[DayOut]},
    summary="Days off and make-up workdays that people entered",
)
async def list_days(request: web.Request, query: DaysQuery) -> dict[str, Any]:
    """They win over the library's."""
    async with request.app[keys.DATABASE].read() as connection:
        return {"items": await calendars.all_days(connection, query.country, query.year), "next_cursor": None}


@api.operation(
    "GET",
    "/v1/working-calendar/year",
    roles=OVERSEERS,
    query=YearQuery,
    answers={200: YearOut},
    problems=(NotFound,),
    summary="Every day off and make-up workday of a year, published or entered",
)
async def show_year(request: web.Request, query: YearQuery) -> dict[str, Any]:
    """What the clocks go by."""
    if query.country.partition("-")[0] not in known_countries():
        raise NotFound(f"there is no calendar {query.country}")
    async with request.app[keys.DATABASE].read() as connection:
        rows = await calendars.all_days(connection, query.country, query.year)
    entered = {row.day: (row.working, row.name) for row in rows}
    days = special_days(query.country, query.year, entered, query.language or user_of(request).language)
    published = is_published(query.country, query.year)
    return {"country": query.country, "year": query.year, "published": published or bool(entered), "days": days}


def _named(request: web.Request) -> tuple[str, date]:
    country, day = request.match_info["country"], request.match_info["day"]
    if not re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", country) or country.partition("-")[0] not in known_countries():
        raise NotFound(f"there is no calendar {country}")
    try:
        return country, date.fromisoformat(day)
    except ValueError as error:
        raise Invalid("the day must be YYYY-MM-DD", [{"field": "day", "message": "must be YYYY-MM-DD"}]) from error


@api.operation(
    "PUT",
    "/v1/working-calendar/days/{country}/{day}",
    roles=("admin",),
    body=DayIn,
    answers={200: DayOut},
    problems=(NotFound,),
    summary="Enter a day off or a make-up workday",
)
async def put_day(request: web.Request, body: DayIn) -> Any:
    """For deadlines that begin from now on."""
    country, day = _named(request)
    user, now = user_of(request), clock.now()
    async with request.app[keys.DATABASE].write() as transaction:
        await calendars.put_day(transaction, country, day, **body.model_dump(), user=user, now=now)
    return {
        "country": country,
        "day": day,
        "working": body.working,
        "name": body.name,
        "updated_at": now,
        "updated_by": user.name,
    }


@api.operation(
    "DELETE",
    "/v1/working-calendar/days/{country}/{day}",
    roles=("admin",),
    query=ReasonQuery,
    answers={204: NoContent},
    problems=(NotFound,),
    summary="Take an entered day out",
)
async def delete_day(request: web.Request, query: ReasonQuery) -> None:
    """The library's word holds again."""
    country, day = _named(request)
    async with request.app[keys.DATABASE].write() as transaction:
        await calendars.remove_day(
            transaction, country, day, reason=query.reason, user=user_of(request), now=clock.now()
        )
