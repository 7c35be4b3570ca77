"""Due times are columns: a row with `due_at` is claimed by one conditional UPDATE and fired once, also after a restart."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, select, update
from sqlalchemy.engine import Row

from config.database import Transaction


async def claim_due(
    transaction: Transaction, table: Table, now: datetime, *, lease: timedelta, limit: int = 20
) -> list[Row[Any]]:
    """Claim rows whose `due_at` has come: it moves `lease` ahead, so a claimer that dies is followed by another.

    Who finishes the work sets `due_at` to None (done) or to the next time. `attempts`, where the table has it, counts claims.
    """
    key = table.primary_key.columns.values()[0]
    due = (
        select(key).where(table.c.due_at <= now).order_by(table.c.due_at).limit(limit).with_for_update(skip_locked=True)
    )
    values: dict[str, Any] = {"due_at": now + lease}
    if "attempts" in table.c:
        values["attempts"] = table.c.attempts + 1
    claimed = await transaction.execute(update(table).where(key.in_(due)).values(**values).returning(*table.c))
    return list(claimed.all())
