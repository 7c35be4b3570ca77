"""A store that takes everything and gives back less than it was given: a real S3 server behind a proxy that cuts answers."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recordings.archive import Archive
from recordings.intake import Intake
from recordings.s3_store import S3Store
from tests.support.s3 import ACCESS, SECRET, S3Server
from tests.support.spooled import Recorder, stereo, tone


class _Proxy(ThreadingHTTPServer):
    """Passes everything on to the server at `port`; `cut` tells what is left of the body of a GET."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.port = port
        self.honest = False


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        upstream.request(self.command, self.path, body or None, dict(self.headers))
        answer = upstream.getresponse()
        data = answer.read()
        is_object = self.command == "GET" and self.path.count("/") > 2 and answer.status in (200, 206)
        if is_object and not self.server.honest:
            data = data[: len(data) // 2]
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "etag", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data)
        upstream.close()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[_Proxy]:
    """In front of the real server, until the test ends."""
    proxy = _Proxy(s3_server.ports["s3"])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()


async def test_a_recording_the_store_gives_back_shorter_stays_in_the_spool_until_it_is_whole(
    recorder: Recorder, s3_server: S3Server, proxy: _Proxy, tmp_path: Path
) -> None:
    store = S3Store(
        f"s3://{s3_server.bucket()}/calls", work=tmp_path / "work", endpoint=f"http://127.0.0.1:{proxy.server_port}",
        lock="governance", access_key=ACCESS, secret_key=SECRET,
    )  # fmt: skip
    archive = Archive(store=store, keyring=recorder.keyring)
    recorder.intake = Intake(database=recorder.database, archive=archive, spools=recorder.spools)
    call = await recorder.call(agent=None)
    file = recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    row = await recorder.row(call, "customer")
    assert (row.state, row.object) == ("expected", None)
    assert row.error
    assert file.exists()
    proxy.honest = True
    await recorder.run(600)
    row = await recorder.row(call, "customer")
    assert (row.state, row.error) == ("archived", None)
    assert not file.exists()
