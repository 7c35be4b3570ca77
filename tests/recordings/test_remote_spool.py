"""The spool of a PBX elsewhere, over a real Asterisk's ARI; and an ARI that breaks off or lies, over a real socket."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crm_bridge.demo.lab import Lab
from recordings.remote_spool import RemoteSpool
from telephony.ari import AriFailed, StoredRecordings

NAME = "0123456789abcdef0123456789abcdef.customer.1795.12.raw"


@pytest.fixture
def there(lab: Lab) -> Iterator[Path]:
    """The folder as the PBX has it."""
    folder = Path(lab.pbx.spool_local) / "recording" / "far"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    for file in folder.iterdir():
        file.unlink()


@pytest.fixture
def spool(lab: Lab, there: Path, tmp_path: Path) -> RemoteSpool:
    """The same folder from here."""
    url = f"http://127.0.0.1:{lab.pbx.http_port}/ari"
    stored = StoredRecordings(url, lab.pbx.ami_username, lab.pbx.ami_secret, f"{lab.pbx.spool_pbx}/recording/far")
    return RemoteSpool(tmp_path, stored)


def test_a_file_is_found_fetched_and_removed(spool: RemoteSpool, there: Path, tmp_path: Path) -> None:
    (there / NAME).write_bytes(b"voice" * 50_000)
    assert [look.name for look in spool.files()] == [NAME]
    look = spool.find(NAME)
    assert look is not None
    assert spool.here(look).read_bytes() == b"voice" * 50_000
    assert spool.unchanged(look)
    assert spool.clear(look)
    assert not (there / NAME).exists()
    assert spool.find(NAME) is None
    assert list(tmp_path.glob("*.raw")) == []


def test_a_file_that_grew_is_not_taken_for_the_one_looked_at(spool: RemoteSpool, there: Path) -> None:
    (there / NAME).write_bytes(b"one")
    look = spool.find(NAME)
    assert look is not None
    (there / NAME).write_bytes(b"longer")
    assert not spool.unchanged(look)
    with pytest.raises(AriFailed, match="had 3 bytes and now has 6"):
        spool.here(look)
    assert not spool.clear(look)
    assert (there / NAME).exists()


def test_a_file_that_differs_from_what_was_fetched_stays(spool: RemoteSpool, there: Path) -> None:
    (there / NAME).write_bytes(b"first!")
    look = spool.find(NAME)
    assert look is not None
    spool.here(look)
    (there / NAME).write_bytes(b"second")
    assert not spool.clear(look)
    assert (there / NAME).read_bytes() == b"second"


def test_what_only_the_landing_folder_has_belongs_to_the_spool(spool: RemoteSpool, there: Path) -> None:
    (there / NAME).write_bytes(b"the only copy")
    look = spool.find(NAME)
    assert look is not None
    spool.here(look)
    (there / NAME).unlink()
    assert [found.name for found in spool.files()] == [NAME]
    found = spool.find(NAME)
    assert found is not None
    assert spool.here(found).read_bytes() == b"the only copy"


class _Breaking(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Breaking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        stored = StoredRecordings(f"http://127.0.0.1:{server.server_port}/ari", "u", "s", "/x/recording/far")
        spool = RemoteSpool(tmp_path, stored)
        look = spool.find(NAME)
        assert look is not None
        assert look.size == 1000
        with pytest.raises(AriFailed, match="stopped sending"):
            spool.here(look)
        assert not (tmp_path / NAME).exists()
    finally:
        server.shutdown()
        server.server_close()


def test_a_pbx_that_is_away_is_a_spool_that_cannot_be_read(tmp_path: Path) -> None:
    spool = RemoteSpool(tmp_path, StoredRecordings("http://127.0.0.1:9/ari", "u", "s", "/x/recording/far"))
    with pytest.raises(OSError, match="cannot be reached"):
        spool.find(NAME)
    with pytest.raises(OSError, match="cannot be reached"):
        spool.probe()
