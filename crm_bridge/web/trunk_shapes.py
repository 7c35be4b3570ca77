"""What a trunk looks like in a request: over an endpoint that the PBX has, or over one that is set up there."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from crm_bridge.web.api import Body
from telephony.policy.facts import Band, House, ZoneKey
from telephony.trunking import trunks
from telephony.trunking.wanted import Codec, Host, Secret, Setup, Username

# These words reach Dial() and AMI headers: nothing but letters, digits, hyphen, dot and underscore may be in one.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Prefix = Annotated[
    str, Field(pattern=r"^\+?[1-9][0-9]{0,14}$"), AfterValidator(lambda prefix: f"+{prefix.removeprefix('+')}")
]
CallerId = Annotated[str, Field(pattern=r"^\+?[0-9]{3,20}$")]
Reason = Annotated[str, Field(max_length=2000)]
SETUP = ("host", "port", "transport", "username", "register", "codecs", "qualify_seconds")


def _hours(value: object) -> object:
    """As a policy's hours: "09:00-18:00", a band, or a list of bands."""
    try:
        return House.model_validate({"hours": value}).hours if value is not None else None
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


class Settings(Body):
    """What every trunk has."""

    dial_format: trunks.DialFormat = Field("e164", description="how the far end wants a number written")
    prefixes: list[Prefix] = Field([], max_length=500, description="what it carries, as +86; empty: everything")
    priority: int = Field(10, ge=0, le=1000, description="lower is tried first")
    weight: int = Field(1, ge=0, le=1000, description="share among trunks of the same priority")
    capacity: int = Field(0, ge=0, le=100_000, description="calls at once, never more; 0: not known")
    caller_ids: list[CallerId] = Field([], max_length=500, description="numbers it may show")
    hours: Annotated[tuple[Band, ...] | None, BeforeValidator(_hours)] = Field(
        None, description='"09:00-18:00" or bands {days, from, to} in which it is used; absent: at all hours'
    )
    zone: ZoneKey | None = Field(None, description="of the hours; absent: the service's own")
    enabled: bool = True

    def columns(self, zone: str) -> dict[str, Any]:
        """The columns of the registry."""
        bands = [band.model_dump(mode="json", by_alias=True) for band in self.hours or ()]
        own = self.model_dump(include=set(Settings.model_fields) - {"hours", "zone"})
        hours = {"hours": bands, "zone": self.zone or zone} if self.hours is not None else {"hours": None, "zone": None}
        return {**own, **hours}


class TrunkBody(Settings):
    """A trunk as it should be: `endpoint` of the PBX's own, or `host` and how to log in there.

    `secret` is never shown again; left out in a change it stays, null takes it away.
    """

    endpoint: Name | None = Field(None, description="an existing PJSIP endpoint; absent: set one up for `host`")
    host: Host | None = Field(None, description="IP address or name of the carrier")
    port: int = Field(5060, ge=1, le=65535)
    transport: Literal["udp", "tcp", "tls"] = "udp"
    username: Username | None = None
    secret: Secret | None = None
    register_: bool = Field(False, alias="register", description="log in at the carrier (REGISTER)")
    codecs: list[Codec] = Field(["alaw", "ulaw"], min_length=1, max_length=9)
    qualify_seconds: int = Field(
        20, ge=0, le=300, description="how often the carrier is asked whether it is there; 0: never"
    )
    reason: Reason | None = Field(None, description="why, for the journal")

    @field_validator("codecs")
    @classmethod
    def _each_once(cls, codecs: list[Codec]) -> list[Codec]:
        if len(set(codecs)) != len(codecs):
            raise ValueError("must name each codec once")
        return codecs

    @field_validator("qualify_seconds")
    @classmethod
    def _not_too_often(cls, seconds: int) -> int:
        if 0 < seconds < 5:
            raise ValueError("must be 0 or from 5 to 300")
        return seconds

    @model_validator(mode="after")
    def _one_way(self) -> "TrunkBody":
        if (self.endpoint is None) == (self.host is None):
            raise ValueError("needs either endpoint (an existing PJSIP endpoint) or host")
        given = {
            "secret",
            "register_",
            "port",
            "transport",
            "username",
            "codecs",
            "qualify_seconds",
        } & self.model_fields_set
        if self.endpoint is not None and given:
            named = ", ".join(sorted(name.rstrip("_") for name in given))
            raise ValueError(f"{named}: only for a trunk with host; those of an existing endpoint are set on the PBX")
        if self.register_ and self.username is None:
            raise ValueError("username is needed to register")
        if self.secret is not None and self.username is None:
            raise ValueError("username is needed with a secret")
        return self

    def setup(self) -> Setup | None:
        """How it is set up on the PBX, if it is."""
        if self.host is None:
            return None
        return Setup(
            host=self.host,
            port=self.port,
            transport=self.transport,
            username=self.username,
            register=self.register_,
            codecs=tuple(self.codecs),
            qualify_seconds=self.qualify_seconds,
        )


class NewTrunk(TrunkBody):
    """A trunk to create."""

    name: Name
    pbx: Annotated[str, Field(max_length=32)] | None = Field(None, description="absent: the first PBX of the settings")

    @model_validator(mode="after")
    def _can_log_in(self) -> "NewTrunk":
        if self.register_ and self.secret is None:
            raise ValueError("secret is needed to register")
        return self


class TrunkPut(TrunkBody):
    """A trunk as it should be; name and PBX stay, and may be repeated."""

    name: Name | None = None
    pbx: Annotated[str, Field(max_length=32)] | None = None


class TrunkPatch(Body):
    """What should change; everything else stays as it is."""

    endpoint: Name | None = None
    host: Host | None = None
    port: int | None = None
    transport: Literal["udp", "tcp", "tls"] | None = None
    username: Username | None = None
    secret: Secret | None = None
    register_: bool | None = Field(None, alias="register")
    codecs: list[Codec] | None = None
    qualify_seconds: int | None = None
    dial_format: trunks.DialFormat | None = None
    prefixes: list[Prefix] | None = None
    priority: int | None = None
    weight: int | None = None
    capacity: int | None = None
    caller_ids: list[CallerId] | None = None
    hours: Any = None
    zone: ZoneKey | None = None
    enabled: bool | None = None
    reason: Reason | None = None

    def over(self, row: Any) -> TrunkPut:
        """The whole trunk after the change. Raises ValidationError."""
        known = {name: getattr(row, name) for name in Settings.model_fields}
        known |= row.setup or {"endpoint": row.endpoint}
        given = self.model_dump(include=self.model_fields_set, by_alias=True)
        if isinstance(given.get("secret"), SecretStr):
            given["secret"] = given["secret"].get_secret_value()
        return TrunkPut.model_validate({**known, **given})
