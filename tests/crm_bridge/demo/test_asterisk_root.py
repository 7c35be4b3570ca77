"""The Asterisk root: where it is, what it is built from, and what is said when it cannot be."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crm_bridge.demo import asterisk_root
from crm_bridge.demo.asterisk_root import (
    RootUnavailable,
    asterisk_version,
    debian_mirror,
    ensure_root,
    root_path,
    settle_names,
)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put_debootstrap(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A debootstrap of our own, first on the PATH."""
    folder.mkdir()
    (folder / "debootstrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "debootstrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_root_holds_asterisk_22_or_later() -> None:
    assert int(asterisk_version(ensure_root()).split(".")[0]) >= 22


def test_a_root_once_built_is_taken_without_a_word() -> None:
    ensure_root()
    said: list[str] = []
    assert ensure_root(said.append) == root_path()
    assert said == []


def test_the_root_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert root_path() == tmp_path / "ringfence" / "asterisk-sid-1"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert root_path() == tmp_path / ".cache" / "ringfence" / "asterisk-sid-1"


def test_a_failed_build_says_why_and_leaves_nothing(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_debootstrap(tmp_path / "bin", "echo 'E: Failed getting release file'; exit 1", monkeypatch)
    with pytest.raises(RootUnavailable, match="Failed getting release file"):
        ensure_root(lambda _: None)
    assert [path.name for path in (empty_cache / "ringfence").iterdir()] == ["asterisk-sid-1.lock"]


def test_a_half_built_root_of_an_interrupted_build_is_cleared_away(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = empty_cache / "ringfence" / "asterisk-sid-1.building-abc"
    leftover.mkdir(parents=True)
    put_debootstrap(tmp_path / "bin", "exit 1", monkeypatch)
    with pytest.raises(RootUnavailable):
        ensure_root(lambda _: None)
    assert not leftover.exists()


def test_a_build_under_way_elsewhere_is_waited_for(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_debootstrap(tmp_path / "bin", "exit 1", monkeypatch)
    root = root_path()
    root.parent.mkdir(parents=True)
    with (root.parent / "asterisk-sid-1.lock").open("w") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)

        def they_finish(said: str) -> None:
            assert "another build is under way" in said
            root.mkdir()
            fcntl.flock(theirs, fcntl.LOCK_UN)

        assert ensure_root(they_finish) == root


def test_without_debootstrap_it_says_what_to_install(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RootUnavailable, match="apt-get install debootstrap"):
        ensure_root()


def test_without_debians_keys_nothing_is_downloaded(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asterisk_root, "KEYRING", tmp_path / "no-such-keyring.gpg")
    put_debootstrap(tmp_path / "bin", "exit 1", monkeypatch)
    with pytest.raises(RootUnavailable, match="apt-get install debian-archive-keyring"):
        ensure_root()


def test_whoever_is_not_root_is_told_so() -> None:
    code = (
        "import os; os.setuid(65534)\n"
        "from crm_bridge.demo.asterisk_root import *\n"
        "try: ensure_root()\n"
        "except RootUnavailable as fault: print(fault.detail)\n"
    )
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    code = f"import sys; sys.path[:0] = {sys.path!r}\nimport crm_bridge.demo.asterisk_root\n" + code
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert "run this as root (sudo)" in ran.stdout, ran.stderr


@pytest.mark.parametrize(
    ("name", "text", "mirror"),
    [
        ("sources.list", "deb http://mirror.test/debian bookworm main\n", "http://mirror.test/debian"),
        ("sources.list", "# deb http://old.test/debian bookworm main\ndeb [arch=amd64] https://a.test/debian/ x main\n",
         "https://a.test/debian"),
        ("sources.list", "deb http://archive.ubuntu.com/ubuntu noble main\n", None),
        ("sources.list", "deb http://security.test/debian-security bookworm-security main\n", None),
        ("sources.list.d/debian.sources",
         "Types: deb\n# a note\nURIs: http://deb.test/debian\nSuites: bookworm\nComponents: main\n",
         "http://deb.test/debian"),
        ("sources.list.d/debian.sources", "Enabled: no\nTypes: deb\nURIs: http://off.test/debian\n\n"
         "Types: deb\nURIs:\n http://first.test/debian\n http://second.test/debian\nSuites: trixie\n",
         "http://first.test/debian"),
        ("sources.list.d/source-only.sources", "Types: deb-src\nURIs: http://src.test/debian\n", None),
        ("sources.list.d/off.sources.disabled", "Types: deb\nURIs: http://disabled.test/debian\n", None),
    ],
)  # fmt: skip
def test_the_mirror_is_the_one_this_machine_uses(tmp_path: Path, name: str, text: str, mirror: str | None) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    assert debian_mirror(tmp_path) == mirror


def test_no_apt_sources_mean_debootstraps_own_mirror(tmp_path: Path) -> None:
    assert debian_mirror(tmp_path) is None


def test_asterisk_finds_its_own_host_without_dns(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    settle_names(tmp_path)
    settle_names(tmp_path)
    assert socket.gethostname() in (tmp_path / "etc/hosts").read_text()
    assert "192.0.2.1" not in (tmp_path / "etc/resolv.conf").read_text()
