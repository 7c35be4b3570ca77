"""The end of a complaint: the written ruling, the instruction whether calling goes on and with whom, and undoing (S63-S65)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Conflict, Invalid
from crm_bridge.clocks import deadlines
from crm_bridge.clocks.tables import complaint_trail
from crm_bridge.clocks.tables import deadlines as deadlines_table
from crm_bridge.complaints import steps as complaint_steps
from crm_bridge.complaints.complaints import MATTER, change, closed_already, find, journal, locked, tell_cases
from crm_bridge.complaints.reach import stopped_cases
from crm_bridge.complaints.steps import key, overtaken
from crm_bridge.people.users import User
from crm_bridge.tables import cases as cases_table
from crm_bridge.tables import users

NO_RULING: dict[str, Any] = {
    "state": "open", "closed_at": None, "closed_by": None, "ruling": None, "justified": None,
    "instructed": False, "resume": False,
}  # fmt: skip


async def close(
    transaction: Transaction, complaint_id: str, ruling: str, *, justified: bool | None = None,
    revision: int | None = None, user: User, now: datetime,
) -> Row[Any]:  # fmt: skip
    """Close with the written ruling (S63). Calling stays suspended until instructed. Raises NotFound, Conflict."""
    row = await locked(transaction, complaint_id, user)
    if row.state != "open":
        raise await closed_already(transaction, row)
    await complaint_steps.require_revision(transaction, row, revision)
    ruled = {"state": "closed", "closed_at": now, "closed_by": user.name, "ruling": ruling, "justified": justified}
    await change(transaction, row, **ruled)
    answered = [key(row.id, "answer"), key(row.id, MATTER)]
    await deadlines.meet(transaction, answered, at=now, by=user.name, reason="closed with a ruling", now=now)
    rest = deadlines_table.c.complaint_id == row.id
    await deadlines.cancel(transaction, rest, by=user.name, reason="closed with a ruling", now=now)
    details = {"justified": justified, "step": row.step}
    await complaint_steps.record(transaction, row.id, "closed", by=user.name, now=now, text=ruling, details=details)
    found = await find(transaction.connection, complaint_id, user)
    journal(transaction, "complaint.closed", found, user, now, {"ruling": ruling, "justified": justified})
    return found


async def reopen(
    transaction: Transaction, complaint_id: str, reason: str, *, revision: int | None = None, user: User, now: datetime
) -> Row[Any]:
    """Undo a closing: the complaint is open again with the clocks it had, its ruling and instruction are void.

    Raises NotFound, Conflict.
    """
    row = await locked(transaction, complaint_id, user)
    await complaint_steps.require_revision(transaction, row, revision)
    if row.state != "closed":
        raise Conflict("the complaint is open already")
    await change(transaction, row, **NO_RULING)
    await _void(transaction, row, ("closed", "instructed"), now)
    running = [key(row.id, "answer"), key(row.id, MATTER)] + ([key(row.id, row.step)] if row.step else [])
    await deadlines.restore(transaction, deadlines_table.c.key.in_(running))
    details = {"ruling": row.ruling}
    await complaint_steps.record(transaction, row.id, "reopened", by=user.name, now=now, text=reason, details=details)
    found = await find(transaction.connection, complaint_id, user)
    journal(transaction, "complaint.reopened", found, user, now, {"reason": reason, "ruling": row.ruling, "mail": True})
    if row.instructed:
        await tell_cases(transaction, "case.suspended", found, user, now, "complaint")
    return found


async def instruct(
    transaction: Transaction, complaint_id: str, *, resume: bool, assign_to: str | None, reason: str = "",
    revision: int | None = None, user: User, now: datetime,
) -> Row[Any]:  # fmt: skip
    """Instruct whether calling resumes, and with whom instead (S64, S65). Raises NotFound, Conflict, Invalid."""
    row = await locked(transaction, complaint_id, user)
    await complaint_steps.require_revision(transaction, row, revision)
    if row.state != "closed":
        raise Conflict("the complaint is still open; close it with a ruling first")
    if row.instructed and resume:
        last = await complaint_steps.last_change(transaction.connection, row.id)
        raise overtaken("calling was resumed already; undo that first", last, revision=row.revision)
    moved = await _hand_over(transaction, row, assign_to, now) if resume else {}
    await change(transaction, row, instructed=resume, resume=resume, assigned_to=assign_to)
    details = {"resume": resume, "assign_to": assign_to, "moved": moved}
    await complaint_steps.record(transaction, row.id, "instructed", by=user.name, now=now, text=reason, details=details)
    found = await find(transaction.connection, complaint_id, user)
    journal(transaction, "complaint.instructed", found, user, now, {"resume": resume, "assign_to": assign_to})
    if resume:
        await tell_cases(transaction, "case.resumed", found, user, now, "instruction")
    elif row.instructed:
        await tell_cases(transaction, "case.suspended", found, user, now, "instruction")
    return found


async def undo(
    transaction: Transaction, complaint_id: str, reason: str, *, revision: int | None = None, user: User, now: datetime
) -> Row[Any]:
    """Undo the last thing that people decided: the instruction, else the closing, else the last step done.

    Raises NotFound, Conflict (nothing to undo).
    """
    row = await locked(transaction, complaint_id, user)
    if row.state == "closed":
        line = await _last(transaction, row, "instructed")
        if line is None:
            return await reopen(transaction, complaint_id, reason, revision=revision, user=user, now=now)
        await complaint_steps.require_revision(transaction, row, revision)
        await _take_back_instruction(transaction, row, line, user, now)
    else:
        await complaint_steps.require_revision(transaction, row, revision)
        line = await _last(transaction, row, "acted")
        if line is None:
            raise Conflict("there is nothing to undo")
        await _take_back_step(transaction, row, line, user, now)
    undone = update(complaint_trail).where(complaint_trail.c.id == line.id).values(undone_at=now)
    await transaction.execute(undone)
    details = {"undone": line.what, "by": line.by, "at": line.at.isoformat()}
    await complaint_steps.record(
        transaction, row.id, "undone", by=user.name, now=now, step=line.step, text=reason, details=details
    )
    found = await find(transaction.connection, complaint_id, user)
    journal(
        transaction, "complaint.undone", found, user, now, {"reason": reason, "undone": line.what, "step": line.step}
    )
    return found


async def _last(transaction: Transaction, row: Row[Any], what: str) -> Row[Any] | None:
    line = complaint_trail.c
    mine = select(complaint_trail).where(line.complaint_id == row.id, line.what == what, line.undone_at.is_(None))
    return await transaction.first(mine.order_by(line.id.desc()).limit(1))


async def _void(transaction: Transaction, row: Row[Any], whats: tuple[str, ...], now: datetime) -> None:
    line = complaint_trail.c
    mine = (line.complaint_id == row.id) & line.what.in_(whats) & line.undone_at.is_(None)
    await transaction.execute(update(complaint_trail).where(mine).values(undone_at=now))


async def _take_back_step(transaction: Transaction, row: Row[Any], line: Row[Any], user: User, now: datetime) -> None:
    """The step is open again with the time it had; that of the step after it ends."""
    before = line.details["before"]
    taken_back = [key(row.id, name) for name in (line.step, before) if name]
    if line.details["after"] is not None and line.details["after"] != before:
        mine = deadlines_table.c.key == key(row.id, line.details["after"])
        await deadlines.cancel(transaction, mine, by=user.name, reason="undone", now=now)
        await deadlines.forget(transaction, mine)
    await deadlines.restore(transaction, deadlines_table.c.key.in_(taken_back))
    await change(transaction, row, step=before)


async def _take_back_instruction(
    transaction: Transaction, row: Row[Any], line: Row[Any], user: User, now: datetime
) -> None:
    """Calling stops again; a case that still has the collector it was given goes back to whose it was."""
    for case_id, collector in line.details["moved"].items():
        mine = (cases_table.c.id == case_id) & (cases_table.c.collector == line.details["assign_to"])
        await transaction.execute(update(cases_table).where(mine).values(collector=collector, updated_at=now))
    await change(transaction, row, instructed=False, resume=False, assigned_to=None)
    if row.instructed:
        await tell_cases(transaction, "case.suspended", row, user, now, "instruction undone")


async def _hand_over(
    transaction: Transaction, known: Row[Any], assign_to: str | None, now: datetime
) -> dict[str, str | None]:
    """Give the case to the other collector, and what else the one complained about has of that person.

    Without one named, the case must not be with the one complained about. Returns each case with whose it was.
    """
    collector = assign_to or known.collector
    if collector is not None and collector == known.former_agent:
        raise _refused(f"must be somebody other than {known.former_agent}")
    if assign_to is None:
        return {}
    there = select(users.c.clients).where(users.c.name == assign_to, users.c.active)
    other = await transaction.first(there)
    if other is None:
        raise _refused(f"there is no active user {assign_to}")
    if other.clients and known.client not in other.clients:
        raise _refused(f"{assign_to} does not work for client {known.client}")
    moved = {}
    for case in await stopped_cases(transaction.connection, known):
        theirs = case.id == known.case_id or (case.collector is not None and case.collector == known.former_agent)
        if theirs and (not other.clients or case.client in other.clients):
            moved[case.id] = case.collector
    given = update(cases_table).where(cases_table.c.id.in_(list(moved)))
    await transaction.execute(given.values(collector=assign_to, updated_at=now))
    return moved


def _refused(message: str) -> Invalid:
    return Invalid(f"assign_to {message}", [{"field": "assign_to", "message": message}])
