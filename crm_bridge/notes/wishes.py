"""What a party says of when to be called: agreed times ("call me at nine") and times not to call, heeded at once.

Both go into the party's own columns, which the calling policy reads, and are remembered in `said`, so that the next upsert
of a CRM that knows nothing of them does not take them back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from config.database import Transaction
from config.journal import Entry
from crm_bridge.people.users import User
from crm_bridge.tables import parties
from telephony.policy.facts import Agreement, Band

KINDS = ("agreements", "inconvenient")


def with_said(values: dict[str, Any], said: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """`values` of an upsert, with what the party told the desk added to the lists it replaces; what is over goes."""
    added = {}
    for kind in KINDS:
        told = [one for one in (said or {}).get(kind, []) if not _is_over(one, now)]
        if kind in values:
            added[kind] = [*values[kind], *(one for one in told if one not in values[kind])]
    return {**values, **added}


def _is_over(one: dict[str, Any], now: datetime) -> bool:
    until = one.get("until")
    return until is not None and datetime.fromisoformat(until) <= now


async def note(
    transaction: Transaction,
    party_id: str,
    agreements: Sequence[Agreement],
    inconvenient: Sequence[Band],
    *,
    case: Any,
    call_id: str | None,
    user: User,
    now: datetime,
) -> None:
    """Add what the party said; the caller holds the person's lock. Said again, nothing changes."""
    row = await transaction.first(select(parties).where(parties.c.id == party_id))
    if row is None:
        return
    given = {"agreements": _documents(agreements), "inconvenient": _documents(inconvenient)}
    said = {kind: list((row.said or {}).get(kind, [])) for kind in KINDS}
    new = {kind: [one for one in given[kind] if one not in said[kind]] for kind in KINDS}
    if not any(new.values()):
        return
    kept = {kind: [one for one in said[kind] if not _is_over(one, now)] + new[kind] for kind in KINDS}
    values = {
        kind: [*row._mapping[kind], *(one for one in new[kind] if one not in row._mapping[kind])] for kind in KINDS
    }
    await transaction.execute(update(parties).where(parties.c.id == party_id).values(**values, said=kept))
    data = {"party_id": party_id, **{kind: list_ for kind, list_ in new.items() if list_}}
    transaction.journal(Entry(now, "party.agreed", user.name, case.client, case.collector, case.id, call_id, data))


def _documents(given: Sequence[Agreement | Band]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in given]
