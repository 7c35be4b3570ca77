"""The bench on which a carrier's records are laid beside ours: a file of its own, so that memory does not grow with theirs.

Holds every record of the file, our legs on that trunk and what earlier imports matched, then pairs them number by number.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from crm_bridge.carrier.formats import Bad, Record

_LONGEST_RUN = 400
"""Calls to one number that follow each other so closely that they are paired together, at most."""
_TABLES = """
CREATE TABLE theirs (
    line INTEGER PRIMARY KEY, at REAL, number TEXT, callable INTEGER, caller_id TEXT, duration REAL, answered INTEGER, cause TEXT,
    said TEXT, id TEXT, known INTEGER DEFAULT 0, leg TEXT
);
CREATE TABLE ours (
    leg TEXT PRIMARY KEY, call_id TEXT, at REAL, number TEXT, duration REAL, answered INTEGER, taken INTEGER DEFAULT 0
);
CREATE TABLE pairs (line INTEGER PRIMARY KEY, leg TEXT);
CREATE TABLE bad (line INTEGER PRIMARY KEY, reason TEXT);
"""
_INSERT = (
    "INSERT INTO theirs (line, at, number, callable, caller_id, duration, answered, cause, said) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_THEIRS = ("id", "line", "at", "number", "callable", "caller_id", "duration", "answered", "cause", "known", "leg")
_OURS = ("leg", "call_id", "at", "number", "duration", "answered")


@dataclass(frozen=True, slots=True)
class OurLeg:
    """One leg of ours that went out over the trunk; `leg` is pbx/Uniqueid, `duration` in seconds once answered."""

    leg: str
    call_id: str
    at: datetime
    number: str
    duration: float | None
    answered: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How many lines the file has of each kind."""

    records: int
    bad: int
    left_out: int


class Bench:
    """Used by one thread at a time."""

    def __init__(self, path: Path, trunk: str) -> None:
        self._trunk = trunk
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """The file may go."""
        self._database.close()

    def lay(self, lines: Iterable[Record | Bad | None]) -> Counts:
        """Lay down what the file says."""
        bad = left_out = 0
        self._database.execute("BEGIN")
        for line in lines:
            if line is None:
                left_out += 1
            elif isinstance(line, Bad):
                bad += 1
                self._database.execute("INSERT INTO bad VALUES (?, ?)", (line.line, line.reason))
            else:
                self._database.execute(_INSERT, _row(line))
        self._database.execute("CREATE INDEX by_said ON theirs (said, line)")
        self._name()
        self._database.execute("CREATE UNIQUE INDEX by_id ON theirs (id)")
        self._database.execute("CREATE INDEX by_number ON theirs (number, at)")
        self._database.execute("COMMIT")
        return Counts(self._count("theirs"), bad, left_out)

    def _name(self) -> None:
        """The same words twice are two calls: the second of them is the second in any file that has both."""
        self._database.create_function("name", 2, self._identifier, deterministic=True)
        numbered = "SELECT line, row_number() OVER (PARTITION BY said ORDER BY line) AS nth FROM theirs"
        self._database.execute(
            f"UPDATE theirs SET id = name(said, n.nth) FROM ({numbered}) AS n WHERE n.line = theirs.line"
        )

    def _identifier(self, said: str, nth: int) -> str:
        return hashlib.sha256(f"{self._trunk}|{said}|{nth}".encode()).hexdigest()[:40]

    def _count(self, table: str, where: str = "1") -> int:
        found: int = self._database.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]
        return found

    def span(self) -> tuple[datetime, datetime] | None:
        """The first and the last start in the file."""
        first, last = self._database.execute("SELECT min(at), max(at) FROM theirs").fetchone()
        return None if first is None else (_moment(first), _moment(last))

    def bad(self) -> list[dict[str, Any]]:
        """Every bad line with its reason."""
        return [
            {"line": line, "reason": reason}
            for line, reason in self._database.execute("SELECT * FROM bad ORDER BY line")
        ]

    def know(self, imported: Sequence[tuple[str, str | None]]) -> None:
        """(id, leg) of records that an earlier import has: they keep their leg, and nothing is done about them again."""
        self._database.executemany("UPDATE ours SET taken = 1 WHERE leg = ?", ((leg,) for _, leg in imported if leg))
        self._database.executemany(
            "UPDATE theirs SET known = 1, leg = ? WHERE id = ?", ((leg, id_) for id_, leg in imported)
        )

    def lay_ours(self, legs: Iterable[OurLeg]) -> None:
        """Lay down legs of ours."""
        self._database.executemany(
            "INSERT OR IGNORE INTO ours (leg, call_id, at, number, duration, answered) VALUES (?,?,?,?,?,?)",
            ((one.leg, one.call_id, one.at.timestamp(), one.number, one.duration, one.answered) for one in legs),
        )

    def pair(self, tolerance: float) -> None:
        """Give each record the leg it is about: as many pairs as there can be, and of those the ones closest in time."""
        both = self._database.execute(
            "SELECT number, at, line, NULL FROM theirs WHERE NOT known UNION ALL "
            "SELECT number, at, NULL, leg FROM ours WHERE NOT taken ORDER BY 1, 2"
        )
        self._database.execute("BEGIN")
        for _number, items in groupby(both, key=itemgetter(0)):
            for run in _runs(items, tolerance):
                theirs = [(at, line) for _, at, line, leg in run if leg is None]
                ours = [(at, leg) for _, at, _, leg in run if leg is not None]
                pairs = closest([at for at, _ in theirs], [at for at, _ in ours], tolerance)
                found = ((theirs[i][1], ours[j][1]) for i, j in pairs)
                self._database.executemany("INSERT INTO pairs VALUES (?, ?)", found)
        self._database.execute("UPDATE theirs SET leg = pairs.leg FROM pairs WHERE pairs.line = theirs.line")
        self._database.execute("UPDATE ours SET taken = 1 WHERE leg IN (SELECT leg FROM pairs)")
        self._database.execute("COMMIT")

    def new(self, *, paired: bool, size: int) -> Iterator[list[dict[str, Any]]]:
        """The records that no earlier import has, in batches; with our leg beside, or those without one."""
        yield from _batches(self._theirs(f"NOT known AND theirs.leg IS {'NOT ' if paired else ''}NULL"), size)

    def theirs_only(self, most: int) -> tuple[int, list[dict[str, Any]]]:
        """How many records have no leg of ours, and the first of them."""
        return self._count("theirs", "leg IS NULL"), list(self._theirs("theirs.leg IS NULL", most))

    def paired(self) -> int:
        """How many records have their leg."""
        return self._count("theirs", "leg IS NOT NULL")

    def known(self) -> int:
        """How many an earlier import has."""
        return self._count("theirs", "known")

    def ours_only(
        self, since: datetime, until: datetime, *, answered_only: bool, size: int
    ) -> Iterator[list[dict[str, Any]]]:
        """Our legs of that time without a record, in batches."""
        rows = self._database.execute(
            f"SELECT {', '.join(_OURS)} FROM ours WHERE NOT taken AND at BETWEEN ? AND ? AND (answered OR ?) ORDER BY at",
            (since.timestamp(), until.timestamp(), not answered_only),
        )
        yield from _batches((_named(_OURS, row) for row in rows), size)

    def longer_or_shorter(self, tolerance: float, most: int) -> tuple[int, list[dict[str, Any]]]:
        """Pairs whose durations differ by more than `tolerance` seconds, or of which one was answered only."""
        where = (
            "FROM theirs JOIN ours ON ours.leg = theirs.leg WHERE theirs.duration IS NOT NULL AND "
            "abs(CASE WHEN theirs.answered THEN theirs.duration ELSE 0 END - coalesce(ours.duration, 0)) > ?"
        )
        count = self._database.execute(f"SELECT count(*) {where}", (tolerance,)).fetchone()[0]
        names = ("line", "call_id", "number", "at", "theirs", "ours")
        columns = "theirs.line, ours.call_id, theirs.number, theirs.at, theirs.duration, ours.duration"
        rows = self._database.execute(f"SELECT {columns} {where} ORDER BY theirs.at LIMIT ?", (tolerance, most))
        return count, [_named(names, row) for row in rows]

    def _theirs(self, where: str, most: int = -1) -> Iterator[dict[str, Any]]:
        columns = ", ".join(f"theirs.{name}" for name in _THEIRS)
        rows = self._database.execute(
            f"SELECT {columns}, ours.call_id FROM theirs LEFT JOIN ours ON ours.leg = theirs.leg WHERE {where} "
            "ORDER BY theirs.line LIMIT ?",
            (most,),
        )
        return (_named((*_THEIRS, "call_id"), row) for row in rows)


def _row(record: Record) -> tuple[Any, ...]:
    at = record.started_at.timestamp()
    said = (at, record.number, record.caller_id, record.duration, record.answered, record.cause)
    return (
        record.line, at, record.number, record.callable, record.caller_id, record.duration, record.answered, record.cause,
        "|".join(map(str, said)),
    )  # fmt: skip


def _named(names: Sequence[str], row: tuple[Any, ...]) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(names, row, strict=True))
    for name in {"callable", "answered", "known"} & found.keys():
        found[name] = bool(found[name])
    return found | {"at": _moment(found["at"])}


def _batches(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, size)):
        yield batch


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _runs(items: Iterable[Any], tolerance: float) -> Iterator[list[Any]]:
    """Items in time order, cut where the next is further off than any pair may be."""
    run: list[Any] = []
    for item in items:
        if run and (item[1] - run[-1][1] > tolerance or len(run) >= _LONGEST_RUN):
            yield run
            run = []
        run.append(item)
    yield run


def closest(theirs: Sequence[float], ours: Sequence[float], tolerance: float) -> list[tuple[int, int]]:
    """Pairs (index, index) of moments at most `tolerance` apart: as many as there can be, and the closest such, in order."""
    best: list[list[tuple[int, float]]] = [[(0, 0.0)] * (len(ours) + 1) for _ in range(len(theirs) + 1)]
    for i in range(len(theirs) - 1, -1, -1):
        for j in range(len(ours) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            apart = abs(theirs[i] - ours[j])
            if apart <= tolerance:
                pairs, less = best[i + 1][j + 1]
                best[i][j] = max(best[i][j], (pairs + 1, less - apart))
    found, i, j = [], 0, 0
    while i < len(theirs) and j < len(ours):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            found.append((i, j))
            i, j = i + 1, j + 1
    return found
