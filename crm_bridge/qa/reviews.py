"""Reviews: a call scored by a form. A finding opens its clock: a major one 24 hours (S47), a minor one five days (S55)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Forbidden, NotFound
from config.identifiers import new_id
from config.journal import Entry
from crm_bridge.clocks import calendars, deadlines
from crm_bridge.clocks.deadline_rules import due_of, rule_of
from crm_bridge.clocks.deadlines import Deadline, by_rule, open_deadline
from crm_bridge.clocks.tables import deadlines as clocks
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.qa import forms
from crm_bridge.qa.forms import Question
from crm_bridge.qa.tables import qa_reviews, qa_sample_calls
from telephony.tables import calls

Finding = Literal["none", "minor", "major"]
KIND: Mapping[str, str] = {"major": "qa-finding", "minor": "finding-report"}


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer says of a call."""

    call_id: str
    form_id: str
    scores: Mapping[str, float | None]
    comment: str
    finding: Finding
    sample_id: str | None = None


async def _call(connection: AsyncConnection, call_id: str, user: User) -> Row[Any]:
    wanted = select(calls).where(calls.c.id == call_id, scope.calls_seen_by(user))
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise NotFound(f"there is no call {call_id}")
    return row


async def make(transaction: Transaction, new: Review, *, user: User, zone: str, now: datetime) -> Row[Any]:
    """Keep a review, and open the clock of its finding. Raises NotFound, Invalid, Forbidden (one's own), Conflict (twice)."""
    call = await _call(transaction.connection, new.call_id, user)
    if user.name in (call.agent, call.current_agent):
        raise Forbidden("nobody reviews a call of their own")
    await transaction.lock([f"qa-review:{call.id}"])
    form = await forms.find(transaction.connection, new.form_id)
    if not form["active"]:
        raise Conflict(f"the form {new.form_id} is not in use any more")
    await _require_drawn(transaction, new)
    scored = forms.score([Question.model_validate(one) for one in form["questions"]], new.scores)
    await _require_first(transaction, new, user)
    identifier = new_id(now)
    key = await _open_clock(transaction, identifier, new, call, user, zone, now) if new.finding != "none" else None
    values = {
        "id": identifier, "call_id": call.id, "sample_id": new.sample_id, "agent": call.agent, "reviewer": user.name,
        "form_id": new.form_id, "form_version": form["version"], "questions": form["questions"],
        "scores": dict(new.scores), "score": scored.score, "failed": list(scored.failed), "comment": new.comment,
        "finding": new.finding, "deadline_key": key, "made_at": now,
    }  # fmt: skip
    await transaction.execute(insert(qa_reviews).values(**values))
    told = {name: value for name, value in values.items() if name not in ("id", "made_at", "questions", "call_id")}
    entry = Entry(
        now, "qa.reviewed", user.name, call.client, call.agent, call.case_id, call.id, {"review_id": identifier, **told}
    )
    transaction.journal(entry)
    return (await transaction.all(select(qa_reviews).where(qa_reviews.c.id == identifier)))[0]


async def _require_drawn(transaction: Transaction, new: Review) -> None:
    if new.sample_id is None:
        return
    drawn = select(qa_sample_calls).where(
        qa_sample_calls.c.sample_id == new.sample_id, qa_sample_calls.c.call_id == new.call_id
    )
    if await transaction.first(drawn) is None:
        raise NotFound(f"call {new.call_id} is not in the sample {new.sample_id}")


async def _require_first(transaction: Transaction, new: Review, user: User) -> None:
    columns = qa_reviews.c
    same = (columns.call_id == new.call_id) & (columns.form_id == new.form_id) & (columns.reviewer == user.name)
    known = await transaction.first(select(columns.id).where(same))
    if known is not None:
        raise Conflict("you have reviewed this call with this form", review_id=known.id)


async def _open_clock(
    transaction: Transaction, review_id: str, new: Review, call: Row[Any], user: User, zone: str, now: datetime
) -> str:
    """The finding's deadline, which its kind's rule times; the reviewer sees to it."""
    kind, key = KIND[new.finding], f"qa-review:{review_id}"
    rule = await rule_of(transaction.connection, kind, call.client)
    calendar = await calendars.of_client(transaction.connection, call.client, zone)
    due = due_of(rule.within, rule.unit, rule.warn_minutes, now, calendar)
    team = await deadlines.team_of(transaction.connection, call.agent)
    about = {"client": call.client, "case_id": call.case_id, "call_id": call.id, "team": team, "owner": user.name}
    await open_deadline(transaction, Deadline(key, kind, due, new.comment[:2000], **about, **by_rule(rule)), now)
    (row,) = await transaction.all(select(clocks).where(clocks.c.key == key))
    transaction.journal(deadlines.told_entry("deadline.opened", row, now, {"told": None}))
    return key


async def find(connection: AsyncConnection, review_id: str, user: User) -> Row[Any]:
    """The review. Raises NotFound."""
    row = (await connection.execute(_seen(user).where(qa_reviews.c.id == review_id))).first()
    if row is None:
        raise NotFound(f"there is no review {review_id}")
    return row


def _seen(user: User) -> Any:
    joined = qa_reviews.join(calls, calls.c.id == qa_reviews.c.call_id)
    return select(qa_reviews).select_from(joined).where(scope.calls_seen_by(user))


async def listed(
    connection: AsyncConnection, user: User, wanted: Mapping[str, str | None], *, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Reviews of the calls the user may see, newest first; `wanted` are columns and what they must be."""
    statement = _seen(user).where(*(qa_reviews.c[name] == value for name, value in wanted.items() if value is not None))
    if after:
        statement = statement.where(qa_reviews.c.id < after)
    rows: Sequence[Row[Any]] = (await connection.execute(statement.order_by(qa_reviews.c.id.desc()).limit(limit))).all()
    return rows
