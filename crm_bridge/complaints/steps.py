"""A complaint on its ladder: who has it now, until when; acted on it goes on, missed it goes up. Everything leaves a trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict
from config.journal import Entry
from crm_bridge.clocks import calendars
from crm_bridge.clocks.deadline_rules import Due, due_of
from crm_bridge.clocks.deadlines import Deadline, cancel, open_deadline, team_of
from crm_bridge.clocks.duty import Roster
from crm_bridge.clocks.tables import complaint_trail, deadlines
from crm_bridge.clocks.working_time import WorkingTime
from crm_bridge.complaints.ladders import Ladder, Step
from crm_bridge.tables import cases, complaints

STEP, ANSWER = "complaint-step", "complaint-answer"


def key(complaint_id: str, step: str) -> str:
    """The key of a step's deadline, or with "answer" of the whole's."""
    return f"complaint:{complaint_id}:{step}"


def ladder(row: Row[Any]) -> Ladder | None:
    """The ladder of a complaint as it was when it was opened; None for one from before there were ladders."""
    return Ladder.model_validate(row.ladder) if row.ladder else None


async def record(
    transaction: Transaction, complaint_id: str, what: str, *, by: str, now: datetime, step: str | None = None,
    text: str = "", details: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write one line of the trail."""
    line = {"complaint_id": complaint_id, "at": now, "by": by, "what": what, "step": step, "text": text}
    await transaction.execute(insert(complaint_trail).values(**line, details=details or {}))


async def trail(connection: AsyncConnection, complaint_id: str) -> Sequence[Row[Any]]:
    """Everything that was done, oldest first."""
    lines = select(complaint_trail).where(complaint_trail.c.complaint_id == complaint_id)
    rows: Sequence[Row[Any]] = (await connection.execute(lines.order_by(complaint_trail.c.id))).all()
    return rows


async def last_change(connection: AsyncConnection, complaint_id: str) -> Row[Any] | None:
    """Who did the last thing, and what it was."""
    changes = complaint_trail.c.what != "reminded"
    lines = select(complaint_trail).where(complaint_trail.c.complaint_id == complaint_id, changes)
    return (await connection.execute(lines.order_by(complaint_trail.c.id.desc()).limit(1))).first()


async def require_revision(transaction: Transaction, row: Row[Any], revision: int | None) -> None:
    """Refuse what was decided on a state that is gone. Raises Conflict saying who did what, when."""
    if revision is None or revision == row.revision:
        return
    last = await last_change(transaction.connection, row.id)
    raise overtaken("somebody was quicker", last, revision=row.revision)


def overtaken(why: str, last: Row[Any] | None, **members: Any) -> Conflict:
    """The refusal that names who did what, when."""
    if last is None:
        return Conflict(why, **members)
    what = f"{last.what} {last.step}" if last.step else last.what
    said = {"by": last.by, "at": last.at.isoformat(), "what": last.what, "step": last.step, **members}
    return Conflict(f"{why}: {last.by} {what} at {last.at.isoformat(timespec='seconds')}", **said)


async def begin(transaction: Transaction, row: Row[Any], *, zone: str, now: datetime) -> None:
    """Start the clocks of a complaint just opened: the whole answer's, and the first step's."""
    steps = Ladder.model_validate(row.ladder)
    calendar = await calendars.of_client(transaction.connection, row.client, zone)
    within = steps.answer
    due = due_of(within.within, within.unit, within.warn_minutes, row.opened_at, calendar)
    team = await team_of(transaction.connection, row.former_agent or row.collector)
    about = _about(row, team) | {"owner_role": "supervisor", "unit": within.unit}
    about |= {"repeats": True, "every_minutes": steps.repeat_minutes}
    answer = Deadline(key=key(row.id, "answer"), kind=ANSWER, due=due, step="answer", escalate=("company",), **about)
    await open_deadline(transaction, answer, now)
    await _open_step(transaction, row, steps.steps[0], calendar, team, now)


def _about(row: Row[Any], team: str | None) -> dict[str, Any]:
    return {
        "text": row.severity, "client": row.client, "case_id": row.case_id, "call_id": row.call_id,
        "complaint_id": row.id, "team": team, "mail": True,
    }  # fmt: skip


async def _open_step(
    transaction: Transaction, row: Row[Any], step: Step, calendar: WorkingTime, team: str | None, now: datetime
) -> Due:
    """A step's clock; its time counts from the complaint's opening. Told upwards by what follows a miss, not by a rule."""
    due = due_of(step.within, step.unit, step.warn_minutes, row.opened_at, calendar)
    if due.warn_at is not None and due.warn_at <= now:
        due = Due(due.due_at, now if now < due.due_at else None)  # it came late: warned of at once
    owner = (row.former_agent or row.collector) if step.role == "collector" and not step.people else None
    about = _about(row, team) | {"owner": owner, "owner_role": step.role, "people": step.people, "unit": step.unit}
    whole = ladder(row)
    if whole is not None and whole.names[-1] == step.name:
        about |= {"repeats": True, "every_minutes": whole.repeat_minutes}
    await open_deadline(transaction, Deadline(key(row.id, step.name), STEP, due, step=step.name, **about), now)
    return due


async def move_on(
    transaction: Transaction, row: Row[Any], done: str, *, by: str, zone: str, now: datetime
) -> str | None:
    """A step was done: whose turn it is now. A step before the present one was only made up for."""
    steps = ladder(row)
    if steps is None or row.step is None or steps.names.index(done) < steps.names.index(row.step):
        return row.step if steps is not None else None
    skipped = [key(row.id, name) for name in steps.names[steps.names.index(row.step) : steps.names.index(done)]]
    await cancel(transaction, deadlines.c.key.in_(skipped), by=by, reason=f"{done} took over", now=now)
    following = steps.names[steps.names.index(done) + 1 :]
    calendar = await calendars.of_client(transaction.connection, row.client, zone)
    team = await team_of(transaction.connection, row.former_agent or row.collector)
    if following:
        await _open_step(transaction, row, steps.step(following[0]), calendar, team, now)
    return following[0] if following else None


class Escalation:
    """What follows when a step of a complaint, or its answer, is missed: the next step has it, and its people are told."""

    def __init__(self, zone: str) -> None:
        self._zone = zone

    async def step_missed(
        self, transaction: Transaction, rows: Sequence[Row[Any]], people: Roster, now: datetime
    ) -> None:
        """Each complaint goes up one step; the last one is told again until somebody acts. Their cases are locked."""
        for late in rows:
            complaint = await _open_complaint(transaction, late.complaint_id)
            steps = ladder(complaint) if complaint is not None else None
            if complaint is None or steps is None or complaint.step != late.step:
                continue
            after = steps.names[steps.names.index(late.step) + 1 :]
            if not after:
                await self._tell(transaction, complaint, late, None, None, people, now)
                continue
            calendar = await calendars.of_client(transaction.connection, complaint.client, self._zone)
            team = await team_of(transaction.connection, complaint.former_agent or complaint.collector)
            due = await _open_step(transaction, complaint, steps.step(after[0]), calendar, team, now)
            mine = update(complaints).where(complaints.c.id == complaint.id)
            await transaction.execute(mine.values(step=after[0], revision=complaints.c.revision + 1))
            await self._tell(transaction, complaint, late, steps.step(after[0]), due, people, now)

    async def answer_missed(
        self, transaction: Transaction, rows: Sequence[Row[Any]], people: Roster, now: datetime
    ) -> None:
        """The whole time is over without a ruling: the company is told, again where no step is left that would tell it."""
        for late in rows:
            complaint = await _open_complaint(transaction, late.complaint_id)
            if complaint is not None and (late.level == 1 or complaint.step is None):
                await self._tell(transaction, complaint, late, None, None, people, now)

    async def _tell(
        self, transaction: Transaction, row: Row[Any], late: Row[Any], step: Step | None, due: Due | None,
        people: Roster, now: datetime,
    ) -> None:  # fmt: skip
        role, named = (step.role, step.people) if step is not None else ("company", [])
        team = late.team or people.team_of(row.former_agent or row.collector)
        told = people.named(named, role, row.client, team)
        if step is None and late.people:  # whose the last step is, beside the company
            told = people.named(late.people, late.owner_role, row.client, team).beside(told)
        again = late.level - 1
        data = {
            "complaint_id": row.id, "severity": row.severity, "from": late.step, "to": step.name if step else "company",
            "told": list(told.people), **told.notes, "due_at": due.due_at.isoformat() if due else None, "mail": True,
            "again": again,
        }  # fmt: skip
        about = (row.client, row.collector, row.case_id, row.call_id)
        transaction.journal(Entry(now, "complaint.escalated", "system", *about, data))
        what = "reminded" if again else "escalated"
        await record(transaction, row.id, what, by="system", now=now, step=late.step, text=told.note, details=data)


async def _open_complaint(transaction: Transaction, complaint_id: str) -> Row[Any] | None:
    joined = select(complaints, cases.c.client, cases.c.collector).join(cases, cases.c.id == complaints.c.case_id)
    return await transaction.first(joined.where(complaints.c.id == complaint_id, complaints.c.state == "open"))
