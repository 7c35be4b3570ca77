"""What a trunk looks like in an answer: how it is set up, how it does, what a test saw, what a change would do."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ContactOut(BaseModel):
    """Where calls are sent, and whether somebody is there."""

    uri: str
    status: str = Field(description="as Asterisk names it: Reachable, Unreachable, NonQualified, …")
    round_trip_ms: float | None


class TestOut(BaseModel):
    """What a test saw; `why` says in one sentence why it does not work."""

    ok: bool
    why: str | None
    why_zh: str | None
    endpoint: bool = Field(description="the PBX has the endpoint")
    contacts: list[ContactOut]
    registration: str | None = Field(description="Registered, Unregistered, Rejected; null: it does not register")


class HealthOut(BaseModel):
    """How the trunk does, as last looked at; the ratios are of the last 15 minutes."""

    state: str = Field(description="up, degraded, down or unknown")
    reason: str | None = Field(description="endpoint-missing, no-contact, login-refused, not-registered, no-answer, …")
    since: datetime | None
    seen_at: datetime | None
    contact: str | None = None
    round_trip_ms: float | None = None
    registration: str | None = None
    tried: int = 0
    answered: int = 0
    failed: int = Field(0, description="found no way before anybody was alerted")
    asr: float | None = Field(None, description="answer-seizure ratio")
    congestion: float | None = None


class SetupOut(BaseModel):
    """How the trunk is set up on the PBX. The secret is never shown."""

    host: str
    port: int
    transport: str
    username: str | None
    register_: bool = Field(alias="register")
    codecs: list[str]
    qualify_seconds: int
    has_secret: bool


class TrunkOut(BaseModel):
    """A trunk."""

    name: str
    pbx: str
    endpoint: str
    setup: SetupOut | None = Field(description="null: the endpoint is one of the PBX's own")
    dial_format: str
    prefixes: list[str]
    priority: int
    weight: int
    capacity: int
    caller_ids: list[str]
    hours: list[dict[str, Any]] | None
    zone: str | None
    enabled: bool
    state: str = Field(description="active, draining or disabled")
    live_calls: int
    health: HealthOut
    created_at: datetime
    updated_at: datetime | None
    updated_by: str | None
    test: TestOut | None = Field(None, description="what was seen when this change was made on the PBX")


class ChangeOut(BaseModel):
    """One place that changes, line by line: `-` goes, `+` comes."""

    where: str
    lines: list[str]


class TrunkPlan(BaseModel):
    """What would change on the PBX."""

    pbx: str
    nothing_to_do: bool
    changes: list[ChangeOut]
