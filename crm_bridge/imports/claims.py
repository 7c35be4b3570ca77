"""Who works on an import: one process at a time, by a lease that ends with it; what it did counts only while it holds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from config.database import Transaction
from crm_bridge.imports.tables import imports

LEASE = timedelta(minutes=2)


class Lost(Exception):
    """Somebody else took the import over, or it was canceled: nothing more is to be written."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the import's `attempts`-th taker; every order and every claim has a number of its own."""

    import_id: str
    attempts: int
    clock: Any

    async def hold(self, transaction: Transaction, **values: Any) -> None:
        """Prolong the lease in the transaction of a piece of work, and write `values`. Raises Lost."""
        now: datetime = self.clock()
        await self._write(transaction, {**values, "due_at": now + LEASE})

    async def end(self, transaction: Transaction, **values: Any) -> None:
        """Write how it ended; nobody is to take it up again. Raises Lost."""
        await self._write(transaction, {**values, "due_at": None})

    async def _write(self, transaction: Transaction, values: dict[str, Any]) -> None:
        mine = (imports.c.id == self.import_id) & (imports.c.attempts == self.attempts)
        done = await transaction.execute(update(imports).where(mine).values(**values))
        if not done.rowcount:
            raise Lost(self.import_id)
