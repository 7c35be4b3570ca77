"""The kinds of rule a pack may hold, as its TOML file says them; any other key is an error when packs load."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from telephony.policy.facts import Band
from telephony.policy.fields import PENDING, Channel, NumberKind, Outcome, Per, Purpose, Relation, ZoneKey

Confidence = Literal["V", "V2", "M"]
Status = Literal["on", "off", "draft"]
RuleZone = Literal["callee"] | ZoneKey
PLACED: tuple[Outcome, ...] = (
    "conversation", "voicemail", "no_answer", "busy", "not_in_service", "dropped", "rejected", "failed",
)  # fmt: skip


class Entry(BaseModel):
    """A table of a pack file: no unknown keys, never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Entry):
    """One text in both languages."""

    en: str
    zh: str


class RuleBase(Entry):
    """What every rule says of itself. `hard`: no override lifts it. `lift`: who or what ends the denial."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    hard: bool
    text: Words
    source: str
    confidence: Confidence
    note: Words | None = None
    lift: Words | None = None


class HolidayCalendar(Entry):
    """Whose public holidays close the day: a country's national ones, and a subdivision's where one is named."""

    country: str
    subdivision: str | None = None


class HoursRule(RuleBase):
    """Bands of the day in which calls are allowed; `work` bands replace them for a workplace number."""

    kind: Literal["hours"]
    zone: RuleZone = "callee"
    bands: tuple[Band, ...]
    work: tuple[Band, ...] | None = None
    closed_on: HolidayCalendar | None = None
    agreement: bool = False


class CapRule(RuleBase):
    """At most `limit` counted contacts in a window: `days` rolling by date (1: the calendar day), `minutes`, or ever.

    `outcomes` says which calls count; texts, e-mails and letters count when sent; `pending` calls, whose outcome is not
    known yet, count as the worst they may become. `cooldown`: the limit is one, told as days of rest after a conversation.
    """

    kind: Literal["cap"]
    limit: int = Field(ge=0)
    days: int | None = Field(default=None, ge=1, le=3660)
    minutes: float | None = Field(default=None, gt=0)
    zone: RuleZone = "callee"
    per: tuple[Per, ...]
    channels: tuple[Channel, ...] = ("call",)
    directions: tuple[Literal["outbound", "inbound"], ...] = ("outbound",)
    by: tuple[Literal["us", "client"], ...] = ("us", "client")
    outcomes: tuple[Outcome, ...] = PLACED
    pending: tuple[Outcome, ...] = PENDING
    number_kinds: tuple[NumberKind, ...] | None = None
    relations: tuple[Relation, ...] | None = None
    skip_consented: bool = False
    agreement: Literal["none", "until", "reg-f"] = "none"
    effect: Literal["deny", "warn"] = "deny"
    cooldown: bool = False

    @model_validator(mode="after")
    def _window(self) -> "CapRule":
        if self.days is not None and self.minutes is not None:
            raise ValueError("a cap has `days` or `minutes`, not both")
        return self

    @property
    def window(self) -> str:
        """The window in words, as verdicts show it."""
        if self.days is None:
            return "ever" if self.minutes is None else f"{self.minutes:g} minutes"
        return "calendar day" if self.days == 1 else f"{self.days} days"


class ThirdPartyRule(RuleBase):
    """For which purposes a person who does not owe the debt may be called, and whether only after loss of contact."""

    kind: Literal["third-party"]
    relations: tuple[Relation, ...]
    purposes: tuple[Purpose, ...] = ()
    only_when_lost: bool = False
    failed_contacts: int = Field(default=3, ge=1)


class FlagRule(RuleBase):
    """A fact that denies by itself; its name says which (`FLAGS` of suspensions, of contacts, or the engine's own)."""

    kind: Literal["flag"]


Rule = Annotated[HoursRule | CapRule | ThirdPartyRule | FlagRule, Field(discriminator="kind")]


def _day(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("must be a TOML date without quotes")
    return value


Day = Annotated[date, BeforeValidator(_day)]


class PackVersion(Entry):
    """One version of a pack, in force on days [from, until) of the pack's zone; once shipped it is never changed."""

    version: int = Field(ge=1)
    from_: Day | None = Field(default=None, alias="from")
    until: Day | None = None
    status: Status = "on"
    changes: str = ""
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _sound(self) -> "PackVersion":
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("two rules share a name")
        if self.from_ and self.until and self.from_ >= self.until:
            raise ValueError("`from` must lie before `until`")
        return self


class PackFile(Entry):
    """One pack file: who made the rules, for which regions they are added by themselves, and every version shipped."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    title: Words
    jurisdiction: str
    zone: ZoneKey
    regions: tuple[str, ...] = ()
    versions: tuple[PackVersion, ...]

    @model_validator(mode="after")
    def _apart(self) -> "PackFile":
        numbers = [version.version for version in self.versions]
        if len(set(numbers)) < len(numbers) or not numbers:
            raise ValueError("needs versions, each with a number of its own")
        effective = [version for version in self.versions if version.status != "draft"]
        effective.sort(key=lambda version: version.from_ or date.min)
        for earlier, later in pairwise(effective):
            if earlier.until is None or later.from_ is None or earlier.until > later.from_:
                raise ValueError(f"versions {earlier.version} and {later.version} overlap")
        return self
