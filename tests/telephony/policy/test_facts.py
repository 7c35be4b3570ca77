"""Bad facts documents: each is refused by the name of its field, and none is ever judged."""

from typing import Any

import pytest

from config.errors import Invalid
from telephony.policy.facts import Facts, read_facts
from telephony.policy.facts_text import parse_facts
from tests.support.policy_facts import contact, facts, used, verdict

AT = "2026-06-01T10:00:00+08:00"


def spoiled(**changes: Any) -> dict[str, Any]:
    return facts(AT, "cn-outsourcing", **changes)


def without(path: str) -> dict[str, Any]:
    document = spoiled()
    *parents, last = path.split(".")
    part = document
    for name in parents:
        part[name] = dict(part[name])
        part = part[name]
    del part[last]
    return document


REQUIRED = ["at", "packs", "purpose", "agent", "agent.role", "party", "party.id", "party.relation", "party.locations",
            "number", "number.e164", "debts", "case", "case.state"]  # fmt: skip


@pytest.mark.parametrize("path", REQUIRED)
def test_a_required_member_that_is_missing_is_named(path: str) -> None:
    with pytest.raises(Invalid, match="is required") as caught:
        read_facts(without(path))
    assert [error["field"] for error in caught.value.members["errors"]] == [path]


def test_the_smallest_document_is_enough() -> None:
    smallest = {
        "at": AT, "packs": [], "purpose": "collect", "agent": {"role": "collector"}, "debts": [],
        "party": {"id": "p", "relation": "debtor", "locations": []}, "number": {"e164": "+8613800138000"},
        "case": {"state": "open"},
    }  # fmt: skip
    read = read_facts(smallest)
    assert (read.number.kind, read.recorder_healthy, read.case.debtor_reachable) == ("mobile", True, True)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("at", {"at": "2026-06-01T10:00:00"}),
        ("at", {"at": "2026-06-01"}),
        ("at", {"at": 1780300800}),
        ("at", {"at": "2026-13-01T10:00:00+08:00"}),
        ("at", {"at": "9999-12-31T23:59:59+00:00"}),
        ("purpose", {"purpose": "sell"}),
        ("agent.role", {"agent": {"role": "boss"}}),
        ("colour", {"colour": "red"}),
        ("party.colour", {"party": {"colour": "red"}}),
        ("party.relation", {"party": {"relation": "friend"}}),
        ("party.id", {"party": {"id": ""}}),
        ("party.deceased", {"party": {"deceased": "no"}}),
        ("party.cease_at", {"party": {"cease_at": "2026-05-01T10:00:00"}}),
        ("party.locations.0.zone", {"party": {"locations": [{"source": "address", "zone": "Mars/Olympus"}]}}),
        ("party.locations.0.zone", {"party": {"locations": [{"source": "address", "zone": "asia/shanghai"}]}}),
        ("party.agreements.0", {"party": {"agreements": [{"kind": "call"}]}}),
        ("party.inconvenient.0.from", {"party": {"inconvenient": [{"from": "8:00"}]}}),
        ("party.inconvenient.0.to", {"party": {"inconvenient": [{"to": "24:30"}]}}),
        ("party.inconvenient.0.days.0", {"party": {"inconvenient": [{"days": ["monday"]}]}}),
        ("number.e164", {"number": {"e164": "13800138000"}}),
        ("number.e164", {"number": {"e164": "+86138${EXTEN}"}}),
        ("case.state", {"case": {"state": "sleeping"}}),
        ("case.mandate_until", {"case": {"mandate_until": "soon"}}),
        ("history.0.at", {"history": [contact("2026-05-01T10:00:00")]}),
        ("history.0.outcome", {"history": [contact("2026-05-01T10:00:00Z", "chatted")]}),
        ("history.0.color", {"history": [contact("2026-05-01T10:00:00Z", color="red")]}),
        ("history.1.at", {"history": [contact("2026-05-01T10:00:00Z"), contact("2026-06-01T10:02:00+08:00")]}),
        ("house.guard_seconds", {"house": {"guard_seconds": -1}}),
        ("house.caps.0", {"house": {"caps": [{"limit": 3}]}}),
        ("house.minimum", {"house": {"minimum": 3}}),
        ("house.caps.0.channels", {"house": {"caps": [{"limit": 3, "days": 1, "channels": []}]}}),
        ("house.caps.0.per", {"house": {"caps": [{"limit": 3, "days": 1, "per": []}]}}),
        ("house.hours", {"house": {"hours": "09:00-09:00"}}),
        ("house.hours.0.days", {"house": {"hours": [{"days": [], "from": "09:00", "to": "20:00"}]}}),
        ("party.inconvenient.0.days", {"party": {"inconvenient": [{"days": [], "from": "09:00", "to": "20:00"}]}}),
        ("override.expires_at", {"override": {"by": "sue", "reason": "why not"}}),
        ("clock_skew_seconds", {"clock_skew_seconds": float("nan")}),
        ("house.caps.0.minutes", {"house": {"caps": [{"limit": 3, "minutes": 10**30}]}}),
        ("party.agreements.0.received", {"party": {"agreements": [{"kind": "call", "received": "9999-12-31T23:59:59Z"}]}}),
        ("packs", {"packs": ["us-reg-g"]}),
        ("packs", {"packs": ["us-reg-f@99"]}),
        ("packs", {"packs": ["us-reg-f@"]}),
        ("packs", {"packs": ["us-reg-f@01"]}),
        ("packs", {"packs": "us-reg-f"}),
    ],
)  # fmt: skip
def test_a_slip_is_named_and_never_judged(field: str, changes: dict[str, Any]) -> None:
    document = spoiled() | {"agent": {"role": "collector"}}
    with pytest.raises(Invalid) as caught:
        verdict(document["at"] if "at" not in changes else changes["at"], *document["packs"],
                **{key: value for key, value in changes.items() if key != "at"})  # fmt: skip
    assert field in [error["field"] for error in caught.value.members["errors"]]
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("document", [None, [], "facts", 7, {}])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(Invalid):
        read_facts(document)


def test_null_is_the_same_as_absent_except_for_what_is_required() -> None:
    quiet = {"refused_at": None, "attorney": None, "household": None, "agreements": None}
    document = spoiled(party=quiet, case={"complaint": None, "mandate_until": None}, override=None, house=None)
    assert verdict(AT, "cn-outsourcing", party=quiet, override=None, house=None)["verdict"] == "allow"
    assert read_facts(document) == read_facts(spoiled())
    with pytest.raises(Invalid, match="is required"):
        read_facts(spoiled(debts=None))


def test_moments_are_the_same_however_their_offset_is_written() -> None:
    history = [
        contact("2026-06-01T01:00:00Z"),
        contact("2026-06-01T09:00:00+08:00"),
        contact("2026-05-31T21:00:00-04:00"),
    ]
    document = verdict("2026-06-01T15:00:00+08:00", "cn-cba-2026", history=history)
    assert used(document, "cn-cba-2026/attempts-per-number") == 3


def test_a_contact_a_few_seconds_ahead_is_anothers_clock_and_counts() -> None:
    ahead = [contact("2026-06-01T10:00:30+08:00")]
    assert used(verdict(AT, "cn-cba-2026", history=ahead), "cn-cba-2026/attempts-per-number") == 1


def test_facts_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Facts.model_validate(spoiled()).purpose = "message"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is not JSON"),
        (b'{"at": "\xff"}', "is not JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "is not JSON"),
        (b'{"at": 1' + b"0" * 5000 + b"}", "is not JSON"),
        (b'{"packs": ["us-reg-f"], "packs": []}', "the member 'packs' is there twice"),
        (b'{"party": {"attorney": true, "attorney": false}}', "the member 'attorney' is there twice"),
    ],
)
def test_what_cannot_be_read_as_one_document_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        parse_facts(text, "facts.json")
    assert caught.value.detail.startswith("facts.json: ")


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_facts(b'\xef\xbb\xbf{"packs": []}', "-") == {"packs": []}
