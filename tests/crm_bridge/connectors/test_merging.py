"""Who changed what, by what the CRM said last."""

from typing import Any

import pytest

from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.connectors.merging import Merged, Ours, merge

NUMBER, OTHER = "+8613800138000", "+8613800138001"


def merged(base: dict[str, Any], ours: dict[str, Any] | None, theirs: dict[str, Any], **owns: str) -> Merged:
    """What follows for a case with one person."""
    said = {"client": "bank", "parties": [{"id": "p1", "relation": "debtor", "numbers": [{"e164": NUMBER}]}], **theirs}
    fields = {"state": "open", "account": None, "collector": None, "debts": [], "mandate_until": None, **(ours or {})}
    mapping = TrytonMapping.model_validate({"owns": owns})
    here = Ours(fields, {"p1": "debtor"}, {"p1": [NUMBER]}) if ours is not None else None
    return merge(said, base, here, mapping)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "written", "conflict"),
    [
        ("a", "a", "a", None, None),
        ("a", "a", "b", "b", None),
        ("a", "b", "a", None, None),
        ("a", "b", "b", "b", None),
        ("a", "b", "c", None, "both-changed"),
    ],
)
def test_a_field_is_taken_kept_or_in_conflict(
    base: str, ours: str, theirs: str, written: str | None, conflict: str | None
) -> None:
    found = merged({"account": base}, {"account": ours}, {"account": theirs})
    assert found.document.get("account") == written
    assert [one.code for one in found.problems] == ([conflict] if conflict else [])
    assert found.base["account"] == (base if conflict else theirs)


def test_what_the_desk_owns_is_taken_once_with_a_new_case() -> None:
    new = merged({}, None, {"collector": "li"}, collector="desk")
    assert new.document["collector"] == "li"
    known = merged(new.base, {"collector": "wang"}, {"collector": "zhao"}, collector="desk")
    assert "collector" not in known.document
    assert known.problems == []


def test_a_state_that_stops_calls_holds_until_somebody_decides_or_changes_it_here() -> None:
    first = merged({"state": "suspended"}, {"state": "open"}, {"state": "closed"})
    assert (first.document["state"], [one.code for one in first.problems]) == ("closed", ["stopped-there"])
    again = merged(first.base, {"state": "closed"}, {"state": "closed"})
    assert ([one.code for one in again.problems], again.problems[0].ours) == (["stopped-there"], "open")
    resumed = merged(again.base, {"state": "open"}, {"state": "closed"})
    assert ("state" in resumed.document, resumed.problems, resumed.base["state"]) == (False, [], "closed")


def test_numbers_and_people_that_the_crm_never_named_stay() -> None:
    said = {"client": "bank", "parties": [{"id": "p1", "relation": "debtor", "numbers": [{"e164": OTHER}]}]}
    here = Ours({}, {"p1": "debtor", "g1": "guarantor", "p0": "contact"}, {"p1": [NUMBER, "+8613700137000"]})
    base = {"parties": {"p1": [NUMBER], "p0": []}}
    found = merge(said, base, here, TrytonMapping())
    first, second = found.document["parties"]
    assert [one["e164"] for one in first["numbers"]] == [OTHER, "+8613700137000"]
    assert second == {"id": "g1", "relation": "guarantor"}
