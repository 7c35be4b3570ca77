"""How long something must be kept: pure calendar arithmetic over retention classes. The longest class wins.

A class is a law, a contract or a house rule: so many calendar months for one kind of record, counted from the call or
from the last collection activity. Sources are in docs/retention.md. A date only ever moves later; a privacy maximum
never beats a minimum: where they disagree, `Due.conflict` says so and somebody has to decide.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

Kind = Literal["recording", "unanswered", "records"]
"""Recordings of conversations, files of attempts that nobody answered, and all other records of a call."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Anchor = Literal["call", "last_activity"]
Basis = Literal["law", "contract", "house"]


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """`clients` None: every client's. `pack`: only what was called under that rule pack. Lengths in calendar months."""

    id: str
    kind: Kind
    months: int
    anchor: Anchor = "call"
    clients: tuple[str, ...] | None = None
    pack: str | None = None
    basis: Basis = "law"
    source: str = ""
    privacy_max_months: int | None = None
    enabled: bool = True

    def covers(self, subject: "Subject") -> bool:
        """Whether the class says anything about this record."""
        if not self.enabled or self.kind != subject.kind:
            return False
        if self.clients is not None and subject.client not in self.clients:
            return False
        return self.pack is None or self.pack in subject.packs


@dataclass(frozen=True, slots=True)
class Subject:
    """What is kept: `ended_on` is the call's day in the client's zone, `packs` the rule packs it was made under."""

    kind: Kind
    ended_on: date
    client: str | None = None
    packs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Due:
    """`delete_after` is the last day it must be kept; `decided_by` the class that says so, `classes` all that apply."""

    delete_after: date
    decided_by: str
    classes: tuple[str, ...]
    anchored_on: date
    privacy_max: date | None = None

    @property
    def conflict(self) -> bool:
        """Whether it must be kept for longer than a privacy maximum allows."""
        return self.privacy_max is not None and self.privacy_max < self.delete_after

    def document(self) -> dict[str, Any]:
        """As stored with the recording."""
        return {
            "delete_after": self.delete_after.isoformat(),
            "decided_by": self.decided_by,
            "classes": list(self.classes),
            "anchored_on": self.anchored_on.isoformat(),
            "privacy_max": self.privacy_max.isoformat() if self.privacy_max else None,
            "conflict": self.conflict,
        }


def delete_after(subject: Subject, classes: Iterable[RetentionClass], last_activity: date | None = None) -> Due | None:
    """The last day to keep it; None where no class covers it: then it is kept until somebody says how long.

    `last_activity` is the day of the last collection activity on the debt; never earlier than the call itself counts.
    """
    worked = max(subject.ended_on, last_activity or subject.ended_on)
    terms = [(worked if found.anchor == "last_activity" else subject.ended_on, found) for found in classes
             if found.covers(subject)]  # fmt: skip
    if not terms:
        return None
    ends = [(add_months(anchor, found.months), found.id, anchor) for anchor, found in terms]
    last, decided_by, anchored_on = max(ends)
    limits = [add_months(anchor, found.privacy_max_months) for anchor, found in terms if found.privacy_max_months]
    return Due(last, decided_by, tuple(sorted(found.id for _, found in terms)), anchored_on, min(limits, default=None))


def add_months(day: date, months: int) -> date:
    """So many calendar months later, on the next day that exists: 29 February 2024 and a year is 1 March 2025."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if day.day <= monthrange(year, month + 1)[1]:
        return date(year, month + 1, day.day)
    return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)


def _law(name: str, kind: Kind, years: int, source: str, **fields: Any) -> RetentionClass:
    return RetentionClass(id=name, kind=kind, months=12 * years, source=source, **fields)


_CARD = "Bank outsourcing rules: recordings ≥ 2 years; credit card measures (CN), art. 68: ≥ 2 years"
_FINANCE = "Consumer finance company measures (CN, in force 2024-04-18): collection records ≥ 5 years"
_REG_F = "Regulation F, 12 CFR 1006.100"

SHIPPED: tuple[RetentionClass, ...] = (
    _law("default", "recording", 2, _CARD),
    _law("default-unanswered", "unanswered", 2, _CARD, basis="house"),
    _law("default-records", "records", 2, _CARD, anchor="last_activity", basis="house"),
    # Whose clients these are nobody can know but the agency: named by an admin.
    _law("cn-consumer-finance", "recording", 5, _FINANCE, clients=()),
    _law("cn-consumer-finance-records", "records", 5, _FINANCE, clients=(), anchor="last_activity"),
    _law("us-reg-f", "recording", 3, f"{_REG_F}(b): recordings, 3 years after the call", pack="us-reg-f"),
    _law("us-reg-f-records", "records", 3, f"{_REG_F}(a): 3 years after the last collection activity on the debt",
         pack="us-reg-f", anchor="last_activity"),
    _law("us-nyc", "recording", 3, "6 RCNY 5-77: records of all oral communications, 3 years", pack="us-nyc"),
)  # fmt: skip
"""What holds until an admin says otherwise; a saved class of the same id takes its place."""
