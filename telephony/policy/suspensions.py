"""What stops the calling on a case: state, complaint (S61-S65), dispute, fraud statement, mandate, recorder."""

from collections.abc import Callable
from datetime import datetime

from telephony.policy.checks import FirstAllowed, never
from telephony.policy.facts import Facts
from telephony.policy.zones import local_date

Flag = Callable[[Facts], FirstAllowed | None]


def handles_complaint(facts: Facts) -> bool:
    """A supervisor calling about a complaint that is not yet settled (S62): that is not collecting."""
    complaint = facts.case.complaint
    unsettled = complaint.state == "open" or (complaint.state == "closed" and not complaint.instructed)
    return unsettled and facts.purpose == "complaint" and facts.agent.role == "supervisor"


def _stops(when: Callable[[Facts], bool]) -> Flag:
    return lambda facts: never if when(facts) else None


def _in_state(state: str) -> Flag:
    return _stops(lambda facts: facts.case.state == state)


def _complaint_open(facts: Facts) -> bool:
    return facts.case.complaint.state == "open" and not handles_complaint(facts)


def _not_instructed(facts: Facts) -> bool:
    complaint = facts.case.complaint
    return complaint.state == "closed" and not complaint.instructed and not handles_complaint(facts)


def _former_agent(facts: Facts) -> bool:
    former = facts.case.complaint.former_agent
    return former is not None and facts.agent.id in (None, former)


def _suspended(facts: Facts) -> bool:
    return facts.case.state == "suspended" and not handles_complaint(facts)


def _mandate_expired(facts: Facts) -> FirstAllowed | None:
    """The mandate holds through its last day, in every zone the callee may be in."""
    last = facts.case.mandate_until
    if last is None:
        return None

    def first_allowed(t: datetime) -> datetime | None:
        return t if all(local_date(t, key) <= last for key in facts.party.zones or ("UTC",)) else None

    return first_allowed


FLAGS: dict[str, Flag] = {
    "complaint-open": _stops(_complaint_open),
    "complaint-not-instructed": _stops(_not_instructed),
    "complaint-former-agent": _stops(_former_agent),
    "suspended": _stops(_suspended),
    "settled": _in_state("settled"),
    "payment-pending": _in_state("payment_pending"),
    "closed": _in_state("closed"),
    "returned": _in_state("returned"),
    "mandate-expired": _mandate_expired,
    "dispute": _stops(lambda facts: facts.case.dispute),
    "fraud-statement": _stops(lambda facts: facts.case.fraud_statement),
    "recorder-unhealthy": _stops(lambda facts: not facts.recorder_healthy and facts.house.recorder_required),
}
