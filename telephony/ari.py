"""What the PBX recorded, over its REST interface (ARI): for a PBX on another machine, whose spool cannot be shared.

Asterisk gives away what lies below `recording/` in its spool; it tells names and lengths, no times. Everything here blocks:
call it in a thread. https://docs.asterisk.org/Asterisk_22_Documentation/API_Documentation/Asterisk_REST_Interface/Recordings_REST_API/
"""

from collections.abc import Callable
from urllib.parse import quote

import urllib3

from config.settings import Pbx

BLOCK = 1 << 16
SECONDS = urllib3.Timeout(connect=3, read=15)
_ABOVE = "/recording/"


class AriFailed(OSError):
    """The PBX did not give what was asked, for the reason in the text; to a spool's users this is a spool that cannot be read."""


class StoredRecordings:
    """The files of one folder below `recording/`, by their names with the ending. Raises AriFailed."""

    def __init__(self, url: str, username: str, secret: str, spool_pbx: str) -> None:
        self._url = url.rstrip("/") + "/recordings/stored"
        self._prefix = spool_pbx.partition(_ABOVE)[2].strip("/") + "/"
        headers = urllib3.make_headers(basic_auth=f"{username}:{secret}")
        self._http = urllib3.PoolManager(headers=headers, timeout=SECONDS, retries=False, maxsize=4)

    def names(self) -> list[str]:
        """Every file of the folder."""
        listed = self._ask("GET", "").json()
        found = (f"{entry['name']}.{entry['format']}" for entry in listed)
        return [name.removeprefix(self._prefix) for name in found if name.startswith(self._prefix)]

    def size(self, name: str) -> int | None:
        """How many bytes the PBX would send now; None when it has no such file."""
        answer = self._ask("GET", self._file(name), stream=True)
        answer.release_conn() if answer.status == 404 else answer.close()
        return None if answer.status == 404 else int(answer.headers["Content-Length"])

    def download(self, name: str, take: Callable[[bytes], object]) -> int:
        """Hand the file's bytes to `take`; returns how many. A connection that breaks half-way raises."""
        answer = self._ask("GET", self._file(name), stream=True)
        if answer.status == 404:
            raise AriFailed(f"the PBX has no recording {name} any more")
        written = 0
        try:
            for block in answer.stream(BLOCK):
                take(block)
                written += len(block)
        except urllib3.exceptions.HTTPError as error:
            raise AriFailed(f"the PBX stopped sending {name}: {error}") from error
        finally:
            answer.close()
        return written

    def delete(self, name: str) -> None:
        """Have the PBX remove it; one that is gone already is fine."""
        self._ask("DELETE", "/" + self._quoted(name))

    def _quoted(self, name: str) -> str:
        return quote(self._prefix + name.rpartition(".")[0], safe="")

    def _file(self, name: str) -> str:
        return f"/{self._quoted(name)}/file"

    def _ask(self, method: str, path: str, *, stream: bool = False) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._http.request(method, self._url + path, preload_content=not stream)
        except urllib3.exceptions.HTTPError as error:
            raise AriFailed(f"the PBX's ARI cannot be reached: {error}") from error
        if answer.status in (401, 403):
            raise AriFailed(
                "the PBX's ARI refuses the log-in: check ari_username and ari_secret, and read_only=no there"
            )
        if answer.status >= 400 and answer.status != 404:
            raise AriFailed(f"the PBX's ARI answers {answer.status} to {method} {path or '/'}")
        return answer


def stored_recordings(pbx: Pbx) -> StoredRecordings | None:
    """Of a PBX whose spool is read over ARI; None where the folder is shared."""
    if pbx.ari_url is None:
        return None
    secret = pbx.ari_secret.get_secret_value() if pbx.ari_secret else ""
    return StoredRecordings(pbx.ari_url, pbx.ari_username or "", secret, pbx.spool_pbx)
