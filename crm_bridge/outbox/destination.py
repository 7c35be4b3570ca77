"""What a destination is: it is given one item at a time and says what became of it.

`crm_bridge/outbox/worker.py` keeps the order, the retries and the dead letters; a destination only tries once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to tell one destination.

    `id` never changes, whatever is retried or replayed: it is the receiver's idempotency key. `kind` is `note.written` or a
    journal event's kind (docs/events.md); `payload` is what docs/webhooks.md shows as `data`. A note that was corrected comes
    as another item with the same `payload["note_id"]`, after the first. `attempt` counts from 1.
    `may_have_arrived`: an earlier try ended without an answer (a timeout, a reset, our own death), so the receiver may have it
    already; who cannot hand over an idempotency key must look first.
    """

    id: str
    destination_id: str
    kind: str
    case_id: str | None
    payload: dict[str, Any]
    occurred_at: datetime
    attempt: int = 1
    may_have_arrived: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What the far end said, for the delivery log: HTTP status and the first 2 KB of its answer; never a secret."""

    status: int | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it; `remote_id` is what it calls the thing, where it said so (a note's id in the CRM)."""

    remote_id: str | None = None
    seen: Seen = Seen()


@dataclass(frozen=True, slots=True)
class TryLater:
    """Not now. `not_before`: the receiver named a time (Retry-After). `may_have_arrived`: it may have taken it all the same."""

    reason: str
    not_before: datetime | None = None
    may_have_arrived: bool = False
    seen: Seen = Seen()


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never take this one: to the dead letters, where a person mends the cause and sends it again."""

    reason: str
    seen: Seen = Seen()


@dataclass(frozen=True, slots=True)
class Gone:
    """There is nobody there any more (410, access revoked): the destination is disabled until somebody enables it."""

    reason: str
    seen: Seen = Seen()


Answer = Delivered | TryLater | Refused | Gone


class Destination(Protocol):
    """A webhook (`crm_bridge/webhooks/`) or a CRM (`crm_bridge/connectors/`)."""

    async def deliver(self, item: Item, now: datetime) -> Answer:
        """Try once, within half a minute. An exception counts as `TryLater` after which the item may have arrived."""
        ...
