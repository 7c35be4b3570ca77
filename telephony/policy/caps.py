"""Caps: how many contacts by person, debt, account, number or household a window may hold, and rest after a talk."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from telephony.policy.checks import Check, Count, FirstAllowed, Sentence, exempt, never, together
from telephony.policy.facts import Contact, Facts, HouseCap
from telephony.policy.fields import PENDING, Outcome
from telephony.policy.rules import PLACED, CapRule, Words
from telephony.policy.zones import local_date, start_of_day

Exemption = tuple[datetime | None, datetime | None]
ALERTED: tuple[Outcome, ...] = tuple(outcome for outcome in PLACED if outcome != "failed")
_ZH = {
    "person": "人", "number": "号码", "debt": "债务", "account": "账户", "household": "家庭", "reached": "人或号码",
    "attempts": "拨打", "contacts": "接触", "conversations": "通话",
}  # fmt: skip
_COUNTS: dict[str, tuple[Outcome, ...]] = {
    "attempts": PLACED,
    "contacts": ("conversation", "voicemail", "dropped"),
    "conversations": ("conversation",),
}


@dataclass(frozen=True, slots=True)
class _Window:
    """The counted moments of one key in one zone, as a rule and as a number used."""

    first_allowed: FirstAllowed
    used: int


def cap_check(rule: CapRule, pack: str, facts: Facts, history: Sequence[Contact]) -> Check | None:
    """The cap over a history in order, strictest over debts and zones; None when not about this party or number."""
    if rule.relations is not None and facts.party.relation not in rule.relations:
        return None
    if rule.number_kinds is not None and facts.number.kind not in rule.number_kinds:
        return None
    relevant = [row for row in _recent(rule, facts, history) if _counts(row, rule) and _is_kind(row, rule, facts)]
    windows: list[_Window] = []
    pending: dict[int, Contact] = {}
    exempted = False
    for debts in _debt_keys(rule, facts):
        rows = relevant
        for key in rule.per:
            matches = _MATCHES[key]
            rows = [row for row in rows if matches(row, facts, debts)]
        pending |= {id(row): row for row in rows if row.channel == "call" and row.outcome in PENDING}
        free = _exemptions(rule, facts, debts)
        exempted = exempted or any(_holds(interval, facts.at) for interval in free)
        for window in _windows(rule, facts, [row.at for row in rows]):
            windows.append(_Window(exempt(free, window.first_allowed), window.used))
    used = max(window.used for window in windows)
    count = Count(f"{pack}/{rule.name}", used, rule.limit, rule.window, exempted)
    return Check(
        pack,
        rule.name,
        rule.hard,
        together([window.first_allowed for window in windows]),
        lambda: _why(rule, used, len(pending)),
        warns=rule.effect == "warn",
        count=None if rule.cooldown or rule.effect == "warn" else count,
        competing=tuple(sorted({row.id for row in pending.values() if row.id is not None})),
    )


def house_caps(facts: Facts) -> list[CapRule]:
    """The client's own caps and its smallest gap between two attempts (S6), as rules of the pack `house`."""
    found = [_house_cap(index, cap) for index, cap in enumerate(facts.house.caps, 1)]
    if facts.house.min_gap_minutes:
        found.append(_min_gap(facts.house.min_gap_minutes))
    return found


@lru_cache(maxsize=256)
def _min_gap(gap: float) -> CapRule:
    text = Words(en=f"At least {gap:g} minutes between two attempts", zh=f"两次拨打至少间隔 {gap:g} 分钟")
    return CapRule(
        kind="cap", name="min-gap", hard=False, text=text, source="S6, house", confidence="V", limit=1, minutes=gap,
        per=("reached",), outcomes=ALERTED, cooldown=True,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _house_cap(index: int, cap: HouseCap) -> CapRule:
    per = " and ".join(cap.per)
    per_zh = "、".join(_ZH[key] for key in cap.per)
    window_zh = f"{cap.minutes}分钟内" if cap.minutes else "每日" if cap.days == 1 else f"{cap.days}日内"
    draft = CapRule(
        kind="cap", name=cap.name or f"cap-{index}", hard=False, text=Words(en="", zh=""), source="house",
        confidence="V", limit=cap.limit, days=cap.days, minutes=cap.minutes, per=cap.per, channels=cap.channels,
        outcomes=_COUNTS[cap.counts],
    )  # fmt: skip
    text = Words(
        en=f"The client's policy: {cap.counts} per {per} in {'a ' * (cap.days == 1)}{draft.window}, at most {cap.limit}",
        zh=f"委托方政策:同一{per_zh}{window_zh}不超过 {cap.limit} 次{_ZH[cap.counts]}",
    )
    return draft.model_copy(update={"text": text})


def _recent(rule: CapRule, facts: Facts, history: Sequence[Contact]) -> Sequence[Contact]:
    """The part of a history in order that the window can reach."""
    if rule.days is None and rule.minutes is None:
        return history
    reach = timedelta(days=rule.days + 2) if rule.days else timedelta(minutes=rule.minutes or 0)
    return history[bisect_left(history, facts.at - reach, key=_moment) :]


def _moment(row: Contact) -> datetime:
    return row.at


def in_order(facts: Facts) -> list[Contact]:
    """The history by time, whatever its order was."""
    return sorted(facts.history, key=_moment)


def _counts(row: Contact, rule: CapRule) -> bool:
    """Whether a contact is of the kind the rule counts; what is pending counts as the worst it may become."""
    if row.direction not in rule.directions or row.channel not in rule.channels or row.by not in rule.by:
        return False
    if rule.skip_consented and row.consented:
        return False
    if row.outcome == "not_placed":
        return False
    if row.channel != "call":
        return row.outcome != "failed" or "failed" in rule.outcomes
    return row.outcome in rule.outcomes or row.outcome in rule.pending


def _is_kind(row: Contact, rule: CapRule, facts: Facts) -> bool:
    if rule.number_kinds is None:
        return True
    same = row.number == facts.number.e164
    return (row.number_kind or (facts.number.kind if same else "mobile")) in rule.number_kinds


def _debt_keys(rule: CapRule, facts: Facts) -> list[frozenset[str]]:
    """A cap by debt is a cap for each debt; a call about no named debt counts with every one."""
    if "debt" in rule.per and facts.debts:
        return [frozenset({debt}) for debt in facts.debts]
    return [frozenset(facts.debts)]


def _same_person(row: Contact, facts: Facts, _: frozenset[str]) -> bool:
    return row.party is None or row.party == facts.party.id


def _same_number(row: Contact, facts: Facts, _: frozenset[str]) -> bool:
    return row.number is None or row.number == facts.number.e164


def _same_household(row: Contact, facts: Facts, debts: frozenset[str]) -> bool:
    home = facts.party.household
    return (home is not None and row.household == home) or _same_person(row, facts, debts)


def _same_debt(row: Contact, _: Facts, debts: frozenset[str]) -> bool:
    return not row.debts or not debts or not debts.isdisjoint(row.debts)


def _same_account(row: Contact, facts: Facts, debts: frozenset[str]) -> bool:
    if facts.account is not None and row.account is not None:
        return row.account == facts.account
    return _same_person(row, facts, debts) and _same_debt(row, facts, debts)


def _reached(row: Contact, facts: Facts, debts: frozenset[str]) -> bool:
    return _same_person(row, facts, debts) or _same_number(row, facts, debts)


_MATCHES = {
    "person": _same_person,
    "number": _same_number,
    "household": _same_household,
    "debt": _same_debt,
    "account": _same_account,
    "reached": _reached,
}


def _windows(rule: CapRule, facts: Facts, moments: Sequence[datetime]) -> list[_Window]:
    if rule.days is not None:
        zones = (facts.party.zones or ("UTC",)) if rule.zone == "callee" else (rule.zone,)
        return [_by_date(moments, rule.limit, rule.days, key, facts.at) for key in zones]
    if rule.minutes is not None:
        return [_by_minutes(moments, rule.limit, timedelta(minutes=rule.minutes), facts.at)]
    return [_Window(never if len(moments) >= rule.limit else lambda t: t, len(moments))]


def _by_date(moments: Sequence[datetime], limit: int, days: int, key: str, at: datetime) -> _Window:
    """Deny iff the `days` calendar days of the zone that end with the day of the call hold `limit` contacts."""
    since = start_of_day(key, local_date(at, key) - timedelta(days=days - 1))
    used = len(moments) - bisect_left(moments, since)
    if limit == 0:
        return _Window(never, used)
    if len(moments) < limit:
        return _Window(lambda t: t, used)
    free = local_date(moments[-limit], key) + timedelta(days=days)

    def first_allowed(t: datetime) -> datetime | None:
        return t if local_date(t, key) >= free else start_of_day(key, free)

    return _Window(first_allowed, used)


def _by_minutes(moments: Sequence[datetime], limit: int, window: timedelta, at: datetime) -> _Window:
    """Deny iff the window that ends with the call holds `limit` contacts; one exactly a window ago is out."""
    used = len(moments) - bisect_right(moments, at - window)
    if limit == 0:
        return _Window(never, used)
    if len(moments) < limit:
        return _Window(lambda t: t, used)
    free = moments[-limit] + window
    return _Window(lambda t: max(t, free), used)


def _exemptions(rule: CapRule, facts: Facts, debts: frozenset[str]) -> list[Exemption]:
    """When an agreed call sets the cap aside: until it ends, and under Reg F at most 7 days and one conversation."""
    if rule.agreement == "none":
        return []
    found: list[Exemption] = []
    for item in facts.party.agreements:
        if item.kind != "call":
            continue
        ends = [item.until] if item.until else []
        if rule.agreement == "reg-f":
            received = item.received or item.begins
            ends += [_eighth_day(received, key) for key in facts.party.zones or ("UTC",)]
            ends += [row.at for row in facts.history if row.at > received and _conversed(row, facts, debts)]
        end = min(ends, default=None)
        if end is None or item.begins < end:
            found.append((item.begins, end))
    return found


def _eighth_day(received: datetime, key: str) -> datetime:
    """1006.14(b)(3)(i): seven consecutive days, of which the day of receipt is the first."""
    return start_of_day(key, local_date(received, key) + timedelta(days=7))


def _conversed(row: Contact, facts: Facts, debts: frozenset[str]) -> bool:
    spoken = row.channel == "call" and row.outcome in ("conversation", "live")
    return spoken and row.by == "us" and _same_person(row, facts, debts) and _same_debt(row, facts, debts)


def _holds(interval: Exemption, at: datetime) -> bool:
    start, end = interval
    return (start is None or start <= at) and (end is None or at < end)


def _why(rule: CapRule, used: int, pending: int) -> Sentence:
    note_en = f" {rule.note.en}" if rule.note else ""
    note_zh = f"{rule.note.zh}" if rule.note else ""
    if pending:
        note_en = f" Calls not over or not known yet, counted as the worst they may become: {pending}.{note_en}"
        note_zh = f"其中 {pending} 次尚未结束或结果未知,按最不利情形计。{note_zh}"
    if rule.cooldown:
        return Sentence(f"{rule.text.en}.{note_en}", f"{rule.text.zh}。{note_zh}")
    return Sentence(
        f"{rule.text.en}: {used} of {rule.limit} used ({rule.window}).{note_en}",
        f"{rule.text.zh}:已用 {used}/{rule.limit}。{note_zh}",
    )
