"""A person decides a conflict: one side's value holds from now on, and what the CRM said is no news any more."""

import json
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Conflict
from config.journal import Entry
from crm_bridge.cases import cases
from crm_bridge.cases.documents import CaseIn
from crm_bridge.connectors import conflict_book
from crm_bridge.connectors.case_writing import crm_user
from crm_bridge.connectors.merging import STOPPED
from crm_bridge.connectors.problems import KINDS
from crm_bridge.connectors.tables import records
from crm_bridge.people.users import User
from crm_bridge.tables import cases as cases_table

Side = Literal["ours", "theirs"]


async def decide(
    transaction: Transaction,
    connector: Row[Any],
    conflict_id: str,
    take: Side,
    *,
    region: str,
    user: User,
    now: datetime,
) -> Row[Any]:
    """Take one side's value where both changed it: the conflict, ended. Raises NotFound; Conflict: there is nothing to decide."""
    found = await conflict_book.find(transaction.connection, connector.id, conflict_id)
    if found.state != "open":
        raise Conflict(f"the conflict is {found.state} already")
    if not KINDS[found.code].decided or found.case_id is None:
        raise Conflict("there is nothing to choose here: mend it in the CRM or in the mapping, and pull again")
    await transaction.lock([f"case:{found.case_id}"])
    theirs, ours = _value(found.field, found.theirs), _value(found.field, found.ours)
    mine = (records.c.connector_id == connector.id) & (records.c.record == found.record)
    known = await transaction.first(select(records).where(mine))
    if known is not None:
        base = {name: value for name, value in known.base.items() if name != STOPPED} | {found.field: theirs}
        await transaction.execute(update(records).where(mine).values(base=base))
    value = theirs if take == "theirs" else ours
    await _hold(transaction, connector, found, value, region, now)
    await conflict_book.end(transaction, found.id, take, user.name, now)
    data = {"connector_id": connector.id, "conflict_id": found.id, "field": found.field, "take": take}
    transaction.journal(Entry(now, "connector.decided", user.name, connector.client, case_id=found.case_id, data=data))
    return await conflict_book.find(transaction.connection, connector.id, conflict_id)


async def _hold(
    transaction: Transaction, connector: Row[Any], found: Row[Any], value: Any, region: str, now: datetime
) -> None:
    """Have the case hold the value, unless it does, or somebody changed it since the conflict was found."""
    case = await transaction.first(select(cases_table).where(cases_table.c.id == found.case_id))
    if case is None or case._mapping[found.field] == value:
        return
    if found.field == "state":  # else a state that the CRM has said before would not be taken
        unsaid = update(cases_table).where(cases_table.c.id == case.id).values(upserted_state="")
        await transaction.execute(unsaid)
    given = CaseIn.model_validate({"client": connector.client, found.field: value})
    await cases.upsert(transaction, case.id, given, user=crm_user(connector), region=region, now=now)


def _value(field: str, shown: str | None) -> Any:
    if field != "debts" or shown is None:
        return shown
    try:
        return json.loads(shown)
    except ValueError:
        raise Conflict("the list is too long to be taken over here: change it in the CRM") from None
