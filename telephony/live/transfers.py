"""Hand a call on from the page: blind or attended, to colleagues or to an outside number.

Blind: the outside party's own channel rings the target while the collector waits, and comes back unless somebody takes it.
Attended: the collector's channel rings the target and talks first. The dialplan does it (pbx_setup/contexts/live.conf), so a
service that dies meanwhile leaves nobody alone. An outside target is a call of its own: decided and reserved here like a click,
and asked for again at the gate. What it came to is told by the events (telephony/live/handovers.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import structlog
from sqlalchemy.engine import Row

from config import clock
from config.database import Transaction
from config.errors import Conflict, Fault
from config.identifiers import new_id
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.dialling.decisions import Decider, Decision, store
from telephony.dialling.gathering import Subject
from telephony.dialling.reservations import TRANSFER, call_values, reserve_attempt
from telephony.live import handovers
from telephony.live.controls import (
    Controls,
    Talk,
    bridge,
    redirect,
    redirect_both,
    set_variable,
    waits,
)
from telephony.live.live_legs import Leg, live_legs
from telephony.live.pauses import HANDED_ON, Pauses
from telephony.trunking.choosing import Wanted
from telephony.trunking.no_trunk import require_way

Kind = Literal["blind", "attended"]
CONTEXT, HELD = "ringfence-transfer", "ringfence-held"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inside:
    """Colleagues: `label` says what was asked for, `targets` has the user of each phone that rings."""

    label: str
    targets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outside:
    """An outside number; every holder of it must allow the call, the first one's case has it.

    Without a holder it is on the list of allowed numbers, for the client `listed_for` (None: for all).
    """

    number: str
    subjects: Sequence[Subject] = field(default_factory=tuple)
    leave: Mapping[str, Any] | None = None
    """Who put it on the list, and why: shown on the call as an override is."""
    listed_for: str | None = None


class TransferDenied(Exception):
    """The rules do not allow the outside target; the outside party stays with the collector. Not a fault: a refusal."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.id)
        self.decision = decision


@dataclass(frozen=True, slots=True)
class Transfers:
    """Hands calls on. `ring_seconds` bounds how long phones inside ring."""

    controls: Controls
    pauses: Pauses
    decider: Decider
    ring_seconds: int

    async def start(self, call: Row[Any], target: Inside | Outside, kind: Kind, by: str) -> Row[Any]:
        """Begin; returns the call as it then stands. Raises Conflict, PbxUnavailable, NoTrunk and TransferDenied."""
        talk = await self.controls.talk(call, State.CONNECTED, State.HELD)
        if talk.call.paused_until is not None:
            await self.pauses.resume(talk.call, by, HANDED_ON)
        transfer = await self._intend(talk, target, kind, by)
        try:
            await self._begin(talk, target, transfer)
        except Fault as fault:
            await self._give_up(talk, transfer, fault)
            raise
        return await self.controls.until(call.id, lambda row: row.state != State.CONNECTED)

    async def _intend(self, talk: Talk, target: Inside | Outside, kind: Kind, by: str) -> dict[str, Any]:
        """Write down what is about to be done, once; an outside target is decided and its attempt reserved in the same step."""
        now = clock.now()
        denied: Decision | None = None
        async with self.controls.database.write() as transaction:
            subjects = target.subjects if isinstance(target, Outside) else ()
            await transaction.lock(
                [
                    f"call:{talk.call.id}",
                    *(f"person:{subject.party_id}" for subject in subjects),
                    *(f"number:{subject.number}" for subject in subjects),
                ]
            )
            row = await call_records.find(transaction.connection, talk.call.id)
            if row is None or row.ended_at is not None or handovers.under_way(row) is not None:
                raise Conflict("a transfer of this call is under way, or the call has ended")
            asking = talk.agent if kind == "attended" else talk.customer
            transfer: dict[str, Any] = {"kind": kind, "by": by, "leg": talk.agent.uniqueid, "state": "ringing"}
            if isinstance(target, Inside):
                transfer |= {"to": target.label, "targets": dict(target.targets)}
            else:
                answer = await self._reserve(transaction, row, target, asking, by, now)
                denied = answer if isinstance(answer, Decision) else None
                party = target.subjects[0].party_id if target.subjects else None
                transfer |= {"to": target.number, "number": target.number, "party_id": party, "call_id": answer}
            if denied is None:
                await call_records.note(transaction, row.id, now, transfer=transfer)
        if denied is not None:
            raise TransferDenied(denied)
        return transfer

    async def _reserve(
        self, transaction: Transaction, call: Row[Any], target: Outside, asking: Leg, by: str, now: datetime
    ) -> str | Decision:
        """The id of the target's own call, or the decision that denies it. Raises NoTrunk."""
        decisions = await self.decider.decide_all(transaction, target.subjects, now)
        denials = [decision for decision in decisions if not decision.allowed]
        call_id = new_id(now)
        for decision in decisions:
            await store(transaction, decision, "transfer", None if denials else call_id)
        if denials:
            return denials[0]
        client = decisions[0].known.client if decisions else call.client
        await require_way(transaction.connection, Wanted(call.pbx, target.number, client), now)
        origin = {"origin": TRANSFER, "transferred_from": call.id, "uniqueid": asking.uniqueid, "agent": by}
        if decisions:
            await reserve_attempt(transaction, call_id, decisions, now)
            values = call_values(call_id, decisions[0], call.pbx, call.extension, now, **origin)
        else:
            values = _listed_values(call_id, call, target, now) | origin
        await call_records.create(transaction, values, now)
        return call_id

    async def _begin(self, talk: Talk, target: Inside | Outside, transfer: Mapping[str, Any]) -> None:
        """Send both legs on their ways: who rings the target carries what it needs in channel variables."""
        attended = transfer["kind"] == "attended"
        asking, waiting = (talk.agent, talk.customer) if attended else (talk.customer, talk.agent)
        if isinstance(target, Inside):
            place = (CONTEXT, "inside")
            told = {"RINGFENCE_TO": ":".join(target.targets), "RINGFENCE_FOR": str(self.ring_seconds)}
        else:
            place = (CONTEXT, "outside")
            told = {"RINGFENCE_TICKET": transfer["call_id"]}
        # Who takes it has the collector's leg let go at once, by the dialplan itself.
        told["_RINGFENCE_GIVER"] = "" if attended else talk.agent.name
        for name, value in told.items():
            await set_variable(talk.link, asking, name, value)
        await waits(talk.link, asking, waiting)
        await waits(talk.link, waiting, None)
        if attended:
            await redirect_both(talk, place, (HELD, "customer"))
        else:
            await redirect_both(talk, (HELD, "agent"), place)

    async def _give_up(self, talk: Talk, transfer: Mapping[str, Any], fault: Fault) -> None:
        """Nothing was begun, as far as can be told: the target's attempt is given back."""
        now = clock.now()
        async with self.controls.database.write() as transaction:
            failed = {**transfer, "state": "failed", "reason": "unreachable"}
            await call_records.note(transaction, talk.call.id, now, transfer=failed)
            if call_id := transfer.get("call_id"):
                await call_records.end(transaction, call_id, now, Ending(EndReason.FAILED, NOT_PLACED))
        log.warning("transfers.not_begun", call_id=talk.call.id, detail=fault.detail)

    async def complete(self, call: Row[Any]) -> Row[Any]:
        """After the consultation: the outside party talks with the target, the collector is let go. Raises Conflict."""
        talk = await self.controls.talk(call, State.CONNECTED, State.HELD)
        transfer = handovers.under_way(talk.call)
        if transfer is None or transfer["kind"] != "attended" or transfer["state"] != "consulting":
            raise Conflict("nobody is being consulted on this call")
        target = await self._consulted(talk, transfer)
        # First, so that the collector's leg is hung up when the target is taken from it.
        await waits(talk.link, talk.agent, None)
        try:
            await bridge(talk.link, talk.customer, target)
        except Fault:
            await self._keep(talk)
            raise
        return await self.controls.until(call.id, lambda row: handovers.under_way(row) is None)

    async def _consulted(self, talk: Talk, transfer: Mapping[str, Any]) -> Leg:
        async with self.controls.database.read() as connection:
            if transfer.get("call_id"):
                found = (await live_legs(connection, transfer["call_id"])).customers
            else:
                agents = (await live_legs(connection, talk.call.id)).agents
                found = tuple(leg for leg in agents if leg.uniqueid != transfer["leg"])
        if not found:
            raise Conflict("who was consulted has hung up")
        return found[-1]

    async def _keep(self, talk: Talk) -> None:
        """The target could not be taken: the collector keeps the outside party, or it is told that nobody is there."""
        try:
            await waits(talk.link, talk.agent, talk.customer)
        except Conflict:
            await redirect(talk.link, talk.customer, (HELD, "left"))

    async def cancel(self, call: Row[Any]) -> Row[Any]:
        """The target is hung up or rings no more, and the outside party is with the collector again. Raises Conflict."""
        talk = await self.controls.talk(call, State.CONNECTED, State.HELD)
        transfer = handovers.under_way(talk.call)
        if transfer is None:
            raise Conflict("no transfer of this call is under way")
        async with self.controls.database.write() as transaction:
            await call_records.note(transaction, call.id, clock.now(), transfer={**transfer, "state": "canceled"})
        asking = talk.agent if transfer["kind"] == "attended" else talk.customer
        await redirect(talk.link, asking, (CONTEXT, "after"))
        return await self.controls.until(call.id, lambda row: row.state == State.CONNECTED)


def _listed_values(call_id: str, call: Row[Any], target: Outside, now: datetime) -> dict[str, Any]:
    """The row of a call to a number that no case holds; nothing counts it, since nobody's cap is touched."""
    same = {name: getattr(call, name) for name in ("direction", "role", "extension", "purpose", "pbx")}
    known = {"id": call_id, "number": target.number, "client": target.listed_for, "override": dict(target.leave or {})}
    unknown: dict[str, Any] = {"case_id": None, "party_id": None, "decision_id": "", "violations": []}
    return {**same, **known, **unknown, "direction": "outbound", "state": State.QUEUED, "created_at": now}
