"""Click to dial: verdict, reservation and call row in one short transaction, then exactly one Originate.

The call's id is the ChannelId of the agent leg. What happens to an Originate that gets no answer is `unknown`: it is never
sent again; the PBX's own records settle it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.engine import Row

from config import clock
from config.database import Database, Transaction
from config.errors import Invalid
from config.settings import AutoAnswer
from telephony.ami import AnswerUnknown, PbxUnavailable
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.dialling.auto_answer import VARIABLES
from telephony.dialling.decisions import Decider, Decision, store, strictest
from telephony.dialling.gathering import Subject
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from telephony.dialling.reservations import call_values, candidate, reserve_attempt
from telephony.live.live_legs import live_legs
from telephony.pbx import Pbx
from telephony.pbx_setup.dialplan import CLICK
from telephony.trunking.choosing import Wanted
from telephony.trunking.no_trunk import require_way

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Phone:
    """The collector's own phone: a PJSIP endpoint of a PBX."""

    pbx: str
    extension: str


@dataclass(frozen=True, slots=True)
class Dialer:
    """Places calls on the PBXs it was given."""

    database: Database
    decider: Decider
    pbxs: Mapping[str, Pbx]
    agent_ring_seconds: int

    def phone_of(self, extension: str | None, pbx: str | None) -> Phone:
        """The phone of a user; raises AgentUnavailable when none is set up."""
        if not extension:
            raise AgentUnavailable("no phone is set for your account; ask an administrator to add your extension")
        name = pbx or next(iter(self.pbxs), "")
        if name not in self.pbxs:
            raise PbxUnavailable("no telephone system is configured for your account")
        return Phone(name, extension)

    def require_ready(self, phone: Phone) -> None:
        """Refuse before anything is reserved or rings: the PBX must be there and the phone free."""
        pbx = self.pbxs[phone.pbx]
        pbx.require_up()
        pbx.phones.require_free(phone.extension)

    async def reserve(
        self,
        transaction: Transaction,
        subject: Subject,
        phone: Phone,
        call_id: str,
        now: datetime,
        others: Sequence[Subject] = (),
    ) -> tuple[Decision, Row[Any] | None]:
        """Judge and, if allowed, write call and reservation: one atomic step with person, number and agent locked.

        `others`: the further cases and parties that hold the number, where only a number was clicked; all must allow, and
        the attempt counts for each. Returns the stored decision, of several the strictest, and the row of call `call_id`,
        None when denied. Raises AgentBusy, NoTrunk, NotFound.
        """
        await transaction.lock(
            [
                *(f"person:{one.party_id}" for one in (subject, *others)),
                f"number:{subject.number}",
                f"agent:{subject.agent}",
                f"phone:{phone.pbx}/{phone.extension}",
            ]
        )
        busy = await call_records.open_call_of(transaction.connection, subject.agent, phone.pbx, phone.extension)
        if busy is not None:
            raise AgentBusy("you are on another call; finish it first", call_id=busy.id)
        decisions = await self.decider.decide_all(transaction, (subject, *others), now)
        denied = strictest(decisions)
        for one in decisions:
            await store(transaction, one, "click", call_id if denied is None else None)
        if denied is not None:
            return denied, None
        decision = decisions[0]
        await require_way(transaction.connection, Wanted(phone.pbx, subject.number, decision.known.client), now)
        await reserve_attempt(transaction, call_id, decisions, now)
        candidates = [candidate(one) for one in decisions] if others else None
        values = call_values(call_id, decision, phone.pbx, phone.extension, now, candidates=candidates)
        row = await call_records.create(transaction, values, now)
        return decision, row

    async def check(self, subject: Subject, now: datetime) -> Decision:
        """Judge as a click would, dial nothing, keep the decision."""
        async with self.database.write() as transaction:
            decision = await self.decider.decide(transaction.connection, subject, now)
            await store(transaction, decision, "check", None)
            return decision

    async def originate(self, call: Row[Any], auto_answer: AutoAnswer = "none") -> Row[Any]:
        """Ring the collector's phone for a call that was reserved; returns the row as the PBX's answer left it.

        Raises PbxUnavailable when nothing was sent or the PBX refused, Invalid for an extension that must not be sent:
        then the reservation is given back.
        """
        link = self.pbxs[call.pbx].link
        try:
            answer = await link.originate(
                channel_id=call.id,
                endpoint=f"PJSIP/{call.extension}",
                context=CLICK,
                extension="s",
                variables={"__RINGFENCE_CALL": call.id, **VARIABLES[auto_answer]},
                caller_id=call.number,
                timeout_s=self.agent_ring_seconds,
            )
        except AnswerUnknown as error:
            log.warning("dialer.originate_unanswered", call_id=call.id, detail=error.detail)
            return await self._update(call, State.UNKNOWN)
        except (PbxUnavailable, Invalid):
            await self._never_placed(call)
            raise
        if not answer.ok:
            await self._never_placed(call)
            raise PbxUnavailable(f"the telephone system refused the call: {answer.message}")
        return await self._update(call, State.CALLING_AGENT)

    async def _update(self, call: Row[Any], state: State) -> Row[Any]:
        """Events may have moved the call further already; then the row is returned as they left it."""
        async with self.database.write() as transaction:
            moved = await call_records.move(transaction, call.id, state, clock.now(), only_from={State.QUEUED})
            row = moved or await call_records.find(transaction.connection, call.id)
            return row if row is not None else call

    async def _never_placed(self, call: Row[Any]) -> None:
        async with self.database.write() as transaction:
            await call_records.end(transaction, call.id, clock.now(), Ending(EndReason.FAILED, NOT_PLACED))

    async def hangup(self, call: Row[Any], by: str) -> None:
        """Hang up a call at any moment; one whose phone does not ring yet is stopped as soon as its channel appears."""
        async with self.database.write() as transaction:
            await call_records.note(transaction, call.id, clock.now(), hangup_by=by)
            living = await live_legs(transaction.connection, call.id)
        # One that was handed on has another leg of ours, or only the outside party's.
        leg = living.agent or living.customer
        channel = leg.uniqueid if leg is not None else call.uniqueid
        await self.pbxs[call.pbx].link.send("Hangup", {"Channel": channel, "Cause": "16"})
