"""The documents of a case: what the CRM sends, and what the desk shows."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from telephony.policy.facts import Agreement, Band, Location, NumberKind, Relation

CaseState = Literal["open", "suspended", "settled", "payment_pending", "closed", "returned"]
Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s/?#]+$")]
Text = Annotated[str, Field(max_length=128)]
IDENTITY = r"^[0-9A-Za-z][0-9A-Za-z ./-]{3,62}[0-9A-Za-z]$"
"""Documents differ by country and kind: letters, digits and the signs between them, no checksum."""


class Document(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class NumberIn(Document):
    """A number of a party; written without a country it is of the region in the settings."""

    e164: str = Field(max_length=64)
    kind: NumberKind = "mobile"
    status: Literal["unknown", "valid", "invalid"] = "unknown"
    do_not_call: bool = False
    extension: str | None = Field(None, max_length=16, description="behind a switchboard; also read from the number")


class PartyIn(Document):
    """A person: one id across cases, clients and numbers. What is absent stays as it is known."""

    id: Identifier
    relation: Relation
    name: str = Field("", max_length=255)
    locations: list[Location] = Field([], max_length=50)
    numbers: list[NumberIn] = Field([], max_length=200)
    agreements: list[Agreement] = Field([], max_length=200)
    inconvenient: list[Band] = Field([], max_length=200)
    attorney: bool | Text | None = Field(False, description="true, or who represents the party")
    cease_at: AwareDatetime | None = None
    refused_at: AwareDatetime | None = None
    deceased: bool = False
    minor: bool = False
    household: Text | None = None
    identity: Annotated[str, Field(pattern=IDENTITY)] | None = Field(
        None, description="number of the person's identity document; masked by role, never logged"
    )


class CaseIn(Document):
    """A case as the CRM knows it. Absent fields of a known case stay; `parties`, where given, is the whole list."""

    client: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/]+$")]
    state: CaseState = "open"
    debts: list[Text] = Field([], max_length=500)
    account: Text | None = None
    mandate_until: date | None = Field(None, description="the last day of the mandate")
    collector: Text | None = None
    debtor_reachable: bool = True
    failed_contacts: int = Field(0, ge=0, le=1_000_000)
    dispute: bool = False
    fraud_statement: bool = False
    parties: list[PartyIn] = Field([], max_length=200)


class Count(BaseModel):
    """One cap that applies: how much of it is used, over which window."""

    rule: str
    used: int
    limit: int | None
    left: int | None
    window: Any = None


class NumberOut(BaseModel):
    """A number, whether it may be called now, and if not why and until when. `allowed_now` is null where not judged."""

    e164: str
    kind: str
    status: str
    do_not_call: bool
    extension: str | None = None
    mark: dict[str, Any] | None = Field(None, description="set at the desk: {mark, by, at, reason}")
    place: dict[str, Any] | None = Field(None, description="{region, carrier}, each {en, zh}; null until looked up")
    allowed_now: bool | None = None
    rule: str | None = None
    reason: str | None = None
    reason_zh: str | None = None
    retry_at: datetime | None = None
    hard: bool | None = Field(None, description="whether no override lifts it")
    lift: str | None = Field(None, description="who or what can end the denial")
    lift_zh: str | None = None
    counts: list[Count] = []


class Mark(BaseModel):
    """A flag set at the desk."""

    by: str
    at: datetime
    reason: str


class PartyOut(BaseModel):
    """A party of a case."""

    id: str
    relation: str
    name: str
    locations: list[dict[str, Any]]
    agreements: list[dict[str, Any]]
    inconvenient: list[dict[str, Any]]
    attorney: bool
    cease_at: datetime | None
    refused_at: datetime | None
    deceased: bool
    minor: bool
    household: str | None
    identity: str | None = Field(None, description="masked, unless your role sees it whole")
    flags: dict[str, Mark]
    numbers: list[NumberOut]


class ComplaintState(BaseModel):
    """The complaint that bears on calling."""

    id: str
    state: str
    severity: str
    instructed: bool
    former_agent: str | None


class Disclosure(BaseModel):
    """Whether you see the details of the debt. Locked until you confirm that the debtor is on your call (S13)."""

    locked: bool
    hidden: list[str] = Field(description="what is hidden or masked while it is locked: debts, account, …")


class CaseOut(BaseModel):
    """A case with everything about it that bears on calling."""

    id: str
    client: str
    state: CaseState
    debts: list[str]
    account: str | None
    mandate_until: str | None
    collector: str | None
    debtor_reachable: bool
    failed_contacts: int
    dispute: bool
    fraud_statement: bool
    complaint: ComplaintState | None
    debtor_name: str | None
    last_follow_up_at: datetime | None
    created_at: datetime
    updated_at: datetime
    disclosure: Disclosure | None = None
    parties: list[PartyOut]


class PartyBrief(BaseModel):
    """A party in a list of cases."""

    id: str
    name: str
    relation: str


class CaseBrief(BaseModel):
    """A case in a list."""

    id: str
    client: str
    state: CaseState
    account: str | None
    mandate_until: str | None
    collector: str | None
    complaint_open: bool
    debtor_name: str | None
    last_follow_up_at: datetime | None = Field(description="when the newest call or note was made (S26)")
    updated_at: datetime
    parties: list[PartyBrief]
