"""A private Debian root with Asterisk, kept in the user's cache: built once with debootstrap, instant from then on."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from config.errors import Fault

SUITE = "sid"
"""Where Debian keeps Asterisk 22; no stable release since bullseye has the package."""
REVISION = 1
"""Counted up when a root built earlier no longer serves."""
OLDEST_MAJOR = 22
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT = Path("/etc/apt")

Progress = Callable[[str], None]
"""Called with one line a step, for the person who waits."""

_PHASES = (
    ("I: Retrieving Packages", "reading the package list"),
    ("I: Retrieving ", "downloading packages"),
    ("I: Extracting ", "unpacking the base system"),
    ("I: Installing core", "installing the base system"),
    ("I: Unpacking the base", "unpacking Asterisk and what it needs"),
    ("I: Configuring ", "configuring"),
)


class RootUnavailable(Fault):
    """The Asterisk root is not there and cannot be built; the detail says what to do about it."""

    code = "lab-unavailable"
    status = 503
    title = "No Asterisk to run"
    hints: ClassVar[dict[str, str]] = {
        "root": "Asterisk runs in a private Debian root, which only root may build and enter: run this as root (sudo).",
        "debootstrap": "debootstrap is missing: apt-get install debootstrap",
        "keyring": f"{KEYRING} is missing, so packages cannot be verified: apt-get install debian-archive-keyring",
    }


def root_path() -> Path:
    """Where the root is, or will be: `$XDG_CACHE_HOME` or `~/.cache`, then `ringfence/asterisk-sid-<revision>`."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache).absolute() / "ringfence" / f"asterisk-{SUITE}-{REVISION}"


def ensure_root(progress: Progress = print) -> Path:
    """The root's path, built first if need be (about a minute; several callers at once build it once).

    Raises RootUnavailable if it cannot be built here.
    """
    if os.geteuid() != 0:
        raise RootUnavailable(RootUnavailable.hints["root"])
    root = root_path()
    if root.is_dir():
        return root
    if shutil.which("debootstrap") is None:
        raise RootUnavailable(RootUnavailable.hints["debootstrap"])
    if not KEYRING.exists():
        raise RootUnavailable(RootUnavailable.hints["keyring"])
    root.parent.mkdir(parents=True, exist_ok=True)
    with _locked(root.with_name(f"{root.name}.lock"), progress):
        if not root.is_dir():
            _build(root, progress)
    return root


def asterisk_version(root: Path) -> str:
    """The version in that root, as `22.10.1`; raises RootUnavailable if it does not run."""
    ran = subprocess.run(["chroot", root, "/usr/sbin/asterisk", "-V"], capture_output=True, text=True, check=False)
    found = re.match(r"Asterisk (\d+\.\d+\.\d+)", ran.stdout)
    if found is None:
        raise RootUnavailable(f"The Asterisk in {root} does not run: {(ran.stderr or ran.stdout).strip()[-300:]}")
    return found[1]


def settle_names(root: Path) -> None:
    """Let Asterisk find its own host without DNS: it looks itself up for each call and waits for the answer.

    A root has no /etc/hosts of its own, and a copied resolv.conf may name servers that are out of reach.
    """
    names = f"localhost {socket.gethostname()} A.ROOT-SERVERS.NET"
    for path, text in (
        (root / "etc/hosts", f"127.0.0.1 {names}\n::1 localhost\n"),
        (root / "etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
    ):
        if path.is_symlink() or not path.exists() or path.read_text(encoding="utf-8") != text:
            written = path.with_name(f".{path.name}.{os.getpid()}")
            written.write_text(text, encoding="utf-8")
            written.rename(path)


def debian_mirror(apt: Path = APT) -> str | None:
    """The Debian mirror this machine already uses, from its apt sources (one-line or deb822); None if it names none."""
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        uris = _one_line_uris(text) if path.suffix == ".list" else _deb822_uris(text)
        for uri in uris:
            if re.match(r"https?://", uri) and uri.rstrip("/").endswith("/debian"):
                return uri.rstrip("/")
    return None


def _one_line_uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if found := re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)", line):
            yield found[1]


def _deb822_uris(text: str) -> Iterator[str]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza))
        if fields.get("Enabled", "yes").strip().lower() != "no" and "deb" in fields.get("Types", "").split():
            yield from fields.get("URIs", "").split()


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Asterisk root: another build is under way, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(root: Path, progress: Progress) -> None:
    """Build next to `root` and rename, so that a half-built one is never taken for a whole one. The lock is held."""
    for leftover in root.parent.glob(f"{root.name}.building-*"):
        _discard(leftover)
    started = time.monotonic()

    def step(text: str) -> None:
        progress(f"Asterisk root: {text} ({time.monotonic() - started:.0f} s)")

    building = Path(tempfile.mkdtemp(prefix=f"{root.name}.building-", dir=root.parent))
    try:
        building.chmod(0o755)
        step("asking Debian for Asterisk, once; about a minute, 500 MB")
        _debootstrap(building, step)
        version = asterisk_version(building)
        if int(version.split(".")[0]) < OLDEST_MAJOR:
            raise RootUnavailable(f"Debian {SUITE} gave Asterisk {version}; {OLDEST_MAJOR} or later is needed.")
        subprocess.run(["chroot", building, "apt-get", "clean"], check=False, capture_output=True)
        building.rename(root)
    except BaseException:
        _discard(building)
        raise
    step(f"Asterisk {version} ready in {root}")


def _debootstrap(target: Path, step: Progress) -> None:
    command = ["debootstrap", "--force-check-gpg", "--variant=minbase", "--include=asterisk", SUITE, str(target)]
    if mirror := debian_mirror():
        command.append(mirror)
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=_environment()
    ) as build:
        assert build.stdout is not None
        try:
            _follow(build.stdout, lines, step)
        except BaseException:
            build.terminate()  # debootstrap unmounts what it mounted on its way out
            raise
    if build.returncode != 0:
        raise RootUnavailable(f"debootstrap failed ({build.returncode}): " + " · ".join(lines[-4:]))


def _follow(output: Iterable[str], lines: list[str], step: Progress) -> None:
    """Turn debootstrap's hundreds of lines into one a phase, and one every ten seconds within a phase."""
    phase, told = "", time.monotonic()
    for line in output:
        lines.append(line.strip())
        now = next((text for prefix, text in _PHASES if line.startswith(prefix)), phase)
        if now != phase or time.monotonic() - told > 10:
            phase, told = now, time.monotonic()
            step(phase)


def _environment() -> dict[str, str]:
    """debootstrap's environment: our own, plus the proxy that apt was told to use."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive")
    if "http_proxy" not in environment and shutil.which("apt-config"):
        ran = subprocess.run(
            ["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"],
            capture_output=True,
            text=True,
            check=False,
        )
        if proxy := ran.stdout.strip():
            environment["http_proxy"] = proxy
    return environment


def _discard(building: Path) -> None:
    """Remove a half-built root, unless something an interrupted build mounted in it cannot be unmounted."""
    for point in _mounted_in(building):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
    if not _mounted_in(building):
        shutil.rmtree(building, ignore_errors=True)


def _mounted_in(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)
