"""The spool: the folder where one PBX leaves its recordings, and the names it gives them.

A name is `<call id>.<role>.<uniqueid>.raw` (or `.wav`). Everything here is blocking: call it in a thread.
"""

import errno
import fcntl
import os
import re
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(
    r"(?P<call_id>[0-9a-f]{32}|emergency[0-9]{1,23})\.(?P<role>agent|customer)\.(?P<uniqueid>[A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(?:raw|wav)"
)
"""What the PBX is told to call a leg's file; nothing else is ever looked up by name (no path, no control character)."""

PROBE = re.compile(r"probe-[0-9A-Za-z]{1,64}\.raw")
"""What `ringfence pbx check` has the PBX record for half a second, to see that it can write here."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file name taken apart."""

    call_id: str
    role: str
    uniqueid: str

    @property
    def is_emergency(self) -> bool:
        """Whether the file is that of an emergency call, which passes without a decision and has no call row."""
        return self.call_id.startswith("emergency")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a file saw. Two equal looks some seconds apart mean that nobody writes it."""

    name: str
    size: int
    modified_ns: int
    inode: int


def file_name(call_id: str, role: str, uniqueid: str) -> str:
    """The name the PBX was told to use for this leg."""
    return f"{call_id}.{role}.{uniqueid}.raw"


def parse(name: str) -> Named | None:
    """The parts of a name that follows the pattern, None for any other name."""
    match = NAME.fullmatch(name)
    return Named(**match.groupdict()) if match else None


class Spool:
    """One PBX's folder as this machine sees it. Raises OSError when the folder cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> Look | None:
        """The file of that name, or the same leg's `.wav`; None when neither is there.

        Raises OSError when the folder itself is not there, so that an unmounted spool is not taken for lost recordings.
        """
        if parse(name) is None:
            return None
        stem = name.rpartition(".")[0]
        for candidate in (name, f"{stem}.raw", f"{stem}.wav"):
            look = self._look(candidate)
            if look is not None:
                return look
        os.stat(self.folder)
        return None

    def path(self, name: str) -> Path:
        """Where a file of this spool is. Raises ValueError for a name that could leave the folder."""
        if "/" in name or "\0" in name or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is not a file name")
        return self.folder / name

    def here(self, look: Look) -> Path:
        """Where the file can be read on this machine. Raises OSError."""
        return self.path(look.name)

    def probe(self) -> None:
        """Raises OSError unless files can be found here and removed."""
        with os.scandir(self.folder) as entries:
            next(entries, None)
        # access(2) says so for a read-only file system too, and to root as well.
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "files there cannot be removed", str(self.folder))

    def _look(self, name: str) -> Look | None:
        try:
            status = os.lstat(self.path(name))
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Look(name, status.st_size, status.st_mtime_ns, status.st_ino)

    def unchanged(self, look: Look) -> bool:
        """Whether the file is still the one that was looked at, byte for byte as far as the file system tells."""
        return self._look(look.name) == look

    def files(self) -> Iterator[Look]:
        """Everything in the folder that is a plain file (links and folders are not ours)."""
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            look = self._look(name)
            if look is not None:
                yield look

    def is_closed(self, name: str) -> bool | None:
        """False while somebody has the file open for writing, True when nobody has, None when the system cannot tell.

        The kernel grants a read lease only on a file without writers (fcntl(2), F_SETLEASE). Network file systems and
        files of another owner refuse to say.
        """
        handle = os.open(self.path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # A writer that opens the file meanwhile makes the kernel signal us: SIGIO would end the process, SIGURG is
            # ignored.
            fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return False if error.errno == errno.EAGAIN else None
        finally:
            os.close(handle)
        return True

    def clear(self, look: Look) -> bool:
        """Remove a file whose copy is proven. False, and nothing removed, when it has changed since `look`."""
        if self._look(look.name) is None:
            return True
        if not self.unchanged(look):
            return False
        os.unlink(self.path(look.name))
        return True
