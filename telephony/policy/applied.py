"""Rule packs applied to facts: which versions are in force, and each of their rules as a check."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from telephony.policy import contacts, suspensions
from telephony.policy.caps import cap_check, house_caps
from telephony.policy.checks import SEARCH, Check, FirstAllowed, Sentence, exempt, together
from telephony.policy.facts import Contact, Facts
from telephony.policy.hours import hours_check, inconvenient_check
from telephony.policy.packs import HOUSE, Pack, named, with_house
from telephony.policy.rules import CapRule, FlagRule, HoursRule, Rule, ThirdPartyRule, Words

FLAGS = contacts.FLAGS | suspensions.FLAGS


@dataclass(frozen=True, slots=True)
class InForce:
    """A pack version as one facts document refers to it: pinned (no bounds) or between its dates."""

    pack: Pack
    pinned: bool

    def now(self, at: datetime) -> bool:
        """Whether it decides at that moment."""
        return self.pinned or self.pack.in_force(at)

    def bounds(self, rule: FirstAllowed) -> FirstAllowed:
        """A rule of it that applies only while it is in force."""
        if self.pinned:
            return rule
        outside: list[tuple[datetime | None, datetime | None]] = []
        if self.pack.starts is not None:
            outside.append((None, self.pack.starts))
        if self.pack.ends is not None:
            outside.append((self.pack.ends, None))
        return exempt(outside, rule)


def packs_of(facts: Facts) -> list[InForce]:
    """Every pack version that decides now or may within the search, each once; pinned wins over dated."""
    found: dict[str, InForce] = {}
    for reference in with_house(facts.packs):
        pinned = "@" in reference
        for pack in named(reference):
            ended = pack.ends is not None and pack.ends <= facts.at
            far = pack.starts is not None and pack.starts > facts.at + SEARCH
            if pinned or (not ended and not far and pack.reference not in found):
                found[pack.reference] = InForce(pack, pinned)
    return [found[key] for key in sorted(found)]


def checks_of(item: InForce, facts: Facts, history: Sequence[Contact]) -> Iterator[Check]:
    """The rules of a pack version that are about these facts; `history` is in order."""
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


def clock_doubt(facts: Facts, packs: list[InForce], denying: list[Check]) -> Check | None:
    """`house/clock-doubt`: a band that holds `at` with the guard, and no longer with the clocks' difference.

    It is as hard as the bands it doubts.
    """
    sure = facts.model_copy(update={"clock_skew_seconds": 0})
    agreeing = {
        check.rule
        for item in packs
        if item.now(facts.at)
        for rule in _rules(item.pack, facts)
        if isinstance(rule, HoursRule) or rule.name == "inconvenient"
        if (check := _check(rule, item.pack.id, sure, ())) and check.first_allowed(facts.at) == facts.at
    }
    doubted = [check for check in denying if check.rule in agreeing]
    if not doubted:
        return None
    skew = abs(facts.clock_skew_seconds)
    why = Sentence(
        f"The clocks differ by {skew:g} s, so it is not sure that the call lies within the calling hours",
        f"时钟相差 {skew:g} 秒,无法确定处于可拨打时段内",
    )
    hard = any(check.hard for check in doubted)
    return Check(HOUSE, "clock-doubt", hard, together([check.first_allowed for check in doubted]), lambda: why)
