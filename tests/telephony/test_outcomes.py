"""How a call ended, from the customer leg's own cause and SIP code (docs of the causes: Q.850, RFC 3398)."""

import pytest

from telephony.calls.outcomes import LegEnding, judge_agent_leg, judge_customer_leg, sip_code

CASES = {
    # what happened: answered, alerted, Q.850, TechCause, canceled -> end_reason, outcome
    "answered and hung up": (True, True, 16, "", False, "completed", "conversation"),
    "answered without a ring": (True, False, 16, "SIP 200 OK", False, "completed", "conversation"),
    "answered, then the collector hung up": (True, True, 16, "", True, "completed", "conversation"),
    "answered, then the line broke": (True, True, 38, "SIP 503 Service Unavailable", False, "completed", "conversation"),
    "busy": (False, False, 17, "SIP 486 Busy Here", False, "busy", "busy"),
    "busy everywhere": (False, True, 17, "SIP 600 Busy Everywhere", False, "busy", "busy"),
    "busy by cause alone": (False, False, 17, None, False, "busy", "busy"),
    "rang, then 403": (False, True, 21, "SIP 403 Forbidden", False, "rejected", "rejected"),
    "declined": (False, True, 21, "SIP 603 Decline", False, "rejected", "rejected"),
    "rejected by cause alone": (False, True, 21, "", False, "rejected", "rejected"),
    "rang, then 503": (False, True, 34, "SIP 503 Service Unavailable", False, "failed", "no_answer"),
    "503 at once": (False, False, 34, "SIP 503 Service Unavailable", False, "failed", "failed"),
    "congestion by cause alone": (False, False, 34, None, False, "failed", "failed"),
    "rang, then congestion by cause": (False, True, 42, None, False, "failed", "no_answer"),
    "no such number": (False, False, 1, "SIP 404 Not Found", False, "failed", "not_in_service"),
    "404 after a ring": (False, True, 1, "SIP 404 Not Found", False, "failed", "not_in_service"),
    "incomplete number": (False, False, 28, "SIP 484 Address Incomplete", False, "failed", "not_in_service"),
    "gone": (False, False, 22, "SIP 410 Gone", False, "failed", "not_in_service"),
    "unallocated by cause alone": (False, False, 1, "", False, "failed", "not_in_service"),
    "announcement as early media, then 480": (False, True, 19, "SIP 480 Temporarily Unavailable", False, "no_answer", "no_answer"),
    "480 at once": (False, False, 20, "SIP 480 Temporarily Unavailable", False, "no_answer", "no_answer"),
    "480 with a cause of failure": (False, True, 34, "SIP 480 Temporarily Unavailable", False, "no_answer", "no_answer"),
    "rang out at the carrier": (False, True, 19, "SIP 408 Request Timeout", False, "no_answer", "no_answer"),
    "rang out here": (False, True, 0, "SIP 487 Request Terminated", False, "no_answer", "no_answer"),
    "rang out here, last heard 180": (False, True, 0, "SIP 180 Ringing", False, "no_answer", "no_answer"),
    "no user responding": (False, True, 18, None, False, "no_answer", "no_answer"),
    "nothing known": (False, False, None, None, False, "no_answer", "no_answer"),
    "the collector hung up while it rang": (False, True, 16, "SIP 487 Request Terminated", True, "canceled", "no_answer"),
    "server error": (False, False, 41, "SIP 500 Server Internal Error", False, "failed", "failed"),
    "refused by the carrier for payment": (False, False, 21, "SIP 402 Payment Required", False, "failed", "failed"),
    "the code beats the cause": (False, False, 17, "SIP 404 Not Found", False, "failed", "not_in_service"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_customer_leg_tells_how_it_ended(name: str) -> None:
    answered, alerted, cause, tech, canceled, end_reason, outcome = CASES[name]
    ending = judge_customer_leg(LegEnding(answered, alerted, cause, tech, canceled))
    assert (ending.end_reason, ending.outcome) == (end_reason, outcome)


@pytest.mark.parametrize("alerted", [True, False])
@pytest.mark.parametrize("cause", [None, 0, *range(1, 128)])
def test_no_ending_of_a_dialled_leg_counts_as_never_placed(cause: int | None, alerted: bool) -> None:
    for code in (None, *range(100, 700, 7)):
        ending = judge_customer_leg(LegEnding(False, alerted, cause, f"SIP {code} X" if code else None))
        assert ending.outcome in ("no_answer", "busy", "rejected", "not_in_service", "failed")
        assert not (alerted and ending.outcome == "failed"), "a callee whose phone rang was called"


@pytest.mark.parametrize(
    ("text", "code"),
    [("SIP 486 Busy Here", 486), ("486", 486), ("", None), (None, None), ("SIP 4860", None), ("SIP 99", None),
     ("SIP 503 after 200 tries", 503), ("Q.850;cause=17", None)],
)  # fmt: skip
def test_the_sip_code_is_read_out_of_the_tech_cause(text: str | None, code: int | None) -> None:
    assert sip_code(text) == code


@pytest.mark.parametrize(
    ("cause", "hung_up", "answered", "end_reason"),
    [
        (17, False, False, "agent_busy"),
        (21, False, False, "agent_busy"),
        (19, False, False, "agent_no_answer"),
        (None, False, False, "agent_no_answer"),
        (16, True, False, "canceled"),
        (17, True, False, "canceled"),
        (16, False, True, "canceled"),
    ],
)
def test_the_collectors_own_leg_never_counts(cause: int | None, hung_up: bool, answered: bool, end_reason: str) -> None:
    ending = judge_agent_leg(cause, hung_up, answered)
    assert (ending.end_reason, ending.outcome) == (end_reason, "not_placed")
