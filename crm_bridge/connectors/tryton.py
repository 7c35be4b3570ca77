"""Tryton 8.2 by its REST API for user applications: records read, notes (`ir.note`) written.

`/{database}/rest/model/{name}` with `Authorization: Bearer KEY`; a domain (`d`) and an order (`o`) are JSON in URL-safe
base64, `f` names a field, dotted ones follow relations. What a user's key may not do is a 400 with a message, an unknown field a
500 in HTML.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from crm_bridge.connectors import faults
from crm_bridge.connectors.asking import Asker

READ_SECONDS, WRITE_SECONDS = 20.0, 12.0
NOTE = "ir.note"
_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


@dataclass(frozen=True, slots=True)
class Tryton:
    """One database of one Tryton, by the key of one of its users."""

    asker: Asker
    url: str
    database: str
    token: str

    async def search(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        order: Sequence[Sequence[str]] = (("id", "ASC"),),
        limit: int | None = None,
        seconds: float = READ_SECONDS,
    ) -> list[dict[str, Any]]:
        """The records of a domain; each has `id`. Raises CrmFault."""
        params = [("d", _encoded(domain)), ("o", _encoded(order)), *(("f", field) for field in fields)]
        if limit is not None:
            params.append(("s", str(limit)))
        asked = await self.asker.ask("GET", self._address(model), token=self.token, params=params, seconds=seconds)
        found = asked.value
        if not isinstance(found, list) or not all(isinstance(one, dict) and "id" in one for one in found):
            raise faults.Broken(
                "what answers there is not Tryton's API: it gave no list of records", status=asked.status
            )
        return found

    async def time(self, model: str) -> datetime | None:
        """The CRM's clock; None where nothing between us says it. Raises CrmFault."""
        params = [("s", "1"), ("f", "id")]
        asked = await self.asker.ask("GET", self._address(model), token=self.token, params=params, seconds=READ_SECONDS)
        return asked.at

    async def write_note(self, resource: str, message: str) -> str:
        """A new note on a record (`project.work,12`): its id. Raises CrmFault."""
        body = {"resource": resource, "message": message}
        asked = await self.asker.ask("POST", self._address(NOTE), token=self.token, body=body, seconds=WRITE_SECONDS)
        # 204: written, but not readable by this user.
        return str(asked.value["id"]) if isinstance(asked.value, dict) and "id" in asked.value else "unknown"

    async def rewrite_note(self, note: str, message: str) -> None:
        """Put another text into a note; most users may not. Raises CrmFault."""
        address = f"{self._address(NOTE)}/{quote(note, safe='')}"
        body = {"message": message}
        await self.asker.ask("PUT", address, token=self.token, body=body, seconds=WRITE_SECONDS)

    async def notes_with(self, resource: str, mark: str) -> list[str]:
        """The ids of a record's notes that carry a mark, oldest first. Raises CrmFault."""
        domain = [["resource", "=", resource], ["message", "like", f"%{_literal(mark)}%"]]
        found = await self.search(NOTE, domain, ["message"], seconds=WRITE_SECONDS)
        return [str(one["id"]) for one in found if mark in str(one.get("message"))]

    def _address(self, model: str) -> str:
        return f"{self.url.rstrip('/')}/{quote(self.database, safe='')}/rest/model/{quote(model, safe='')}"


def _literal(text: str) -> str:
    """As it is within a `like`."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, default=list).encode()).decode()


def plain(value: Any) -> Any:
    """What a field holds: Tryton writes moments, days and decimals as objects with a `__class__`."""
    if not isinstance(value, dict) or "__class__" not in value:
        return value
    kind = value["__class__"]
    if kind == "datetime":
        year, month, day, hour, minute, second, micro = (int(value.get(part, 0)) for part in _PARTS)
        return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    if kind == "date":
        return date(value["year"], value["month"], value["day"])
    if kind == "Decimal":
        return str(value["decimal"])
    return None


def moment(at: datetime) -> dict[str, Any]:
    """A moment as Tryton's domains take it: UTC, without a zone."""
    utc = at.astimezone(UTC)
    return {"__class__": "datetime", **{part: getattr(utc, part) for part in _PARTS}}


def at_path(record: dict[str, Any], path: str) -> Any:
    """What is at `party.name` in a record that was read with that field; None where the way ends."""
    value: Any = record
    names = path.split(".")
    for place, name in enumerate(names):
        if not isinstance(value, dict) or "__class__" in value:
            return None
        value = value.get(name)
        if isinstance(value, list) and place < len(names) - 1:
            return [at_path(one, ".".join(names[place + 1 :])) for one in value if isinstance(one, dict)]
    return plain(value)
