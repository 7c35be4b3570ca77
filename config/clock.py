"""The one place that asks what time it is; everything else is handed `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment as an aware UTC datetime."""
    return datetime.now(UTC)
