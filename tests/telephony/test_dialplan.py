"""The dialplan as text: what must hold of it whatever the settings."""

import re

import pytest

from telephony.pbx_setup.dialplan import EMERGENCY_NUMBERS, DialplanSettings, Section, Step, sections, steps

SETTINGS = DialplanSettings(gate="10.0.0.5:4573", spool="/var/spool/asterisk/ringfence", emergency_trunks=("a", "b"))


def all_steps(settings: DialplanSettings = SETTINGS) -> list[tuple[str, Step]]:
    return [(section.name, step) for section in sections(settings) for step in steps(section)]


def context(name: str) -> list[Step]:
    return [step for owner, step in all_steps() if owner == name]


def test_every_context_is_ours_by_its_name() -> None:
    names = [section.name for section in sections(SETTINGS)]
    assert all(name.startswith("ringfence-") for name in names)
    assert len(names) == len(set(names))


def test_every_jump_within_the_dialplan_lands_somewhere() -> None:
    there = {(owner, step.extension) for owner, step in all_steps()}
    for _, step in all_steps():
        for target, extension in re.findall(r"(ringfence-[a-z]+)[,^]([A-Za-z]+)", step.data):
            assert (target, extension) in there, step


def test_only_the_gate_and_the_emergency_numbers_dial_a_trunk() -> None:
    dials = {(owner, step.data) for owner, step in all_steps() if step.application == "Dial"}
    to_phones = {"ringfence-desk", "ringfence-back", "ringfence-transfer", "ringfence-ring"}
    assert {owner for owner, _ in dials} == {"ringfence-gate", "ringfence-emergency", *to_phones}
    assert not [data for owner, data in dials if owner in to_phones and "@" in data]


def test_the_verdict_is_emptied_before_the_gate_is_asked_and_again_before_dial() -> None:
    gate = [step for step in context("ringfence-gate") if step.extension == "s"]
    order = [step.application if step.application in ("AGI", "Dial") else step.data for step in gate]
    emptied = [number for number, what in enumerate(order) if what == "RINGFENCE_VERDICT="]
    assert emptied[0] < order.index("AGI") < emptied[1] < order.index("Dial")


def test_the_gate_has_two_seconds_and_a_late_answer_does_not_count() -> None:
    gate = context("ringfence-gate")
    before = [step.data for step in gate[: next(n for n, step in enumerate(gate) if step.application == "AGI")]]
    assert before[-2:] == ["AGIEXITONHANGUP=yes", "TIMEOUT(absolute)=2"]
    assert [step.data for step in gate if step.extension == "T"] == ["ringfence-refuse,late,1"]


def test_no_pattern_matches_the_hangup_extension() -> None:
    patterns = {step.extension for _, step in all_steps() if step.extension.startswith("_")}
    assert patterns == {"_[+0-9]X!", "_[+0-9]X", "_[+0-9]X."}


def test_emergency_numbers_go_past_the_gate_and_are_a_parameter() -> None:
    mine = DialplanSettings(gate="h:1", spool="/s", emergency=("110", "999999"))
    desk = [step for owner, step in all_steps(mine) if owner == "ringfence-desk"]
    assert [(step.extension, step.data) for step in desk[:2]] == [
        ("110", "ringfence-emergency,s,1(110)"),
        ("999999", "ringfence-emergency,s,1(999999)"),
    ]
    assert not any("AGI" in step.application for step in context("ringfence-emergency"))
    assert len(EMERGENCY_NUMBERS) == len(set(EMERGENCY_NUMBERS))


def test_no_placeholder_is_left_and_every_line_fits_a_manager_message() -> None:
    for section in sections(SETTINGS):
        for _, value in section.lines:
            assert not re.search(r"@[A-Z]+@", value)
            assert len(value) < 900
            assert ";" not in value


def test_priorities_labels_and_arguments_are_parted_as_asterisk_does() -> None:
    section = Section("x", (("exten", "s,1,Answer()"), ("same", "n(next),Set(a=b(c),d)"), ("exten", "t,1,Hangup")))
    assert list(steps(section)) == [
        Step("s", 1, "", "Answer", ""),
        Step("s", 2, "next", "Set", "a=b(c),d"),
        Step("t", 1, "", "Hangup", ""),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {"gate": "host"},
        {"gate": "host:4573/x,System(id)"},
        {"gate": "ho st:1"},
        {"spool": "relative"},
        {"spool": "/a b"},
        {"spool": "/a${SHELL(id)}"},
        {"spool": "/a/"},
        {"emergency": ("1",)},
        {"emergency": ("11o",)},
        {"emergency_trunks": ("a,b",)},
        {"emergency_trunks": ("a&b",)},
    ],
)
def test_settings_that_could_become_dialplan_code_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot stand in a dialplan"):
        DialplanSettings(**{"gate": "h:1", "spool": "/s", **bad})  # type: ignore[arg-type]  # wrong on purpose
