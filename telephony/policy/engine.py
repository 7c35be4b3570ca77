"""Facts and rule packs to a verdict: strictest wins, every denial is told, `retry_at` is when all rules allow."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from telephony.policy import holiday_calendar
from telephony.policy.applied import InForce, checks_of, clock_doubt, packs_of
from telephony.policy.caps import in_order
from telephony.policy.checks import Check, FirstAllowed, Sentence, all_of, exempt
from telephony.policy.facts import Facts, read_facts
from telephony.policy.rules import HoursRule
from telephony.policy.verdict import Denial, Verdict, Warning, told
from telephony.policy.zones import tzdata_version

__all__ = ["Verdict", "evaluate", "evaluate_document"]

_SOFT = Sentence("A supervisor may override it.", "主管可以特批。")
_HARD = Sentence("No override lifts it.", "任何人不得特批。")
DOUBT = "house/clock-doubt"
_RUNS_OUT = timedelta(days=60)


def evaluate(facts: Facts) -> Verdict:
    """The verdict on one call: pure, and the same for the same facts in whatever order their lists are."""
    packs = packs_of(facts)
    history = in_order(facts)
    checks = [(item.now(facts.at), check) for item in packs for check in checks_of(item, facts, history)]
    current = [check for now, check in checks if now]
    allowed_at = {id(check): check.first_allowed(facts.at) for check in current}
    refused = [check for check in current if allowed_at[id(check)] != facts.at]
    denying = [check for check in refused if not check.warns]
    if facts.clock_skew_seconds and (doubt := clock_doubt(facts, packs, denying)):
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


def _weight(denial: Denial) -> tuple[bool, bool, float, bool, str]:
    """Hard before house, endless before passing, later before sooner, doubt before what it doubts; then by name."""
    late = denial.retry_at.timestamp() if denial.retry_at else 0.0
    return (not denial.hard, denial.retry_at is not None, -late, denial.rule != DOUBT, denial.rule)


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
    lift = _lift(check)
    reason = told(check.why(), retry_at, _zone(facts), lift)
    return Denial(
        check.rule,
        check.pack,
        reason.en,
        reason.zh,
        retry_at,
        check.hard,
        check.competing,
        lift=lift.en,
        lift_zh=lift.zh,
    )


def _warning(check: Check) -> Warning:
    why = check.why()
    return Warning(check.rule, why.en, why.zh)


def _lifted(lifted: list[Denial], facts: Facts) -> Iterator[Warning]:
    by = facts.override.by if facts.override else ""
    for denial in lifted:
        yield Warning(denial.rule, f"Overridden by {by}: {denial.reason}", f"已由 {by} 特批:{denial.reason_zh}")


def _pack_warnings(facts: Facts, packs: list[InForce]) -> Iterator[Warning]:
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


def _versions(facts: Facts, packs: list[InForce]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in packs:
        if item.now(facts.at):
            known = found.get(item.pack.id)
            found[item.pack.id] = item.pack.version if known is None else f"{known},{item.pack.version}"
    return found | {"tzdata": tzdata_version(), "holidays": holiday_calendar.version()}


def _zone(facts: Facts) -> str:
    return facts.party.zones[0] if facts.party.zones else "UTC"
