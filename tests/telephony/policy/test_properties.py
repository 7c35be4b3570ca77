"""What must hold of every verdict, whatever the facts: tried on generated documents."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import Invalid
from telephony.policy.engine import evaluate_document
from telephony.policy.fields import DAYS
from telephony.policy.packs import available
from tests.support.policy_facts import facts

ZONES = ["Asia/Shanghai", "America/New_York", "America/Los_Angeles", "Australia/Lord_Howe", "America/Nuuk", "Asia/Kolkata",
         "America/Sao_Paulo", "Africa/Cairo", "Europe/London", "Pacific/Kiritimati", "America/Havana"]  # fmt: skip
PACKS = sorted({pack.id for pack in available()})
START = datetime(2026, 2, 20, tzinfo=UTC)
OUTCOMES = ["conversation", "voicemail", "no_answer", "busy", "not_in_service", "dropped", "rejected", "failed",
            "not_placed", "live", "reserved", "unknown"]  # fmt: skip
quiet = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

moments = st.integers(0, 300 * 86400).map(lambda seconds: START + timedelta(seconds=seconds))
clocks = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
bands = st.fixed_dictionaries(
    {}, optional={"days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=3), "from": clocks, "to": clocks}
)
short_bands = st.integers(0, 44).map(
    lambda half: {"from": f"{half // 2:02}:{half % 2 * 30:02}", "to": f"{(half + 3) // 2:02}:{(half + 3) % 2 * 30:02}"}
)
caps = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 4),
        "per": st.lists(st.sampled_from(["person", "debt", "account", "number", "household"]), min_size=1),
    },
    optional={"counts": st.sampled_from(["attempts", "contacts", "conversations"])},
).flatmap(
    lambda cap: st.one_of(
        st.integers(1, 9).map(lambda n: cap | {"days": n}), st.integers(1, 3000).map(lambda n: cap | {"minutes": n})
    )
)


@st.composite
def rows(draw: st.DrawFn, at: datetime) -> dict[str, Any]:
    ago = draw(st.integers(0, 12 * 86400))
    row: dict[str, Any] = {"at": (at - timedelta(seconds=ago)).isoformat(), "outcome": draw(st.sampled_from(OUTCOMES))}
    row["party"] = draw(st.sampled_from(["p1", "p2", None]))
    row["household"] = draw(st.sampled_from(["h1", None]))
    row["number"] = draw(st.sampled_from(["+8613800138000", "+12125550123", None]))
    row["number_kind"] = draw(st.sampled_from(["mobile", "landline", "work", None]))
    row["debts"] = draw(st.lists(st.sampled_from(["d1", "d2", "d3"]), max_size=2))
    row["account"] = draw(st.sampled_from(["a1", "a2", None]))
    row["direction"] = draw(st.sampled_from(["outbound", "outbound", "inbound"]))
    row["channel"] = draw(st.sampled_from(["call", "call", "sms", "email", "letter"]))
    row["by"] = draw(st.sampled_from(["us", "us", "client"]))
    row["consented"] = draw(st.booleans())
    return row


@st.composite
def agreements(draw: st.DrawFn, at: datetime) -> dict[str, Any]:
    received = at + timedelta(hours=draw(st.integers(-24 * 9, 24 * 3)))
    item: dict[str, Any] = {"kind": draw(st.sampled_from(["hours", "call"])), "received": received.isoformat()}
    if draw(st.booleans()):
        item["from"] = (received + timedelta(hours=draw(st.integers(0, 72)))).isoformat()
    if draw(st.booleans()):
        item["until"] = (received + timedelta(hours=draw(st.integers(1, 200)))).isoformat()
    return item


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    at = draw(moments)
    places = [
        {"source": "address", "zone": zone} for zone in draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=2))
    ]
    later = st.one_of(st.none(), st.integers(-3, 12).map(lambda days: (at + timedelta(days=days)).isoformat()))
    party = {
        "id": "p1",
        "relation": draw(st.sampled_from(["debtor"] * 5 + ["guarantor", "spouse", "contact"])),
        "locations": places,
        "household": draw(st.sampled_from(["h1", None])),
        "agreements": draw(st.lists(agreements(at), max_size=2)),
        "inconvenient": draw(st.one_of(st.just([]), st.lists(short_bands, max_size=2))),
        "refused_at": draw(st.sampled_from([None] * 7 + [(at + timedelta(days=2)).isoformat()])),
    }
    house: dict[str, Any] = {"guard_seconds": draw(st.sampled_from([0, 0, 60, 900]))}
    house["caps"] = draw(st.lists(caps, max_size=2))
    house["min_gap_minutes"] = draw(st.sampled_from([None, 30, 600]))
    some = bands.filter(lambda band: band.get("from", "00:00") != band.get("to", "24:00"))
    house["hours"] = draw(st.one_of(st.none(), st.none(), st.lists(some, min_size=1, max_size=3)))
    state = draw(st.sampled_from(["open"] * 12 + ["suspended", "payment_pending"]))
    ends = draw(later)
    override = {"by": "sue", "reason": "agreed", "expires_at": ends} if ends else None
    return facts(
        at.isoformat(),
        *draw(st.lists(st.sampled_from(PACKS), max_size=3)),
        party=party,
        house=house,
        purpose=draw(st.sampled_from(["collect", "location", "message"])),
        number={"kind": draw(st.sampled_from(["mobile", "landline", "work"]))},
        debts=draw(st.lists(st.sampled_from(["d1", "d2"]), unique=True)),
        account=draw(st.sampled_from(["a1", None])),
        history=draw(st.lists(rows(at), max_size=12)),
        case={"state": state, "failed_contacts": draw(st.sampled_from([0, 3]))},
        clock_skew_seconds=draw(st.sampled_from([0, 0, -20, 300])),
        override=override,
    )


def at_time(document: dict[str, Any], moment: datetime) -> dict[str, Any]:
    return evaluate_document(document | {"at": moment.isoformat()})


@quiet
@given(documents(), st.randoms(use_true_random=False))
def test_at_retry_at_the_call_is_allowed_and_at_no_moment_before(
    document: dict[str, Any], chance: random.Random
) -> None:
    told = evaluate_document(document)
    if told["verdict"] == "allow" or told["retry_at"] is None:
        return
    now, retry = datetime.fromisoformat(document["at"]), datetime.fromisoformat(told["retry_at"])
    assert at_time(document, retry)["verdict"] == "allow"
    assert at_time(document, max(now, retry - timedelta(seconds=1)))["verdict"] == "deny"
    assert at_time(document, max(now, retry - timedelta(microseconds=1)))["verdict"] == "deny"
    for _ in range(6):
        between = now + (retry - now) * chance.random()
        assert between >= retry or at_time(document, between)["verdict"] == "deny"


@quiet
@given(documents(), st.randoms(use_true_random=False))
def test_without_retry_at_no_later_moment_allows(document: dict[str, Any], chance: random.Random) -> None:
    told = evaluate_document(document)
    if told["verdict"] == "deny" and told["retry_at"] is None:
        for _ in range(8):
            later = datetime.fromisoformat(document["at"]) + timedelta(seconds=chance.randrange(390 * 86400))
            assert at_time(document, later)["verdict"] == "deny"


@quiet
@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_packs_history_locations_debts_and_agreements_never_matters(
    document: dict[str, Any], chance: random.Random
) -> None:
    def shuffled(items: list[Any]) -> list[Any]:
        return chance.sample(items, len(items))

    party = document["party"]
    other = document | {
        "packs": shuffled(document["packs"]),
        "history": shuffled(document["history"]),
        "debts": shuffled(document["debts"]),
        "party": party | {key: shuffled(party[key]) for key in ("locations", "agreements")},
    }
    assert evaluate_document(other) == evaluate_document(document)


@quiet
@given(documents(), st.data())
def test_one_more_contact_never_turns_a_denial_into_an_allowance_nor_brings_it_nearer(
    document: dict[str, Any], data: st.DataObject
) -> None:
    before = evaluate_document(document)
    more = data.draw(rows(datetime.fromisoformat(document["at"])))
    after = evaluate_document(document | {"history": [*document["history"], more]})
    if before["verdict"] == "deny":
        assert after["verdict"] == "deny"
        if after["retry_at"] is not None:
            assert before["retry_at"] is not None
            assert datetime.fromisoformat(after["retry_at"]) >= datetime.fromisoformat(before["retry_at"])


@quiet
@given(documents(), st.sampled_from(PACKS))
def test_one_more_pack_never_turns_a_denial_into_an_allowance(document: dict[str, Any], pack: str) -> None:
    if evaluate_document(document)["verdict"] == "deny":
        assert evaluate_document(document | {"packs": [*document["packs"], pack]})["verdict"] == "deny"


@quiet
@given(documents())
def test_a_stored_document_gives_the_same_verdict_again(document: dict[str, Any]) -> None:
    assert evaluate_document(document) == evaluate_document(document)


EXTREMES = ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-12:00",
            "1970-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "2200-12-31T23:59:59-12:00", "2026-06-01T10:00:00+23:59",
            10**30, -(10**30), 1e308, "\ud800", "\x00\n", "24:00", "00:00"]  # fmt: skip
SCRAP = st.recursive(
    st.one_of(
        st.sampled_from(EXTREMES),
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=12),
        moments.map(str),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places_in(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], by)
    return copy


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(), st.data())
def test_a_damaged_document_is_named_bad_input_or_judged_and_never_anything_else(
    document: dict[str, Any], data: st.DataObject
) -> None:
    damaged = replaced(document, data.draw(st.sampled_from(places_in(document)[1:])), data.draw(SCRAP))
    fault = refusal(damaged)
    if fault is not None:
        assert fault.detail.startswith("facts: ")
        assert "\n" not in fault.detail
        assert all(set(error) == {"field", "message"} for error in fault.members["errors"])


def refusal(document: dict[str, Any]) -> Invalid | None:
    try:
        evaluate_document(document)
    except Invalid as fault:
        return fault
    return None
