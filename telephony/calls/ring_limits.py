"""A leg that rings is called back when what comes in meanwhile forbids the call: a complaint, a refusal, a suspension.

The gate decided a moment ago; whatever the desk writes about case, person, number or policy has the calls that still ring
decided again. One that is denied now is hung up, with the reason on it. What is connected is never cut (straddling.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Row

from config import clock, journal
from config.database import Database, Transaction
from config.errors import NotFound
from config.journal import Entry
from telephony.calls import call_records
from telephony.dialling.decisions import Decider, store
from telephony.dialling.gathering import Subject
from telephony.dialling.reservations import STRAY
from telephony.gate.passes import GONE, Refusal, in_words
from telephony.pbx import Pbx
from telephony.tables import calls

log = structlog.get_logger(__name__)

BY = "policy"
"""`hangup_by` of a call that was called back."""
LOOK_AGAIN = 0.5
"""Seconds between looks when nothing was committed here: another process may have."""
_ABOUT = ("case.", "complaint.", "party.", "number.", "contact.", "policy.")


OF_THE_MOMENT = frozenset({"house/recorder-unhealthy", "house/clock-doubt"})
"""What says nothing about the callee: a service that has just started has not tried its recorder yet, and the leg records."""


@dataclass
class RingLimits:
    """Follows the journal from its present end; at the start every ringing call is decided again.

    Whether a call still rings is only known once its PBX's books are settled: until then its calls wait.
    """

    database: Database
    decider: Decider
    pbxs: Mapping[str, Pbx]
    _position: int | None = None
    _unsettled: set[str] = field(default_factory=set)
    """PBXs all of whose ringing calls are to be decided again as soon as their books are settled."""

    async def look(self) -> None:
        """Wait for news, and have the calls that it touches decided again."""
        if self._position is None:
            async with self.database.read() as connection:
                self._position = await journal.last_position(connection)
            self._unsettled = set(self.pbxs)
        if settled := {name for name in self._unsettled if self.pbxs[name].ready}:
            await self._decide_again([], of=settled)
            self._unsettled -= settled
        await self.database.wait_for_entries(LOOK_AGAIN)
        async with self.database.read() as connection:
            entries = await journal.read_after(connection, self._position)
        if not entries:
            return
        news = [entry for entry in entries if entry.kind.startswith(_ABOUT)]
        if news:
            await self._decide_again(news)
        self._position = entries[-1].id or self._position

    async def _decide_again(self, news: Sequence[Entry], *, of: Collection[str] = ()) -> None:
        """The ringing calls that the news touches, and all those of these PBXs."""
        ringing = select(calls).where(
            calls.c.ended_at.is_(None),
            calls.c.connected_at.is_(None),
            calls.c.direction == "outbound",
            calls.c.origin != STRAY,
            calls.c.hangup_by.is_(None),
        )
        async with self.database.read() as connection:
            rows = list((await connection.execute(ringing)).all())
        for call in rows:
            if call.pbx not in of and not any(_touches(entry, call) for entry in news):
                continue
            if call.pbx in self.pbxs and not self.pbxs[call.pbx].ready:
                self._unsettled.add(call.pbx)
                continue
            await self._decide(call)

    async def _decide(self, call: Row[Any]) -> None:
        async with self.database.write() as transaction:
            refusal = await self._refusal(transaction, call)
            if refusal is None:
                return
            now = clock.now()
            noted = await call_records.note(transaction, call.id, now, denial=refusal.document(), hangup_by=BY)
            if noted is None or noted.connected_at is not None:
                return
        log.info("ring.called_back", call_id=call.id, rule=refusal.rule)
        await self._hang_up(call)

    async def _refusal(self, transaction: Transaction, call: Row[Any]) -> Refusal | None:
        """Why the call may not go on ringing; None: it may, or somebody has answered."""
        now = clock.now()
        known = await call_records.find(transaction.connection, call.id)
        if known is None or known.ended_at is not None or known.connected_at is not None:
            return None
        for subject in _subjects(known):
            try:
                decision = await self.decider.decide(transaction.connection, subject, now, without_call=call.id)
            except NotFound:
                return GONE
            if any(denial.rule not in OF_THE_MOMENT for denial in decision.verdict.denials):
                await store(transaction, decision, "ring", call.id)
                return in_words(decision)
        return None

    async def _hang_up(self, call: Row[Any]) -> None:
        pbx = self.pbxs.get(call.pbx)
        if pbx is None:
            return
        async with self.database.read() as connection:
            channels = await call_records.channels_to_end(connection, call)
        for channel in channels:
            await pbx.hang_up(channel)


def _subjects(call: Row[Any]) -> list[Subject]:
    """Everyone the call may be with."""
    held = call.candidates or [{"case_id": call.case_id, "party_id": call.party_id}]
    return [
        Subject(one["case_id"], one["party_id"], call.number, call.agent, call.role, call.purpose)
        for one in held
        if one["case_id"] and one["party_id"]
    ]


def _touches(entry: Entry, call: Row[Any]) -> bool:
    """Whether the entry may be about this call: its case or party, or nothing that is named."""
    subjects = _subjects(call)
    party = entry.data.get("party_id")
    if party is not None and party in {subject.party_id for subject in subjects}:
        return True
    if entry.case_id is not None:
        return entry.case_id in {subject.case_id for subject in subjects}
    return party is None or entry.data.get("number") == call.number
