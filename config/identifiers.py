"""Identifiers of our own: sortable by time, safe in channel ids, file names and URLs."""

import re
import secrets
from datetime import datetime

PATTERN = re.compile(r"^[0-9a-f]{32}$")


def new_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562) as 32 hex digits: 48 bits of milliseconds, the rest random."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{value:032x}"
