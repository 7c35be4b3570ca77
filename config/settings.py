"""Settings: one TOML file, every key also as `RINGFENCE_SECTION__KEY`, every bad key reported at once."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from config.errors import Fault

PREFIX = "RINGFENCE_"


class BadSettings(Fault):
    """The configuration cannot be used; `problems` names every key and what it must be."""

    code = "bad-settings"
    title = "The configuration is wrong"

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.problems = problems


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
    trusted_proxies: list[str] = []


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
    ari_url: str | None = None


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


class Settings(Section):
    """The whole file."""

    server: Server = Server()
    database: DatabaseSettings = DatabaseSettings()
    gate: Gate = Gate()
    pbx: list[Pbx] = []
    archive: Archive = Archive()
    recorder: Recorder = Recorder()
    keys: Keys = Keys()
    policy: Policy = Policy()
    dialing: Dialing = Dialing()

    @model_validator(mode="after")
    def _distinct_names(self) -> "Settings":
        names = [pbx.name for pbx in self.pbx]
        if len(names) != len(set(names)):
            raise ValueError("every [[pbx]] needs a name of its own")
        return self


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read `path` and the environment over it. Relative paths are taken from the file's folder. Raises `BadSettings`."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(str(path), [f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(str(path), [f"is not TOML: {error}"]) from error
    problems: list[str] = []
    _overlay(document, os.environ if environment is None else environment, problems)
    _read_secret_files(document, path.parent, problems)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        problems += [f"{_key(item['loc'])} {_message(item)}" for item in error.errors()]
        raise BadSettings(str(path), problems) from error
    if problems:
        raise BadSettings(str(path), problems)
    return _anchored(settings, path.resolve().parent)


def _overlay(document: dict[str, Any], environment: Mapping[str, str], problems: list[str]) -> None:
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        keys = name[len(PREFIX) :].lower().split("__")
        parsed: Any = value
        if value[:1] in ("[", "{") and not keys[-1].endswith(("secret", "secret_key")):  # a secret is whatever it is
            try:
                parsed = tomllib.loads(f"value = {value}")["value"]
            except tomllib.TOMLDecodeError:
                problems.append(f"{name} must be a TOML value")
                continue
        if not _place(document, keys, parsed):
            problems.append(f"{name} names no key of the file")


def _place(document: dict[str, Any], keys: list[str], value: Any) -> bool:
    """Set `document[a][b]`; `pbx__0__secret` counts into the list, and may add the entry after its last."""
    here: Any = document
    for key, following in pairwise(keys):
        if isinstance(here, list):
            if not key.isdecimal() or int(key) > len(here):
                return False
            if int(key) == len(here):
                here.append({})
            here = here[int(key)]
        elif isinstance(here, dict):
            here = here.setdefault(key, [] if following.isdecimal() else {})
        else:
            return False
    if not isinstance(here, dict):
        return False
    here[keys[-1]] = value
    return True


def _read_secret_files(document: dict[str, Any], folder: Path, problems: list[str]) -> None:
    """`secret_file = "path"` stands for the secret inside the file."""
    accounts = document.get("pbx", [])
    for index, pbx in enumerate(accounts if isinstance(accounts, list) else []):
        _read_secret_file(pbx, "secret", f"pbx.{index}", folder, problems)
    for name in ("secret_key", "copy_secret_key"):
        _read_secret_file(document.get("archive"), name, "archive", folder, problems)


def _read_secret_file(table: Any, name: str, where: str, folder: Path, problems: list[str]) -> None:
    if not isinstance(table, dict) or f"{name}_file" not in table:
        return
    source = folder / str(table.pop(f"{name}_file"))
    try:
        table[name] = source.read_text("utf-8").strip()
        why = "" if table[name] else "it is empty"
    except (OSError, ValueError) as error:
        table[name] = "-"
        why = (error.strerror or "no such file") if isinstance(error, OSError) else "it is not text"
    if why:
        problems.append(f"{where}.{name}_file cannot be used: {source}: {why}")


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "the file"


def _message(item: Any) -> str:
    known = {"extra_forbidden": "is not a known key", "missing": "is required"}
    return known.get(item["type"]) or str(item["msg"]).removeprefix("Value error, ")


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Relative files belong beside the configuration file, wherever the command is run."""
    url = settings.database.url
    head, separator, name = url.partition("sqlite+aiosqlite:///")
    if separator and not head and name and not name.startswith((":", "/")):
        url = f"sqlite+aiosqlite:///{folder / name}"
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": url}),
            "keys": settings.keys.model_copy(
                update={"master": folder / settings.keys.master, "folder": folder / settings.keys.group_keys}
            ),
            "archive": settings.archive.model_copy(
                update={"checkpoints": settings.archive.checkpoints and folder / settings.archive.checkpoints}
            ),
            "pbx": [pbx.model_copy(update={"spool_local": folder / pbx.spool_local}) for pbx in settings.pbx],
        }
    )
