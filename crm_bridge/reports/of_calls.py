"""Figures of calls: the connect rate (S58), attempts and what came of them, and calls that were refused."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from config.journal import journal
from config.local_time import seconds_between
from crm_bridge.people import scope
from crm_bridge.reports.period import Slice
from crm_bridge.reports.shape import KEY, Asked, Column, Figures, Making, Totals, gathered, key_of, rate
from telephony.tables import calls

KEYS = ("hour", "day", "agent", "trunk", "client")
OUTCOMES = (
    "conversation", "voicemail", "no_answer", "busy", "not_in_service", "dropped", "rejected", "failed", "unknown",
)  # fmt: skip
OTHER = "other"

_counted = and_(calls.c.outcome.is_not(None), calls.c.outcome != "not_placed")
"""`attempts_counted` of a call as the API shows it."""
_answered = and_(_counted, calls.c.connected_at.is_not(None))


def number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows meet the condition."""
    return func.sum(case((condition, 1), else_=0))


def _by(asked: Asked, piece: Slice, *figures: Any) -> Select[Any]:
    columns = {"agent": calls.c.agent, "trunk": calls.c.trunk, "client": calls.c.client}
    key = key_of(asked, piece, calls.c.created_at, columns)
    mine = scope.calls_seen_by(asked.user)
    wanted = and_(calls.c.direction == "outbound", piece.holds(calls.c.created_at, calls.c.client), mine)
    return select(key, *figures).where(wanted).group_by(KEY)


async def _connect_rate(asked: Asked) -> Totals:
    figures = (
        func.count().label("calls"), number_of(_counted).label("attempts"), number_of(_answered).label("answered"),
        number_of(calls.c.outcome == "conversation").label("conversations"),
    )  # fmt: skip
    return await gathered(asked, lambda piece: _by(asked, piece, *figures))


def _rates(row: Figures) -> None:
    rate(row, "answered", "attempts", "connect_rate")


async def _attempts(asked: Asked) -> Totals:
    named = calls.c.outcome.in_(OUTCOMES)
    talked = seconds_between(calls.c.ended_at, calls.c.connected_at)
    figures = [
        number_of(_counted).label("attempts"),
        *(number_of(calls.c.outcome == one).label(one) for one in OUTCOMES),
        number_of(and_(_counted, ~named)).label(OTHER),
        func.sum(case((_answered, talked))).label("_talked"),
    ]
    return await gathered(asked, lambda piece: _by(asked, piece, *figures))


def _talk(row: Figures) -> None:
    row["talk_minutes"] = round(row.get("_talked", 0) / 60, 1)


async def _denials(asked: Asked) -> Totals:
    columns = {"rule": journal.c.data["rule"].as_string(), "agent": journal.c.agent, "client": journal.c.client}
    figures = (
        func.count().label("denials"),
        number_of(journal.c.call_id.is_(None)).label("at_click"),
        number_of(journal.c.call_id.is_not(None)).label("at_dial"),
    )

    def statement(piece: Slice) -> Select[Any]:
        key = key_of(asked, piece, journal.c.at, columns)
        mine = scope.journal_seen_by(asked.user)
        wanted = and_(journal.c.kind == "call.denied", piece.holds(journal.c.at, journal.c.client), mine)
        return select(key, *figures).where(wanted).group_by(KEY)

    return await gathered(asked, statement)


CONNECT_RATE = Making(
    by=KEYS,
    columns=(
        Column("calls"),
        Column("attempts"),
        Column("answered"),
        Column("conversations"),
        Column("connect_rate", "rate"),
    ),
    gather=_connect_rate,
    derive=_rates,
)
ATTEMPTS = Making(
    by=("day", "hour", "agent", "trunk", "client"),
    columns=(
        Column("attempts"),
        *(Column(one) for one in (*OUTCOMES, OTHER)),
        Column("talk_minutes", "minutes"),
    ),
    gather=_attempts,
    derive=_talk,
)
DENIALS = Making(
    by=("rule", "agent", "client", "day", "hour"),
    columns=(Column("denials"), Column("at_click"), Column("at_dial")),
    gather=_denials,
)
