"""Settings: one TOML file, every key also as `RINGFENCE_SECTION__KEY`, every bad key reported at once."""

import os
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from config.errors import Fault
from config.sections import (
    Archive,
    AutoAnswer,
    DatabaseSettings,
    Desk,
    Dialing,
    Embed,
    Gate,
    Keys,
    LiveCalls,
    Mail,
    Outbox,
    Pbx,
    People,
    Policy,
    Recorder,
    Role,
    Section,
    Server,
    Zone,
)

__all__ = [
    "Archive",
    "AutoAnswer",
    "BadSettings",
    "DatabaseSettings",
    "Desk",
    "Dialing",
    "Embed",
    "Gate",
    "Keys",
    "LiveCalls",
    "Mail",
    "Outbox",
    "Pbx",
    "People",
    "Policy",
    "Recorder",
    "Role",
    "Server",
    "Settings",
    "Zone",
    "load_settings",
]

PREFIX = "RINGFENCE_"


class BadSettings(Fault):
    """The configuration cannot be used; `problems` names every key and what it must be."""

    code = "bad-settings"
    title = "The configuration is wrong"

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.problems = problems


class Settings(Section):
    """The whole file."""

    server: Server = Server()
    database: DatabaseSettings = DatabaseSettings()
    gate: Gate = Gate()
    pbx: list[Pbx] = Field(default_factory=list)
    archive: Archive = Archive()
    recorder: Recorder = Recorder()
    keys: Keys = Keys()
    policy: Policy = Policy()
    dialing: Dialing = Dialing()
    desk: Desk = Desk()
    people: People = People()
    live_calls: LiveCalls = LiveCalls()
    mail: Mail = Mail()
    embed: Embed = Embed()
    outbox: Outbox = Outbox()

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
        if value[:1] in ("[", "{") and not keys[-1].endswith(
            ("secret", "secret_key", "password")
        ):  # a secret is whatever it is
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
        _read_secret_file(pbx, "ari_secret", f"pbx.{index}", folder, problems)
    for name in ("secret_key", "copy_secret_key"):
        _read_secret_file(document.get("archive"), name, "archive", folder, problems)
    _read_secret_file(document.get("mail"), "password", "mail", folder, problems)


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
            "mail": settings.mail.model_copy(
                update={"ca_file": settings.mail.ca_file and folder / settings.mail.ca_file}
            ),
            "pbx": [pbx.model_copy(update={"spool_local": folder / pbx.spool_local}) for pbx in settings.pbx],
        }
    )
