"""What follows from a carrier's record: a call of theirs that we lack is a violation, counts as an attempt, and is in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from config.database import Transaction
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.carrier.tables import carrier_records
from crm_bridge.cases import contacts
from crm_bridge.cases.contacts import ContactIn
from crm_bridge.people.users import User
from crm_bridge.tables import numbers
from recordings.incidents import close_incidents, open_first, open_incident
from recordings.tables import incidents
from telephony.calls.outcomes import LegEnding, judge_customer_leg
from telephony.tables import calls
from telephony.tables import contacts as contact_rows

STRANGER = "carrier-only"
"""The incident of a call that the carrier has and we have not."""
LACKS = "carrier-lacks"
"""The incident of a call of ours that the carrier does not have."""
VIOLATION = "carrier_only"

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one trunk's file: by whom, when; `region` of numbers as written, `emergency` numbers pass without the gate."""

    id: str
    trunk: str
    pbx: str
    user: User
    region: str
    now: datetime
    emergency: frozenset[str]


async def take_paired(transaction: Transaction, on: Import, rows: Rows) -> None:
    """Keep records of calls that we have; a call that was missed at the carrier is not missed any more."""
    await _keep(transaction, on, await _unknown(transaction, on, rows))
    subjects = [row["leg"] for row in rows]
    open_ = incidents.c.closed_at.is_(None) & (incidents.c.kind == LACKS) & incidents.c.subject.in_(subjects)
    for incident in await transaction.all(select(incidents).where(open_)):
        about = await _about(transaction, on, incident.call_id)
        await close_incidents(transaction, on.now, incident.subject, "the carrier's record came", (LACKS,), about)


async def take_strangers(transaction: Transaction, on: Import, rows: Rows) -> tuple[int, int]:
    """Keep records of calls that we have not, with all that follows; (incidents opened, attempts counted)."""
    new = await _unknown(transaction, on, rows)
    holders = await _holders(transaction, [row["number"] for row in new if row["callable"]])
    # All at once and in one order, so that no click that locks person and number can wait for us and we for it.
    await transaction.lock(
        [f"number:{number}" for number in holders]
        + [f"person:{party}" for parties in holders.values() for party in parties]
    )
    await _keep(transaction, on, new)
    attempts, details, nobodys = 0, {}, []
    for row in new:
        if row["number"] in on.emergency:
            continue
        parties = holders.get(row["number"], ())
        counted = [await _count(transaction, on, row, party, first=not n) for n, party in enumerate(parties)]
        if row["callable"] and not counted:
            counted = [_nobodys(on, row)]
            nobodys += counted
        attempts += len(counted)
        details[f"{on.trunk}:{row['id']}"] = _told(on, row)
        _violation(transaction, on, _told(on, row), counted)
    if nobodys:
        await transaction.execute(insert(contact_rows), nobodys)
    return await open_first(transaction, on.now, STRANGER, details), attempts


async def tell_lacking(transaction: Transaction, on: Import, rows: Rows) -> int:
    """An incident for each call of ours that the carrier lacks, unless it had one already; how many were opened."""
    subjects = [row["leg"] for row in rows]
    told = select(incidents.c.subject).where(incidents.c.kind == LACKS, incidents.c.subject.in_(subjects))
    before = {row.subject for row in await transaction.all(told)}
    opened = 0
    for row in rows:
        if row["leg"] not in before:
            detail = {"trunk": on.trunk, "number": row["number"], "started_at": row["at"].isoformat()}
            detail |= {"duration": row["duration"], "answered": row["answered"], "import_id": on.id}
            about = await _about(transaction, on, row["call_id"])
            opened += await open_incident(transaction, on.now, LACKS, row["leg"], detail, about) is not None
    return opened


async def _unknown(transaction: Transaction, on: Import, rows: Rows) -> list[dict[str, Any]]:
    """Those that no import has, also none that ran beside this one."""
    await transaction.lock([f"cdr:{on.trunk}"])
    mine = select(carrier_records.c.id).where(carrier_records.c.id.in_([row["id"] for row in rows]))
    known = {row.id for row in await transaction.all(mine)}
    return [row for row in rows if row["id"] not in known]


async def _keep(transaction: Transaction, on: Import, rows: Rows) -> None:
    kept = []
    for row in rows:
        values = {name: row[name] for name in ("id", "number", "duration", "answered", "line", "leg", "call_id")}
        values |= {"trunk": on.trunk, "started_at": row["at"], "import_id": on.id}
        kept.append(values | {"caller_id": row["caller_id"] or None, "cause": row["cause"] or None})
    if kept:
        await transaction.execute(carrier_records.insert(), kept)


async def _holders(transaction: Transaction, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Every party that holds one of the numbers."""
    found: dict[str, list[str]] = {}
    mine = select(numbers.c.e164, numbers.c.party_id).where(numbers.c.e164.in_(set(wanted)))
    for row in await transaction.all(mine.order_by(numbers.c.party_id)):
        found.setdefault(row.e164, []).append(row.party_id)
    return found


async def _count(
    transaction: Transaction, on: Import, row: dict[str, Any], party_id: str, *, first: bool
) -> dict[str, Any]:
    """An attempt on this party; its number stands in one contact only, since contacts on a number are counted too."""
    given = ContactIn(
        party_id=party_id,
        case_id=None,
        number=row["number"] if first else None,
        at=row["at"],
        channel="call",
        direction="outbound",
        by="us",
        outcome=_outcome(row),
        consented=False,
        debts=None,
    )
    return await contacts.record(transaction, given, user=on.user, region=on.region, now=on.now)


def _nobodys(on: Import, row: dict[str, Any]) -> dict[str, Any]:
    """An attempt on a number that nobody holds: it counts on the number, for whoever comes to hold it."""
    said = {"direction": "outbound", "channel": "call", "by": "us", "outcome": _outcome(row), "consented": False}
    return {"id": new_id(on.now), "at": row["at"], "party_id": "", "number": row["number"], "debts": [], **said}


def _outcome(row: dict[str, Any]) -> Any:
    """What the carrier says became of it, a Q.850 cause or a SIP code; an unanswered call of another cause was no answer."""
    cause = row["cause"] or ""
    q850 = int(cause) if cause.isascii() and cause.isdigit() and int(cause) < 128 else None
    return judge_customer_leg(LegEnding(row["answered"], alerted=True, cause=q850, tech_cause=cause)).outcome


def _told(on: Import, row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("number", "caller_id", "duration", "answered", "cause", "line")}
    return {"trunk": on.trunk, "pbx": on.pbx, "started_at": row["at"].isoformat(), "import_id": on.id, **told}


def _violation(transaction: Transaction, on: Import, detail: dict[str, Any], counted: Sequence[dict[str, Any]]) -> None:
    data = {"violation": VIOLATION, "contacts": [contact["id"] for contact in counted], **detail}
    transaction.journal(Entry(on.now, "call.violation", on.user.name, data=data))


async def _about(transaction: Transaction, on: Import, call_id: str | None) -> Entry:
    call = await transaction.first(select(calls).where(calls.c.id == call_id))
    if call is None:
        return Entry(on.now, "recording.incident", on.user.name, call_id=call_id)
    return Entry(on.now, "recording.incident", on.user.name, call.client, call.agent, call.case_id, call.id)
