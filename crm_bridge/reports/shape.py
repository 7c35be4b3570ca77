"""What a report is: named columns, rows of figures, a total; and how figures of several queries become one table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.local_time import local_part
from crm_bridge.people.users import User
from crm_bridge.reports.period import Period, Slice, slices

Kind = Literal["text", "count", "rate", "minutes", "seconds", "score"]
Figures = dict[str, Any]
Totals = dict[str | None, dict[str, float]]
HOURS = [f"{hour:02}" for hour in range(24)]
BY_CLOCK = ("hour", "day")
KEY = "told_by"  # a name that no table has a column of: PostgreSQL would group by that


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `rate` is between 0 and 1, or null where nothing was counted."""

    name: str
    kind: Kind = "count"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is made of: whose eyes, which period and client, told apart `by` what."""

    connection: AsyncConnection
    user: User
    period: Period
    client: str | None
    by: str
    zones: Mapping[str, str]
    default_zone: str
    now: datetime

    def slices(self) -> list[Slice]:
        """The stretches to ask for, one query each."""
        by_clock = self.by in BY_CLOCK
        return list(slices(self.period, self.zones, self.default_zone, self.client, by_clock=by_clock))

    @property
    def zone(self) -> str:
        """The zone that the period is told in."""
        return self.zones.get(self.client or "", self.default_zone)

    def keys(self) -> list[str]:
        """The keys of a report by clock, also those without a figure."""
        if self.by == "hour":
            return HOURS
        found = {self.default_zone, *self.zones.values()} if self.client is None else {self.zone}
        return sorted({day for key in found for day in self.period.days(key)}) if self.by == "day" else []


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report. `total` has no key."""

    columns: Sequence[Column]
    rows: list[Figures]
    total: Figures


@dataclass(frozen=True, slots=True)
class Making:
    """How one report is made: the choices of `by` (the first is the usual one), its columns, its work."""

    by: Sequence[str]
    columns: Sequence[Column]
    gather: Callable[[Asked], Any]  # an awaitable of Totals
    derive: Callable[[Figures], None] = field(default=lambda _: None)
    most: frozenset[str] = frozenset()  # columns of which the largest counts, not the sum

    async def make(self, asked: Asked) -> Report:
        """Ask, and put the rows in order: clocks in their order and complete, other keys by how much they have."""
        found: Totals = await self.gather(asked)
        first = next(column.name for column in self.columns if column.kind == "count")
        keys: list[str | None] = [*asked.keys()]
        others = [key for key in found if key not in set(keys)]
        keys += sorted(others, key=lambda key: (-found[key].get(first, 0), key is None, key or ""))
        rows = [self._row(asked.by, key, found.get(key, {})) for key in keys]
        total = self._row(asked.by, None, combined(found.values(), self.most))
        del total[asked.by]
        return Report([Column(asked.by, "text"), *self.columns], rows, total)

    def _row(self, by: str, key: str | None, found: Mapping[str, float]) -> Figures:
        """A row as it is shown; what the figures have beside the columns is for `derive` and begins with `_`."""
        row: Figures = {by: key, **found}
        for column in self.columns:
            row[column.name] = int(found.get(column.name, 0)) if column.kind == "count" else None
        self.derive(row)
        return {name: row[name] for name in (by, *(column.name for column in self.columns))}


def combined(many: Iterable[Mapping[str, float]], most: frozenset[str] = frozenset()) -> dict[str, float]:
    """Figures added up, of those in `most` the largest."""
    result: dict[str, float] = {}
    for figures in many:
        for name, value in figures.items():
            result[name] = max(result.get(name, value), value) if name in most else result.get(name, 0) + value
    return result


async def gathered(
    asked: Asked, statement: Callable[[Slice], Select[Any]], most: frozenset[str] = frozenset()
) -> Totals:
    """The figures of every stretch by their key: the statement's column KEY and its sums, none of them text."""
    parts: dict[str | None, list[dict[str, float]]] = {}
    for piece in asked.slices():
        for row in await asked.connection.execute(statement(piece)):
            figures = {name: float(value) for name, value in row._mapping.items() if name != KEY and value is not None}
            parts.setdefault(row._mapping[KEY] or None, []).append(figures)
    return {key: combined(many, most) for key, many in parts.items()}


def key_of(asked: Asked, piece: Slice, moment: Any, columns: Mapping[str, Any]) -> Any:
    """The expression by which rows are told apart, labelled KEY."""
    if asked.by in BY_CLOCK:
        return local_part(moment, piece.offset, "hour" if asked.by == "hour" else "day").label(KEY)
    return columns[asked.by].label(KEY)


def rate(row: Figures, of: str, among: str, into: str) -> None:
    """Write `of` / `among` to four places as `into`, null where nothing was counted."""
    row[into] = round(row[of] / row[among], 4) if row[among] else None
