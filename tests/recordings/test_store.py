"""The local store: durable, never overwritten, nothing half-written under a key."""

import subprocess
import sys
from pathlib import Path

import pytest

from recordings.store import LocalStore, ObjectDiffers, Stored


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "archive")


def source(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "source"
    path.write_bytes(data)
    return path


def test_what_is_stored_is_given_back(store: LocalStore, tmp_path: Path) -> None:
    stored = store.put("2026/06/01/call/agent.x.flac", source(tmp_path, b"sound"))
    assert stored == store.read_back("2026/06/01/call/agent.x.flac")
    assert stored.size == 5
    with store.open("2026/06/01/call/agent.x.flac") as reader:
        assert reader.read() == b"sound"
    assert store.exists("2026/06/01/call/agent.x.flac")
    assert not store.exists("2026/06/01/call/other.flac")
    assert not list(store.incoming.iterdir())


def test_the_same_bytes_may_be_stored_again(store: LocalStore, tmp_path: Path) -> None:
    assert store.put("a/b", source(tmp_path, b"sound")) == store.put("a/b", source(tmp_path, b"sound"))


def test_other_bytes_under_a_known_key_are_refused_and_the_object_stays(store: LocalStore, tmp_path: Path) -> None:
    store.put("a/b", source(tmp_path, b"sound"))
    with pytest.raises(ObjectDiffers):
        store.put("a/b", source(tmp_path, b"other"))
    with store.open("a/b") as reader:
        assert reader.read() == b"sound"
    assert not list(store.incoming.iterdir())


@pytest.mark.parametrize("key", ["", "../x", "a/../../x", "/etc/passwd", "a//b", ".incoming/x", "a/\0", "a/."])
def test_a_key_cannot_leave_the_folder(store: LocalStore, key: str) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        store.path(key)


def test_an_archive_url_names_its_folder() -> None:
    assert LocalStore.at("file:///var/lib/ring%20fence").root == Path("/var/lib/ring fence")


def test_a_limit_of_the_file_system_leaves_no_object_and_no_rest(store: LocalStore, tmp_path: Path) -> None:
    big = source(tmp_path, bytes(300_000))
    code = (
        "import resource, signal, sys; from pathlib import Path; from recordings.store import LocalStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "LocalStore(Path(sys.argv[1])).put('a/b', Path(sys.argv[2]))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(store.root), str(big)], capture_output=True, text=True)
    assert "File too large" in ended.stderr
    assert not store.exists("a/b")
    assert not list(store.incoming.iterdir())


def test_a_probe_leaves_nothing_behind(store: LocalStore) -> None:
    store.probe()
    assert not list(store.incoming.iterdir())


def test_a_store_below_a_plain_file_cannot_be_probed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        LocalStore(source(tmp_path, b"") / "archive").probe()


def test_read_back_sees_what_the_disk_holds(store: LocalStore, tmp_path: Path) -> None:
    stored = store.put("a/b", source(tmp_path, b"sound"))
    store.path("a/b").write_bytes(b"sonnd")
    assert store.read_back("a/b") == Stored(store.read_back("a/b").sha256, 5)
    assert store.read_back("a/b") != stored
