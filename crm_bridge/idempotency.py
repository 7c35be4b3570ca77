"""One request, one effect: the answer to an `Idempotency-Key` is kept and given again.

(IETF draft-ietf-httpapi-idempotency-key-header: 400 without a key, 409 while in flight, 422 for another body.)
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Fault
from crm_bridge.tables import idempotency_keys

IN_FLIGHT = timedelta(seconds=15)
"""An Originate is answered or unknown well before; a key older than this was left by a process that died."""
KEPT = timedelta(days=2)


class KeyRequired(Fault):
    """The request changes the world outside and must carry a key of its own."""

    code = "idempotency-key-required"
    status = 400
    title = "Send an Idempotency-Key"


class KeyInFlight(Fault):
    """The first request with this key is being worked on."""

    code = "idempotency-conflict"
    status = 409
    title = "This request is being worked on"


class KeyReused(Fault):
    """The key belongs to another request body."""

    code = "idempotency-conflict"
    status = 422
    title = "This Idempotency-Key belongs to another request"


def fingerprint(body: dict[str, Any]) -> str:
    """The same for bodies that mean the same."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def require_key(value: str | None) -> str:
    """The header's value; raises KeyRequired."""
    if not value or not value.strip() or len(value) > 255:
        raise KeyRequired("send an Idempotency-Key header of 1 to 255 characters, a new one for each intended call")
    return value.strip()


async def begin(
    transaction: Transaction, user: str, key: str, body: dict[str, Any], call_id: str, now: datetime
) -> Row[Any] | None:
    """Claim the key for the call that is about to be made. None: this request is the first.

    A row: the first request's, with its answer or at least its call's id. Raises KeyReused, or KeyInFlight while the first
    is being worked on.
    """
    digest = fingerprint(body)
    first = await transaction.insert_once(
        idempotency_keys, user=user, key=key, body_sha256=digest, call_id=call_id, created_at=now
    )
    if first:
        return None
    row = (await transaction.execute(select(idempotency_keys).where(_key(user, key)))).one()
    if row.body_sha256 != digest:
        raise KeyReused("this Idempotency-Key was used with another body; use a new key for a new call")
    if row.status is None and now - row.created_at < IN_FLIGHT:
        raise KeyInFlight("the first request with this Idempotency-Key has not been answered yet")
    return row


async def finish(transaction: Transaction, user: str, key: str, status: int, answer: dict[str, Any]) -> None:
    """Keep the answer for whoever repeats the request."""
    await transaction.execute(update(idempotency_keys).where(_key(user, key)).values(status=status, answer=answer))


def _key(user: str, key: str) -> ColumnElement[bool]:
    return (idempotency_keys.c.user == user) & (idempotency_keys.c.key == key)


async def forget_old(transaction: Transaction, now: datetime) -> None:
    """Drop keys that nobody will repeat any more."""
    await transaction.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEPT))
