"""Calling hours and inconvenient times: bands of the local day, [open, close), that must hold `at` widened."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from telephony.policy.checks import SEARCH, Check, FirstAllowed, Sentence, together
from telephony.policy.facts import Band, Facts
from telephony.policy.fields import DAYS, minutes
from telephony.policy.holiday_calendar import is_holiday
from telephony.policy.rules import HoursRule
from telephony.policy.zones import DAY_MINUTES, Interval, merged, spans, zone

Spans = tuple[tuple[int, int], ...]
DayBands = Callable[[date], Spans]
_BATCHES = (3, 12, 50, 150, SEARCH.days + 2)
_ZH_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


def weekly(bands: Iterable[Band]) -> tuple[Spans, ...]:
    """The bands of each weekday as minutes past midnight; a band past midnight spills into the next day."""
    return _weekly(tuple(bands))


@lru_cache(maxsize=1024)
def _weekly(bands: tuple[Band, ...]) -> tuple[Spans, ...]:
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for band in bands:
        start, end = minutes(band.from_), minutes(band.to)
        for day in band.days:
            index = DAYS.index(day)
            if start < end:
                week[index].append((start, end))
            else:
                week[index].append((start, DAY_MINUTES))
                week[(index + 1) % 7].append((0, end))
    return tuple(_joined(day) for day in week)


def _joined(day: list[tuple[int, int]]) -> Spans:
    result: list[tuple[int, int]] = []
    for start, end in sorted(span for span in day if span[0] < span[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)


def outside(day: Spans) -> Spans:
    """What is left of the day."""
    result, at = [], 0
    for start, end in day:
        if at < start:
            result.append((at, start))
        at = end
    return (*result, (at, DAY_MINUTES)) if at < DAY_MINUTES else tuple(result)


def open_intervals(key: str, bands: DayBands, extra: Sequence[Interval], start: datetime, days: int) -> list[Interval]:
    """The UTC intervals in which the bands of a zone are open, with `extra` added, from the day before `start` on."""
    first = start.astimezone(zone(key)).date() - timedelta(days=1)
    found = list(extra)
    for index in range(days + 2):
        day = first + timedelta(days=index)
        for low, high in bands(day):
            found.extend(spans(key, day, low, high))
    return merged(found)


def first_open(key: str, bands: DayBands, widening: timedelta, extra: Sequence[Interval] = ()) -> FirstAllowed:
    """The rule "`t` widened on both sides lies within one open interval" of a zone."""

    def first_allowed(t: datetime) -> datetime | None:
        for days in _BATCHES:
            for start, end in open_intervals(key, bands, extra, t - widening, days):
                moment = max(t, start + widening)
                if moment + widening < end:
                    return moment
        return None

    return first_allowed


def hours_check(rule: HoursRule, pack: str, facts: Facts, widening: timedelta) -> Check | None:
    """The rule's bands in its own zone, or in every zone the callee may be in; None when no zone is known."""
    zones = facts.party.zones if rule.zone == "callee" else (rule.zone,)
    if not zones:
        return None
    bands = _bands_of(rule, facts)
    extra = agreed(facts) if rule.agreement else []
    first = together([first_open(key, bands, widening, extra) for key in zones])
    return Check(pack, rule.name, rule.hard, first, lambda: _why(facts.at, zones, bands, rule))


def agreed(facts: Facts) -> list[Interval]:
    """When the party agreed to be called outside the hours."""
    far = facts.at + 2 * SEARCH
    return [
        (item.begins, min(item.until or far, far))
        for item in facts.party.agreements
        if item.kind == "hours" and item.begins < min(item.until or far, far)
    ]


def inconvenient_check(facts: Facts, widening: timedelta) -> Check | None:
    """`house/inconvenient`: times at which the party asked not to be called, in every zone it may be in."""
    if not facts.party.inconvenient or not facts.party.zones:
        return None
    week = tuple(outside(day) for day in weekly(facts.party.inconvenient))
    rules = [first_open(key, lambda day: week[day.weekday()], widening) for key in facts.party.zones]
    return Check("house", "inconvenient", True, together(rules), lambda: _told(facts))


def _bands_of(rule: HoursRule, facts: Facts) -> DayBands:
    week = weekly(rule.work if rule.work is not None and facts.number.kind == "work" else rule.bands)
    calendar = rule.closed_on
    if calendar is None:
        return lambda day: week[day.weekday()]
    return lambda day: () if is_holiday(calendar, day) else week[day.weekday()]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _why(at: datetime, zones: Sequence[str], bands: DayBands, rule: HoursRule) -> Sentence:
    en, zh = [], []
    for key in zones:
        local = at.astimezone(zone(key))
        today = ", ".join(f"{_clock(start)}–{_clock(end)}" for start, end in bands(local.date()))
        clock = local.strftime("%H:%M:%S")
        en.append(f"it is {DAYS[local.weekday()].title()} {clock} in {key} (open that day: {today or 'not at all'})")
        zh.append(f"{key} 当地时间为{_ZH_DAYS[local.weekday()]} {clock}(当日可拨打时段:{today or '无'})")
    return Sentence(f"{rule.text.en}: {'; '.join(en)}", f"{rule.text.zh}:{';'.join(zh)}")


def _told(facts: Facts) -> Sentence:
    en = ", ".join(f"{'/'.join(band.days)} {band.from_}–{band.to}" for band in facts.party.inconvenient)
    zh = "、".join(
        f"{''.join(_ZH_DAYS[DAYS.index(day)] for day in band.days)} {band.from_}–{band.to}"
        for band in facts.party.inconvenient
    )
    return Sentence(f"The party asked not to be called at this time ({en})", f"对方要求此时段不要致电({zh})")
