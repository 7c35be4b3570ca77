"""Masks (脱敏): numbers, identity numbers and the details of a debt, by role, in every answer and event that leaves.

One place goes over each finished document, so that no route can forget it. What a role may not see is not sent.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.settings import Desk
from crm_bridge.people.users import User
from crm_bridge.tables import numbers
from telephony.numbers import InvalidNumber

HIDDEN = "••••"
DETAILS = ("debts", "account", "amounts", "identity")
"""What is hidden until the collector has confirmed that the debtor is on the line (S13)."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}(?![0-9])")
_MARKERS = (b'"debts":', b'"account":', b'"identity":', b'"promise":')


def mask_number(e164: str) -> str:
    """`+86138****8000`: country and carrier, and the end by which a person knows the number again."""
    shown = 4 if len(e164) > 10 else 2
    return f"{e164[: max(2, len(e164) - 4 - shown)]}****{e164[-shown:]}"


def mask_identity(identity: str) -> str:
    """`3101**********1234`: short ones keep less, so that most of it is always hidden."""
    head, tail = (4, 4) if len(identity) >= 12 else (0, 2)
    return f"{identity[:head]}{'*' * (len(identity) - head - tail)}{identity[-tail:]}"


def is_masked(given: str) -> bool:
    """Whether somebody sent a number as it was shown to them, masked."""
    return "*" in given


async def unmasked(connection: AsyncConnection, party_id: str, masked: str) -> str:
    """The only number of the party that is shown like this. Raises InvalidNumber: none is, or several are."""
    listed = await connection.scalars(select(numbers.c.e164).where(numbers.c.party_id == party_id))
    found = [str(e164) for e164 in listed if mask_number(e164) == masked]
    if len(found) == 1:
        return found[0]
    why = "no number" if not found else f"{len(found)} numbers"
    hint = "" if not found else "; reveal the one you mean (POST /v1/reveals)"
    raise InvalidNumber(f"party {party_id} has {why} shown as {masked}{hint}")


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is hidden from one reader. `unlocked` are the cases whose debtor the reader has on the line."""

    numbers: bool = False
    identities: bool = False
    details: bool = False
    unlocked: frozenset[str] = frozenset()
    _aliases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, user: User, desk: Desk, unlocked: Collection[str] = ()) -> "Redaction":
        """What the settings hide from this user."""
        return cls(
            numbers=user.role in desk.mask_numbers,
            identities=user.role in desk.mask_identities,
            details=user.role in desk.confirm_party,
            unlocked=frozenset(unlocked),
        )

    def concerns(self, body: bytes) -> bool:
        """Whether a JSON text may hold anything to hide: most answers do not, and then cost nothing."""
        if self.numbers and b"+" in body:
            return True
        return (self.details or self.identities) and any(marker in body for marker in _MARKERS)

    def document(self, value: Any, case_id: str | None = None) -> Any:
        """The JSON value as this reader may see it. `case_id` is the case it is about, where it does not say itself."""
        if isinstance(value, dict):
            about = _case_of(value) or case_id
            return {key: self._member(key, item, about) for key, item in value.items()}
        if isinstance(value, list):
            return [self.document(item, case_id) for item in value]
        if self.numbers and isinstance(value, str) and "+" in value:
            return _E164.sub(lambda found: mask_number(found.group()), value)
        return value

    def _member(self, key: str, value: Any, case_id: str | None) -> Any:
        locked = self.details and (case_id is None or case_id not in self.unlocked)
        if key == "identity" and isinstance(value, str):
            return mask_identity(value) if self.identities or locked else value
        if locked and key == "debts" and isinstance(value, list):
            return [self._alias(item) for item in value]
        if locked and key == "account" and isinstance(value, str):
            return self._alias(value)
        if locked and key == "promise" and isinstance(value, dict) and value.get("amount") is not None:
            return {**value, "amount": HIDDEN}
        return self.document(value, case_id)

    def _alias(self, value: Any) -> str:
        """One alias a value within one document: what was equal stays equal, so a decision still re-runs."""
        return self._aliases.setdefault(str(value), f"{HIDDEN}{len(self._aliases) + 1}")


def _case_of(document: dict[str, Any]) -> str | None:
    """The case that a document is about: its `case_id`, or its own id where it is a case (a client and a mandate)."""
    about = document.get("case_id")
    if about is None and "client" in document and "mandate_until" in document:
        about = document.get("id")
    if about is None and isinstance(document.get("case"), dict) and "packs" in document:
        about = document["case"].get("id")
    return about if isinstance(about, str) else None
