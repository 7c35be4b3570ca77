"""The sections of the configuration file: every key, its default, and what it must look like (docs/configuration.md)."""

import re
from datetime import time
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values do not change after loading."""

    # A misspelt `secret` is an error that pydantic would print with its value.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Asia" is a folder
        raise ValueError("must be an IANA time zone such as Asia/Shanghai") from error
    return value


def _host_and_port(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.\-]+:\d{1,5}", value) or int(value.rpartition(":")[2]) > 65535:
        raise ValueError("must be host:port")
    return value


def _pbx_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", value):
        raise ValueError("must be 1-32 lower-case letters, digits or hyphens")
    return value


def _spool(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._/\-]*", value) or ".." in value:
        raise ValueError("must be an absolute path of letters, digits, dots, hyphens and slashes")
    return value.rstrip("/")


def _emergency(values: list[str]) -> list[str]:
    bad = [value for value in values if not re.fullmatch(r"\d{2,6}", value)]
    if bad:
        raise ValueError(f"must be numbers of 2 to 6 digits, not {', '.join(bad)}")
    return values


Zone = Annotated[str, AfterValidator(_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Server(Section):
    """Where the HTTP API and the pages are served."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str | None = None
    trusted_proxies: list[IPvAnyNetwork] = []


class DatabaseSettings(Section):
    """SQLite for one machine, PostgreSQL for several processes."""

    url: str = Field(default="sqlite+aiosqlite:///var/ringfence.db", repr=False)  # may hold a password

    @model_validator(mode="after")
    def _known_driver(self) -> "DatabaseSettings":
        if not self.url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("url must start with sqlite+aiosqlite:// or postgresql+asyncpg://")
        return self


class Gate(Section):
    """The FastAGI gate: where it listens, and where the PBX reaches it (FastAGI has no authentication: loopback or a tunnel)."""

    host: str = "127.0.0.1"
    port: Port = 4573
    advertise: Annotated[str, AfterValidator(_host_and_port)] = "127.0.0.1:4573"
    emergency: Annotated[list[str], AfterValidator(_emergency)] = [
        "110", "112", "119", "120", "122", "911", "999", "000",
    ]  # fmt: skip


def _ari(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"https?://[^/@\s]+/.*", value):
        raise ValueError("must be the address of the PBX's ARI, http://host:8088/ari")
    return value


class Pbx(Section):
    """One Asterisk: its manager account, and its recording spool as it sees it and as we see it."""

    name: Annotated[str, AfterValidator(_pbx_name)]
    host: str = "127.0.0.1"
    port: Port = 5038
    username: str
    secret: SecretStr
    tls: bool = False
    spool_pbx: Annotated[str, AfterValidator(_spool)] = "/var/spool/asterisk/ringfence"
    spool_local: Path = Path("/var/spool/asterisk/ringfence")
    ari_url: Annotated[str | None, AfterValidator(_ari)] = None
    ari_username: str | None = None
    ari_secret: SecretStr | None = None

    @model_validator(mode="after")
    def _ari_is_whole(self) -> Self:
        if self.ari_url is not None:
            if not self.ari_username or self.ari_secret is None:
                raise ValueError("ari_url needs ari_username and ari_secret")
            if "/recording/" not in self.spool_pbx:
                raise ValueError(
                    "with ari_url, spool_pbx must lie below Asterisk's folder recording (…/recording/ringfence)"
                )
        return self


def _store(value: str | None) -> str | None:
    if (
        value is not None
        and not value.startswith("file:///")
        and not re.fullmatch(r"s3://[a-z0-9.\-]{3,63}(/.*)?", value)
    ):
        raise ValueError("must be file:/// and an absolute folder, or s3://bucket/prefix")
    return value


class Archive(Section):
    """Where recordings are kept, where a second copy is, and where the log's checkpoints are written."""

    url: Annotated[str, AfterValidator(_store)] = "file:///var/lib/ringfence"
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: SecretStr | None = None
    lock: Literal["governance", "compliance", "none"] = "governance"
    copy_url: Annotated[str | None, AfterValidator(_store)] = None
    copy_endpoint: str | None = None
    copy_access_key: str | None = None
    copy_secret_key: SecretStr | None = None
    checkpoints: Path | None = None


class Recorder(Section):
    """The recorder's self-test (S32): when each day, in the policy's zone, and whether a failing one stops the calling."""

    self_test_times: list[time] = [time(7, 30), time(13, 0)]
    self_test_stops_calls: bool = True


class Keys(Section):
    """Key files, created with mode 0600 on first run, and the folder of the keys that recordings are under."""

    master: Path = Path("var/master.key")
    folder: Path | None = None

    @property
    def group_keys(self) -> Path:
        """The folder of group keys: beside the master key unless another is named."""
        return self.folder or self.master.parent / "group-keys"

    @property
    def signing(self) -> Path:
        """The private key that signs the log's checkpoints."""
        return self.master.parent / "log-signing.pem"


class Policy(Section):
    """What applies to a client that has no policy of its own, and the region of numbers written without a country."""

    packs: list[str] = ["cn-outsourcing"]
    zone: Zone = "Asia/Shanghai"
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "CN"
    guard_seconds: Annotated[int, Field(ge=0, le=3600)] = 0


class Dialing(Section):
    """Seconds that a phone may ring before we give up."""

    agent_ring_seconds: Annotated[int, Field(ge=5, le=120)] = 20
    customer_ring_seconds: Annotated[int, Field(ge=5, le=180)] = 45


Role = Literal["collector", "qa", "supervisor", "admin", "crm"]
AutoAnswer = Literal["none", "call-info", "alert-info"]


class Desk(Section):
    """What a person at the desk sees and does: wrap-up after a call, who must confirm whom they speak to, masks by role."""

    wrap_up_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    auto_answer: AutoAnswer = "none"
    confirm_party: list[Role] = ["collector"]
    unlocked_after_call_seconds: Annotated[int, Field(ge=0, le=86_400)] = 900
    mask_numbers: list[Role] = []
    mask_identities: list[Role] = ["collector", "qa"]
    reveal_seconds: Annotated[int, Field(ge=5, le=3600)] = 60


class LiveCalls(Section):
    """What may be done with a call while it lives, and for how long."""

    hold_music: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""
    hold_warn_seconds: Annotated[int, Field(ge=5, le=3600)] = 120
    longest_hold_seconds: Annotated[int, Field(ge=30, le=7200)] = 900
    transfer_ring_seconds: Annotated[int, Field(ge=5, le=120)] = 20
    pause_roles: list[Role] = ["collector", "supervisor"]
    longest_pause_seconds: Annotated[int, Field(ge=5, le=3600)] = 180


def _networks(values: list[str]) -> list[str]:
    for value in values:
        try:
            ip_network(value)
        except ValueError as error:
            raise ValueError(f"must be networks such as 10.1.0.0/16, not {value!r}") from error
    return values


class Outbox(Section):
    """What is told to other systems: where inside the house that may be, how many at once, how long the log is kept."""

    allow_networks: Annotated[list[str], AfterValidator(_networks)] = []
    at_once: Annotated[int, Field(ge=1, le=256)] = 16
    answer_seconds: Annotated[float, Field(ge=0.2, le=25)] = 15
    keep_days: Annotated[int, Field(ge=1, le=365)] = 30


class Mail(Section):
    """The mail server that messages go through; without a host none are written. `sender` is also called `from`."""

    host: str | None = None
    port: Port = 25
    sender: Annotated[str, Field(pattern=r"^[^@\s<>]{1,64}@[^@\s<>]{1,190}$")] = Field(
        "ringfence@localhost", validation_alias=AliasChoices("sender", "from")
    )
    tls: Literal["none", "starttls", "tls"] = "none"
    ca_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = None


ORIGIN = re.compile(
    r"(?!https://.*:443$)(?!http://.*:80$)https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(:[1-9][0-9]{0,4})?"
)
"""As browsers write it (RFC 6454): lower case, the port only where it is not the scheme's own, nothing after it."""


def _origins(values: list[str]) -> list[str]:
    bad = [value for value in values if not ORIGIN.fullmatch(value)]
    if bad:
        raise ValueError(f"must be origins such as https://crm.example.com, no path and no *, not {', '.join(bad)}")
    return values


class People(Section):
    """How long passwords and tokens are good for, and how often one may be logged in (S68); 0: without end."""

    password_days: Annotated[int, Field(ge=0, le=3650)] = 30
    one_session: bool = True
    token_days: Annotated[int, Field(ge=0, le=3650)] = 0


class Embed(Section):
    """Which pages of other origins may show the call bar, and what a CRM that only calls a URL may do."""

    origins: Annotated[list[str], AfterValidator(_origins)] = []
    token_seconds: Annotated[int, Field(ge=10, le=3600)] = 600
    url_click_seconds: Annotated[int, Field(ge=1, le=600)] = 30
