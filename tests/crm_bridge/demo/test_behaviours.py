"""The table of numbers is consistent in itself; that Asterisk does what it says is shown in test_world.py."""

import pytest

from crm_bridge.demo.behaviours import (
    BEHAVIOURS,
    ORDINARY,
    PHONE_TONES,
    PHONES,
    UNREGISTERED_PHONE,
    behaviour_of,
    number_tone,
)


def test_no_two_phones_speak_alike_and_none_like_a_number() -> None:
    tones = list(PHONE_TONES.values())
    assert len(set(tones)) == len(PHONES)
    assert max(tones) < min(number_tone(f"1380000{n:04}") for n in range(1000))


@pytest.mark.parametrize("spelling", ["+8613912345601", "8613912345601", "13912345601", "013912345601"])
def test_a_number_behaves_and_sounds_the_same_in_every_spelling(spelling: str) -> None:
    assert behaviour_of(spelling) is BEHAVIOURS["01"]
    assert number_tone(spelling) == number_tone("13912345601")


@pytest.mark.parametrize("number", ["110", "112", "119", "120", "911", "999"])
def test_emergency_numbers_answer_at_once(number: str) -> None:
    assert behaviour_of(number) is BEHAVIOURS["01"]


def test_a_number_outside_the_table_is_an_ordinary_one() -> None:
    assert behaviour_of("+8613800001299") is ORDINARY


def test_the_phone_that_never_registers_is_not_among_those_that_do() -> None:
    assert UNREGISTERED_PHONE not in PHONES
