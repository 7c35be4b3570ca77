"""Who may be called at all: refusals, attorneys, minors, the dead, bad numbers, unknown places, and third persons."""

from collections.abc import Callable

from telephony.policy.checks import Check, FirstAllowed, Sentence, before, never
from telephony.policy.facts import Facts
from telephony.policy.rules import ThirdPartyRule
from telephony.policy.suspensions import handles_complaint

Flag = Callable[[Facts], FirstAllowed | None]


_ZH = {
    "debtor": "债务人", "guarantor": "担保人", "spouse": "配偶", "contact": "联系人", "employer": "工作单位",
    "unrelated": "无关人员", "collect": "催收", "complaint": "投诉处理", "location": "询问下落", "message": "转告留言",
}  # fmt: skip
_MESSAGE_ONLY = Sentence(
    "A third person: ask only where the debtor is or for a call back, and never speak of the debt",
    "对方为第三人:仅可询问债务人联系方式或请其转告回电,不得提及债务",
)


def _refused(facts: Facts) -> FirstAllowed | None:
    return before(facts.party.refused_at) if facts.party.refused_at else None


def _cease(facts: Facts) -> FirstAllowed | None:
    return before(facts.party.cease_at) if facts.party.cease_at else None


def _unknown_zone(facts: Facts) -> FirstAllowed | None:
    places = facts.party.locations
    return never if not places or any(place.zone is None for place in places) else None


FLAGS: dict[str, Flag] = {
    "do-not-call": lambda facts: never if facts.number.do_not_call else None,
    "invalid-number": lambda facts: never if facts.number.status == "invalid" else None,
    "unknown-zone": _unknown_zone,
    "refused": _refused,
    "cease": _cease,
    "attorney": lambda facts: never if facts.party.attorney else None,
    "deceased": lambda facts: never if facts.party.deceased else None,
    "minor": lambda facts: never if facts.party.minor else None,
}


def third_party_check(rule: ThirdPartyRule, pack: str, facts: Facts) -> Check | None:
    """Whether this rule keeps us from the third person; if not, a warning never to speak of the debt (T44).

    Someone who complained may be called back about the complaint by a supervisor, whoever they are.
    """
    if facts.party.relation not in rule.relations or handles_complaint(facts):
        return None
    why = _wrong_purpose(rule, facts) or _debtor_in_reach(rule, facts)
    if why is None:
        return Check(pack, rule.name, rule.hard, never, lambda: _MESSAGE_ONLY, warns=True)
    return Check(pack, rule.name, rule.hard, never, lambda: why)


def _wrong_purpose(rule: ThirdPartyRule, facts: Facts) -> Sentence | None:
    if facts.purpose in rule.purposes:
        return None
    allowed = " or ".join(rule.purposes) or "no purpose"
    zh = "、".join(_ZH[purpose] for purpose in rule.purposes)
    return Sentence(
        f"{rule.text.en} (the party is {facts.party.relation}; allowed: {allowed}; asked: {facts.purpose})",
        f"{rule.text.zh}(对方:{_ZH[facts.party.relation]};允许用途:{zh or '无'};本次:{_ZH[facts.purpose]})",
    )


def _debtor_in_reach(rule: ThirdPartyRule, facts: Facts) -> Sentence | None:
    lost = not facts.case.debtor_reachable or facts.case.failed_contacts >= rule.failed_contacts
    if lost or not rule.only_when_lost:
        return None
    failed = facts.case.failed_contacts
    return Sentence(
        f"{rule.text.en} (the debtor counts as reachable: {failed} of {rule.failed_contacts} failed contacts)",
        f"{rule.text.zh}(债务人尚未失联:连续失败 {failed}/{rule.failed_contacts} 次)",
    )
