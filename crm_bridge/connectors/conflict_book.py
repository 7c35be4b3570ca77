"""The open conflicts of a connector: found by pulls, ended when they are so no more or when somebody decides."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.connectors.problems import Problem
from crm_bridge.connectors.tables import conflicts


async def settle(
    transaction: Transaction,
    connector: Row[Any],
    record: str,
    case_id: str | None,
    found: Sequence[Problem],
    now: datetime,
) -> int:
    """Have exactly `found` open for a record: new ones are told, others are gone. How many are new."""
    wanted = {f"{record}:{one.key}": one for one in found}
    open_now = (
        (conflicts.c.connector_id == connector.id) & (conflicts.c.record == record) & (conflicts.c.state == "open")
    )
    known = {row.key: row for row in await transaction.all(select(conflicts).where(open_now))}
    gone = [row.id for key, row in known.items() if key not in wanted]
    if gone:
        ended = {"state": "gone", "ended_at": now, "ended_by": "system"}
        await transaction.execute(update(conflicts).where(conflicts.c.id.in_(gone)).values(**ended))
    new = {key: one for key, one in wanted.items() if key not in known}
    for key, one in new.items():
        row = {
            "id": new_id(now), "connector_id": connector.id, "key": key, "code": one.code, "record": record,
            "case_id": case_id, "field": one.field, "theirs": one.theirs, "ours": one.ours, "what": one.what,
            "what_zh": one.what_zh, "state": "open", "found_at": now,
        }  # fmt: skip
        await transaction.execute(insert(conflicts).values(**row))
        data = {
            "connector_id": connector.id,
            "conflict_id": row["id"],
            "code": one.code,
            "record": record,
            "field": one.field,
        }
        told = case_id if case_id and one.code != "other-client" else None
        transaction.journal(Entry(now, "connector.conflict", "system", connector.client, case_id=told, data=data))
    for key in wanted.keys() & known.keys():
        await _renew(transaction, known[key], wanted[key])
    return len(new)


async def _renew(transaction: Transaction, row: Row[Any], one: Problem) -> None:
    if (row.theirs, row.ours, row.what) != (one.theirs, one.ours, one.what):
        said = {"theirs": one.theirs, "ours": one.ours, "what": one.what, "what_zh": one.what_zh}
        await transaction.execute(update(conflicts).where(conflicts.c.id == row.id).values(**said))


async def records_with(connection: AsyncConnection, connector_id: str, records: Collection[str]) -> set[str]:
    """Which of these records have open conflicts."""
    wanted = (
        (conflicts.c.connector_id == connector_id) & (conflicts.c.state == "open") & conflicts.c.record.in_(records)
    )
    return {row.record for row in (await connection.execute(select(conflicts.c.record).where(wanted))).all()}


async def listing(
    connection: AsyncConnection, connector_id: str, *, state: str, after: str, limit: int
) -> Sequence[Row[Any]]:
    """A connector's conflicts, newest first, those before the id `after`."""
    wanted = [conflicts.c.connector_id == connector_id]
    wanted += (
        [conflicts.c.state == "open"] if state == "open" else [conflicts.c.state != "open"] if state == "ended" else []
    )
    wanted += [conflicts.c.id < after] if after else []
    statement = select(conflicts).where(*wanted).order_by(conflicts.c.id.desc()).limit(limit)
    found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    return found


async def counts(connection: AsyncConnection) -> Mapping[str, int]:
    """How many are open, by connector."""
    counted = select(conflicts.c.connector_id, func.count().label("count")).where(conflicts.c.state == "open")
    rows = (await connection.execute(counted.group_by(conflicts.c.connector_id))).all()
    return {row.connector_id: int(row._mapping["count"]) for row in rows}


async def find(connection: AsyncConnection, connector_id: str, conflict_id: str) -> Row[Any]:
    """A conflict of a connector. Raises NotFound."""
    mine = (conflicts.c.connector_id == connector_id) & (conflicts.c.id == conflict_id)
    row = (await connection.execute(select(conflicts).where(mine))).first()
    if row is None:
        raise NotFound(f"there is no conflict {conflict_id}")
    return row


async def end(transaction: Transaction, conflict_id: str, state: str, by: str, now: datetime) -> None:
    """Somebody decided: `ours` or `theirs`."""
    ended = {"state": state, "ended_at": now, "ended_by": by}
    await transaction.execute(update(conflicts).where(conflicts.c.id == conflict_id).values(**ended))
