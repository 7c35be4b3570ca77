"""Changes of the registry of trunks, each one transaction with its journal entry; what happens on the PBX is desk.py's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict
from config.journal import Entry
from config.sealing import Seal
from telephony.tables import trunks
from telephony.trunking import trunks as registry
from telephony.trunking.choosing import live_calls, lock_of
from telephony.trunking.tables import trunk_health
from telephony.trunking.wanted import Managed, Setup


def managed(row: Row[Any], seal: Seal) -> Managed | None:
    """What the PBX should have of the trunk; None where its endpoint is the PBX's own. Raises SealBroken."""
    if row.setup is None:
        return None
    secret = seal.open(row.sealed_secret, row.name) if row.sealed_secret else None
    return Managed(row.name, Setup.model_validate(row.setup), secret)


async def managed_on(connection: AsyncConnection, pbx: str, seal: Seal) -> list[Managed]:
    """Every trunk of a PBX whose objects there are ours, also those that are switched off."""
    rows = await connection.execute(select(trunks).where(trunks.c.pbx == pbx).order_by(trunks.c.name))
    return [found for row in rows if (found := managed(row, seal)) is not None]


def state_of(row: Any) -> str:
    """active, draining (no new calls, the living ones end by themselves) or disabled."""
    if row.enabled:
        return "active"
    return "draining" if row.draining_since is not None else "disabled"


async def change(
    transaction: Transaction, name: str, columns: Mapping[str, Any], reason: str | None, *, actor: str, now: datetime
) -> Row[Any]:
    """Set columns of a trunk, journalled with what they were; a new secret is told only as such. Raises NotFound, Conflict."""
    row = await registry.find(transaction.connection, name)
    if "endpoint" in columns:
        await registry.require_free(transaction, name, row.pbx, columns["endpoint"], but=name)
    changed = {key: value for key, value in columns.items() if getattr(row, key) != value}
    await _write(transaction, row, {**changed, "updated_at": now, "updated_by": actor})
    before = registry.shown({key: getattr(row, key) for key in changed})
    data = {"name": name, "pbx": row.pbx, "before": before, "after": registry.shown(changed), "reason": reason}
    if "sealed_secret" in changed:
        data["secret"] = "changed" if changed["sealed_secret"] else "removed"
    transaction.journal(Entry(now, "trunk.changed", actor, data=data))
    return await registry.find(transaction.connection, name)


async def switch(
    transaction: Transaction, name: str, to: str, reason: str | None, *, actor: str, now: datetime
) -> Row[Any]:
    """Make a trunk active, draining or disabled; living calls are never cut. Draining ends as disabled, at once without a call."""
    row = await registry.find(transaction.connection, name)
    await transaction.lock([lock_of(row.pbx)])
    row = await registry.find(transaction.connection, name)
    live = (await live_calls(transaction.connection, [name])).get(name, 0)
    columns = {"enabled": to == "active", "draining_since": now if to == "draining" and live else None}
    if row.enabled == columns["enabled"] and (row.draining_since is None) == (columns["draining_since"] is None):
        return row
    await _write(transaction, row, {**columns, "updated_at": now, "updated_by": actor})
    kind = {"active": "trunk.enabled", "draining": "trunk.draining", "disabled": "trunk.disabled"}[to]
    data = {"name": name, "pbx": row.pbx, "live_calls": live, "reason": reason}
    transaction.journal(Entry(now, kind, actor, data=data))
    if to == "draining" and not live:
        transaction.journal(Entry(now, "trunk.drained", actor, data={"name": name, "pbx": row.pbx}))
    return await registry.find(transaction.connection, name)


async def finish_drains(transaction: Transaction, pbx: str, now: datetime) -> list[str]:
    """Disable the draining trunks of a PBX whose last call has ended; their names."""
    wanted = select(trunks).where(trunks.c.pbx == pbx, trunks.c.draining_since.is_not(None))
    rows = {row.name: row for row in await transaction.all(wanted)}
    if not rows:
        return []
    await transaction.lock([lock_of(pbx)])
    live = await live_calls(transaction.connection, rows)
    done = [name for name in rows if not live.get(name)]
    for name in done:
        await _write(transaction, rows[name], {"draining_since": None, "updated_at": now})
        transaction.journal(Entry(now, "trunk.drained", data={"name": name, "pbx": pbx}))
    return done


async def require_idle(transaction: Transaction, row: Row[Any]) -> None:
    """Raise Conflict while a call is on the trunk; nobody can take it until the transaction ends."""
    await transaction.lock([lock_of(row.pbx)])
    live = (await live_calls(transaction.connection, [row.name])).get(row.name, 0)
    if live:
        raise Conflict(
            f"{live} call(s) are on the trunk {row.name}: drain it, and remove it when they have ended", live=live
        )


async def remove(transaction: Transaction, row: Row[Any], reason: str | None, *, actor: str, now: datetime) -> None:
    """Strike a trunk off the registry; calls and carriers' records keep its name."""
    await transaction.execute(delete(trunk_health).where(trunk_health.c.trunk == row.name))
    await transaction.execute(delete(trunks).where(trunks.c.name == row.name))
    data = {**registry.shown(dict(row._mapping)), "reason": reason}
    data["draining_since"] = row.draining_since.isoformat() if row.draining_since else None
    transaction.journal(Entry(now, "trunk.removed", actor, data=data))


async def _write(transaction: Transaction, row: Row[Any], columns: Mapping[str, Any]) -> None:
    await transaction.execute(update(trunks).where(trunks.c.name == row.name).values(**columns))
