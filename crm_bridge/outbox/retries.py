"""When an item is tried again, and when a destination is given up: pure.

The schedule is that of the Standard Webhooks specification (standardwebhooks.com, "retry schedule"), spread by up to a tenth so
that what failed together does not come back together.
"""

from datetime import datetime, timedelta
from random import Random

SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""From each failed try to the next; the first is made at once, and there are ten in all."""
LAST = len(SCHEDULE) + 1
DOWN = 5
"""Failures in a row after which a destination counts as down: one item at a time is tried, the others keep their tries."""
SHORTEST, LONGEST = timedelta(seconds=5), timedelta(minutes=5)
"""Between two such tries."""
GIVE_UP = timedelta(days=5)
"""A destination that has failed for so long without one success is disabled."""
PATIENCE = timedelta(days=1)
"""The longest time that a receiver may ask us to wait."""


def next_try(attempt: int, now: datetime, not_before: datetime | None, random: Random) -> datetime | None:
    """When to try again after the failed try number `attempt`; None: that was the last."""
    if attempt >= LAST:
        return None
    due = now + SCHEDULE[attempt - 1] * (1 + random.random() / 10)
    return due if not_before is None else max(due, min(not_before, now + PATIENCE))


def pause(failures: int, now: datetime, random: Random) -> datetime | None:
    """Until when a destination with so many failures in a row is left alone; None: it is not down."""
    if failures < DOWN:
        return None
    doubled = SHORTEST * (1 << min(failures - DOWN, 10))
    return now + min(doubled, LONGEST) * (1 + random.random() / 10)
