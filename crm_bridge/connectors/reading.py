"""A Tryton record as a case document, by the mapping; what cannot be read is told, never guessed. Pure."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crm_bridge.cases.documents import CaseIn, Identifier
from crm_bridge.connectors.mapping import PartyMapping, TrytonMapping
from crm_bridge.connectors.problems import Problem, problem
from crm_bridge.connectors.tryton import at_path
from telephony.numbers import InvalidNumber, read_number

_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a record says. `document` is None where no case can be made of it; `said` are the fields that it speaks of."""

    record: str
    case_id: str | None
    document: dict[str, Any] | None
    digest: str
    problems: list[Problem] = field(default_factory=list)


def read(record: dict[str, Any], mapping: TrytonMapping, client: str, region: str) -> Reading:
    """The case that the record is."""
    problems: list[Problem] = []
    case_id = _identifier(mapping.case_id_prefix, at_path(record, mapping.case_id), mapping.case_id, problems)
    document: dict[str, Any] = {"client": client, **_plain_fields(record, mapping)}
    state = _state(record, mapping, problems)
    if state is not None:
        document["state"] = state
    document["parties"] = _parties(record, mapping, region, problems)
    usable = case_id is not None and _fits(document, problems)
    return Reading(str(record["id"]), case_id, document if usable else None, digest(record, mapping), problems)


def digest(record: dict[str, Any], mapping: TrytonMapping) -> str:
    """Of what the record says and of how it is read; when it was written does not matter."""
    said = {key: value for key, value in record.items() if key not in ("write_date", "create_date")}
    read_by = mapping.model_dump(mode="json")
    return hashlib.sha256(json.dumps([said, read_by], sort_keys=True).encode()).hexdigest()


def parts_digest(record: dict[str, Any], mapping: TrytonMapping) -> str:
    """Of the ids of all numbers of all persons: one that is taken away leaves no date behind."""
    found = [sorted(_ids(at_path(record, f"{party.path}.{party.numbers}"))) for party in mapping.parties]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _ids(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else []
    return [str(one["id"] if isinstance(one, dict) else one) for one in listed]


def _plain_fields(record: dict[str, Any], mapping: TrytonMapping) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("account", "collector", "mandate_until"):
        path = getattr(mapping, name)
        if path is not None:
            found[name] = _text(at_path(record, path))
    if mapping.debts:
        said = [_text(at_path(record, path)) for path in mapping.debts]
        found["debts"] = list(dict.fromkeys(one for one in said if one))
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        value = value.get("rec_name") or value.get("name")
    return " ".join(str(value).split()) if value not in (None, "") else None


def _identifier(prefix: str, value: Any, path: str, problems: list[Problem]) -> str | None:
    text = _text(value)
    if text is None:
        problems.append(problem("no-id", path, path=path))
        return None
    try:
        return _IDENTIFIER.validate_python(prefix + text)
    except ValidationError:
        problems.append(problem("bad-id", path, text, path=path))
        return None


def _state(record: dict[str, Any], mapping: TrytonMapping, problems: list[Problem]) -> str | None:
    word = _text(at_path(record, mapping.state.field))
    if word is not None and word in mapping.state.values:
        return mapping.state.values[word]
    problems.append(problem("unknown-state", "state", word, word=word or "–", path=mapping.state.field))
    return None


def _parties(
    record: dict[str, Any], mapping: TrytonMapping, region: str, problems: list[Problem]
) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for party in mapping.parties:
        who = at_path(record, party.path)
        for person in who if isinstance(who, list) else [who]:
            if not isinstance(person, dict):
                continue
            identifier = _identifier(party.id_prefix, at_path(person, party.id), f"{party.path}.{party.id}", problems)
            if identifier is not None and identifier not in found:
                found[identifier] = _person(identifier, person, party, mapping, region, problems)
    if not found:
        problems.append(problem("no-person", "parties"))
    return list(found.values())


def _person(
    identifier: str,
    person: dict[str, Any],
    party: PartyMapping,
    mapping: TrytonMapping,
    region: str,
    problems: list[Problem],
) -> dict[str, Any]:
    said: dict[str, Any] = {"id": identifier, "relation": party.relation}
    said["name"] = (_text(at_path(person, party.name)) or "")[:255]
    if mapping.zone:
        place = {"source": "address", "zone": mapping.zone, **({"region": mapping.region} if mapping.region else {})}
        said["locations"] = [place]
    said["numbers"] = _numbers(identifier, person, party, mapping.region or region, problems)
    return said


def _numbers(
    identifier: str, person: dict[str, Any], party: PartyMapping, region: str, problems: list[Problem]
) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    listed = at_path(person, party.numbers)
    for one in listed if isinstance(listed, list) else []:
        kind = party.kinds.get(str(at_path(one, party.kind))) if isinstance(one, dict) else None
        written = _text(at_path(one, party.number)) if kind is not None else None
        if written is None:
            continue
        try:
            number = read_number(written, region)
        except InvalidNumber as fault:
            problems.append(problem("bad-number", "numbers", written, person=identifier, why=fault.detail))
            continue
        extension = {"extension": number.extension} if number.extension else {}
        found.setdefault(number.e164, {"e164": number.e164, "kind": kind, **extension})
    return list(found.values())


def _fits(document: dict[str, Any], problems: list[Problem]) -> bool:
    try:
        CaseIn.model_validate(document)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            where = ".".join(str(part) for part in one["loc"])
            problems.append(problem("bad-value", where, one.get("input"), why=one["msg"]))
        return False
    return True
