"""What becomes of items after a try: written for a batch at once, with the log, the destination's health and the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import structlog
from sqlalchemy import bindparam, insert, select, update

from config.database import Transaction
from config.journal import Entry
from crm_bridge.outbox import registry
from crm_bridge.outbox.claims import Claim
from crm_bridge.outbox.destination import Answer, Delivered, Gone, Refused, TryLater
from crm_bridge.outbox.retries import DOWN, GIVE_UP, next_try, pause
from crm_bridge.outbox.tables import destinations, items, tries

log = structlog.get_logger(__name__)
LONGEST_ANSWER, LONGEST_REASON = 2048, 500
RESULTS: Mapping[type[Any], str] = {Delivered: "delivered", TryLater: "later", Refused: "refused", Gone: "gone"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A try that ended: what was claimed, when it began, how long it took and what was said."""

    claim: Claim
    began: datetime
    milliseconds: int
    answer: Answer

    @property
    def reason(self) -> str | None:
        """What went wrong, in words."""
        return None if isinstance(self.answer, Delivered) else self.answer.reason[:LONGEST_REASON]


async def record(transaction: Transaction, ended: Sequence[Outcome], now: datetime, random: Random) -> None:
    """Write what became of each that is still ours: one that took longer than its lease belongs to another by now."""
    if not ended:
        return
    ours = await _still_ours(transaction, ended)
    await transaction.execute(insert(tries), [_try_row(outcome) for outcome in ended])
    if ours:
        changed = [_values(outcome, now, random) for outcome in ours]
        await transaction.execute(_CHANGE, changed)
        for outcome, values in zip(ours, changed, strict=True):
            await _follow(transaction, outcome, values, now)
    for destination_id in {outcome.claim.destination.id for outcome in ended}:
        mine = [outcome for outcome in ended if outcome.claim.destination.id == destination_id]
        await _health(transaction, mine, now, random)


_CHANGE = update(items).where(items.c.seq == bindparam("b_seq"))


async def _still_ours(transaction: Transaction, ended: Sequence[Outcome]) -> list[Outcome]:
    asked = items.c.seq.in_([outcome.claim.row.seq for outcome in ended])
    waiting = select(items.c.seq, items.c.attempts).where(asked, items.c.state == "waiting").with_for_update()
    held = {row.seq: row.attempts for row in await transaction.all(waiting)}
    return [outcome for outcome in ended if held.get(outcome.claim.row.seq) == outcome.claim.row.attempts]


def _values(outcome: Outcome, now: datetime, random: Random) -> dict[str, Any]:
    row, answer = outcome.claim.row, outcome.answer
    values = {
        "b_seq": row.seq, "state": "waiting", "due_at": None, "ended_at": None, "reason": outcome.reason,
        "remote_id": row.remote_id, "uncertain": row.uncertain, "attempts": row.attempts, "in_flight": False,
    }  # fmt: skip
    if isinstance(answer, Delivered):
        return values | {"state": "delivered", "ended_at": now, "remote_id": answer.remote_id or row.remote_id}
    if isinstance(answer, Gone):  # it waits, with the tries it had, for the destination to be switched on again
        return values | {"due_at": now, "attempts": row.attempts - 1}
    if isinstance(answer, TryLater):
        values["uncertain"] = row.uncertain or answer.may_have_arrived
        due = next_try(row.attempts, now, answer.not_before, random)
        if due is not None:
            return values | {"due_at": due}
    return values | {"state": "dead", "ended_at": now}


async def _follow(transaction: Transaction, outcome: Outcome, values: dict[str, Any], now: datetime) -> None:
    """Hold back what comes after a failed one, and tell the collector what became of a note."""
    row = outcome.claim.row
    if values["state"] == "waiting":
        lane = (items.c.destination_id == row.destination_id) & (items.c.lane == row.lane)
        later = lane & (items.c.state == "waiting") & (items.c.seq > row.seq) & (items.c.due_at < values["due_at"])
        await transaction.execute(update(items).where(later).values(due_at=values["due_at"]))
        return
    if row.kind != registry.NOTE:
        return
    destination = outcome.claim.destination
    data = {"note_id": row.payload["note_id"], "destination_id": destination.id, "destination": destination.name}
    if values["state"] == "delivered":
        kind, data = "note.synced", data | {"remote_id": values["remote_id"], "attempts": row.attempts}
    else:
        kind, data = "note.failed", data | {"reason": values["reason"], "attempts": row.attempts, "item_id": row.id}
    agent = row.payload.get("agent")
    transaction.journal(Entry(now, kind, "system", row.client, agent, row.case_id, row.call_id, data))


def _try_row(outcome: Outcome) -> dict[str, Any]:
    row, answer = outcome.claim.row, outcome.answer
    return {
        "destination_id": row.destination_id,
        "item_id": row.id,
        "attempt": row.attempts,
        "at": outcome.began,
        "milliseconds": outcome.milliseconds,
        "result": RESULTS[type(answer)],
        "status": answer.seen.status,
        "reason": outcome.reason,
        "answer": answer.seen.answer[:LONGEST_ANSWER],
    }


async def _health(transaction: Transaction, ended: Sequence[Outcome], now: datetime, random: Random) -> None:
    """A success ends an outage, and what waited through it is due at once; failures add up to one."""
    mine = update(destinations).where(destinations.c.id == ended[0].claim.destination.id)
    well = {"failures": 0, "failing_since": None, "paused_until": None, "delivered_at": now, "last_error": None}
    if all(isinstance(outcome.answer, Delivered) for outcome in ended):
        # The usual case in one statement; the end of an outage takes the long way.
        usual = await transaction.execute(mine.where(destinations.c.failures < DOWN).values(**well))
        if usual.rowcount:
            return
    found = select(destinations).where(destinations.c.id == ended[0].claim.destination.id).with_for_update()
    row = (await transaction.all(found))[0]
    gone = next((outcome.reason for outcome in ended if isinstance(outcome.answer, Gone)), None)
    if gone is not None:
        await registry.disable(transaction, row, gone, now)
        return
    if any(isinstance(outcome.answer, Delivered) for outcome in ended):
        await transaction.execute(mine.values(**well))
        if row.failures >= DOWN:
            log.info("outbox.reached_again", destination=row.id)
            await registry.wake(transaction, [row.id], now)
        return
    failed = [outcome for outcome in ended if isinstance(outcome.answer, TryLater)]
    if not failed:
        await transaction.execute(mine.values(last_error=ended[-1].reason))
        return
    # What failed at once is one outage: beyond the threshold each further round counts as one, so pauses grow slowly.
    failures = max(min(row.failures + len(failed), DOWN), row.failures + 1)
    since = row.failing_since or now
    log.warning("outbox.failing", destination=row.id, failures=failures)
    unwell = {"failures": failures, "failing_since": since, "last_error": failed[-1].reason}
    await transaction.execute(mine.values(**unwell, paused_until=pause(failures, now, random)))
    if now - since > GIVE_UP:
        await registry.disable(transaction, row, f"nothing has arrived since {since.isoformat()}", now)
