"""Objects of another client and of another team, one of every kind, so that a test can ask for each of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, Table, insert

from config.database import Database, Transaction
from config.journal import Entry
from config.schema import UtcDateTime
from crm_bridge import tables
from crm_bridge.carrier import tables as carrier_tables
from crm_bridge.clocks import tables as clock_tables
from crm_bridge.connectors import tables as crms
from crm_bridge.embed.tables import screen_pop_links
from crm_bridge.imports.tables import import_mappings, import_rows, imports
from crm_bridge.inbound import tables as inbound_tables
from crm_bridge.notes import tables as note_tables
from crm_bridge.outbox import tables as outbox
from crm_bridge.qa import tables as qa
from recordings import retention_tables as keeping
from recordings import tables as evidence
from telephony import tables as telephony
from telephony.trunking.tables import caller_id_pools

NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
WORLDS = {"far": ("otherbank", "zhao", None), "south": ("bank", "wu", "south")}
"""By name: the client whose objects they are, who works on them, in which team."""
MAPPING = {"columns": [{"column": "案件编号", "field": "case_id"}]}
CODES = {"codes": [{"code": "A", "label": {"zh": "字", "en": "a"}}], "fields": []}
RULE = {"within": 1, "unit": "days", "owner": "supervisor"}
STEP = {"name": "a", "role": "supervisor", "within": 1, "unit": "days"}
LADDER = {"answer": {"within": 5, "unit": "working_days"}, "steps": [STEP]}
NUMBERS = {"far": "+8613800138001", "south": "+8613800138002"}


def _empty(column: Column[Any]) -> Any:
    kind = column.type
    simple: list[tuple[type, Any]] = [
        (Boolean, False), (Integer, 0), (Float, 0.0), (Date, date(2026, 6, 1)), (LargeBinary, b""), (DateTime, NOW),
    ]  # fmt: skip
    if isinstance(kind, UtcDateTime):
        return NOW
    for known, value in simple:
        if isinstance(kind, known):
            return value
    return [] if type(kind).__name__ == "JSON" else "x"


async def put(transaction: Transaction, table: Table, **given: Any) -> None:
    """A row; what must not be null and is not given is filled with something empty of its type."""
    columns = [one for one in table.c if not one.nullable and one.autoincrement is not True]
    row = {column.name: _empty(column) for column in columns} | given
    await transaction.execute(insert(table).values(**row))


async def furnish(database: Database) -> None:
    """Both worlds."""
    async with database.write() as transaction:
        for name, (client, agent, team) in WORLDS.items():
            person = {"role": "collector", "team": team, "clients": [], "active": True, "language": "en"}
            await put(transaction, tables.users, name=agent, extension=f"10{len(name)}9", pbx="main", **person)
            await _world(transaction, name, client, agent, team)


async def _world(transaction: Transaction, name: str, client: str, agent: str, team: str | None) -> None:
    def of(kind: str) -> str:
        return f"{kind}-{name}"

    case, call, party, number = of("case"), of("call"), of("party"), NUMBERS[name]
    about = {"case_id": case, "client": client}
    owned = {**about, "agent": agent}
    rows: list[tuple[Table, dict[str, Any]]] = [
        (tables.cases, {"id": case, "client": client, "state": "open", "upserted_state": "open", "collector": agent}),
        (tables.parties, {"id": party, "flags": {}, "identity": "11010119900101001X"}),
        (tables.case_parties, {"case_id": case, "party_id": party, "relation": "debtor"}),
        (tables.numbers, {"party_id": party, "e164": number, "kind": "mobile", "status": "unknown"}),
        (telephony.calls, {
            **owned, "id": call, "uniqueid": call, "current_agent": agent, "party_id": party, "number": number,
            "decision_id": of("decision"), "direction": "outbound", "purpose": "collect", "state": "ended", "role": "collector",
            "ended_at": NOW + timedelta(minutes=1), "connected_at": NOW, "outcome": "conversation", "origin": "click",
            "end_reason": "completed", "pbx": "main",
        }),
        (telephony.decisions, {
            "id": of("decision"), "kind": "click", "call_id": call, "case_id": case, "agent": agent, "verdict": "allow",
        }),
        (telephony.overrides, {"id": of("override"), "case_id": case, "number": number, "expires_at": NOW}),
        (telephony.policies, {"client": f"{client}", "packs": ["house"], "house": {}, "zone": "Asia/Shanghai"}),
        (telephony.allowed_numbers, {"id": of("allowed"), "client": client, "number": number}),
        (caller_id_pools, {"name": of("pool"), "client": client, "region": "+", "numbers": [f"{number}8"]}),
        (tables.notes, {
            "id": of("note"), "case_id": case, "call_id": call, "state": "draft", "author": agent, "details": {},
        }),
        (tables.complaints, {
            "id": of("complaint"), "case_id": case, "severity": "general", "state": "open", "party_id": party, "ladder": LADDER,
        }),
        (clock_tables.deadlines, {
            **about, "id": of("deadline"), "key": of("deadline"), "kind": "note", "owner": agent, "owner_role": "collector",
            "state": "open", "unit": "minutes", "due_at": NOW, "team": team,
        }),
        (note_tables.commitments, {
            **about, "id": of("commitment"), "kind": "promise", "state": "open", "day": "2026-06-01", "collector": agent,
        }),
        (inbound_tables.call_backs, {
            **owned, "id": of("back"), "call_id": call, "state": "due", "number": number, "party_id": party,
        }),
        (evidence.recordings, {
            "id": of("recording"), "call_id": call, "uniqueid": call, "pbx": "main", "leg": "agent", "state": "archived",
        }),
        (evidence.incidents, {"id": of("incident"), "kind": "tiny", "subject": of("recording"), "call_id": call, "detail": {}}),
        (keeping.comments, {"id": of("comment"), "call_id": call, "author": agent}),
        (keeping.holds, {"id": of("hold"), "matter": of("matter"), "kind": "audit"}),
        (keeping.hold_cases, {"hold_id": of("hold"), "case_id": case}),
        (keeping.hold_recordings, {"hold_id": of("hold"), "recording_id": of("recording")}),
        (keeping.receipts, {**about, "id": of("receipt"), "recording_id": of("gone"), "call_id": call, "leg": "agent",
                            "retention": {}}),
        (keeping.retrievals, {"id": of("retrieval"), "client": client, "cases": [case], "calls": [call], "state": "open"}),
        (qa.qa_samples, {"id": of("sample"), "key": of("sample"), "kind": "spot", "rule": {}, "seed": "x"}),
        (qa.qa_sample_calls, {"sample_id": of("sample"), "call_id": call, "agent": agent, "group": ""}),
        (qa.qa_reviews, {
            "id": of("review"), "call_id": call, "agent": agent, "finding": "none", "scores": {}, "form_id": "x",
        }),
        (carrier_tables.carrier_records, {"id": of("record"), "call_id": call}),
        (inbound_tables.inbound_routes, {
            "did": f"{number}9", "to": "owner", "client": client, "zone": "Asia/Shanghai", "enabled": True, "ring_seconds": 20,
        }),
        *_of_client(name, client),
    ]  # fmt: skip
    for table, values in rows:
        await put(transaction, table, **values)
    transaction.journal(Entry(NOW, "case.changed", agent, client, agent, case))


def _of_client(name: str, client: str) -> list[tuple[Table, dict[str, Any]]]:
    """What belongs to a client as a whole."""
    imported = {
        "id": f"import-{name}",
        "client": client,
        "state": "checked",
        "preview": {},
        "counts": {},
        "mapping": MAPPING,
    }
    return [
        (imports, {**imported, "file_name": f"file-{name}.csv"}),
        (import_rows, {"import_id": f"import-{name}", "row": 2, "case_id": f"case-{name}", "outcome": "bad"}),
        (outbox.destinations, {"id": f"connector-{name}", "kind": "tryton", "state": "on"}),
        (crms.connectors, {"id": f"connector-{name}", "kind": "tryton", "client": client, "mapping": {}}),
        (
            crms.conflicts,
            {
                "id": f"conflict-{name}",
                "connector_id": f"connector-{name}",
                "code": "both-changed",
                "state": "open",
                "case_id": f"case-{name}",
                "field": "account",
                "record": "1",
            },
        ),
        (import_mappings, {"client": client, "name": f"mapping-{name}", "mapping": MAPPING}),
        (
            note_tables.note_templates,
            {"client": client, "encoding": "utf-8", "columns": [{"field": "case_id", "title": f"title-{name}"}]},
        ),
        (screen_pop_links, {"client": client, "template": "https://crm.example.com/{case_id}"}),
        (note_tables.action_code_sets, {"client": client, "codes": CODES}),
        (clock_tables.complaint_ladders, {"client": client, "severity": "general", "ladder": LADDER}),
        (clock_tables.deadline_rules, {"client": client, "kind": "note", "rule": RULE}),
    ]
