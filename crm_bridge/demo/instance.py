"""One Asterisk process in the private root, with folders and ports of its own; it dies with the process that began it.

Nothing here belongs to an event loop, so an instance started in one loop may be used from another.
"""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from config.errors import Fault
from crm_bridge.demo.ami_action import Message, ami_action
from crm_bridge.demo.asterisk_root import settle_names
from crm_bridge.demo.slot import Slot, take_slot

BOOT_SECONDS = 60.0
STOP_SECONDS = 10.0
_FOLDERS = ("lib", "spool", "run", "log", "cache")
_NOT_LOADED = (
    # what binds ports of its own, whoever else uses them
    ("chan_iax2", "chan_unistim", "chan_motif", "pbx_dundi", "res_xmpp", "res_snmp"),
    # what waits for or complains about servers that are not there
    ("res_config_ldap", "res_pjsip_phoneprov_provider", "res_phoneprov", "app_voicemail_odbc", "res_smdi"),
    ("cdr_pgsql", "cdr_odbc", "cdr_adaptive_odbc", "cdr_radius", "cdr_tds", "cdr_sqlite3_custom"),
    (
        "cel_pgsql",
        "cel_odbc",
        "cel_radius",
        "cel_tds",
        "cel_sqlite3_custom",
        "res_hep",
        "res_hep_pjsip",
        "res_hep_rtcp",
    ),
)


class InstanceFailed(Fault):
    """Asterisk did not start; the detail carries the end of its console."""

    code = "lab-instance-failed"
    status = 503
    title = "Asterisk did not start"


class AsteriskInstance:
    """An Asterisk with Debian's stock configuration, changed by what `write` and `append` put there before `start`.

    `spool_pbx` is its spool as Asterisk names it, `spool_local` the same folder as this process sees it.
    """

    def __init__(self, root: Path, name: str, *, ami_username: str, ami_secret: str) -> None:
        self.name = name
        self.ami_username = ami_username
        self.ami_secret = ami_secret
        self._root = root
        self._slot: Slot = take_slot(root)
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lay_out()

    @property
    def sip_port(self) -> int:
        """UDP, on loopback."""
        return self._slot.sip_port

    @property
    def ami_port(self) -> int:
        """TCP, on 127.0.0.1."""
        return self._slot.ami_port

    @property
    def http_port(self) -> int:
        """TCP, on 127.0.0.1; nothing listens there unless http.conf is made to."""
        return self._slot.http_port

    @property
    def etc(self) -> Path:
        """The configuration folder, as this process sees it."""
        return self._slot.folder / "etc"

    @property
    def spool_pbx(self) -> Path:
        """The spool as Asterisk sees it: what goes into dialplan and AMI."""
        return self._slot.inside / "spool"

    @property
    def spool_local(self) -> Path:
        """The spool as this process sees it."""
        return self._slot.folder / "spool"

    @property
    def log(self) -> Path:
        """Asterisk's console output (all starts of this instance)."""
        return self._slot.folder / "log" / "console.log"

    @property
    def pid(self) -> int | None:
        """The process id, or None if it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives (frozen counts as living)."""
        return self._process is not None and self._process.poll() is None

    def write(self, name: str, text: str) -> None:
        """Put a configuration file in place of the stock one."""
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add to a stock configuration file, as an admin does at its end."""
        with (self.etc / name).open("a", encoding="utf-8") as file:
            file.write(text)

    async def start(self) -> None:
        """Start it and return once it is fully booted and AMI listens. Raises InstanceFailed."""
        if self.running:
            return
        inside_etc = self._slot.inside / "etc" / "asterisk.conf"
        # The kernel kills Asterisk when the thread that forked it ends: fork here, not in a pool's thread.
        command = ["setpriv", "--pdeathsig", "KILL", "chroot", str(self._root)]
        command += ["/usr/sbin/asterisk", "-f", "-n", "-C", str(inside_etc)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - a loop's own subprocess would die with that loop
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        try:
            await self._booted()
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """End it, hanging up what is up; by force if it does not heed. Its folders stay until `close`."""
        if self._process is None:
            return
        if self.running:
            self.thaw()
            self._process.terminate()
        if not await self._ended(STOP_SECONDS):
            await self.kill()

    async def kill(self) -> None:
        """End it as a power cut does: no hang-up, no BYE, no last write."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._ended(STOP_SECONDS)

    async def restart(self) -> None:
        """Stop (or bury) and start again, with the same ports, configuration and spool."""
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """Stop its threads where they are: connections stay open and nothing answers."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGCONT)

    async def close(self) -> None:
        """Stop it and give up its folders and ports, for good."""
        await self.stop()
        if not self._closed:
            self._closed = True
            self._slot.release()

    async def console(self, command: str) -> str:
        """What `asterisk -rx COMMAND` prints. Raises InstanceFailed if Asterisk cannot be reached."""
        ran = await asyncio.to_thread(self._console, command)
        if ran.returncode != 0:
            raise InstanceFailed(f"{self.name}: no console: {(ran.stdout + ran.stderr).strip()[-300:]}")
        return ran.stdout

    async def action(self, action: str, headers: Mapping[str, str | list[str]] | None = None) -> Message:
        """One AMI action, as this instance's own AMI user, on a connection of its own."""
        sent = {"Action": action, **(headers or {})}
        return await asyncio.to_thread(ami_action, self.ami_port, self.ami_username, self.ami_secret, sent)

    def _console(self, command: str) -> subprocess.CompletedProcess[str]:
        conf = str(self._slot.inside / "etc" / "asterisk.conf")
        line = ["chroot", str(self._root), "/usr/sbin/asterisk", "-n", "-C", conf, "-rx", command]
        return subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=30, check=False)

    async def _booted(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                break
            if (self._slot.folder / "run" / "asterisk.ctl").exists():
                ran = await asyncio.to_thread(self._console, "core waitfullybooted")
                if "fully booted" in ran.stdout:
                    return
            await asyncio.sleep(0.05)
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-1500:]
        raise InstanceFailed(f"{self.name}: {'not booted in time' if self.running else 'ended'}; its console: {tail}")

    async def _ended(self, seconds: float) -> bool:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, seconds)
        return not self.running

    def _lay_out(self) -> None:
        """Debian's own configuration and spool, copied, with folders, ports and module list of this instance."""
        slot = self._slot
        settle_names(self._root)
        shutil.copytree(self._root / "etc/asterisk", self.etc, symlinks=True)
        for folder in _FOLDERS:
            stock = self._root / "var" / folder / "asterisk"
            if folder in ("lib", "spool", "log"):
                shutil.copytree(stock, slot.folder / folder, symlinks=True)
            else:
                (slot.folder / folder).mkdir()
        self.write("asterisk.conf", self._asterisk_conf())
        noload = "".join(f"noload = {module}.so\n" for group in _NOT_LOADED for module in group)
        self._replace("modules.conf", "[global]", f"{noload}\n[global]")
        self._replace("manager.conf", "port = 5038", f"port = {slot.ami_port}")
        first, last = slot.rtp_ports
        self._replace("rtp.conf", "rtpstart=10000", f"rtpstart={first}")
        self._replace("rtp.conf", "rtpend=20000", f"rtpend={last}")

    def _asterisk_conf(self) -> str:
        inside = self._slot.inside
        places = {"astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "lib", "astkeydir": "lib"}
        places |= {"astspooldir": "spool", "astrundir": "run", "astlogdir": "log", "astcachedir": "cache"}
        lines = [f"{key} => {inside / place}" for key, place in places.items()]
        lines += ["astdatadir => /usr/share/asterisk", "astagidir => /usr/share/asterisk/agi-bin"]
        return "\n".join(["[directories]", *lines, ""])

    def _replace(self, name: str, stock: str, ours: str) -> None:
        text = (self.etc / name).read_text(encoding="utf-8")
        if stock not in text:
            raise InstanceFailed(
                f"{self.name}: Debian's {name} no longer says {stock!r}; the lab must learn the new one."
            )
        self.write(name, text.replace(stock, ours, 1))
