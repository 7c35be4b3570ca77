"""Facts and rule packs to a verdict: strictest wins, every denial is told, `retry_at` is when all rules allow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from telephony.policy import contacts, holiday_calendar, suspensions
from telephony.policy.caps import cap_check, house_caps, in_order
from telephony.policy.checks import SEARCH, Check, FirstAllowed, Sentence, all_of, exempt, together
from telephony.policy.facts import Contact, Facts, read_facts
from telephony.policy.hours import hours_check, inconvenient_check
from telephony.policy.packs import HOUSE, Pack, named, with_house
from telephony.policy.rules import CapRule, FlagRule, HoursRule, Rule, ThirdPartyRule, Words
from telephony.policy.verdict import Denial, Verdict, Warning, told
from telephony.policy.zones import tzdata_version

__all__ = ["Verdict", "evaluate", "evaluate_document"]

FLAGS = contacts.FLAGS | suspensions.FLAGS
_SOFT = Sentence("A supervisor may override it.", "主管可以特批。")
_HARD = Sentence("No override lifts it.", "任何人不得特批。")
_RUNS_OUT = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class _InForce:
    """A pack version as one facts document refers to it: pinned (no bounds) or between its dates."""

    pack: Pack
    pinned: bool

    def now(self, at: datetime) -> bool:
        return self.pinned or self.pack.in_force(at)

    def bounds(self, rule: FirstAllowed) -> FirstAllowed:
        if self.pinned:
            return rule
        outside: list[tuple[datetime | None, datetime | None]] = []
        if self.pack.starts is not None:
            outside.append((None, self.pack.starts))
        if self.pack.ends is not None:
            outside.append((self.pack.ends, None))
        return exempt(outside, rule)


def evaluate(facts: Facts) -> Verdict:
    """The verdict on one call: pure, and the same for the same facts in whatever order their lists are."""
    packs = _packs(facts)
    history = in_order(facts)
    checks = [(item.now(facts.at), check) for item in packs for check in _bounded(item, facts, history)]
    current = [check for now, check in checks if now]
    allowed_at = {id(check): check.first_allowed(facts.at) for check in current}
    refused = [check for check in current if allowed_at[id(check)] != facts.at]
    denying = [check for check in refused if not check.warns]
    if facts.clock_skew_seconds and (doubt := _clock_doubt(facts, packs, denying)):
        denying.append(doubt)
        allowed_at[id(doubt)] = doubt.first_allowed(facts.at)
    denials = [_denial(check, allowed_at[id(check)], facts) for check in denying]
    standing = [denial for denial in denials if denial.hard or not _overridden(facts)]
    lifted = [denial for denial in denials if not denial.hard and _overridden(facts)]
    warnings = [
        *(_warning(check) for check in refused if check.warns), *_pack_warnings(facts, packs), *_lifted(lifted, facts),
    ]  # fmt: skip
    verdict = Verdict(
        verdict="allow", rule=None, pack=None, reason="Allowed.", reason_zh="可以拨打。", retry_at=None, denials=(),
        warnings=tuple(sorted(set(warnings), key=lambda warning: (warning.rule, warning.reason))),
        counts=tuple(sorted((c.count for c in current if c.count), key=lambda count: count.rule)),
        versions=_versions(facts, packs), lifted=tuple(sorted(lifted, key=_weight)),
        consented=any(check.count.exempt for check in current if check.count), zone=_zone(facts),
    )  # fmt: skip
    if standing:
        return _denied(verdict, facts, standing, [check for _, check in checks if not check.warns], denying)
    return verdict


def evaluate_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Facts JSON in, verdict JSON out; `Invalid` for a document that cannot be judged."""
    return evaluate(read_facts(document)).document()


def _denied(
    verdict: Verdict, facts: Facts, standing: list[Denial], checks: list[Check], denying: list[Check]
) -> Verdict:
    standing = sorted(standing, key=_weight)
    first = standing[0]
    retry = None
    if all(denial.retry_at is not None for denial in standing):
        retry = all_of([_under_override(check, facts) for check in checks], facts.at)
    why = next(check for check in denying if check.rule == first.rule)
    reason = told(why.why(), retry, _zone(facts), _lift(why))
    return replace(
        verdict, verdict="deny", rule=first.rule, pack=first.pack, reason=reason.en, reason_zh=reason.zh,
        retry_at=retry, denials=tuple(standing),
    )  # fmt: skip


def _weight(denial: Denial) -> tuple[bool, bool, float, str]:
    """Hard before house, endless before passing, later before sooner; then by name, so that no order of input shows."""
    late = denial.retry_at.timestamp() if denial.retry_at else 0.0
    return (not denial.hard, denial.retry_at is not None, -late, denial.rule)


def _packs(facts: Facts) -> list[_InForce]:
    """Every pack version that decides now or may within the search, each once; pinned wins over dated."""
    found: dict[str, _InForce] = {}
    for reference in with_house(facts.packs):
        pinned = "@" in reference
        for pack in named(reference):
            ended = pack.ends is not None and pack.ends <= facts.at
            far = pack.starts is not None and pack.starts > facts.at + SEARCH
            if pinned or (not ended and not far and pack.reference not in found):
                found[pack.reference] = _InForce(pack, pinned)
    return [found[key] for key in sorted(found)]


def _bounded(item: _InForce, facts: Facts, history: Sequence[Contact]) -> Iterator[Check]:
    for rule in _rules(item.pack, facts):
        check = _check(rule, item.pack.id, facts, history)
        if check is not None:
            lift = Sentence(rule.lift.en, rule.lift.zh) if rule.lift else None
            yield replace(check, first_allowed=item.bounds(check.first_allowed), lift=lift)


def _rules(pack: Pack, facts: Facts) -> tuple[Rule, ...]:
    """A pack's rules; the client's own hours, caps and gap are rules of `house`."""
    if pack.id != HOUSE:
        return pack.rules
    own: list[Rule] = [*pack.rules, *house_caps(facts)]
    if facts.house.hours is not None:
        text = Words(en="Outside the client's calling hours", zh="不在委托方规定的拨打时段内")
        own.append(
            HoursRule(
                kind="hours",
                name="hours",
                hard=False,
                text=text,
                source="house",
                confidence="V",
                bands=facts.house.hours,
            )
        )
    return tuple(own)


def _check(rule: Rule, pack: str, facts: Facts, history: Sequence[Contact]) -> Check | None:
    match rule:
        case HoursRule():
            return hours_check(rule, pack, facts, facts.widening)
        case CapRule():
            return cap_check(rule, pack, facts, history)
        case ThirdPartyRule():
            return contacts.third_party_check(rule, pack, facts)
        case FlagRule(name="inconvenient"):
            return inconvenient_check(facts, facts.widening)
        case FlagRule():
            return _flag_check(rule, pack, facts)


def _flag_check(rule: FlagRule, pack: str, facts: Facts) -> Check | None:
    flag = FLAGS.get(rule.name)
    first_allowed = flag(facts) if flag else None
    if first_allowed is None:
        return None
    return Check(pack, rule.name, rule.hard, first_allowed, lambda: Sentence(rule.text.en, rule.text.zh))


def _clock_doubt(facts: Facts, packs: list[_InForce], denying: list[Check]) -> Check | None:
    """`house/clock-doubt`: a band that holds `at` with the guard, and no longer with the clocks' difference."""
    sure = facts.model_copy(update={"clock_skew_seconds": 0})
    agreeing = {
        check.rule
        for item in packs
        if item.now(facts.at)
        for rule in _rules(item.pack, facts)
        if isinstance(rule, HoursRule) or rule.name == "inconvenient"
        if (check := _check(rule, item.pack.id, sure, ())) and check.first_allowed(facts.at) == facts.at
    }
    doubted = [check.first_allowed for check in denying if check.rule in agreeing]
    if not doubted:
        return None
    skew = abs(facts.clock_skew_seconds)
    why = Sentence(
        f"The clocks differ by {skew:g} s, so it is not sure that the call lies within the calling hours",
        f"时钟相差 {skew:g} 秒,无法确定处于可拨打时段内",
    )
    return Check(HOUSE, "clock-doubt", False, together(doubted), lambda: why)


def _overridden(facts: Facts) -> bool:
    return facts.override is not None and facts.at < facts.override.expires_at


def _under_override(check: Check, facts: Facts) -> FirstAllowed:
    if check.hard or facts.override is None:
        return check.first_allowed
    return exempt([(None, facts.override.expires_at)], check.first_allowed)


def _lift(check: Check) -> Sentence:
    if check.lift is not None:
        return check.lift
    return _HARD if check.hard else _SOFT


def _denial(check: Check, retry_at: datetime | None, facts: Facts) -> Denial:
    reason = told(check.why(), retry_at, _zone(facts), _lift(check))
    return Denial(check.rule, check.pack, reason.en, reason.zh, retry_at, check.hard, check.competing)


def _warning(check: Check) -> Warning:
    why = check.why()
    return Warning(check.rule, why.en, why.zh)


def _lifted(lifted: list[Denial], facts: Facts) -> Iterator[Warning]:
    by = facts.override.by if facts.override else ""
    for denial in lifted:
        yield Warning(denial.rule, f"Overridden by {by}: {denial.reason}", f"已由 {by} 特批:{denial.reason_zh}")


def _pack_warnings(facts: Facts, packs: list[_InForce]) -> Iterator[Warning]:
    now = [item.pack for item in packs if item.now(facts.at)]
    for reference in facts.packs:
        name = reference.partition("@")[0]
        if not any(pack.id == name for pack in now):
            yield Warning(f"{name}/not-in-force", f"{name} is not in force on that day", f"{name} 当日尚未生效或已失效")
    for pack in now:
        if pack.status != "on":
            reason = f"{pack.reference} ships switched off ({pack.changes or pack.status})"
            yield Warning(f"{pack.id}/ships-off", reason, f"{pack.reference} 默认不启用")
        closed = any(isinstance(rule, HoursRule) and rule.closed_on for rule in pack.rules)
        end: date = holiday_calendar.checked_until()
        if closed and facts.at.date() > end - _RUNS_OUT:
            yield Warning(f"{pack.id}/holidays-run-out", f"Holidays are checked until {end}", f"节假日表仅核对至 {end}")


def _versions(facts: Facts, packs: list[_InForce]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in packs:
        if item.now(facts.at):
            known = found.get(item.pack.id)
            found[item.pack.id] = item.pack.version if known is None else f"{known},{item.pack.version}"
    return found | {"tzdata": tzdata_version(), "holidays": holiday_calendar.version()}


def _zone(facts: Facts) -> str:
    return facts.party.zones[0] if facts.party.zones else "UTC"
