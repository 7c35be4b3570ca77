"""Passes without a call's id: a number typed on a collector's phone, and the outside target of a phone's transfer.

The same gate: the collector is who has the phone, the number is matched to every case and party that holds it, and all of
them must allow the call. What the desk knows (whose phone, whose number) comes as two functions given at composition.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from telephony.dialling.decisions import Decider, lock_shared
from telephony.dialling.gathering import Subject
from telephony.gate import allowed_numbers
from telephony.gate.asking import WhoHas, read_asking, who_asks
from telephony.gate.fastagi import Request
from telephony.gate.passes import GONE, Answer, Refusal, deny
from telephony.gate.typed_calls import Attempt, Holder, Judged, dial, refuse
from telephony.numbers import InvalidNumber, is_short, normalise

NO_CASE = Refusal(
    "gate/no-case",
    "No case of yours has this number, so it may not be called from this phone.",
    "您的案件中没有该号码，不能从话机拨打。",
)
NO_NUMBER = Refusal("gate/invalid-number", "What was dialled is no phone number.", "所拨的不是有效的电话号码。")
TOO_MANY = Refusal(
    "gate/too-many-cases",
    "So many cases hold this number that it is nobody's own; call it from a case.",
    "持有该号码的案件过多，请从案件中拨打。",
)
RECORDER_DOWN = Refusal(
    "house/recorder-unhealthy",
    "The recorder is not ready, so nothing may be called.",
    "录音设备尚未就绪，暂不能外呼。",
)
MOST_HOLDERS = 30
"""All must allow, each on facts of its own, while the phone waits: the dialplan gives the gate 2 s."""


@dataclass(frozen=True, slots=True)
class DeskBook:
    """What the desk knows, asked inside the gate's transaction: whose phone that is, and every holder of a number."""

    who_has: WhoHas
    """Of an extension and a PBX."""
    holders: Callable[[AsyncConnection, str | None, str], Awaitable[list[Holder]]]
    """Of an E.164 number, as seen by the collector of that name, if one is named; in a fixed order."""


@dataclass(frozen=True, slots=True)
class TypedNumbers:
    """Judges ticketless passes. `region` is that of numbers without a country, `only_pbx` the PBX that does not name itself."""

    decider: Decider
    book: DeskBook
    region: str
    only_pbx: str

    def asks(self, request: Request) -> bool:
        """Whether the pass names a number."""
        return bool(read_asking(request, self.only_pbx).typed)

    async def judge(self, transaction: Transaction, request: Request, ring_seconds: int, now: datetime) -> Answer:
        """Let it out as a call of its own, or say why not; a collector's refusal is a call that ended at once."""
        asking = read_asking(request, self.only_pbx)
        caller = await who_asks(transaction, asking, self.book.who_has)
        if isinstance(caller, Refusal):
            return deny(caller, channel=asking.channel)
        number, refusal = self._read(asking.typed)
        attempt = Attempt(asking, caller, number)
        refusal = caller.refusal or refusal
        if refusal is not None:
            return await refuse(transaction, attempt, refusal, now)
        await transaction.lock([f"agent:{caller.collector.name}", f"number:{number}"])
        held = await self.book.holders(transaction.connection, caller.collector.name, number)
        if not any(holder.seen for holder in held):
            return await self._listed(transaction, attempt, bool(held), ring_seconds, now)
        if len(held) > MOST_HOLDERS:
            return await refuse(transaction, attempt, TOO_MANY, now)
        attempt = replace(attempt, judged=await self._decide(transaction, attempt, held, now))
        refusal = attempt.strictest() if attempt.judged else GONE
        if refusal is not None:
            return await refuse(transaction, attempt, refusal, now)
        return await dial(transaction, attempt, ring_seconds, now)

    def _read(self, typed: str) -> tuple[str, Refusal | None]:
        """The number in E.164, or a short one as it is dialled; a Refusal beside what is neither."""
        try:
            return normalise(typed, self.region), None
        except InvalidNumber:
            return typed[:20], None if is_short(typed, self.region) else NO_NUMBER

    async def _decide(
        self, transaction: Transaction, attempt: Attempt, held: Sequence[Holder], now: datetime
    ) -> list[Judged]:
        await transaction.lock(
            [
                *(f"person:{holder.party_id}" for holder in held),
                f"phone:{attempt.asking.pbx}/{attempt.caller.extension}",
            ]
        )
        judged = await self._judged(transaction, attempt, held, now)
        if await lock_shared(transaction, [one.decision for one in judged]):
            judged = await self._judged(transaction, attempt, held, now)
        return judged

    async def _judged(
        self, transaction: Transaction, attempt: Attempt, held: Sequence[Holder], now: datetime
    ) -> list[Judged]:
        judged, collector = [], attempt.caller.collector
        for holder in held:
            subject = Subject(holder.case_id, holder.party_id, attempt.number, collector.name, collector.role)
            try:
                judged.append(Judged(holder, await self.decider.decide(transaction.connection, subject, now)))
            except NotFound:
                continue  # it was taken off that case since it was looked up
        return judged

    async def _listed(
        self, transaction: Transaction, attempt: Attempt, held_by_others: bool, ring_seconds: int, now: datetime
    ) -> Answer:
        """No case of the collector's holds the number: only the list of allowed numbers lets it out, recorded all the same."""
        clients, pbx = attempt.caller.collector.clients, attempt.asking.pbx
        listed = await allowed_numbers.listed(transaction.connection, attempt.number, pbx, clients)
        if listed is None or held_by_others:
            return await refuse(transaction, attempt, NO_CASE, now)
        if not self.decider.gathering.recorder_healthy():
            return await refuse(transaction, attempt, RECORDER_DOWN, now)
        leave = {"by": listed.created_by, "reason": listed.reason, "expires_at": None, "rules": [NO_CASE.rule]}
        return await dial(transaction, attempt, ring_seconds, now, client=listed.client, override=leave)
