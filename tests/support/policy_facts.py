"""Facts documents for policy tests: an ordinary call that every rule allows, with what a test changes about it."""

from typing import Any

from telephony.policy.engine import evaluate_document

SHANGHAI = {"source": "address", "zone": "Asia/Shanghai"}
NEW_YORK = {"source": "address", "zone": "America/New_York"}
LOS_ANGELES = {"source": "address", "zone": "America/Los_Angeles"}


def facts(at: str, *packs: str, **changes: Any) -> dict[str, Any]:
    """A collector calls a debtor about debt d1 of account a1; `party`, `number`, `case`, `agent` are merged in."""
    document: dict[str, Any] = {
        "at": at,
        "packs": list(packs),
        "purpose": "collect",
        "agent": {"id": "ann", "role": "collector"},
        "party": {"id": "p1", "relation": "debtor", "locations": [place_for(packs)]},
        "number": {"e164": "+8613800138000", "kind": "mobile"},
        "debts": ["d1"],
        "account": "a1",
        "case": {"id": "c1", "state": "open"},
        "history": [],
    }
    for key, value in changes.items():
        merged = isinstance(value, dict) and isinstance(document.get(key), dict)
        document[key] = {**document[key], **value} if merged else value
    return document


def place_for(packs: tuple[str, ...]) -> dict[str, str]:
    """New York for American packs, Shanghai otherwise."""
    return NEW_YORK if any(pack.startswith("us-") for pack in packs) else SHANGHAI


def contact(at: str, outcome: str = "no_answer", **more: Any) -> dict[str, Any]:
    """One past outbound call of ours to the same person and number about the same debt."""
    ours = {"number": "+8613800138000", "number_kind": "mobile", "party": "p1", "debts": ["d1"], "account": "a1"}
    return {"at": at, "outcome": outcome, **ours, **more}


def contacts(*times: str, outcome: str = "no_answer", **more: Any) -> list[dict[str, Any]]:
    """Several such calls."""
    return [contact(at, outcome, **more) for at in times]


def verdict(at: str, *packs: str, **changes: Any) -> dict[str, Any]:
    """The verdict document on such facts."""
    return evaluate_document(facts(at, *packs, **changes))


def used(document: dict[str, Any], rule: str) -> int:
    """How much of a cap a verdict says is used."""
    return next(int(count["used"]) for count in document["counts"] if count["rule"] == rule)


def rules(document: dict[str, Any]) -> set[str]:
    """Every rule that denies in a verdict."""
    return {denial["rule"] for denial in document["denials"]}
