"""What the world's phones and numbers do when called: the only source of the world's dialplan, and what tests expect.

A carrier's number behaves by its last two digits, whichever carrier and however it is written; a short emergency number
answers at once. Steps are Asterisk dialplan applications in order; `answer` is Answer() plus a line in the call record.
"""

from dataclasses import dataclass

HOLD = "Wait(3600)"
"""How long an answered call lasts if nobody hangs up; an hour bounds what a broken test leaves behind."""
TALK = ("answer", "Playtones(${TONE})", HOLD)
EMERGENCY_NUMBERS = ("110", "112", "119", "120", "911", "999")


@dataclass(frozen=True)
class Behaviour:
    """`sip` is the final SIP status that the PBX gets; `alerts` whether a 180 or 183 comes before it."""

    says: str
    sip: int
    alerts: bool
    steps: tuple[str, ...]


def _refuse(status: int, says: str, *, ring_seconds: int = 0) -> Behaviour:
    ring = ("Ringing()", f"Wait({ring_seconds})") if ring_seconds else ()
    return Behaviour(says, status, bool(ring), (*ring, f"PJSIPHangup({status})"))


ORDINARY = Behaviour("rings 1 s, answers with its tone", 200, True, ("Ringing()", "Wait(1)", *TALK))
"""Any number whose last two digits are not in BEHAVIOURS."""

BEHAVIOURS: dict[str, Behaviour] = {
    "01": Behaviour("answers at once, without ringing", 200, False, TALK),
    "13": Behaviour("rings 3 s, answers with its tone", 200, True, ("Ringing()", "Wait(3)", *TALK)),
    "80": Behaviour("rings until the caller gives up", 487, True, ("Ringing()", HOLD)),
    "86": _refuse(486, "busy"),
    "03": _refuse(403, "refused at once"),
    "63": _refuse(603, "declined at once"),
    "04": _refuse(404, "does not exist"),
    "10": _refuse(410, "no longer exists"),
    "84": _refuse(484, "incomplete number"),
    "53": _refuse(503, "congestion at once"),
    "40": _refuse(480, "switched off, said by status alone"),
    "23": _refuse(403, "rings 2 s, then refuses", ring_seconds=2),
    "25": _refuse(503, "rings 2 s, then congestion", ring_seconds=2),
    "26": _refuse(486, "rings 2 s, then presses reject (busy)", ring_seconds=2),
    "48": Behaviour(
        "announcement as early media (183, its tone for 3 s), then 480",
        480,
        True,
        ("Progress()", "Playtones(${TONE})", "Wait(3)", "PJSIPHangup(480)"),
    ),
    "71": Behaviour("answers, hangs up after 1 s", 200, True, ("Ringing()", "Wait(1)", *TALK[:2], "Wait(1)", "hangup")),
    "75": Behaviour("answers, hangs up after 5 s", 200, True, ("Ringing()", "Wait(1)", *TALK[:2], "Wait(5)", "hangup")),
    "90": Behaviour("answers and says nothing", 200, True, ("Ringing()", "Wait(1)", "answer", HOLD)),
    "91": Behaviour(
        "voicemail: answers, 2 s of silence, a 1 kHz beep of half a second, silence",
        200,
        True,
        ("Ringing()", "Wait(1)", "answer", "Wait(2)", "Playtones(!1000/500,!0/3600000)", HOLD),
    ),
}

_PHONE_TALKS = ("Ringing()", "Wait(0.4)", *TALK)
PHONES: dict[str, Behaviour] = {
    **{str(1000 + n): Behaviour("answers by itself after 0.4 s", 200, True, _PHONE_TALKS) for n in range(1, 9)},
    "1009": _refuse(486, "always busy"),
    "1010": Behaviour("never answers", 487, True, ("Ringing()", HOLD)),
    "1012": Behaviour("forwards to an outside number (302)", 302, False, ("Transfer(PJSIP/sip:{forward}@{pbx})",)),
}
"""Phones that register with the PBX. 1011 is one that the PBX knows and that never registers."""
UNREGISTERED_PHONE = "1011"
FORWARDS_TO = "13900000077"
"""Where phone 1012 sends its callers."""

PHONE_TONES: dict[str, int] = {extension: 400 + 25 * (int(extension) - 1000) for extension in PHONES}
"""Hz that each phone speaks with: 425 to 700, below every number's."""


def number_tone(number: str) -> int:
    """Hz that a carrier's number speaks with: 800 to 2780, from its last six digits, the same in every spelling."""
    return 800 + 10 * (int(number[-6:].lstrip("+")) % 199)


def behaviour_of(number: str) -> Behaviour:
    """What calling that number through a carrier does."""
    if number in EMERGENCY_NUMBERS:
        return BEHAVIOURS["01"]
    return BEHAVIOURS.get(number[-2:], ORDINARY)
