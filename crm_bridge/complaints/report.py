"""The weekly report of complaints (S56): how many of what kind, answered in what time, and each of them."""

import csv
import html
import io
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Invalid
from crm_bridge.clocks.tables import complaint_trail, deadlines
from crm_bridge.complaints.steps import ANSWER
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases, complaints
from crm_bridge.web.translations import translate
from telephony.policy.zones import local_date, start_of_day, zone

WEEK = re.compile(r"^(\d{4})-W(\d{2})$")
COLUMNS = (
    "id", "client", "case_id", "call_id", "severity", "category", "opened_at", "opened_by", "former_agent", "state",
    "closed_at", "closed_by", "minutes_to_answer", "answer_due_at", "in_time", "justified", "escalations", "resumed",
)  # fmt: skip


def week_of(text: str | None, key: str, now: datetime) -> tuple[str, date]:
    """An ISO 8601 week (`2026-W23`) and its Monday; the last full week when none is named. Raises Invalid."""
    if text is None:
        year, number, _ = (local_date(now, key) - timedelta(days=7)).isocalendar()
    else:
        found = WEEK.fullmatch(text)
        year, number = (int(part) for part in found.groups()) if found else (0, 0)
    try:
        return f"{year}-W{number:02}", date.fromisocalendar(year, number, 1)
    except ValueError as error:
        raise Invalid("week must be a week such as 2026-W23", [{"field": "week", "message": "2026-W23"}]) from error


async def weekly(
    connection: AsyncConnection, user: User, *, week: str | None, client: str | None, key: str, now: datetime
) -> dict[str, Any]:
    """The report on complaints opened in a week, Monday to Sunday in the zone `key`, as they stand at `now`."""
    name, monday = week_of(week, key, now)
    start, end = start_of_day(key, monday), start_of_day(key, monday + timedelta(days=7))
    items = [_item(row, now) for row in await _rows(connection, user, client, start, end)]
    return {"week": name, "from": start, "until": end, "zone": key, "client": client, "made_at": now,
            "total": _total(items), "by": {field: _by(items, field) for field in ("severity", "category", "client")},
            "items": items}  # fmt: skip


async def _rows(
    connection: AsyncConnection, user: User, client: str | None, start: datetime, end: datetime
) -> Sequence[Row[Any]]:
    raised = select(complaint_trail.c.complaint_id, func.count().label("escalations"))
    raised_ = raised.where(complaint_trail.c.what == "escalated").group_by(complaint_trail.c.complaint_id).subquery()
    answer = and_(deadlines.c.complaint_id == complaints.c.id, deadlines.c.kind == ANSWER)
    joined = (
        complaints.join(cases, cases.c.id == complaints.c.case_id)
        .outerjoin(deadlines, answer)
        .outerjoin(raised_, raised_.c.complaint_id == complaints.c.id)
    )
    columns = select(complaints, cases.c.client, deadlines.c.due_at.label("answer_due_at"), raised_.c.escalations)
    opened = columns.select_from(joined).where(complaints.c.opened_at >= start, complaints.c.opened_at < end)
    wanted = opened.where(scope.cases_seen_by(user), *([cases.c.client == client] if client else []))
    rows: Sequence[Row[Any]] = (
        await connection.execute(wanted.order_by(complaints.c.opened_at, complaints.c.id))
    ).all()
    return rows


def _item(row: Row[Any], now: datetime) -> dict[str, Any]:
    """In time: closed by its due time; not in time: closed or still open after it; null: open with time left."""
    ended = row.closed_at
    minutes = round((ended - row.opened_at).total_seconds() / 60, 1) if ended is not None else None
    in_time = None
    if row.answer_due_at is not None and (ended is not None or now > row.answer_due_at):
        in_time = ended is not None and ended <= row.answer_due_at
    known = {name: row._mapping[name] for name in COLUMNS if name in row._mapping}
    return known | {
        "category": row.category or "other", "minutes_to_answer": minutes, "in_time": in_time,
        "escalations": row.escalations or 0, "resumed": bool(row.instructed),
    }  # fmt: skip


def _total(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    minutes = [item["minutes_to_answer"] for item in items if item["minutes_to_answer"] is not None]
    return {
        "opened": len(items),
        "closed": len(minutes),
        "open": len(items) - len(minutes),
        "in_time": sum(item["in_time"] is True for item in items),
        "late": sum(item["in_time"] is False for item in items),
        "justified": sum(item["justified"] is True for item in items),
        "unjustified": sum(item["justified"] is False for item in items),
        "escalations": sum(item["escalations"] for item in items),
        "median_minutes": median(minutes) if minutes else None,
        "longest_minutes": max(minutes, default=None),
    }


def _by(items: Sequence[dict[str, Any]], field: str) -> dict[str, dict[str, Any]]:
    names = Counter(item[field] for item in items)
    return {name: _total([item for item in items if item[field] == name]) for name, _ in names.most_common()}


# ---- as a file


def as_csv(report: dict[str, Any]) -> str:
    """One line a complaint, with a byte-order mark so that spreadsheets read it as UTF-8."""
    into = io.StringIO()
    writer = csv.writer(into)
    writer.writerow(COLUMNS)
    for item in report["items"]:
        writer.writerow([_cell(item[name], report["zone"]) for name in COLUMNS])
    return "\ufeff" + into.getvalue()


def _cell(value: Any, key: str) -> str:
    """As text that a spreadsheet does not take for a formula (CWE-1236)."""
    text = _text(value, key)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _text(value: Any, key: str) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone(key)).isoformat(timespec="seconds")
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_document(report: dict[str, Any], language: str) -> str:
    """A page to print or send: totals, by kind, and each complaint."""

    def t(name: str) -> str:
        return html.escape(translate(language, name))

    def row(cells: Sequence[Any], tag: str = "td") -> str:
        shown = (html.escape(_text(cell, report["zone"])) for cell in cells)
        return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in shown)}</tr>"

    figures = (
        "opened",
        "closed",
        "open",
        "in_time",
        "late",
        "justified",
        "unjustified",
        "escalations",
        "median_minutes",
    )
    heads = [translate(language, f"complaint.report.{name}") for name in figures]
    parts = [
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><meta charset="utf-8">',
        f"<title>{t('complaint.report.title')} {report['week']}</title>",
        f"<h1>{t('complaint.report.title')} {report['week']}</h1>",
        f"<p>{_text(report['from'], report['zone'])} – {_text(report['until'], report['zone'])}</p>",
    ]
    for field in ("severity", "category", "client"):
        groups = [
            row([_named(language, field, name), *(group[one] for one in figures)])
            for name, group in report["by"][field].items()
        ]
        total = row([translate(language, "complaint.report.total"), *(report["total"][one] for one in figures)], "th")
        head = row([translate(language, f"complaint.report.{field}"), *heads], "th")
        parts.append(f"<table border=1 cellspacing=0 cellpadding=4>{head}{''.join(groups)}{total}</table><p></p>")
    listed = "".join(row([item[name] for name in COLUMNS]) for item in report["items"])
    titles = row([translate(language, f"complaint.report.{name}") for name in COLUMNS], "th")
    return "".join([*parts, f"<table border=1 cellspacing=0 cellpadding=4>{titles}{listed}</table></html>"])


def _named(language: str, field: str, value: str) -> str:
    return value if field == "client" else translate(language, f"complaint.{field}.{value}")
