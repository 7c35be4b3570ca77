"""A check: one rule applied to one facts document, as a function from a moment to the first moment at which it allows.

Every kind of rule is told in this one form, so "denied now", "when again" and "all rules together" have one meaning:
a rule denies at `t` iff its first allowed moment from `t` on is not `t`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SEARCH = timedelta(days=400)
FirstAllowed = Callable[[datetime], datetime | None]


@dataclass(frozen=True, slots=True)
class Sentence:
    """Why not, in both languages, without the "until when" and "who can lift it" that the verdict adds."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a cap is used at `at`; `exempt` when an agreement sets it aside."""

    rule: str
    used: int
    limit: int
    window: str
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, ready to be asked. `warns`: it never denies. `lift`: who or what ends it, where the rule says so.

    `competing`: the pending calls among those counted.
    """

    pack: str
    name: str
    hard: bool
    first_allowed: FirstAllowed
    why: Callable[[], Sentence]
    warns: bool = False
    count: Count | None = None
    lift: Sentence | None = None
    competing: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The rule's id."""
        return f"{self.pack}/{self.name}"


def never(_: datetime) -> datetime | None:
    """A rule that no passing of time ends."""
    return None


def before(moment: datetime) -> FirstAllowed:
    """Allowed until a moment, never from then on."""
    return lambda t: t if t < moment else None


def exempt(intervals: Sequence[tuple[datetime | None, datetime | None]], inner: FirstAllowed) -> FirstAllowed:
    """A rule that does not apply inside the intervals [start, end); None is unbounded."""
    if not intervals:
        return inner

    def first_allowed(t: datetime) -> datetime | None:
        starts = []
        for start, end in intervals:
            if (start is None or start <= t) and (end is None or t < end):
                return t
            if start is not None and start > t and (end is None or start < end):
                starts.append(start)
        found = inner(t)
        return min([*starts, found] if found is not None else starts, default=None)

    return first_allowed


def all_of(rules: Sequence[FirstAllowed], t: datetime, limit: datetime | None = None) -> datetime | None:
    """The first moment from `t` on at which every rule allows; None if one never will, or not within the search."""
    limit = limit or t + SEARCH
    while t <= limit:
        latest = t
        for rule in rules:
            allowed = rule(latest)
            if allowed is None:
                return None
            latest = allowed
        if latest == t:
            return t
        t = latest
    return None


def together(rules: Sequence[FirstAllowed]) -> FirstAllowed:
    """Several constraints as one rule."""
    if len(rules) == 1:
        return rules[0]
    return lambda t: all_of(rules, t)
