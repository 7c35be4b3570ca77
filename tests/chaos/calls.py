"""What a round of calls is to do, drawn by seed: who clicks, what the number does when called, who hangs up and when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Literal

PHONES = tuple(str(1001 + n) for n in range(8))
"""The phones that answer by themselves; each belongs to the collector of its name."""
TALKING = ("02", "02", "01", "13")
"""Endings of numbers that answer and stay until somebody hangs up."""
OTHERS = ("71", "75", "86", "03", "04", "53", "23", "26", "80", "48")
"""Endings of numbers that end the call by themselves, one way or another."""

HangUp = Literal["customer", "collector", "phone"]


@dataclass
class Click:
    """One intended call: what was planned, and what the desk was told."""

    phone: str
    number: str
    case: str
    party: str
    key: str
    delay: float
    hang_up: HangUp
    talk: float
    answers: list[tuple[int, Any]] = field(default_factory=list)
    """Status and document of each answer to the click; a lost connection is (0, why)."""
    clicked_at: datetime | None = None

    @property
    def behaviour(self) -> str:
        """The last two digits, by which the world acts."""
        return self.number[-2:]

    @property
    def call_id(self) -> str | None:
        """The call's id as the desk was told, None while it was told none."""
        return next((document["id"] for status, document in self.answers if status == 201), None)


def draw_clicks(dice: Random, index: int, calls: int) -> list[Click]:
    """So many clicks on as many phones; the first one talks, since the fault waits for its moments.

    Each number belongs to this round (`index`) and click alone, so that an INVITE tells whose it is.
    """
    return list(_draw(dice, index, dice.sample(PHONES, calls)))


def _draw(dice: Random, index: int, phones: list[str]) -> Iterator[Click]:
    for position, phone in enumerate(phones):
        talks = position == 0 or dice.random() < 0.6
        number = f"+86139{index:05d}{position}{dice.choice(TALKING if talks else OTHERS)}"
        yield Click(
            phone=phone,
            number=number,
            case=f"case-{number[1:]}",
            party=f"party-{number[1:]}",
            key=f"{dice.getrandbits(64):016x}",
            delay=0.0 if position == 0 else dice.uniform(0, 1.5),
            hang_up=dice.choice(("customer", "customer", "collector", "phone")),
            talk=dice.uniform(0.3, 3.0),
        )
