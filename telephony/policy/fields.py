"""The kinds of value that facts and packs are made of: moments, zones, times of day, and the words of the contract."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from telephony.policy.zones import known_zones

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")

Outcome = Literal[
    "conversation", "voicemail", "no_answer", "busy", "not_in_service", "dropped", "rejected", "failed", "not_placed",
    "live", "reserved", "unknown",
]  # fmt: skip
PENDING: tuple[Outcome, ...] = ("live", "reserved", "unknown")
Relation = Literal["debtor", "guarantor", "spouse", "contact", "employer", "unrelated"]
Purpose = Literal["collect", "complaint", "location", "message"]
NumberKind = Literal["mobile", "landline", "work"]
Per = Literal["person", "reached", "household", "number", "debt", "account"]
Channel = Literal["call", "sms", "email", "letter"]


def _written_moment(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.match(value)):
        return value
    raise ValueError("must be a time like 2026-06-01T20:59:00+08:00")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999") from None


def _near(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise ValueError("must be a time between the years 1970 and 2200")
    return value


def _known_zone(value: str) -> str:
    if value not in known_zones():
        raise ValueError(f"must be a zone of the tz database such as Asia/Shanghai, and {value!r} is none")
    return value


def minutes(clock: str) -> int:
    """Minutes past midnight of "HH:MM"; "24:00" is the end of the day."""
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError('must be a time of day like "08:00", up to "24:00"')
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_moment), AfterValidator(_in_utc)]
NearMoment = Annotated[Moment, AfterValidator(_near)]
ZoneKey = Annotated[str, AfterValidator(_known_zone)]
Clock = Annotated[str, AfterValidator(_clock)]
Name = Annotated[str, Field(min_length=1)]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{2,14}$")]


class Part(BaseModel):
    """A part of the document: unknown members are refused, and a member that is null is a member that is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data
