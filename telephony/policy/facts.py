"""The facts document: everything a verdict reads, checked field by field; a slip is an error, never an allowance."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, ValidationError, model_validator

from config.errors import Invalid
from telephony.policy.fields import (
    DAYS,
    E164,
    Channel,
    Clock,
    Day,
    Moment,
    Name,
    NearMoment,
    NumberKind,
    Outcome,
    Part,
    Per,
    Purpose,
    Relation,
    ZoneKey,
)

__all__ = [
    "Agreement", "Band", "Case", "Contact", "Facts", "House", "HouseCap", "Location", "Number", "NumberKind", "Party",
    "Relation", "ZoneKey", "problems", "read_facts",
]  # fmt: skip
FUTURE_TOLERANCE = timedelta(seconds=60)


class Agent(Part):
    """Who is calling."""

    role: Literal["collector", "qa", "supervisor", "admin", "crm"]
    id: str | None = None


class Location(Part):
    """Where the party may be, and who says so. No zone: an indication that could not be placed."""

    source: Literal["address", "statement", "number"]
    zone: ZoneKey | None = None
    region: str | None = None


class Agreement(Part):
    """What the party agreed to: calls at these hours, or calls beyond the cap, in [from, until)."""

    kind: Literal["hours", "call"]
    received: NearMoment | None = None
    from_: NearMoment | None = Field(default=None, alias="from")
    until: Moment | None = None

    @model_validator(mode="after")
    def _begins(self) -> "Agreement":
        if self.received is None and self.from_ is None:
            raise ValueError("needs `received` or `from`")
        return self

    @property
    def begins(self) -> datetime:
        """The moment from which it holds: never before it was received."""
        return max(moment for moment in (self.received, self.from_) if moment is not None)


class Band(Part):
    """A band of the day in local time, [from, to); `to` before `from` runs past midnight. No days: every day."""

    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    from_: Clock = Field(default="00:00", alias="from")
    to: Clock = "24:00"


class Party(Part):
    """The person called; one id across cases, clients and numbers."""

    id: Name
    relation: Relation
    locations: tuple[Location, ...]
    refused_at: Moment | None = None
    cease_at: Moment | None = None
    attorney: StrictBool | Name = False
    deceased: StrictBool = False
    minor: StrictBool = False
    household: Name | None = None
    agreements: tuple[Agreement, ...] = ()
    inconvenient: tuple[Band, ...] = ()

    @property
    def zones(self) -> tuple[str, ...]:
        """Every zone the party may be in, in one order whatever the order of the locations."""
        return tuple(sorted({place.zone for place in self.locations if place.zone is not None}))


class Number(Part):
    """The number to be called."""

    e164: E164
    kind: NumberKind = "mobile"
    status: Literal["unknown", "valid", "invalid"] = "unknown"
    do_not_call: StrictBool = False


class Complaint(Part):
    """The complaint on the case, if any (S61-S65)."""

    state: Literal["none", "open", "closed"] = "none"
    instructed: StrictBool = False
    former_agent: str | None = None


class Case(Part):
    """The case the call is about."""

    state: Literal["open", "suspended", "settled", "payment_pending", "closed", "returned"]
    id: str | None = None
    mandate_until: date | None = None
    debtor_reachable: StrictBool = True
    failed_contacts: int = Field(default=0, ge=0)
    dispute: StrictBool = False
    fraud_statement: StrictBool = False
    complaint: Complaint = Complaint()


class Contact(Part):
    """One past contact. What is not said is taken as what counts: an outbound call of ours whose outcome is unknown."""

    at: NearMoment
    id: str | None = None  # of the call or reservation, so that a denial can name it
    number: str | None = None
    number_kind: NumberKind | None = None
    party: str | None = None
    household: str | None = None
    debts: tuple[str, ...] = ()
    account: str | None = None
    direction: Literal["outbound", "inbound"] = "outbound"
    channel: Channel = "call"
    by: Literal["us", "client"] = "us"
    outcome: Outcome = "unknown"
    consented: StrictBool = False


class HouseCap(Part):
    """A stricter cap of the client: at most `limit` in `days` rolling days (1: the calendar day) or in `minutes`."""

    limit: int = Field(ge=0)
    days: int | None = Field(default=None, ge=1, le=366)
    minutes: int | None = Field(default=None, ge=1, le=525600)
    per: tuple[Per, ...] = Field(default=("person",), min_length=1)
    counts: Literal["attempts", "contacts", "conversations"] = "attempts"
    channels: tuple[Channel, ...] = Field(default=("call",), min_length=1)
    name: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")

    @model_validator(mode="after")
    def _one_window(self) -> "HouseCap":
        if (self.days is None) == (self.minutes is None):
            raise ValueError("needs either `days` or `minutes`")
        return self


def _bands(value: object) -> object:
    """Take one band, "08:00-20:00" or ["08:00", "20:00"] for a list of bands."""
    if isinstance(value, str) and value.count("-") == 1:
        value = value.split("-")
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(item, str) for item in value):
        value = {"from": value[0], "to": value[1]}
    return [value] if isinstance(value, Mapping | Band) else value


def _of_some_length(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    """No band from 09:00 to 09:00: it would be open all day and night, which nobody means who writes it."""
    if any(band.from_ == band.to for band in bands):
        raise ValueError('needs two different times of day; the whole day is "00:00" to "24:00"')
    return bands


class House(Part):
    """The client's own, stricter values."""

    hours: Annotated[tuple[Band, ...], BeforeValidator(_bands), AfterValidator(_of_some_length)] | None = None
    caps: tuple[HouseCap, ...] = ()
    guard_seconds: float = Field(default=0, ge=0, le=86400, allow_inf_nan=False)
    min_gap_minutes: float | None = Field(default=None, ge=0, le=525600, allow_inf_nan=False)
    recorder_required: StrictBool = True


class Override(Part):
    """A supervisor's leave to pass over house rules, never over a hard one."""

    by: Name
    reason: Name
    expires_at: Moment


class Facts(Part):
    """The document of `policy evaluate`. `at` and every moment are in UTC once read."""

    at: NearMoment
    packs: tuple[str, ...]
    purpose: Purpose
    agent: Agent
    party: Party
    number: Number
    debts: tuple[str, ...]
    case: Case
    account: str | None = None
    history: tuple[Contact, ...] = ()
    house: House = House()
    override: Override | None = None
    clock_skew_seconds: float = Field(default=0, ge=-86400, le=86400, allow_inf_nan=False)
    recorder_healthy: StrictBool = True

    @property
    def widening(self) -> timedelta:
        """Guard and clock skew, by which `at` is widened on both sides."""
        return timedelta(seconds=self.house.guard_seconds + abs(self.clock_skew_seconds))


_SAYS = {
    "extra_forbidden": "is not a known member",
    "missing": "is required",
    "timezone_aware": "must carry an offset, like 2026-06-01T20:59:00+08:00",
    "model_type": "must be an object",
    "bool_type": "must be true or false",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be one of {expected}",
}


def _part(part: int | str) -> str:
    text = str(part)
    return text if text.isprintable() else ascii(text)


def problems(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong, one `{field, message}` for each field, in words for whoever wrote the document."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        field = ".".join(_part(part) for part in item["loc"]) or "facts"
        template = _SAYS.get(item["type"])
        message = template.format(**item.get("ctx", {})) if template else item["msg"].removeprefix("Value error, ")
        found.append({"field": field, "message": message})
    return found


def read_facts(document: Mapping[str, Any]) -> Facts:
    """Check a facts document; `Invalid` names each field and what it must be."""
    try:
        facts = Facts.model_validate(document)
        errors = _future_contacts(facts)
    except ValidationError as error:
        errors = problems(error)
    except RecursionError:
        errors = [{"field": "facts", "message": "is nested too deeply"}]
    if not errors:
        return facts
    first = errors[0]
    rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    raise Invalid(f"facts: {first['field']} {first['message']}{rest}", errors)


def _future_contacts(facts: Facts) -> list[dict[str, str]]:
    latest = facts.at + max(FUTURE_TOLERANCE, timedelta(seconds=abs(facts.clock_skew_seconds)))
    message = "lies after `at`: a contact cannot be in the future"
    return [
        {"field": f"history.{index}.at", "message": message}
        for index, contact in enumerate(facts.history)
        if contact.at > latest
    ]
