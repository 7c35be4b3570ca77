"""Complaints: opening one stops the calling on its case at once; it is closed with a ruling and resumed by instruction.

Rules S60-S66. While a complaint is open, or closed without the instruction to resume, the calling policy denies the case.
"""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge import cases, scope
from crm_bridge.tables import cases as cases_table
from crm_bridge.tables import complaints, users
from crm_bridge.users import User
from telephony.tables import calls

Severity = Literal["general", "serious", "major"]


async def find(connection: AsyncConnection, complaint_id: str, user: User) -> Row[Any]:
    """The complaint with its case's `client` and `collector`, if the user may see the case. Raises NotFound."""
    statement = _with_case().where(complaints.c.id == complaint_id, scope.cases_seen_by(user))
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFound("there is no such complaint")
    return row


def _with_case() -> Any:
    case = cases_table.c
    return select(complaints, case.client, case.collector).join(cases_table, case.id == complaints.c.case_id)


async def open_complaint(
    transaction: Transaction,
    case_id: str,
    *,
    call_id: str | None,
    severity: Severity,
    text: str,
    user: User,
    now: datetime,
) -> Row[Any]:
    """Open a complaint and thereby suspend the case. Raises NotFound for a case or call that is not there."""
    await transaction.lock([f"case:{case_id}"])
    case = await cases.find(transaction.connection, case_id, user)
    former = case.collector
    if call_id is not None:
        call = await transaction.first(select(calls.c.agent, calls.c.case_id).where(calls.c.id == call_id))
        if call is None or call.case_id != case_id:
            raise NotFound(f"case {case_id} has no call {call_id}")
        former = call.agent  # who was complained about, whoever has the case today (S65)
    complaint_id = new_id(now)
    said = {"case_id": case_id, "call_id": call_id, "severity": severity, "text": text, "former_agent": former}
    opened = insert(complaints).values(id=complaint_id, state="open", opened_at=now, opened_by=user.name, **said)
    await transaction.execute(opened.values(instructed=False, resume=False))
    found = await find(transaction.connection, complaint_id, user)
    _journal(transaction, "complaint.opened", found, user, now, {"severity": severity})
    data = {"from": case.state, "to": case.state, "reason": "complaint"}
    _journal(transaction, "case.suspended", found, user, now, data)
    return found


async def close(transaction: Transaction, complaint_id: str, ruling: str, *, user: User, now: datetime) -> Row[Any]:
    """Close with the written ruling (S63). Calling stays suspended until instructed. Raises NotFound, Conflict."""
    await _locked(transaction, complaint_id, user)
    closing = update(complaints).where(complaints.c.id == complaint_id, complaints.c.state == "open")
    closed = await transaction.execute(
        closing.values(state="closed", closed_at=now, closed_by=user.name, ruling=ruling)
    )
    if not closed.rowcount:
        raise Conflict("the complaint is closed already")
    found = await find(transaction.connection, complaint_id, user)
    _journal(transaction, "complaint.closed", found, user, now, {"ruling": ruling})
    return found


async def reopen(transaction: Transaction, complaint_id: str, reason: str, *, user: User, now: datetime) -> Row[Any]:
    """Undo a closing: the complaint is open again, its ruling and instruction are void. Raises NotFound, Conflict."""
    known = await _locked(transaction, complaint_id, user)
    if known.state != "closed":
        raise Conflict("the complaint is open already")
    cleared = {
        "state": "open",
        "closed_at": None,
        "closed_by": None,
        "ruling": None,
        "instructed": False,
        "resume": False,
    }
    await transaction.execute(update(complaints).where(complaints.c.id == complaint_id).values(**cleared))
    found = await find(transaction.connection, complaint_id, user)
    _journal(transaction, "complaint.reopened", found, user, now, {"reason": reason, "ruling": known.ruling})
    if known.instructed:
        state = await _state_of(transaction, known.case_id)
        _journal(transaction, "case.suspended", found, user, now, {"from": state, "to": state, "reason": "complaint"})
    return found


async def instruct(
    transaction: Transaction, complaint_id: str, *, resume: bool, assign_to: str | None, user: User, now: datetime
) -> Row[Any]:
    """Instruct whether calling resumes, and with whom instead (S64, S65). Raises NotFound, Conflict, Invalid."""
    known = await _locked(transaction, complaint_id, user)
    if known.state != "closed":
        raise Conflict("the complaint is still open; close it with a ruling first")
    if resume:
        await _hand_over(transaction, known, assign_to, now)
    given = {"instructed": resume, "resume": resume, "assigned_to": assign_to}
    await transaction.execute(update(complaints).where(complaints.c.id == complaint_id).values(**given))
    found = await find(transaction.connection, complaint_id, user)
    _journal(transaction, "complaint.instructed", found, user, now, {"resume": resume, "assign_to": assign_to})
    if resume:
        state = await _state_of(transaction, known.case_id)
        _journal(transaction, "case.resumed", found, user, now, {"from": state, "to": state, "reason": "instruction"})
    return found


async def _state_of(transaction: Transaction, case_id: str) -> str | None:
    return await transaction.connection.scalar(select(cases_table.c.state).where(cases_table.c.id == case_id))


async def _locked(transaction: Transaction, complaint_id: str, user: User) -> Row[Any]:
    known = await find(transaction.connection, complaint_id, user)
    await transaction.lock([f"case:{known.case_id}"])
    return await find(transaction.connection, complaint_id, user)


async def _hand_over(transaction: Transaction, known: Row[Any], assign_to: str | None, now: datetime) -> None:
    """Give the case to the other collector; without one named, it must not be with the one complained about."""
    collector = assign_to or known.collector
    if collector is not None and collector == known.former_agent:
        message = f"must be somebody other than {known.former_agent}"
        raise Invalid(f"assign_to {message}", [{"field": "assign_to", "message": message}])
    if assign_to is None:
        return
    there = select(users.c.name).where(users.c.name == assign_to, users.c.active)
    if await transaction.first(there) is None:
        message = f"there is no active user {assign_to}"
        raise Invalid(f"assign_to: {message}", [{"field": "assign_to", "message": message}])
    mine = cases_table.c.id == known.case_id
    await transaction.execute(update(cases_table).where(mine).values(collector=assign_to, updated_at=now))


async def list_complaints(
    connection: AsyncConnection, user: User, *, state: str | None, case_id: str | None, before: str | None, limit: int
) -> list[Row[Any]]:
    """Complaints on the cases the user may see, newest first, those before the id `before`."""
    wanted = [scope.cases_seen_by(user)]
    if state is not None:
        wanted.append(complaints.c.state == state)
    if case_id is not None:
        wanted.append(complaints.c.case_id == case_id)
    if before is not None:
        wanted.append(complaints.c.id < before)
    statement = _with_case().where(*wanted).order_by(complaints.c.id.desc()).limit(limit)
    return list((await connection.execute(statement)).all())


def _journal(
    transaction: Transaction, kind: str, row: Row[Any], user: User, now: datetime, data: dict[str, Any]
) -> None:
    entry = Entry(
        now, kind, user.name, row.client, row.collector, row.case_id, row.call_id, {"complaint_id": row.id, **data}
    )
    transaction.journal(entry)
