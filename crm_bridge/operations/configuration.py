"""What admins set, as one file: exported, held against what is in force, and put into force whole or not at all.

    {"ringfence": 1, "policies": {"bank": {…}}, "users": {"li": {…}}, …, "trunks": {…}}

Applying the same file again changes nothing. What the file does not name stays. Passwords and tokens are never in it; a user
who is new by it logs in once an admin has set a password. What would have to be written on a PBX is refused (/v1/trunks).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Fault, Invalid
from config.journal import Entry
from crm_bridge.operations.by import By
from crm_bridge.operations.settable import KINDS

VERSION = 1
MARK = "ringfence"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that the file has otherwise: `before` None where it is new."""

    section: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """With the fields alone that differ."""
        old = self.before or {}
        fields = {name: [old.get(name), value] for name, value in self.after.items() if old.get(name) != value}
        return {"section": self.section, "key": self.key, "new": self.before is None, "fields": fields}


async def exported(connection: AsyncConnection) -> dict[str, Any]:
    """Everything that is in force."""
    document: dict[str, Any] = {MARK: VERSION}
    for section, kind in KINDS.items():
        found = [kind.document(row) for row in await connection.execute(kind.rows)]
        document[section] = {key: to_jsonable_python(value) for key, value in sorted(found)}
    return document


def read(text: str, source: str) -> dict[str, Any]:
    """The document of a file. Raises Invalid: no JSON, another version's, unknown sections."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{source}: is not JSON: {error}") from error
    require_version(document, source)
    return dict(document)


def require_version(document: Any, source: str) -> None:
    """Raises Invalid for what is no configuration of this version."""
    if not isinstance(document, dict) or MARK not in document:
        message = f"must be an object with {MARK!r}: {VERSION}, as `ringfence config export` writes it"
        raise Invalid(f"{source}: {message}", [{"field": MARK, "message": message}])
    if document[MARK] != VERSION:
        message = f"is of version {document[MARK]}, this service reads version {VERSION}"
        raise Invalid(f"{source}: {message}", [{"field": MARK, "message": message}])
    unknown = sorted(set(document) - {MARK, *KINDS})
    if unknown:
        errors = [{"field": name, "message": "is not a known section"} for name in unknown]
        raise Invalid(f"{source}: {', '.join(unknown)} is not a known section", errors)


class _TriedOnly(Exception):
    """Ends a dry run's transaction without a commit."""


async def apply(database: Database, document: Mapping[str, Any], by: By, *, dry_run: bool) -> list[Change]:
    """Put the document into force in one transaction; what changed. A dry run does all of it and keeps nothing.

    Raises Invalid naming every entry that is wrong; then nothing was changed.
    """
    require_version(document, "the configuration")
    models = _read_all(document)
    changes: list[Change] = []
    try:
        async with database.write() as transaction:
            await transaction.lock(["configuration"])
            changes += await _put_all(transaction, models, by)
            if changes:
                data = {"changes": [f"{one.section}/{one.key}" for one in changes][:500], "count": len(changes)}
                transaction.journal(Entry(by.now, "config.applied", by.user.name, data=data | {"reason": by.reason}))
            if dry_run:
                raise _TriedOnly
    except _TriedOnly:
        pass
    return changes


def _read_all(document: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Every entry as its model, or Invalid naming all that are wrong."""
    models, errors = {}, []
    for section, kind in KINDS.items():
        entries = document.get(section, {})
        if not isinstance(entries, dict):
            errors.append({"field": section, "message": "must be an object, one member an entry"})
            continue
        for key, value in entries.items():
            try:
                models[section, key] = kind.model.model_validate(value)
            except ValidationError as error:
                errors += [
                    {"field": ".".join((section, key, *map(str, item["loc"]))), "message": item["msg"]}
                    for item in error.errors(include_url=False)
                ]
    if errors:
        raise Invalid(f"{errors[0]['field']}: {errors[0]['message']}", errors)
    return models


async def _put_all(transaction: Transaction, models: Mapping[tuple[str, str], Any], by: By) -> list[Change]:
    current = await exported(transaction.connection)
    changes, errors = [], []
    for (section, key), model in models.items():
        before = current[section].get(key)
        wanted = (before or {}) | _as_exported(model)
        if before is not None and _whole(model, before) == _whole(model, wanted):
            continue
        try:
            await KINDS[section].put(transaction, key, model, by)
        except Fault as fault:
            errors += [
                {"field": f"{section}.{key}.{error['field']}".rstrip("."), "message": error["message"]}
                for error in fault.members.get("errors") or [{"field": "", "message": fault.detail}]
            ]
            continue
        except ValidationError as error:
            errors.append({"field": f"{section}.{key}", "message": error.errors(include_url=False)[0]["msg"]})
            continue
        except ValueError as error:
            errors.append({"field": f"{section}.{key}", "message": str(error)})
            continue
        changes.append(Change(section, key, before, wanted))
    if errors:
        raise Invalid(f"{errors[0]['field']}: {errors[0]['message']}; nothing was changed", errors)
    return changes


def _as_exported(model: Any) -> dict[str, Any]:
    whole: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"reason"})
    return whole


def _whole(model: BaseModel, document: Mapping[str, Any]) -> Any:
    """The document with everything that it leaves to the defaults."""
    return type(model).model_validate(document).model_dump(mode="json", by_alias=True)


async def note_export(database: Database, document: Mapping[str, Any], actor: str, now: datetime) -> None:
    """Journal that the configuration was read as a whole: it names everybody who works here."""
    async with database.write() as transaction:
        counts = {section: len(document[section]) for section in KINDS}
        transaction.journal(Entry(now, "config.exported", actor, data={"entries": counts}))
