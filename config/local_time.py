"""Wall-clock parts and spans of moments inside a query, written for either database.

SQLite knows no zones, so a query is made for a stretch of time in which the zone's offset does not change.
"""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Float, String, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

Part = Literal["hour", "day"]
_FORMATS = {"hour": ("%H", "HH24"), "day": ("%Y-%m-%d", "YYYY-MM-DD")}


class _LocalPart(GenericFunction[str]):
    """`(column, minutes, sqlite format, postgresql format)`, all but the column written out."""

    type = String()
    inherit_cache = True
    _register = False
    name = "local_part"


class _Seconds(GenericFunction[float]):
    """`(later, earlier)`."""

    type = Float()
    inherit_cache = True
    _register = False
    name = "seconds_between"


def local_part(column: ColumnElement[datetime], offset_minutes: int, part: Part) -> ColumnElement[str]:
    """The hour ("00" to "23") or the day ("2026-06-01") that a clock so many minutes ahead of UTC shows.

    Group by its label, not by the expression.
    """
    sqlite, postgresql = _FORMATS[part]
    written = (str(int(offset_minutes)), f"'{sqlite}'".replace("%", "%%"), f"'{postgresql}'")
    return _LocalPart(column, *(literal_column(text) for text in written))


def seconds_between(later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[float]:
    """How many seconds lie between two moments; null where one of them is missing."""
    return _Seconds(later, earlier)


@compiles(_LocalPart, "sqlite")
def _local_part_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    column, minutes, wanted, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"strftime({wanted.replace('%%', '%')}, {column}, '{int(minutes):+d} minutes')"


@compiles(_LocalPart, "postgresql")
def _local_part_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, minutes, _, wanted = (compiler.process(clause, **options) for clause in element.clauses)
    return f"to_char(timezone('UTC', {column}) + interval '{int(minutes)} minutes', {wanted})"


@compiles(_Seconds, "sqlite")
def _seconds_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(clause, **options) for clause in element.clauses)
    return f"((julianday({later}) - julianday({earlier})) * 86400.0)"


@compiles(_Seconds, "postgresql")
def _seconds_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(extract(epoch from {later} - {earlier}) AS double precision)"
