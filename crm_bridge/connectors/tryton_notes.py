"""Notes out to Tryton: each item is one `ir.note` on the case's record, once, also when the CRM's answer is lost.

Tryton takes no idempotency key. So the item's id is in the note; that it is about to be sent is written down before; and an
item that may have arrived is looked for, until a request that was under way then must have ended, before it is written again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select, update

from config import clock
from config.database import Database
from crm_bridge.connectors import faults, note_text
from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.connectors.tables import records, sent_notes
from crm_bridge.connectors.tryton import Tryton
from crm_bridge.outbox.destination import Answer, Delivered, Gone, Item, Refused, Seen, TryLater

SETTLED = timedelta(seconds=30)
"""After so long a request whose answer was lost has been carried out, or never will be."""
LOOKING = timedelta(seconds=10)
"""The longest that a try waits for that; with more to wait for it is made later."""
BETWEEN_LOOKS = 1.0


class _NoRecord(Exception):
    """The case is not, or no longer, in the CRM."""


class _NotSettled(Exception):
    """An earlier request may still be under way until the moment that is given."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was written down of an item: when it went out last, and the note that an earlier item of the same note made."""

    at: datetime | None
    corrects: str | None


@dataclass(frozen=True, slots=True)
class TrytonNotes:
    """The outbox's destination. `zone` is where the times in the notes are told for."""

    connector_id: str
    database: Database
    tryton: Tryton
    mapping: TrytonMapping
    zone: str
    now: Callable[[], datetime] = field(default=clock.now)

    async def deliver(self, item: Item, now: datetime) -> Answer:
        """Try once; every failure is told apart."""
        try:
            return await self._deliver(item)
        except _NoRecord as missing:
            return Refused(str(missing))
        except _NotSettled as early:
            reason = "an earlier request may still be under way at the CRM"
            return TryLater(reason, early.args[0], may_have_arrived=True)
        except faults.CrmFault as fault:
            answer = judged(fault)
            if isinstance(answer, TryLater) and answer.may_have_arrived:
                return replace(answer, not_before=now + SETTLED - LOOKING)
            return answer

    async def _deliver(self, item: Item) -> Answer:
        if item.case_id is None:
            return Refused("it is of no case, so there is no record to file it with")
        resource = await self._resource(item.case_id)
        sent = await self._begin(item)
        if item.may_have_arrived or sent.at is not None:
            found = await self._look(resource, note_text.mark(item), sent.at)
            if found is not None:
                return await self._done(item, found)
        return await self._done(item, await self._write(item, resource, sent.corrects))

    async def _resource(self, case_id: str) -> str:
        """The record of a case, as Tryton refers to it: the one it was read from, else the one of its number."""
        known = select(records.c.record, records.c.removed_at).where(
            records.c.connector_id == self.connector_id, records.c.case_id == case_id
        )
        async with self.database.read() as connection:
            row = (await connection.execute(known.order_by(records.c.removed_at.is_not(None)))).first()
        if row is not None and row.removed_at is None:
            return f"{self.mapping.model},{row.record}"
        prefix = self.mapping.case_id_prefix
        found = []
        if case_id.startswith(prefix):
            domain = [[self.mapping.case_id, "=", case_id.removeprefix(prefix)]]
            found = await self.tryton.search(self.mapping.model, domain, ["id"], limit=2)
        if len(found) != 1:
            many = "several records" if found else "no record"
            raise _NoRecord(f"the CRM has {many} whose {self.mapping.case_id} is that of case {case_id}")
        return f"{self.mapping.model},{found[0]['id']}"

    async def _begin(self, item: Item) -> _Sent:
        """When an earlier try of this item went out, if one did."""
        note_id = item.payload.get("note_id")
        mine = sent_notes.c.connector_id == self.connector_id
        earlier = select(sent_notes.c.remote_id).where(
            mine, sent_notes.c.note_id == note_id, sent_notes.c.item_id < item.id, sent_notes.c.remote_id.is_not(None)
        )
        async with self.database.read() as connection:
            at = await connection.scalar(select(sent_notes.c.sent_at).where(sent_notes.c.item_id == item.id))
            corrects = await connection.scalar(earlier.order_by(sent_notes.c.item_id).limit(1)) if note_id else None
        return _Sent(at, corrects)

    async def _look(self, resource: str, mark: str, sent_at: datetime | None) -> str | None:
        """The note that an earlier try wrote; None once it is certain that there is none, and that none will come."""
        while True:
            settled = sent_at is None or self.now() >= sent_at + SETTLED
            found = await self.tryton.notes_with(resource, mark)
            if found:
                return found[0]
            if sent_at is None or settled:
                return None
            if sent_at + SETTLED - self.now() > LOOKING:
                raise _NotSettled(sent_at + SETTLED - LOOKING)
            await asyncio.sleep(BETWEEN_LOOKS)

    async def _write(self, item: Item, resource: str, corrects: str | None) -> str:
        text = note_text.note_text(item, self.mapping.language, self.zone, correction=False)
        await self._note_down(item)
        if corrects is not None and corrects != "unknown":
            try:
                await self.tryton.rewrite_note(corrects, text)
                return corrects
            except faults.Rejected:  # most users may only add notes
                text = note_text.note_text(item, self.mapping.language, self.zone, correction=True)
        try:
            return await self.tryton.write_note(resource, text)
        except faults.CrmFault as fault:
            if not fault.may_have_arrived:
                await self._take_back(item)
            raise

    async def _note_down(self, item: Item) -> None:
        """Before it goes out, so that it is known also if nothing of us is left to say so."""
        now = self.now()
        row = {"connector_id": self.connector_id, "note_id": item.payload.get("note_id"), "sent_at": now}
        async with self.database.write() as transaction:
            if not await transaction.insert_once(sent_notes, item_id=item.id, **row):
                await transaction.execute(update(sent_notes).where(sent_notes.c.item_id == item.id).values(sent_at=now))

    async def _take_back(self, item: Item) -> None:
        async with self.database.write() as transaction:
            await transaction.execute(sent_notes.delete().where(sent_notes.c.item_id == item.id))

    async def _done(self, item: Item, remote_id: str) -> Delivered:
        row = {"connector_id": self.connector_id, "note_id": item.payload.get("note_id"), "sent_at": self.now()}
        async with self.database.write() as transaction:
            if not await transaction.insert_once(sent_notes, item_id=item.id, remote_id=remote_id, **row):
                mine = sent_notes.c.item_id == item.id
                await transaction.execute(update(sent_notes).where(mine).values(remote_id=remote_id))
        return Delivered(remote_id)


def judged(fault: faults.CrmFault) -> Answer:
    """What the outbox makes of a fault."""
    seen = Seen(fault.status, fault.answer)
    match fault:
        case faults.AccessLost():
            return Gone(f"{fault.reason}: give the connector a new one and switch it on again", seen)
        case faults.Rejected():
            return Refused(fault.reason, seen)
        case faults.Busy():
            return TryLater(fault.reason, fault.not_before, seen=seen)
        case _:
            return TryLater(fault.reason, may_have_arrived=fault.may_have_arrived, seen=seen)
