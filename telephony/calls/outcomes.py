"""How a call ended, judged from the customer leg's own hang-up cause and SIP code.

DialEnd and DIALSTATUS mislead (404 reads NOANSWER, "rang, then 403" reads CHANUNAVAIL), so the truth is the leg's Hangup
Cause (Q.850) and TechCause (SIP) plus whether it was seen ringing or in progress, either of which alerted the callee.
"""

import re
from dataclasses import dataclass

from telephony.calls.call_states import EndReason

NOT_PLACED = "not_placed"
CONVERSATION = "conversation"

_BUSY_SIP, _BUSY_CAUSES = {486, 600}, {17}
_REJECTED_SIP, _REJECTED_CAUSES = {403, 603, 607, 608}, {21}
_NO_SUCH_NUMBER_SIP, _NO_SUCH_NUMBER_CAUSES = {404, 410, 484, 604}, {1, 2, 3, 22, 28}
_UNAVAILABLE_SIP = {408, 480, 487}
_FAILED_CAUSES = {27, 34, 38, 41, 42, 44, 58, 66, 102}


@dataclass(frozen=True, slots=True)
class LegEnding:
    """What is known of a finished customer leg."""

    answered: bool
    alerted: bool
    cause: int | None
    tech_cause: str | None
    canceled: bool = False  # the collector hung up while it rang


@dataclass(frozen=True, slots=True)
class Ending:
    """`end_reason` for people, `outcome` for the contact history that the caps count."""

    end_reason: EndReason
    outcome: str


def sip_code(tech_cause: str | None) -> int | None:
    """The SIP status in `SIP 486 Busy Here` or `486`, None when there is none."""
    found = re.search(r"\b([1-6]\d\d)\b", tech_cause or "")
    return int(found.group(1)) if found else None


def judge_customer_leg(leg: LegEnding) -> Ending:
    """The ending of a call whose customer leg left the PBX."""
    code = sip_code(leg.tech_cause)
    if leg.answered:
        return Ending(EndReason.COMPLETED, CONVERSATION)
    if leg.canceled:
        return Ending(EndReason.CANCELED, "no_answer")
    if _is(code, leg.cause, _BUSY_SIP, _BUSY_CAUSES):
        return Ending(EndReason.BUSY, "busy")
    if _is(code, leg.cause, _REJECTED_SIP, _REJECTED_CAUSES):
        return Ending(EndReason.REJECTED, "rejected")
    if _is(code, leg.cause, _NO_SUCH_NUMBER_SIP, _NO_SUCH_NUMBER_CAUSES):
        return Ending(EndReason.FAILED, "not_in_service")
    if code not in _UNAVAILABLE_SIP and _fault_of_the_way(code, leg.cause):
        # A callee whose phone rang before the way failed was called all the same.
        return Ending(EndReason.FAILED, "no_answer" if leg.alerted else "failed")
    return Ending(EndReason.NO_ANSWER, "no_answer")


def judge_agent_leg(cause: int | None, hung_up_by_us: bool, was_answered: bool) -> Ending:
    """The ending of a call whose customer leg never left the PBX."""
    if hung_up_by_us or was_answered:
        return Ending(EndReason.CANCELED, NOT_PLACED)
    if cause in _BUSY_CAUSES or cause in _REJECTED_CAUSES:
        return Ending(EndReason.AGENT_BUSY, NOT_PLACED)
    return Ending(EndReason.AGENT_NO_ANSWER, NOT_PLACED)


def _is(code: int | None, cause: int | None, codes: set[int], causes: set[int]) -> bool:
    """The SIP code decides where there is one; the Q.850 cause only where there is none."""
    return code in codes if code is not None else cause in causes


def _fault_of_the_way(code: int | None, cause: int | None) -> bool:
    return code >= 400 if code is not None else cause in _FAILED_CAUSES
