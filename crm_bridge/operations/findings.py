"""What the doctor says: one line a look, what is wrong and how to mend it."""

from dataclasses import dataclass
from pathlib import Path

from config.database import Database
from config.settings import Settings
from telephony.pbx_setup.findings import Severity


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. `severity` None: it is well; `message` then says what was seen."""

    where: str
    message: str
    severity: Severity | None = None
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    settings: Settings
    database: Database
    config: Path


def well(where: str, message: str) -> Look:
    """Nothing is wrong with it."""
    return Look(where, message)


def wrong(where: str, message: str, mend: str) -> Look:
    """Calls fail, go unrecorded, or cannot be answered for."""
    return Look(where, message, Severity.ERROR, mend)


def doubtful(where: str, message: str, mend: str) -> Look:
    """It works, and may not go on working."""
    return Look(where, message, Severity.WARNING, mend)
