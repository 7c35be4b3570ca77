"""A leg that left by a trunk without the gate's leave, as a call of the books: a violation, and an attempt that counts."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.identifiers import PATTERN, new_id
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.calls.call_tracker import add_leg
from telephony.calls.outcomes import LegEnding, judge_customer_leg
from telephony.dialling.gathering import CaseFactsSource, Subject
from telephony.dialling.reservations import STRAY, Attempted, count_attempt, nobody
from telephony.gate.asking import Collector
from telephony.gate.typed import DeskBook
from telephony.gate.typed_calls import Holder
from telephony.numbers import InvalidNumber, normalise
from telephony.tables import legs

NO_TICKET = "no_ticket"
_PHONE = re.compile(r"PJSIP/([0-9A-Za-z_.-]+)-[0-9a-f]+")
_EMERGENCY = re.compile(r"emergency[0-9]+")


@dataclass
class StrayLeg:
    """A leg that leaves by the trunk endpoint `endpoint`. `ticket` is the call that it says it belongs to, empty: none.

    `call_id` is that of the books, once it was found to have no leave.
    """

    uniqueid: str
    channel: str
    endpoint: str
    ticket: str = ""
    reused: bool = False
    """Another living leg bears the same ticket."""
    dialled: str = ""
    dialled_by: str = ""
    alerted: bool = False
    answered: bool = False
    cause: int | None = None
    tech_cause: str = ""
    ended_at: datetime | None = None
    call_id: str = ""


async def may_leave(connection: AsyncConnection, leg: StrayLeg, pbx: str, emergency: Collection[str]) -> bool:
    """Whether the gate let that leg out: its call was let out on this PBX. Or it is an emergency."""
    if _EMERGENCY.fullmatch(leg.ticket):
        return leg.dialled in emergency
    if not PATTERN.fullmatch(leg.ticket):
        return False
    call = await call_records.find(connection, leg.ticket)
    return call is not None and call.pbx == pbx and call.calling_customer_at is not None


@dataclass(frozen=True, slots=True)
class Strays:
    """Writes strays down. `emergency`: the numbers that pass without the gate; `region` that of numbers without a country."""

    book: DeskBook
    case_facts: CaseFactsSource
    region: str
    emergency: Collection[str]

    async def write(self, transaction: Transaction, leg: StrayLeg, pbx: str, now: datetime) -> str:
        """The call's id. The attempt counts for everyone who has the number; the violation is journalled."""
        call_id = new_id(now)
        phone = _PHONE.fullmatch(leg.dialled_by)
        caller = await self.book.who_has(transaction.connection, phone[1], pbx) if phone else None
        number, held = await self._holders(transaction.connection, leg.dialled, caller)
        await transaction.lock([f"number:{number}", *(f"person:{holder.party_id}" for holder in held)])
        parties = await self._parties(transaction.connection, number, held, caller)
        cases, clients = {holder.case_id for holder in held}, {holder.client for holder in held}
        row = {
            "id": call_id,
            "direction": "outbound",
            "state": State.CALLING_CUSTOMER,
            "origin": STRAY,
            "agent": caller.name if caller else "",
            "role": caller.role if caller else "",
            "extension": phone[1][:32] if phone else "",
            "client": clients.pop() if len(clients) == 1 else None,
            "case_id": cases.pop() if len(cases) == 1 else None,
            "party_id": held[0].party_id if len({holder.party_id for holder in held}) == 1 else None,
            "number": number,
            "purpose": "collect",
            "pbx": pbx,
            "uniqueid": leg.uniqueid,
            "decision_id": "",
            "candidates": [{"case_id": holder.case_id, "party_id": holder.party_id} for holder in held],
            "created_at": now,
            "calling_customer_at": now,
            "violations": [],
        }
        await call_records.create(transaction, row, now)
        await add_leg(transaction, pbx, leg.uniqueid, call_id, "customer", leg.channel, now)
        await count_attempt(transaction, call_id, parties, now, "live")
        data = {
            "channel": leg.channel,
            "dialled": leg.dialled,
            "dialled_by": leg.dialled_by,
            "pbx": pbx,
            "trunk": leg.endpoint,
        }
        await call_records.add_violation(transaction, call_id, NO_TICKET, now, data)
        return call_id

    async def _holders(
        self, connection: AsyncConnection, dialled: str, caller: Collector | None
    ) -> tuple[str, list[Holder]]:
        try:
            number = normalise(dialled, self.region)
        except InvalidNumber:
            return dialled[:20] or "unknown", []
        return number, await self.book.holders(connection, caller.name if caller else None, number)

    async def _parties(
        self, connection: AsyncConnection, number: str, held: Sequence[Holder], caller: Collector | None
    ) -> list[Attempted]:
        """Whom the attempt counts for; a number that nobody has counts by itself."""
        name, role = (caller.name, caller.role) if caller else ("", "")
        found = []
        for holder in held:
            subject = Subject(holder.case_id, holder.party_id, number, name, role)
            try:
                found.append(Attempted(subject, await self.case_facts(connection, subject)))
            except NotFound:
                continue  # taken off the case this very moment
        return found or [nobody(number, name, role)]

    async def end(self, transaction: Transaction, leg: StrayLeg, at: datetime) -> None:
        """The leg is gone: the call ends as it did."""
        known = LegEnding(leg.answered, leg.alerted, leg.cause, leg.tech_cause or None, canceled=not leg.answered)
        tech_cause, moments = leg.tech_cause[:64] or None, _moments(leg, at)
        mine = update(legs).where(legs.c.call_id == leg.call_id, legs.c.uniqueid == leg.uniqueid)
        answered = {"answered_at": legs.c.created_at} if leg.answered else {}
        await transaction.execute(mine.values(ended_at=at, hangup_cause=leg.cause, tech_cause=tech_cause, **answered))
        ending = judge_customer_leg(known)
        await call_records.end(
            transaction, leg.call_id, at, ending, hangup_cause=leg.cause, tech_cause=tech_cause, **moments
        )


def _moments(leg: StrayLeg, at: datetime) -> dict[str, Any]:
    """Only that it rang or was answered is known, not when: it lived for less than a second."""
    return ({"alerted_at": at} if leg.alerted else {}) | ({"connected_at": at} if leg.answered else {})
