"""What a look at a PBX says: one finding a thing that is wrong, and what it was held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from telephony.ami import AmiLink
from telephony.ari import StoredRecordings
from telephony.pbx_setup.dialplan import DialplanSettings


class Severity(StrEnum):
    """error: calls fail, go unrecorded or past the gate; warning: something is lost or in doubt; info: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `where` on the PBX, what, and how to mend it."""

    code: str
    severity: Severity
    where: str
    message: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What to hold the PBX against."""

    link: AmiLink
    dialplan: DialplanSettings
    spool_local: Path
    trunks: Sequence[str] = ()
    stored: StoredRecordings | None = None
