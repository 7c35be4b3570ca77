"""What a report of a period consists of: a few figures that a message can tell, and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_bridge.people.users import User
from crm_bridge.reports.shape import Column

EVERYONE = User("system", "admin")
"""A kept report is made with the eyes of somebody who sees all; who may read it is asked later."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about; `until` is not included, `zone` is where its days are told."""

    period: str
    client: str | None
    start: datetime
    end: datetime
    zone: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Section:
    """One table: what the first column names is told by the section's name."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Contents:
    """A finished report."""

    figures: Mapping[str, float | None]
    sections: Sequence[Section]

    def document(self) -> list[dict[str, Any]]:
        """The tables as they are kept."""
        return [
            {
                "name": section.name,
                "columns": [{"name": column.name, "kind": column.kind} for column in section.columns],
                "rows": [{column.name: _plain(row.get(column.name)) for column in section.columns} for row in section.rows],
            }
            for section in self.sections
        ]  # fmt: skip


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def share(part: float, whole: float) -> float | None:
    """`part` of `whole` to four places, None of nothing."""
    return round(part / whole, 4) if whole else None


def mean(values: Sequence[float]) -> float | None:
    """The mean to one place, None of nothing."""
    return round(sum(values) / len(values), 1) if values else None
