"""Figures of the work around calls: notes written in time (S35), complaints (S56), and the first round of cases (S58)."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from config.local_time import seconds_between
from crm_bridge.clocks import deadlines as deadline_store
from crm_bridge.clocks.tables import deadlines
from crm_bridge.complaints.steps import ANSWER
from crm_bridge.notes.tables import commitments
from crm_bridge.people import scope
from crm_bridge.reports.of_calls import number_of
from crm_bridge.reports.period import Slice
from crm_bridge.reports.shape import KEY, Asked, Column, Figures, Making, Totals, gathered, key_of, rate
from crm_bridge.tables import case_parties, cases, complaints, parties
from telephony.tables import calls


async def _notes(asked: Asked) -> Totals:
    over = deadlines.c.ended_at.is_not(None)
    missed = deadlines.c.state == "missed"
    figures = (
        func.count().label("due"),
        number_of(deadlines.c.state == "met").label("in_time"),
        number_of(and_(missed, over)).label("late"),
        number_of(and_(missed, ~over)).label("missing"),
        number_of(deadlines.c.state == "open").label("open"),
        number_of(deadlines.c.state == "cancelled").label("cancelled"),
    )
    columns = {"agent": deadlines.c.owner, "client": deadlines.c.client}

    def statement(piece: Slice) -> Select[Any]:
        key = key_of(asked, piece, deadlines.c.opened_at, columns)
        held = piece.holds(deadlines.c.opened_at, deadlines.c.client)
        wanted = and_(deadlines.c.kind == "note", held, deadline_store.seen_by(asked.user))
        return select(key, *figures).where(wanted).group_by(KEY)

    return await gathered(asked, statement)


def _on_time(row: Figures) -> None:
    row["_over"] = row["in_time"] + row["late"] + row["missing"]
    rate(row, "in_time", "_over", "on_time_rate")


async def _complaints(asked: Asked) -> Totals:
    closed, due = complaints.c.closed_at, deadlines.c.due_at
    took = seconds_between(closed, complaints.c.opened_at)
    late = or_(closed > due, and_(closed.is_(None), due < asked.now))
    figures = (
        func.count().label("opened"),
        number_of(closed.is_not(None)).label("closed"),
        number_of(closed.is_(None)).label("open"),
        number_of(closed <= due).label("in_time"),
        number_of(late).label("late"),
        number_of(complaints.c.justified.is_(True)).label("justified"),
        func.sum(took).label("_took"),
        func.max(took).label("_longest"),
    )
    columns = {
        "severity": complaints.c.severity, "category": func.coalesce(complaints.c.category, "other"),
        "client": cases.c.client, "agent": complaints.c.former_agent,
    }  # fmt: skip
    answer = and_(deadlines.c.complaint_id == complaints.c.id, deadlines.c.kind == ANSWER)
    joined = complaints.join(cases, cases.c.id == complaints.c.case_id).outerjoin(deadlines, answer)

    def statement(piece: Slice) -> Select[Any]:
        key = key_of(asked, piece, complaints.c.opened_at, columns)
        wanted = and_(piece.holds(complaints.c.opened_at, cases.c.client), scope.cases_seen_by(asked.user))
        return select(key, *figures).select_from(joined).where(wanted).group_by(KEY)

    return await gathered(asked, statement, frozenset({"_longest"}))


def _answer_times(row: Figures) -> None:
    row["mean_minutes"] = round(row["_took"] / row["closed"] / 60, 1) if row["closed"] else None
    row["longest_minutes"] = round(row["_longest"] / 60, 1) if row["closed"] else None


def _has(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(*conditions)


def _case_calls() -> Any:
    """Of each case with calls: how many attempts, how many answered, how many conversations."""
    counted = and_(calls.c.outcome.is_not(None), calls.c.outcome != "not_placed")
    return (
        select(
            calls.c.case_id,
            number_of(counted).label("attempts"),
            number_of(and_(counted, calls.c.connected_at.is_not(None))).label("answered"),
            number_of(calls.c.outcome == "conversation").label("conversations"),
        )
        .where(calls.c.direction == "outbound", calls.c.case_id.is_not(None))
        .group_by(calls.c.case_id)
        .subquery()
    )


async def _first_round(asked: Asked) -> Totals:
    made = _case_calls()
    debtor = and_(case_parties.c.case_id == cases.c.id, case_parties.c.relation == "debtor")
    deceased = _has(debtor, parties.c.id == case_parties.c.party_id, parties.c.deceased.is_(True))
    promised = _has(commitments.c.case_id == cases.c.id, commitments.c.kind == "promise")
    figures = (
        func.count().label("cases"),
        number_of(made.c.attempts > 0).label("called"),
        number_of(made.c.conversations > 0).label("reached"),
        func.coalesce(func.sum(made.c.attempts), 0).label("attempts"),
        func.coalesce(func.sum(made.c.answered), 0).label("answered"),
        number_of(deceased).label("deaths"),
        number_of(cases.c.fraud_statement.is_(True)).label("fraud"),
        number_of(promised).label("promises"),
    )
    columns = {"client": cases.c.client, "agent": cases.c.collector}
    joined = cases.outerjoin(made, made.c.case_id == cases.c.id)

    def statement(piece: Slice) -> Select[Any]:
        key = key_of(asked, piece, cases.c.created_at, columns)
        wanted = and_(piece.holds(cases.c.created_at, cases.c.client), scope.cases_seen_by(asked.user))
        return select(key, *figures).select_from(joined).where(wanted).group_by(KEY)

    return await gathered(asked, statement)


def _first_rates(row: Figures) -> None:
    rate(row, "answered", "attempts", "connect_rate")


NOTES = Making(
    by=("agent", "client", "day"),
    columns=(
        *(Column(name) for name in ("due", "in_time", "late", "missing", "open", "cancelled")),
        Column("on_time_rate", "rate"),
    ),
    gather=_notes,
    derive=_on_time,
)
COMPLAINTS = Making(
    by=("severity", "category", "client", "agent", "day"),
    columns=(
        *(Column(name) for name in ("opened", "closed", "open", "in_time", "late", "justified")),
        Column("mean_minutes", "minutes"),
        Column("longest_minutes", "minutes"),
    ),
    gather=_complaints,
    derive=_answer_times,
    most=frozenset({"_longest"}),
)
FIRST_ROUND = Making(
    by=("client", "agent", "day"),
    columns=(
        *(Column(name) for name in ("cases", "called", "reached", "attempts", "answered")),
        *(Column(name) for name in ("deaths", "fraud", "promises")),
        Column("connect_rate", "rate"),
    ),
    gather=_first_round,
    derive=_first_rates,
)
