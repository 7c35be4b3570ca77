"""The half-year's rating (S56): each team, collector and client by the same few figures, from the reports on the same period.

The rating is the mean of those that there are of: the share of notes on time, the share of complaints answered in time, and the
mean score of reviewed calls, each from 0 to 100. Major findings and complaints per thousand calls stand beside it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.reports import monthly_quality, of_calls, of_work
from crm_bridge.reports.contents import EVERYONE, Contents, Section, Subject, mean, share
from crm_bridge.reports.period import Period
from crm_bridge.reports.shape import Asked, Column
from crm_bridge.tables import users

SUMMED = (
    "calls", "attempts", "answered", "notes_in_time", "notes_over", "complaints", "justified", "answers_in_time",
    "answers_over", "reviewed", "score_sum", "major",
)  # fmt: skip
FIGURES = (
    Column("rating", "score"), Column("calls"), Column("connect_rate", "rate"), Column("on_time_rate", "rate"),
    Column("complaints"), Column("complaints_per_1000", "score"), Column("justified"), Column("answers_in_time_rate", "rate"),
    Column("reviewed"), Column("mean_score", "score"), Column("major"),
)  # fmt: skip
Sums = dict[str, float]


async def made(connection: AsyncConnection, subject: Subject) -> Contents:
    """As it stands when the report is made."""
    of_agents = await _sums(connection, subject, "agent")
    of_clients = await _sums(connection, subject, "client")
    teams = {row.name: row.team for row in await connection.execute(select(users.c.name, users.c.team))}
    of_teams: dict[str | None, Sums] = defaultdict(lambda: dict.fromkeys(SUMMED, 0.0))
    for agent, sums in of_agents.items():
        _add(of_teams[teams.get(agent or "")], sums)
    tables = [
        Section(f"by_{by}", (Column(by, "text"), *FIGURES), _rated(by, found))
        for by, found in (("team", of_teams), ("agent", of_agents), ("client", of_clients))
    ]
    total = dict.fromkeys(SUMMED, 0.0)
    for sums in of_agents.values():
        _add(total, sums)
    whole = _row(total)
    names = (
        "rating",
        "calls",
        "connect_rate",
        "on_time_rate",
        "complaints",
        "answers_in_time_rate",
        "mean_score",
        "major",
    )
    return Contents({name: whole[name] for name in names}, tables)


async def _sums(connection: AsyncConnection, subject: Subject, by: str) -> dict[str | None, Sums]:
    """What the reports on calls, notes, complaints and quality count of each, on the same moments for all."""
    found: dict[str | None, Sums] = defaultdict(lambda: dict.fromkeys(SUMMED, 0.0))
    asked = Asked(
        connection, EVERYONE, Period(subject.start, subject.end), subject.client, by, {}, subject.zone, subject.now
    )
    for row in (await of_calls.CONNECT_RATE.make(asked)).rows:
        _add(found[row[by]], {name: row[name] for name in ("calls", "attempts", "answered")})
    for row in (await of_work.NOTES.make(asked)).rows:
        over = row["in_time"] + row["late"] + row["missing"]
        _add(found[row[by]], {"notes_in_time": row["in_time"], "notes_over": over})
    for row in (await of_work.COMPLAINTS.make(asked)).rows:
        answers = {"answers_in_time": row["in_time"], "answers_over": row["in_time"] + row["late"]}
        _add(found[row[by]], {"complaints": row["opened"], "justified": row["justified"], **answers})
    quality = await monthly_quality.made(connection, subject)
    section = next(one for one in quality.sections if one.name == f"by_{by}")
    for line in section.rows:
        sums = found[line[by]]
        sums["reviewed"] += line["reviewed"]
        sums["score_sum"] += (line["mean_score"] or 0) * line["reviewed"]
        sums["major"] += line["major"]
    return found


def _add(into: Sums, more: Mapping[str, float]) -> None:
    for name, value in more.items():
        into[name] += value


def _rated(by: str, found: Mapping[str | None, Sums]) -> list[dict[str, Any]]:
    """The best first; without a rating last."""
    rows = [{by: name, **_row(sums)} for name, sums in found.items()]
    return sorted(rows, key=lambda row: (row["rating"] is None, -(row["rating"] or 0), row[by] or ""))


def _row(sums: Mapping[str, float]) -> dict[str, Any]:
    on_time = share(sums["notes_in_time"], sums["notes_over"])
    answered = share(sums["answers_in_time"], sums["answers_over"])
    score = round(sums["score_sum"] / sums["reviewed"], 1) if sums["reviewed"] else None
    return {
        "rating": mean(list(_known((_percent(on_time), _percent(answered), score)))),
        "calls": int(sums["calls"]), "connect_rate": share(sums["answered"], sums["attempts"]), "on_time_rate": on_time,
        "complaints": int(sums["complaints"]), "justified": int(sums["justified"]), "answers_in_time_rate": answered,
        "complaints_per_1000": round(1000 * sums["complaints"] / sums["calls"], 1) if sums["calls"] else None,
        "reviewed": int(sums["reviewed"]), "mean_score": score, "major": int(sums["major"]),
    }  # fmt: skip


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _known(values: Iterable[float | None]) -> Iterable[float]:
    return (value for value in values if value is not None)
