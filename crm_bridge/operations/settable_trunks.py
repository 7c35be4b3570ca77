"""Trunks in a configuration file: what the registry holds of them. Nothing is written on a PBX: that is /v1/trunks'."""

from typing import Any

from pydantic import Field

from config.database import Transaction
from config.errors import Invalid
from crm_bridge.operations.by import By
from crm_bridge.web.trunk_shapes import Name
from crm_bridge.web.trunk_shapes import Settings as TrunkSettings
from telephony.tables import trunks as trunk_table
from telephony.trunking import records
from telephony.trunking import trunks as registry

_UNTOLD = {"name", "sealed_secret", "created_at", "updated_at", "updated_by", "turn", "draining_since"}


class TrunkIn(TrunkSettings):
    """A trunk as the registry has it; `setup` is shown, and must stay as it is."""

    pbx: str | None = Field(None, max_length=32)
    endpoint: Name | None = None
    setup: dict[str, Any] | None = None


def trunk_document(row: Any) -> tuple[str, dict[str, Any]]:
    """A trunk's name, and what is told of it: never the secret."""
    return row.name, {name: value for name, value in row._mapping.items() if name not in _UNTOLD}


async def put_trunk(transaction: Transaction, name: str, given: TrunkIn, by: By) -> None:
    """Change what the registry holds of a trunk, or register one over an endpoint that the PBX has.

    Raises Invalid for what would have to be written on the PBX.
    """
    row = await transaction.first(trunk_table.select().where(trunk_table.c.name == name))
    if row is None:
        await _create(transaction, name, given, by)
        return
    known = trunk_document(row)[1]
    for field in ("pbx", "endpoint", "setup"):
        if field in given.model_fields_set and getattr(given, field) != known[field]:
            raise _refused(
                field, "differs from what is set up: that is changed at /v1/trunks, which writes it on the PBX"
            )
    stated = given.model_dump(mode="json", by_alias=True, exclude_unset=True)
    whole = TrunkIn.model_validate(known | stated)
    columns = whole.columns(by.zone)
    enabled = columns.pop("enabled")
    if any(columns[column] != known[column] for column in columns):
        await records.change(transaction, name, columns, by.reason, actor=by.user.name, now=by.now)
    if enabled != row.enabled:
        to = "active" if enabled else "draining"
        await records.switch(transaction, name, to, by.reason, actor=by.user.name, now=by.now)


async def _create(transaction: Transaction, name: str, given: TrunkIn, by: By) -> None:
    if given.setup is not None:
        raise _refused("setup", "is new: a trunk that is set up on the PBX is created at /v1/trunks")
    if given.endpoint is None:
        raise _refused("endpoint", "is needed: an existing PJSIP endpoint of the PBX")
    if given.pbx not in by.pbxs:
        raise _refused("pbx", f"must be one of {', '.join(by.pbxs)}" if by.pbxs else "no PBX is configured")
    columns = {**given.columns(by.zone), "name": name, "pbx": given.pbx, "endpoint": given.endpoint}
    await registry.create(transaction, columns, actor=by.user.name, now=by.now)


def _refused(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", [{"field": field, "message": message}])
