"""What the PBX should have of a trunk that we set up: five PJSIP objects as text. Pure: a setup in, sections out.

Endpoint and AOR get different names, since Asterisk may merge what has one name into one section.
https://docs.asterisk.org/Latest_API/API_Documentation/Module_Configuration/res_pjsip/
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from telephony.pbx_setup.dialplan import INBOUND, Section

PREFIX = "ringfence-"
"""Of every object we write, so that none of the PBX's own has its name."""
LONGEST_NAME = 50
Codec = Literal["alaw", "ulaw", "g722", "g729", "gsm", "ilbc", "opus", "slin", "slin16"]
HIDDEN = "(hidden)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]")))
    except ValueError:
        numeric = re.fullmatch(r"[0-9.]+", value)
        if numeric or not _HOST.fullmatch(value):
            raise ValueError("must be an IP address or a host name, without a port") from None
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isprintable():
        raise ValueError("must not hold a line break or another control character")
    if text != text.strip(" ") or not 1 <= len(text) <= 128:
        raise ValueError("must be 1 to 128 characters, without spaces at its ends")
    return value


Host = Annotated[str, Field(max_length=253), AfterValidator(_host)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9+_.-]{1,64}$")]


class Setup(BaseModel):
    """Where the carrier is and how we log in there. The secret is kept apart, sealed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host
    port: int = Field(5060, ge=1, le=65535)
    transport: Literal["udp", "tcp", "tls"] = "udp"
    username: Username | None = None
    register_: bool = Field(False, alias="register")
    codecs: tuple[Codec, ...] = ("alaw", "ulaw")
    qualify_seconds: int = 20

    def address(self) -> str:
        """`host:port`, as it stands in a SIP URI."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("" if self.transport == "udp" else f";transport={self.transport}")


@dataclass(frozen=True, slots=True)
class Managed:
    """A trunk whose objects on the PBX are ours."""

    name: str
    setup: Setup
    secret: str | None

    @property
    def endpoint(self) -> str:
        """The name of its PJSIP endpoint."""
        return endpoint_name(self.name)

    @property
    def registration(self) -> str | None:
        """The name of its outbound registration, if it registers."""
        return f"{self.endpoint}-registration" if self.setup.register_ else None

    def sections(self, *, at_once: bool = False) -> tuple[Section, ...]:
        """Its PJSIP objects."""
        return tuple(Section(name, tuple(lines)) for name, lines in self._objects(at_once) if lines)

    def _objects(self, at_once: bool) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        name, setup = self.endpoint, self.setup
        yield (
            name,
            [
                ("type", "endpoint"),
                ("context", INBOUND),
                ("disallow", "all"),
                ("allow", ",".join(setup.codecs)),
                ("direct_media", "no"),
                ("send_pai", "yes"),
                ("aors", f"{name}-aor"),
                *([("outbound_auth", f"{name}-auth")] if self.secret else []),
            ],
        )
        yield (
            f"{name}-aor",
            [
                ("type", "aor"),
                ("contact", f"sip:{setup.address()}"),
                ("qualify_frequency", str(setup.qualify_seconds)),
            ],
        )
        yield f"{name}-auth", self._auth()
        yield f"{name}-registration", self._registers(at_once)
        yield f"{name}-identify", [("type", "identify"), ("endpoint", name), ("match", setup.host)]

    def _auth(self) -> list[tuple[str, str]]:
        if not self.secret:
            return []
        user = [("username", self.setup.username or "")]
        return [("type", "auth"), ("auth_type", "userpass"), *user, ("password", self.secret)]

    def _registers(self, at_once: bool) -> list[tuple[str, str]]:
        setup, name = self.setup, self.endpoint
        if not setup.register_:
            return []
        return [
            ("type", "registration"),
            ("outbound_auth", f"{name}-auth"),
            ("server_uri", f"sip:{setup.address()}"),
            ("client_uri", f"sip:{setup.username}@{setup.address().partition(';')[0]}"),
            ("contact_user", setup.username or ""),
            ("line", "yes"),
            ("endpoint", name),
            ("expiration", "300"),
            ("retry_interval", "20"),
            ("forbidden_retry_interval", "60"),
            ("fatal_retry_interval", "60"),
            ("auth_rejection_permanent", "no"),
            ("max_retries", "1000000"),
            *([("max_random_initial_delay", "0")] if at_once else []),
        ]


def endpoint_name(trunk: str) -> str:
    """The PJSIP endpoint of a trunk that we set up."""
    return f"{PREFIX}{trunk}"


def sections_of(trunks: Iterable[Managed], *, at_once: bool = False) -> tuple[Section, ...]:
    """The whole file: the objects of every trunk, by name. `at_once`: the PBX can log in without delay (from Asterisk 21)."""
    ordered = sorted(trunks, key=lambda one: one.name.casefold())
    return tuple(section for trunk in ordered for section in trunk.sections(at_once=at_once))


def difference(old: Sequence[Section], new: Sequence[Section]) -> tuple[str, ...]:
    """What changes, line by line (`-` goes, `+` comes); a secret is told only as one that changes."""
    changed = unified_diff(list(_text(old)), list(_text(new)), n=0, lineterm="")
    lines = (line for line in changed if not line.startswith(("---", "+++", "@@")))
    return tuple(re.sub(r"^([-+]\[[^\]]*\] password=).*", rf"\1{HIDDEN}", line) for line in lines)


def _text(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        for key, value in section.lines:
            yield f"[{section.name}] {key}={value}"
