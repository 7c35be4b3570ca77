"""A client goes: its settings are taken away whole, once nothing of it is under way and nothing of it is held.

What was done for it stays: cases, calls, recordings with their dates, the journal. The entry holds every setting as it
was, so that each can be set again.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, func, or_, select
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Conflict, NotFound
from config.journal import Entry
from crm_bridge.clocks.tables import complaint_ladders, deadline_rules, working_calendars
from crm_bridge.connectors.tables import connectors
from crm_bridge.embed.tables import screen_pop_links
from crm_bridge.imports.tables import import_mappings
from crm_bridge.inbound.tables import inbound_routes
from crm_bridge.notes.tables import action_code_sets, note_templates
from crm_bridge.people import scope
from crm_bridge.people.desk_tables import third_party_scripts
from crm_bridge.people.users import User
from crm_bridge.reports.tables import report_mailings
from crm_bridge.tables import cases
from recordings.retention_tables import hold_cases, hold_recordings, holds
from recordings.tables import recordings
from telephony.tables import calls, policies
from telephony.trunking.tables import caller_id_pools

SETTINGS: tuple[Table, ...] = (
    policies, action_code_sets, note_templates, import_mappings, complaint_ladders, deadline_rules, working_calendars,
    screen_pop_links, third_party_scripts, caller_id_pools, report_mailings,
)  # fmt: skip
OVER = ("closed", "returned", "settled")
"""States of a case on which nobody works any more."""


async def remove(transaction: Transaction, client: str, reason: str, *, user: User, now: datetime) -> None:
    """Take every setting of the client away, journalled. Raises Forbidden, NotFound, Conflict that says what stands against it."""
    scope.require_client(user, client)
    await transaction.lock([f"client:{client}", f"policy:{client}"])
    before = {table.name: await _rows(transaction, table, client) for table in SETTINGS}
    if not any(before.values()):
        raise NotFound(f"there are no settings of a client {client}")
    against = await _against(transaction, client)
    if against:
        raise Conflict(f"{client} has {', '.join(against)}; end or move them first", against=against)
    for table in SETTINGS:
        await transaction.execute(delete(table).where(table.c.client == client))
    data = {"before": {name: rows for name, rows in before.items() if rows}, "reason": reason}
    transaction.journal(Entry(now, "client.removed", user.name, client, data=data))


async def _rows(transaction: Transaction, table: Table, client: str) -> list[dict[str, Any]]:
    rows = await transaction.all(select(table).where(table.c.client == client))
    return [_document(row) for row in rows]


def _document(row: Row[Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(dict(row._mapping), default=str, ensure_ascii=False))
    return document


async def _against(transaction: Transaction, client: str) -> list[str]:
    """What still needs the client, in words with how many."""
    of_cases = select(hold_cases.c.hold_id).join(cases, cases.c.id == hold_cases.c.case_id)
    of_recordings = (
        select(hold_recordings.c.hold_id)
        .join(recordings, recordings.c.id == hold_recordings.c.recording_id)
        .join(calls, calls.c.id == recordings.c.call_id)
    )
    held = or_(
        holds.c.id.in_(of_cases.where(cases.c.client == client)),
        holds.c.id.in_(of_recordings.where(calls.c.client == client)),
    )
    counted = {
        "holds that are not released": (holds, and_(holds.c.released_at.is_(None), held)),
        "cases that are open": (cases, and_(cases.c.client == client, cases.c.state.not_in(OVER))),
        "calls that go on": (calls, and_(calls.c.client == client, calls.c.ended_at.is_(None))),
        "connected CRMs": (connectors, connectors.c.client == client),
        "inbound routes": (inbound_routes, inbound_routes.c.client == client),
    }
    found = []
    for name, (table, condition) in counted.items():
        number = (await transaction.all(select(func.count()).select_from(table).where(condition)))[0][0]
        if number:
            found.append(f"{number} {name}")
    return found
