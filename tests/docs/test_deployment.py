"""The unit and the container file, looked at without starting either: they run what exists, with the least rights."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from crm_bridge.cli import cli

UNIT, CONTAINER = Path("deploy/ringfence.service"), Path("deploy/Containerfile").read_text("utf-8")
COMMANDS = {command.name or command.callback.__name__ for command in cli.registered_commands if command.callback}
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
    "CapabilityBoundingSet": "", "RestrictSUIDSGID": "yes", "SystemCallArchitectures": "native", "User": "ringfence",
}  # fmt: skip


def _unit() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser documents it
    parsed.read(UNIT, "utf-8")
    return parsed


def test_the_unit_runs_commands_that_there_are_and_lets_calls_drain() -> None:
    service = _unit()["Service"]
    for line in (service["ExecStart"], service["ExecStartPre"]):
        found = re.fullmatch(
            r"/opt/ringfence/\.venv/bin/ringfence ([a-z-]+) --config /etc/ringfence/ringfence\.toml", line
        )
        assert found
        assert found[1] in COMMANDS
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > 10
    assert service["Restart"] == "always"


@pytest.mark.parametrize(("key", "value"), HARDENED.items())
def test_the_unit_gives_the_least_rights(key: str, value: str) -> None:
    assert _unit()["Service"][key] == value


def test_systemd_itself_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    assert analyse, "systemd-analyze is missing: `make test` installs it"
    # What the unit names need not be installed here.
    text = re.sub(r"^(ExecStart(?:Pre)?)=.*", r"\1=/bin/true", UNIT.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / "ringfence.service").write_text(
        text.replace("User=ringfence", "User=root").replace("Group=ringfence", "Group=root")
    )
    told = subprocess.run(
        [analyse, "verify", str(tmp_path / "ringfence.service")], capture_output=True, text=True, check=False
    )
    assert "Unknown" not in told.stderr
    assert "Failed to parse" not in told.stderr


def test_the_container_runs_as_nobody_special_and_installs_only_what_is_locked() -> None:
    _, *stages = CONTAINER.split("\nFROM ")
    assert len(stages) == 2
    assert re.search(r"^USER [1-9]\d{3,}$", stages[1], re.MULTILINE)
    assert "--require-hashes -r requirements.txt" in stages[0]
    assert not re.search(r"^ADD |curl|wget|:latest", CONTAINER, re.MULTILINE)
    copied = [
        line.split()[1:-1] for line in CONTAINER.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    assert all(Path(source).exists() for sources in copied for source in sources)
    (command,) = re.findall(r'^CMD \["([a-z-]+)", "--config"', CONTAINER, re.MULTILINE)
    assert command in COMMANDS
    assert "HEALTHCHECK" in stages[1]
    assert "/healthz" in stages[1]
