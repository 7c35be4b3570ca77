"""Complaints: opening one stops the calling on its person's cases at once and starts the clocks; people act on it in steps.

Rules S60-S66. While a complaint is open, or closed without the instruction to resume, the calling policy denies the case and
every other case in which the same person owes. Its closing, instruction and undoing are in `complaint_rulings`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Forbidden, Invalid, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.cases import cases
from crm_bridge.clocks import calendars, deadline_rules, deadlines
from crm_bridge.clocks.deadlines import Deadline
from crm_bridge.clocks.tables import complaint_trail
from crm_bridge.complaints import steps as complaint_steps
from crm_bridge.complaints.ladders import NOTE, Severity, ladder_of
from crm_bridge.complaints.reach import OWING, person_of, stopped_cases
from crm_bridge.complaints.steps import key, overtaken
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, complaints
from crm_bridge.tables import cases as cases_table
from telephony.tables import calls

Category = Literal["attitude", "harassment", "frequency", "disclosure", "hours", "amount", "identity", "other"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
MATTER = "major-matter"


@dataclass(frozen=True, slots=True)
class Opening:
    """What somebody complains of; `at_second` of the call's recording is where to listen."""

    case_id: str
    severity: Severity
    text: str
    call_id: str | None = None
    party_id: str | None = None
    at_second: float | None = None
    category: Category = "other"


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


async def locked(transaction: Transaction, complaint_id: str, user: User) -> Row[Any]:
    """The complaint, with nobody else at work on its case until the end of the transaction. Raises NotFound."""
    known = await find(transaction.connection, complaint_id, user)
    await transaction.lock([f"case:{known.case_id}"])
    return await find(transaction.connection, complaint_id, user)


async def open_complaint(transaction: Transaction, new: Opening, *, zone: str, user: User, now: datetime) -> Row[Any]:
    """Open a complaint: calling stops, the clocks run. Raises NotFound for a case, call or party that is not there."""
    case = await cases.find(transaction.connection, new.case_id, user)
    person = await _person(transaction, new)
    await _lock_reach(transaction, new.case_id, person)
    called = await _call(transaction, new)
    steps = await ladder_of(transaction.connection, case.client, new.severity)
    complaint_id = new_id(now)
    values = {
        "id": complaint_id, "case_id": new.case_id, "call_id": new.call_id, "severity": new.severity, "text": new.text,
        "former_agent": called.agent if called is not None else case.collector,  # whoever has the case today (S65)
        "party_id": person, "at_second": new.at_second, "category": new.category, "state": "open", "opened_at": now,
        "opened_by": user.name, "instructed": False, "resume": False, "step": steps.steps[0].name,
        "ladder": steps.model_dump(mode="json"), "revision": 0,
    }  # fmt: skip
    await transaction.execute(insert(complaints).values(**values))
    found = await find(transaction.connection, complaint_id, user)
    said = {"severity": new.severity, "category": new.category, "party_id": new.party_id}
    journal(transaction, "complaint.opened", found, user, now, {**said, "step": found.step, "mail": True})
    await tell_cases(transaction, "case.suspended", found, user, now, "complaint")
    await complaint_steps.record(
        transaction,
        complaint_id,
        "opened",
        by=user.name,
        now=now,
        text=new.text,
        details=said | {"call_id": new.call_id},
    )
    await complaint_steps.begin(transaction, found, zone=zone, now=now)
    if new.severity == "major":
        await _open_matter(transaction, found, zone, now)
    return found


async def _lock_reach(transaction: Transaction, case_id: str, person: str | None) -> None:
    """Lock every case of the person: a deletion of one of their recordings comes wholly before or after the opening."""
    theirs = select(case_parties.c.case_id).where(case_parties.c.party_id == person)
    found = await transaction.connection.scalars(theirs.where(case_parties.c.relation.in_(OWING)))
    await transaction.lock([f"case:{case_id}", *(f"case:{one}" for one in found)])


async def _call(transaction: Transaction, new: Opening) -> Row[Any] | None:
    if new.call_id is None:
        return None
    call = await transaction.first(select(calls.c.agent, calls.c.case_id).where(calls.c.id == new.call_id))
    if call is None or call.case_id != new.case_id:
        raise NotFound(f"case {new.case_id} has no call {new.call_id}")
    return call


async def _person(transaction: Transaction, new: Opening) -> str | None:
    if new.party_id is not None:
        mine = (case_parties.c.case_id == new.case_id) & (case_parties.c.party_id == new.party_id)
        if await transaction.first(select(case_parties.c.party_id).where(mine)) is None:
            raise NotFound(f"case {new.case_id} has no party {new.party_id}")
    return await person_of(transaction.connection, new.case_id, new.party_id)


async def _open_matter(transaction: Transaction, row: Row[Any], zone: str, now: datetime) -> None:
    """A major complaint is a major matter: to the company within half an hour (S46)."""
    rule = await deadline_rules.rule_of(transaction.connection, MATTER, row.client)
    if rule.enabled:
        calendar = await calendars.of_client(transaction.connection, row.client, zone)
        due = deadline_rules.due_of(rule.within, rule.unit, rule.warn_minutes, now, calendar)
        about = {"client": row.client, "case_id": row.case_id, "call_id": row.call_id, "complaint_id": row.id}
        matter = Deadline(key(row.id, MATTER), MATTER, due, row.text[:200], **about, **deadlines.by_rule(rule))
        await deadlines.open_deadline(transaction, matter, now)


async def act(
    transaction: Transaction, complaint_id: str, step: str, text: str, *, revision: int | None, zone: str, user: User,
    now: datetime,
) -> Row[Any]:  # fmt: skip
    """Say what was done at a step, which completes it, or with step "note" just say it.

    Raises NotFound, Forbidden (not the role's), Invalid (no such step), Conflict (done or closed already: by whom, when).
    """
    row = await locked(transaction, complaint_id, user)
    await complaint_steps.require_revision(transaction, row, revision)
    if row.state != "open":
        raise await closed_already(transaction, row)
    if step != NOTE:
        await _require_step(transaction, row, step, user)
    what = "noted" if step == NOTE else "acted"
    named = None if step == NOTE else step
    following = row.step
    if step != NOTE:
        following = await complaint_steps.move_on(transaction, row, step, by=user.name, zone=zone, now=now)
        done = [key(row.id, step)] + ([key(row.id, MATTER)] if step in ("manager", "company") else [])
        await deadlines.meet(transaction, done, at=now, by=user.name, reason=text, now=now)
    details = {"before": row.step, "after": following}
    await complaint_steps.record(
        transaction, row.id, what, by=user.name, now=now, step=named, text=text, details=details
    )
    await change(transaction, row, step=following)
    found = await find(transaction.connection, complaint_id, user)
    journal(transaction, f"complaint.{what}", found, user, now, {"step": named, "text": text, "next_step": following})
    return found


async def _require_step(transaction: Transaction, row: Row[Any], step: str, user: User) -> None:
    steps = complaint_steps.ladder(row)
    names = steps.names if steps is not None else []
    if steps is None or step not in names:
        message = f"must be one of {', '.join([*names, NOTE])}"
        raise Invalid(f"step {message}", [{"field": "step", "message": message}])
    if user.role == "collector" and steps.step(step).role != "collector":
        raise Forbidden(f"step {step} takes a supervisor or admin")
    done = complaint_trail.c
    mine = (done.complaint_id == row.id) & (done.what == "acted") & (done.step == step) & done.undone_at.is_(None)
    line = await transaction.first(select(complaint_trail).where(mine).order_by(done.id.desc()).limit(1))
    if line is not None:
        raise overtaken("the step is done already", line, revision=row.revision)


async def closed_already(transaction: Transaction, row: Row[Any]) -> Exception:
    """The refusal to work on a closed complaint: who closed it, when."""
    what = complaint_trail.c
    closing = select(complaint_trail).where(
        what.complaint_id == row.id, what.what == "closed", what.undone_at.is_(None)
    )
    line = await transaction.first(closing.order_by(what.id.desc()).limit(1))
    return overtaken("the complaint is closed already", line, revision=row.revision)


async def change(transaction: Transaction, row: Row[Any], **values: Any) -> None:
    """Write what changed; the revision rises with it."""
    mine = update(complaints).where(complaints.c.id == row.id)
    await transaction.execute(mine.values(**values, revision=complaints.c.revision + 1))


async def list_complaints(
    connection: AsyncConnection, user: User, wanted: list[ColumnElement[bool]], *, before: str | None, limit: int
) -> list[Row[Any]]:
    """Complaints on the cases the user may see that meet `wanted`, newest first, those before the id `before`."""
    conditions = [scope.cases_seen_by(user), *wanted]
    if before is not None:
        conditions.append(complaints.c.id < before)
    statement = _with_case().where(*conditions).order_by(complaints.c.id.desc()).limit(limit)
    return list((await connection.execute(statement)).all())


def journal(
    transaction: Transaction, kind: str, row: Row[Any], user: User, now: datetime, data: dict[str, Any]
) -> None:
    """Append an entry on the complaint's case."""
    about = (row.client, row.collector, row.case_id, row.call_id)
    transaction.journal(Entry(now, kind, user.name, *about, {"complaint_id": row.id, **data}))


async def tell_cases(
    transaction: Transaction, kind: str, row: Row[Any], user: User, now: datetime, reason: str
) -> None:
    """One entry for every case that the complaint stops or lets go."""
    for case in await stopped_cases(transaction.connection, row):
        data = {"complaint_id": row.id, "from": case.state, "to": case.state, "reason": reason}
        call_id = row.call_id if case.id == row.case_id else None
        transaction.journal(Entry(now, kind, user.name, case.client, case.collector, case.id, call_id, data))
