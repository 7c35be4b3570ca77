"""One Asterisk: starts, dies, comes back, and never outlives whoever started it."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crm_bridge.demo.ami_action import ActionFailed, ami_action
from crm_bridge.demo.asterisk_root import ensure_root
from crm_bridge.demo.instance import AsteriskInstance, InstanceFailed
from crm_bridge.demo.templates import rendered


@pytest.fixture
async def asterisk() -> AsyncIterator[AsteriskInstance]:
    instance = AsteriskInstance(ensure_root(), "lone", ami_username="admin", ami_secret="s3cret")
    user = rendered("pbx-manager.conf", username="admin", secret="s3cret", classes="system,command")
    instance.write("manager.d/admin.conf", user)
    yield instance
    await instance.close()


async def gone(pid: int) -> bool:
    """Whether that process ends within five seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        await asyncio.sleep(0.05)
    return False


async def on_disk(asterisk: AsteriskInstance, key: str) -> None:
    """Wait until AstDB committed that key: it gathers writes for up to a second, and a crash loses those."""
    database = sqlite3.connect(f"file:{asterisk.etc.parent}/lib/astdb.sqlite3?mode=ro", uri=True)
    async with asyncio.timeout(5):
        while not database.execute("select 1 from astdb where key = ?", (key,)).fetchall():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
    database.close()


async def test_a_started_instance_answers_on_its_console_and_over_ami(asterisk: AsteriskInstance) -> None:
    await asterisk.start()
    assert "Asterisk 22" in await asterisk.console("core show version")
    answer = await asterisk.action("Command", {"Command": "core show uptime"})
    assert "System uptime" in answer["Output"]


async def test_stop_leaves_no_process_and_close_no_folder(asterisk: AsteriskInstance) -> None:
    await asterisk.start()
    pid = asterisk.pid
    assert pid is not None
    await asterisk.stop()
    assert await gone(pid)
    assert asterisk.spool_local.is_dir()
    await asterisk.close()
    assert not asterisk.spool_local.exists()


async def test_a_killed_instance_comes_back_with_its_database_and_ports(asterisk: AsteriskInstance) -> None:
    await asterisk.start()
    await asterisk.console("database put marker call-1 placed")
    await on_disk(asterisk, "/marker/call-1")
    port = asterisk.ami_port
    await asterisk.kill()
    assert not asterisk.running
    await asterisk.start()
    assert "placed" in await asterisk.console("database get marker call-1")
    assert asterisk.ami_port == port


async def test_a_frozen_instance_keeps_its_connections_and_answers_nothing(asterisk: AsteriskInstance) -> None:
    await asterisk.start()
    asterisk.freeze()
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(ami_action, asterisk.ami_port, "admin", "s3cret", {"Action": "Ping"}, timeout=0.5)
    asterisk.thaw()
    assert (await asterisk.action("Ping"))["Response"] == "Success"


async def test_the_spool_is_one_folder_under_two_names(asterisk: AsteriskInstance) -> None:
    await asterisk.start()
    assert str(asterisk.spool_pbx) in await asterisk.console("core show settings")
    assert (asterisk.spool_local / "monitor").is_dir()
    assert asterisk.spool_local != asterisk.spool_pbx


async def test_a_wrong_secret_is_refused(asterisk: AsteriskInstance) -> None:
    await asterisk.start()
    with pytest.raises(ActionFailed, match="Authentication failed"):
        await asyncio.to_thread(ami_action, asterisk.ami_port, "admin", "wrong", {"Action": "Ping"})


async def test_an_instance_that_cannot_start_shows_its_console(asterisk: AsteriskInstance) -> None:
    asterisk.write("modules.conf", "[modules]\nautoload = yes\nrequire = no_such_module.so\n")
    with pytest.raises(InstanceFailed, match="no_such_module"):
        await asterisk.start()
    assert not asterisk.running


async def test_it_dies_with_the_process_that_started_it() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import asyncio\n"
        "from crm_bridge.demo.asterisk_root import ensure_root\n"
        "from crm_bridge.demo.instance import AsteriskInstance\n"
        "instance = AsteriskInstance(ensure_root(), 'orphan', ami_username='a', ami_secret='b')\n"
        "asyncio.run(instance.start())\n"
        "print(instance.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    os.kill(pid, 0)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    assert await gone(pid)
