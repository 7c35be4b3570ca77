"""Holds: while a matter is open, nothing it names is deleted, however old. Many matters may hold one recording.

A matter names recordings, cases or both; a case's recordings are held as long as the matter is open, those made later
too. A complaint holds every case of its person from the moment it is opened (`hold_for_complaint`). Its closing releases
nothing: the ruling may still be contested, so a supervisor or admin releases the hold afterwards, with the reason.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Select, and_, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, NotFound
from config.identifiers import new_id
from config.journal import Entry
from recordings.retention_tables import hold_cases, hold_recordings, holds
from recordings.tables import recordings
from telephony.tables import calls

HoldKind = Literal["complaint", "dispute", "audit", "litigation"]
HOLD_KINDS: tuple[HoldKind, ...] = get_args(HoldKind)


class TooLate(Conflict):
    """A recording named for a hold is deleted, or being deleted just now."""

    code = "recording-deleted"
    title = "The recording is gone"


class ComplaintOpen(Conflict):
    """The hold of a complaint cannot be released while the complaint is open."""

    code = "recording-on-hold"
    title = "The complaint is still open"


def names_of_locks(recording_ids: Iterable[str], case_ids: Iterable[str | None]) -> list[str]:
    """What a hold and a deletion both lock, so that one of two at the same time comes first."""
    return [f"recording:{found}" for found in recording_ids] + [f"case:{found}" for found in case_ids if found]


async def open_hold(
    transaction: Transaction,
    *,
    matter: str,
    kind: HoldKind,
    reason: str,
    recording_ids: Sequence[str] = (),
    case_ids: Sequence[str] = (),
    actor: str,
    now: datetime,
    complaint_id: str | None = None,
) -> str:
    """Open a matter that holds these; its id. Raises NotFound, TooLate."""
    identifier = new_id(now)
    values = {"id": identifier, "matter": matter, "kind": kind, "reason": reason, "complaint_id": complaint_id}
    await transaction.lock(names_of_locks(recording_ids, case_ids))
    await transaction.execute(insert(holds).values(**values, opened_at=now, opened_by=actor))
    await _name(transaction, identifier, recording_ids, case_ids)
    data = {"hold_id": identifier, "matter": matter, "kind": kind, "reason": reason}
    await _journal(transaction, "hold.opened", recording_ids, case_ids, data, actor, now)
    return identifier


async def extend(
    transaction: Transaction,
    hold_id: str,
    *,
    recording_ids: Sequence[str],
    case_ids: Sequence[str],
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Have an open matter hold more. Raises NotFound, Conflict (released), TooLate."""
    await transaction.lock([f"hold:{hold_id}", *names_of_locks(recording_ids, case_ids)])
    known = await _open_hold(transaction, hold_id)
    await _name(transaction, hold_id, recording_ids, case_ids)
    data = {"hold_id": hold_id, "matter": known.matter, "kind": known.kind, "reason": reason}
    await _journal(transaction, "hold.extended", recording_ids, case_ids, data, actor, now)


async def _name(transaction: Transaction, hold_id: str, recording_ids: Sequence[str], case_ids: Sequence[str]) -> None:
    found = await transaction.all(select(recordings.c.id, recordings.c.state).where(recordings.c.id.in_(recording_ids)))
    unknown = set(recording_ids) - {row.id for row in found}
    if unknown:
        raise NotFound(f"there is no recording {min(unknown)}")
    gone = [row.id for row in found if row.state in ("deleting", "deleted")]
    if gone:
        raise TooLate(f"deleted already: {', '.join(gone)}", recordings=gone)
    for recording_id in dict.fromkeys(recording_ids):
        await transaction.insert_once(hold_recordings, hold_id=hold_id, recording_id=recording_id)
    for case_id in dict.fromkeys(case_ids):
        await transaction.insert_once(hold_cases, hold_id=hold_id, case_id=case_id)


async def release(transaction: Transaction, hold_id: str, *, reason: str, actor: str, now: datetime) -> None:
    """End a matter's hold; what else holds a recording goes on holding it. Raises NotFound, Conflict, ComplaintOpen."""
    await transaction.lock([f"hold:{hold_id}"])
    known = await _open_hold(transaction, hold_id)
    if known.complaint_id is not None and known.complaint_closed_at is None:
        raise ComplaintOpen("its complaint is still open; close it with a ruling first", complaint=known.complaint_id)
    named = await contents(transaction.connection, [hold_id])
    ending = update(holds).where(holds.c.id == hold_id)
    await transaction.execute(ending.values(released_at=now, released_by=actor, release_reason=reason))
    data = {"hold_id": hold_id, "matter": known.matter, "kind": known.kind, "reason": reason}
    here = named[hold_id]
    await _journal(transaction, "hold.released", here["recordings"], here["cases"], data, actor, now)


async def _open_hold(transaction: Transaction, hold_id: str) -> Row[Any]:
    known = await transaction.first(select(holds).where(holds.c.id == hold_id))
    if known is None:
        raise NotFound(f"there is no hold {hold_id}")
    if known.released_at is not None:
        raise Conflict("the hold is released already")
    return known


async def _journal(
    transaction: Transaction,
    kind: str,
    recording_ids: Sequence[str],
    case_ids: Sequence[str],
    data: dict[str, Any],
    actor: str,
    now: datetime,
) -> None:
    """One entry a case (so that each shows it), one for recordings by name."""
    whose = select(calls.c.client).where(calls.c.case_id.in_(case_ids)).limit(1)
    for case_id in case_ids:
        client = await transaction.connection.scalar(whose.where(calls.c.case_id == case_id))
        transaction.journal(Entry(now, kind, actor, client, case_id=case_id, data=data))
    if recording_ids or not case_ids:
        transaction.journal(Entry(now, kind, actor, data=data | {"recordings": list(recording_ids)}))


# ---- what is held


def holding(recording: Any, case: Any) -> Select[Any]:
    """Open holds that name the recording, or its call's case; both given as columns or values."""
    by_name = select(hold_recordings.c.hold_id).where(hold_recordings.c.recording_id == recording)
    by_case = select(hold_cases.c.hold_id).where(hold_cases.c.case_id == case)
    return select(holds).where(holds.c.released_at.is_(None), or_(holds.c.id.in_(by_name), holds.c.id.in_(by_case)))


async def of_recordings(connection: AsyncConnection, recording_ids: Sequence[str]) -> dict[str, list[str]]:
    """The matters that hold each of these recordings now; only those held are in it."""
    mine = select(recordings.c.id, calls.c.case_id).outerjoin(calls, calls.c.id == recordings.c.call_id)
    named = mine.where(recordings.c.id.in_(recording_ids)).subquery()
    by_name = select(hold_recordings.c.hold_id).where(hold_recordings.c.recording_id == named.c.id)
    by_case = select(hold_cases.c.hold_id).where(hold_cases.c.case_id == named.c.case_id)
    naming = or_(holds.c.id.in_(by_name), holds.c.id.in_(by_case))
    linked = named.join(holds, and_(holds.c.released_at.is_(None), naming))
    held = select(named.c.id, holds.c.matter).select_from(linked).order_by(holds.c.opened_at, holds.c.id)
    found: dict[str, list[str]] = {}
    for recording_id, matter in await connection.execute(held):
        found.setdefault(recording_id, []).append(matter)
    return found


async def contents(connection: AsyncConnection, hold_ids: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """What each hold names: {"recordings", "cases"}."""
    named: dict[str, dict[str, list[str]]] = {found: {"recordings": [], "cases": []} for found in hold_ids}
    by_name = select(hold_recordings).where(hold_recordings.c.hold_id.in_(hold_ids))
    for row in await connection.execute(by_name.order_by(hold_recordings.c.recording_id)):
        named[row.hold_id]["recordings"].append(row.recording_id)
    by_case = select(hold_cases).where(hold_cases.c.hold_id.in_(hold_ids)).order_by(hold_cases.c.case_id)
    for row in await connection.execute(by_case):
        named[row.hold_id]["cases"].append(row.case_id)
    return named


# ---- complaints hold by themselves


async def hold_for_complaint(transaction: Transaction, entry: Entry) -> None:
    """Follow `complaint.opened`: its case is held. Between the opening and this, `CaseHolds` keeps it safe."""
    complaint_id = entry.data.get("complaint_id")
    if entry.case_id is None or complaint_id is None:
        return
    if await transaction.first(select(holds.c.id).where(holds.c.complaint_id == complaint_id)):
        return
    await open_hold(
        transaction, matter=f"complaint {complaint_id}", kind="complaint", reason="a complaint was opened",
        case_ids=[entry.case_id], actor="system", now=entry.at, complaint_id=complaint_id,
    )  # fmt: skip


async def hold_other_case(transaction: Transaction, entry: Entry) -> None:
    """Follow `case.suspended`: another case of the complaint's person is held with it."""
    complaint_id = entry.data.get("complaint_id")
    if complaint_id is None or entry.case_id is None:
        return
    mine = (holds.c.complaint_id == complaint_id) & holds.c.released_at.is_(None)
    known = await transaction.first(select(holds.c.id).where(mine))
    if known is None:
        return
    if entry.case_id in (await contents(transaction.connection, [known.id]))[known.id]["cases"]:
        return
    reason = "a complaint of its person was opened"
    await extend(
        transaction, known.id, recording_ids=(), case_ids=[entry.case_id], reason=reason, actor="system", now=entry.at
    )


async def complaint_closed(transaction: Transaction, entry: Entry) -> None:
    """Follow `complaint.closed`: from now on its hold may be released, by somebody."""
    mine = holds.c.complaint_id == entry.data.get("complaint_id")
    await transaction.execute(update(holds).where(mine).values(complaint_closed_at=entry.at))
