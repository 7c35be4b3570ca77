"""Two sides that both change a case: what the CRM said last is kept beside, so that it is known who changed what. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from crm_bridge.connectors.mapping import CaseField, TrytonMapping
from crm_bridge.connectors.problems import Problem, problem

STOPPED = "stopped"
"""In the base: a state of the CRM's that counts only until somebody decides, and what the desk had said."""
FIELDS: tuple[CaseField, ...] = tuple(one for one in get_args(CaseField) if one != "parties")


@dataclass(frozen=True, slots=True)
class Ours:
    """A case as it is here: its fields; its people with their relations; and each one's numbers."""

    fields: Mapping[str, Any]
    parties: Mapping[str, str]
    numbers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Merged:
    """What is to be written, what the CRM is known to have said from now on, and where the two differ."""

    document: dict[str, Any]
    base: dict[str, Any]
    problems: list[Problem]


def merge(said: Mapping[str, Any], base: Mapping[str, Any], ours: Ours | None, mapping: TrytonMapping) -> Merged:
    """What follows from what the CRM says now. `ours` is None for a case that is new here."""
    document: dict[str, Any] = {"client": said["client"]}
    following, problems = {name: value for name, value in base.items() if name != STOPPED}, []
    for field in (name for name in FIELDS if name in said):
        theirs = said[field]
        if ours is None:
            document[field] = following[field] = theirs
            continue
        if mapping.is_desks(field) or (field == "state" and _decided_by_hand(base, theirs, ours.fields[field])):
            following[field] = theirs
            continue
        found = _both_changed(field, theirs, base, ours.fields.get(field))
        if found is not None:
            problems.append(found)
            if found.code == "stopped-there":
                document[field], following[STOPPED] = theirs, {"theirs": theirs, "ours": found.ours}
            continue
        if theirs != base.get(field, object()):
            document[field] = theirs
        following[field] = theirs
    if ours is None or not mapping.is_desks("parties"):
        document["parties"] = _people(said["parties"], base.get("parties") or {}, ours)
        following["parties"] = {one["id"]: [number["e164"] for number in one["numbers"]] for one in said["parties"]}
    return Merged(document, following, problems)


def _decided_by_hand(base: Mapping[str, Any], theirs: Any, ours: Any) -> bool:
    """Whether somebody changed the state here after the CRM's had been put in force: that was the decision."""
    stopped = base.get(STOPPED) or {}
    return bool(stopped) and stopped["theirs"] == theirs != ours


def _both_changed(field: CaseField, theirs: Any, base: Mapping[str, Any], ours: Any) -> Problem | None:
    stopped = base.get(STOPPED) or {}
    if field == "state" and stopped.get("theirs") == theirs == ours:
        return problem("stopped-there", field, theirs, stopped["ours"])  # still undecided
    if field not in base or theirs == base[field] or ours == base[field] or ours == theirs:
        return None
    if field == "state" and ours == "open":
        return problem("stopped-there", field, theirs, ours)
    return problem("both-changed", field, theirs, ours)


def _people(said: Sequence[Mapping[str, Any]], base: Mapping[str, Any], ours: Ours | None) -> list[dict[str, Any]]:
    """Who the CRM names; and who, and which numbers, came from elsewhere: those are not the CRM's to take away."""
    people = [dict(one) for one in said]
    if ours is None:
        return people
    for one in people:
        told = {number["e164"] for number in one["numbers"]}
        others = [e164 for e164 in ours.numbers.get(one["id"], ()) if e164 not in told]
        kept = [e164 for e164 in others if e164 not in base.get(one["id"], ())]
        one["numbers"] = [*one["numbers"], *({"e164": e164} for e164 in kept)]
    named = {one["id"] for one in people}
    strangers = {who: relation for who, relation in ours.parties.items() if who not in named and who not in base}
    return [*people, *({"id": who, "relation": relation} for who, relation in strangers.items())]
