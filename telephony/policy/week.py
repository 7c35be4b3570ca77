"""When a number may be called in the coming days: stretches of time in which one answer holds.

The verdict can only change at certain moments: where a band of the day opens or closes, at midnight of the zones that days are
counted in, when an agreement, an override or a window of minutes ends. It is asked for at each of these, never in between.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from telephony.policy.applied import InForce, packs_of
from telephony.policy.caps import house_caps
from telephony.policy.engine import evaluate
from telephony.policy.facts import Band, Facts
from telephony.policy.fields import minutes
from telephony.policy.rules import CapRule, HoursRule
from telephony.policy.zones import DAY_MINUTES, local_date, spans


@dataclass(frozen=True, slots=True)
class Stretch:
    """[start, end) in which the number may be called, or the weightiest rule that forbids it."""

    start: datetime
    end: datetime
    allowed: bool
    rule: str | None
    reason: str
    reason_zh: str
    hard: bool


def strip(facts: Facts, days: int = 7) -> list[Stretch]:
    """The stretches from `facts.at` on, for so many days, as long as nobody calls or is called meanwhile."""
    start, end = facts.at, facts.at + timedelta(days=days)
    moments = sorted({start, *(moment for moment in _edges(facts, days) if start < moment < end)})
    found: list[Stretch] = []
    for moment, following in zip(moments, [*moments[1:], end], strict=True):
        verdict = evaluate(facts.model_copy(update={"at": moment}))
        hard = bool(verdict.denials and verdict.denials[0].hard)
        if found and (found[-1].allowed, found[-1].rule) == (verdict.allowed, verdict.rule):
            last = found.pop()
            found.append(
                Stretch(last.start, following, last.allowed, last.rule, last.reason, last.reason_zh, last.hard)
            )
            continue
        found.append(Stretch(moment, following, verdict.allowed, verdict.rule, verdict.reason, verdict.reason_zh, hard))
    return found


def _edges(facts: Facts, days: int) -> Iterator[datetime]:
    packs = packs_of(facts)
    for item in packs:
        yield from (moment for moment in (item.pack.starts, item.pack.ends) if moment is not None)
    for agreement in facts.party.agreements:
        yield agreement.begins
        yield from [agreement.until] if agreement.until else []
    yield from [facts.override.expires_at] if facts.override else []
    yield from (moment for moment in (facts.party.refused_at, facts.party.cease_at) if moment is not None)
    yield from _window_ends(facts, packs)
    clock = _clock_edges(facts, packs)
    for zone in _zones(facts, packs):
        first = local_date(facts.at, zone) - timedelta(days=1)
        for index in range(days + 3):
            for minute in clock:
                for opens, _ in spans(zone, first + timedelta(days=index), minute, DAY_MINUTES):
                    # Open at `opens + widening`; closed from `opens - widening` on, where a band ends there.
                    yield opens + facts.widening
                    yield opens - facts.widening


def _window_ends(facts: Facts, packs: list[InForce]) -> Iterator[datetime]:
    """When contacts leave the windows that are counted in minutes."""
    rules = [rule for item in packs for rule in item.pack.rules if isinstance(rule, CapRule)]
    for rule in [*rules, *house_caps(facts)]:
        if rule.minutes is not None:
            yield from (row.at + timedelta(minutes=rule.minutes) for row in facts.history)


def _clock_edges(facts: Facts, packs: list[InForce]) -> set[int]:
    """Every minute of the day at which some band opens or closes, and midnight."""
    bands: list[Band] = [*(facts.house.hours or ()), *facts.party.inconvenient]
    for item in packs:
        for rule in item.pack.rules:
            if isinstance(rule, HoursRule):
                bands += [*rule.bands, *(rule.work or ())]
    edges = {minutes(clock) for band in bands for clock in (band.from_, band.to)}
    return {0, *(edge for edge in edges if edge < DAY_MINUTES)}


def _zones(facts: Facts, packs: list[InForce]) -> set[str]:
    named = {
        rule.zone
        for item in packs
        for rule in item.pack.rules
        if isinstance(rule, HoursRule | CapRule) and rule.zone != "callee"
    }
    return named | set(facts.party.zones or ("UTC",)) | {"UTC"}
