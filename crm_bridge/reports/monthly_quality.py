"""The month's quality report (S51, S56): how much of the recorded work was listened to, and what was found.

Of the month's calls in which somebody answered. A call counts as reviewed once, whoever reviewed it and when; a score is the mean
of the call's reviews. S51 asks for at least 15 % of the recordings a month.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.clocks.tables import deadlines
from crm_bridge.qa.tables import qa_reviews, qa_sample_calls
from crm_bridge.reports.contents import Contents, Section, Subject, mean, share
from crm_bridge.reports.shape import Column
from crm_bridge.tables import users
from telephony.tables import calls

WANTED = 0.15
FIGURES = (
    Column("answered"), Column("drawn"), Column("reviewed"), Column("reviewed_rate", "rate"), Column("mean_score", "score"),
    Column("minor"), Column("major"), Column("failed_critical"),
)  # fmt: skip
FINDINGS = ("made_at", "client", "case_id", "call_id", "agent", "reviewer", "finding", "score", "comment", "reported")


@dataclass(slots=True)
class Tally:
    """What was counted of one collector, team or client."""

    answered: int = 0
    drawn: int = 0
    scores: list[float] = field(default_factory=list)
    reviewed: int = 0
    minor: int = 0
    major: int = 0
    failed_critical: int = 0

    def row(self) -> dict[str, Any]:
        """As a row of figures."""
        return {
            "answered": self.answered, "drawn": self.drawn, "reviewed": self.reviewed,
            "reviewed_rate": share(self.reviewed, self.answered), "mean_score": mean(self.scores), "minor": self.minor,
            "major": self.major, "failed_critical": self.failed_critical,
        }  # fmt: skip


async def made(connection: AsyncConnection, subject: Subject) -> Contents:
    """As it stands when the report is made."""
    answered = await _answered(connection, subject)
    reviews = await _reviews(connection, subject)
    tables = [
        Section(f"by_{by}", (Column(by, "text"), *FIGURES), _told_by(by, answered, reviews))
        for by in ("team", "agent", "client")
    ]
    whole = _counted(answered, reviews).row()
    figures = {name: whole[name] for name in ("answered", "reviewed", "reviewed_rate", "mean_score", "minor", "major")}
    figures["wanted_rate"] = WANTED
    findings = [_finding(row) for row in reviews if row.finding != "none"]
    return Contents(figures, [*tables, Section("findings", tuple(Column(name, "text") for name in FINDINGS), findings)])


async def _answered(connection: AsyncConnection, subject: Subject) -> Sequence[Row[Any]]:
    drawn = select(qa_sample_calls.c.call_id).where(qa_sample_calls.c.call_id == calls.c.id).exists()
    columns = (calls.c.id, calls.c.agent, calls.c.client, users.c.team, drawn.label("drawn"))
    joined = calls.outerjoin(users, users.c.name == calls.c.agent)
    wanted = select(*columns).select_from(joined).where(*_of_month(subject))
    return (await connection.execute(wanted.order_by(calls.c.id))).all()


def _of_month(subject: Subject) -> list[Any]:
    conditions = [
        calls.c.created_at >= subject.start, calls.c.created_at < subject.end, calls.c.connected_at.is_not(None),
        calls.c.ended_at.is_not(None), calls.c.agent != "",
    ]  # fmt: skip
    return [*conditions, *([calls.c.client == subject.client] if subject.client else [])]


async def _reviews(connection: AsyncConnection, subject: Subject) -> Sequence[Row[Any]]:
    joined = qa_reviews.join(calls, calls.c.id == qa_reviews.c.call_id).outerjoin(
        deadlines, deadlines.c.key == qa_reviews.c.deadline_key
    )
    shown = ("id", "call_id", "agent", "reviewer", "score", "failed", "finding", "comment", "made_at")
    columns = (
        *(qa_reviews.c[name] for name in shown), calls.c.client, calls.c.case_id, deadlines.c.state.label("clock"),
        deadlines.c.ended_at.label("clock_ended"),
    )  # fmt: skip
    wanted = select(*columns).select_from(joined).where(*_of_month(subject))
    return (await connection.execute(wanted.order_by(qa_reviews.c.id))).all()


def _told_by(by: str, answered: Sequence[Row[Any]], reviews: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """One row a team, collector or client, by name; of none comes last."""
    key_of = {row.id: row._mapping[by] or None for row in answered}
    calls_of: dict[str | None, list[Row[Any]]] = defaultdict(list)
    reviews_of: dict[str | None, list[Row[Any]]] = defaultdict(list)
    for row in answered:
        calls_of[key_of[row.id]].append(row)
    for row in reviews:
        reviews_of[key_of[row.call_id]].append(row)
    names = sorted(calls_of, key=lambda name: (name is None, name or ""))
    return [{by: name, **_counted(calls_of[name], reviews_of[name]).row()} for name in names]


def _counted(answered: Sequence[Row[Any]], reviews: Iterable[Row[Any]]) -> Tally:
    tally = Tally(answered=len(answered), drawn=sum(bool(row.drawn) for row in answered))
    scores: dict[str, list[float]] = defaultdict(list)
    for row in reviews:
        scores[row.call_id] += [] if row.score is None else [row.score]
        tally.minor += row.finding == "minor"
        tally.major += row.finding == "major"
        tally.failed_critical += bool(row.failed)
    tally.reviewed = len(scores)
    tally.scores = [sum(given) / len(given) for given in scores.values() if given]
    return tally


def _finding(row: Row[Any]) -> dict[str, Any]:
    """A finding, and whether it was reported in its time (S47, S55): in_time, late, or open."""
    reported = "in_time" if row.clock == "met" else "late" if row.clock == "missed" else "open"
    return {name: row._mapping[name] for name in FINDINGS if name in row._mapping} | {"reported": reported}
