"""`ringfence doctor`: each thing that is wrong is found and named with how to mend it, and the exit code says so."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from config.database import Database
from config.migrate import upgrade
from crm_bridge.cli import cli
from crm_bridge.demo.lab import Lab
from tests.support.configuration import configuration
from tests.support.floor import floor_settings, free_port, prepare_pbx

TEXT = """
[server]
port = {port}
[database]
url = "{url}"
[gate]
port = {gate}
advertise = "127.0.0.1:{gate}"
[archive]
url = "file://{archive}"
[keys]
master = "keys/master.key"
"""


def _looked(config: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    done = CliRunner().invoke(cli, ["doctor", "--json", "--config", str(config)])
    looks = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert looks, done.output
    assert all(look["mend"] for look in looks if look["result"] in ("error", "warning"))
    return done.exit_code, {look["where"]: look for look in looks}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of a machine where nothing has been set up."""
    (tmp_path / "archive").mkdir()
    path = tmp_path / "ringfence.toml"
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    path.write_text(TEXT.format(port=free_port(), url=url, gate=free_port(), archive=tmp_path / "archive"))
    return path


def test_a_machine_where_nothing_is_set_up_is_told_what_to_do(config: Path) -> None:
    code, looks = _looked(config)
    assert code == 1
    assert looks["database"]["result"] == "ok"
    assert "ringfence migrate" in looks["migrations"]["mend"]
    assert "nobody listens" in looks["gate"]["message"]
    assert "no [[pbx]]" in looks["pbx"]["message"]
    assert looks["service"]["result"] == "warning"
    assert looks["archive"]["result"] == "ok"
    assert looks["time zones"]["message"].endswith("Asia/Shanghai is +0800 now")


async def _migrated(config: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{config.parent / 'ringfence.db'}")
    await upgrade(database)
    await database.close()


def test_keys_that_others_read_and_a_missing_master_key_are_errors(config: Path) -> None:
    import asyncio

    asyncio.run(_migrated(config))
    keys = config.parent / "keys"
    keys.mkdir()
    (keys / "master.key").write_text("00" * 32)
    (keys / "master.key").chmod(0o644)
    _, looks = _looked(config)
    assert "chmod 600" in looks["keys"]["mend"]
    (keys / "master.key").unlink()
    (keys / "group-keys").mkdir()
    (keys / "group-keys" / f"{'a' * 24}-{'b' * 8}.key").write_text("{}")
    _, looks = _looked(config)
    assert "is gone" in looks["keys"]["message"]
    assert looks["people"]["mend"].startswith("ringfence user add")


def test_a_database_and_a_mail_server_that_are_not_there_are_errors(config: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    text = config.read_text().replace("sqlite+aiosqlite:///", f"postgresql+asyncpg://nobody@127.0.0.1:{port}/x#")
    config.write_text(f'{text}\n[mail]\nhost = "127.0.0.1"\nport = {port}\n')
    code, looks = _looked(config)
    assert code == 1
    assert looks["database"]["result"] == looks["mail"]["result"] == "error"
    assert "mail" in looks["mail"]["mend"]


def test_an_archive_that_cannot_be_written_is_an_error(config: Path) -> None:
    (config.parent / "archive").rmdir()
    (config.parent / "archive").write_text("a file")
    code, looks = _looked(config)
    assert (code, looks["archive"]["result"]) == (1, "error")


@pytest.mark.flow
async def test_the_pbx_is_looked_at_and_a_wrong_secret_is_told(lab: Lab, tmp_path: Path, gate_port: int) -> None:
    import asyncio

    settings = floor_settings(lab, tmp_path, gate_port, f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
    await prepare_pbx(settings)
    path = tmp_path / "ringfence.toml"
    path.write_text(configuration(settings, free_port()))
    await _migrated(path)
    _, looks = await asyncio.to_thread(_looked, path)
    assert any(where.startswith("pbx lab") for where in looks)
    secret = settings.pbx[0].secret.get_secret_value()
    path.write_text(path.read_text().replace(f'secret = "{secret}"', 'secret = "wrong"'))
    code, looks = await asyncio.to_thread(_looked, path)
    assert code == 1
    assert "refused the login" in looks["pbx lab"]["message"]
